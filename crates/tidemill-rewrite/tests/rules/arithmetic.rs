//! Arithmetic and logic.

use crate::rules;

rules! {
    a_product_with_one_is_the_other_factor: "mul-one"
        "x: float32[2] = _Feed()
         one: float32[] = Const() value=float32[]{1.0}
         y: float32[2] = Mul(x, one)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Mul(x, x)
         @fetch y:0"
        stays "the other operand is no constant";

        "x: float32[] = _Feed()
         ones: float32[2] = Const() value=float32[2]{1.0, 1.0}
         y: float32[2] = Mul(x, ones)
         @fetch y:0"
        stays "the constant is no single number";

        "x: float32[2] = _Feed()
         two: float32[] = Const() value=float32[]{2.0}
         y: float32[2] = Mul(x, two)
         @fetch y:0"
        stays "the constant is not neutral";

    a_product_of_one_is_the_other_factor: "one-mul"
        "x: int32[?] = _Feed()
         one: int32[] = Const() value=int32[]{1}
         y: int32[?] = Mul(one, x)
         @fetch y:0"
        becomes
        "x: int32[?] = _Feed()
         @fetch x:0";

        "x: int32[?] = _Feed()
         zero: int32[] = Const() value=int32[]{0}
         y: int32[?] = Mul(zero, x)
         @fetch y:0"
        stays "the constant is not neutral";

    a_quotient_by_one_is_the_dividend: "div-one"
        "x: float64[2] = _Feed()
         one: float64[] = Const() value=float64[]{1.0}
         y: float64[2] = RealDiv(x, one)
         @fetch y:0"
        becomes
        "x: float64[2] = _Feed()
         @fetch x:0";

        "x: float64[2] = _Feed()
         one: float64[] = Const() value=float64[]{1.0}
         y: float64[2] = RealDiv(one, x)
         @fetch y:0"
        stays "the other operand is no constant";

    an_integer_floor_quotient_by_one_is_the_dividend: "floor-div-one"
        "x: int64[2] = _Feed()
         one: int64[] = Const() value=int64[]{1}
         y: int64[2] = FloorDiv(x, one)
         @fetch y:0"
        becomes
        "x: int64[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         one: float32[] = Const() value=float32[]{1.0}
         y: float32[2] = FloorDiv(x, one)
         @fetch y:0"
        stays "the constant is not neutral";

    a_sum_with_negative_zero_is_the_other_term: "add-zero"
        "x: float32[2] = _Feed()
         zero: float32[] = Const() value=float32[]{-0.0}
         y: float32[2] = AddV2(x, zero)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         zero: float32[] = Const() value=float32[]{0.0}
         y: float32[2] = AddV2(x, zero)
         @fetch y:0"
        stays "the constant is not neutral";

    a_sum_of_an_integer_zero_is_the_other_term: "zero-add"
        "x: int32[2] = _Feed()
         zero: int32[] = Const() value=int32[]{0}
         y: int32[2] = AddV2(zero, x)
         @fetch y:0"
        becomes
        "x: int32[2] = _Feed()
         @fetch x:0";

        "x: float64[2] = _Feed()
         zero: float64[] = Const() value=float64[]{0.0}
         y: float64[2] = AddV2(zero, x)
         @fetch y:0"
        stays "the constant is not neutral";

    a_difference_from_zero_is_the_first_operand: "sub-zero"
        "x: float32[2] = _Feed()
         zero: float32[] = Const() value=float32[]{0.0}
         y: float32[2] = Sub(x, zero)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         zero: float32[] = Const() value=float32[]{-0.0}
         y: float32[2] = Sub(x, zero)
         @fetch y:0"
        stays "the constant is not neutral";

        "x: float32[2] = _Feed()
         zero: float32[] = Const() value=float32[]{0.0}
         y: float32[2] = Sub(zero, x)
         @fetch y:0"
        stays "the other operand is no constant";

    two_negations_are_none: "neg-neg"
        "x: float32[2] = _Feed()
         y: float32[2] = Neg(x)
         z: float32[2] = Neg(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Abs(x)
         z: float32[2] = Neg(y)
         @fetch z:0"
        stays "the input is of another operation";

    two_logical_negations_are_none: "not-not"
        "x: bool[2] = _Feed()
         y: bool[2] = LogicalNot(x)
         z: bool[2] = LogicalNot(y)
         @fetch z:0 y:0"
        becomes
        "x: bool[2] = _Feed()
         y: bool[2] = LogicalNot(x)
         @fetch x:0 y:0";

        "x: bool[2] = _Feed()
         z: bool[2] = LogicalNot(x)
         @fetch z:0"
        stays "the input is of another operation";

    an_absolute_value_is_its_own: "abs-abs"
        "x: float32[2] = _Feed()
         y: float32[2] = Abs(x)
         z: float32[2] = Abs(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Abs(x)
         @fetch y:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Square(x)
         z: float32[2] = Abs(y)
         @fetch z:0"
        stays "the input is of another operation";

    an_absolute_value_has_no_sign: "abs-neg"
        "x: int32[2] = _Feed()
         y: int32[2] = Neg(x)
         z: int32[2] = Abs(y)
         @fetch z:0"
        becomes
        "x: int32[2] = _Feed()
         z: int32[2] = Abs(x)
         @fetch z:0";

    a_square_has_no_sign: "square-neg"
        "x: float32[?, 2] = _Feed()
         y: float32[?, 2] = Neg(x)
         z: float32[?, 2] = Square(y)
         @fetch z:0"
        becomes
        "x: float32[?, 2] = _Feed()
         z: float32[?, 2] = Square(x)
         @fetch z:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Square(x)
         z: float32[2] = Square(y)
         @fetch z:0"
        stays "the input is of another operation";

    a_square_of_an_absolute_value_is_that_of_the_number: "square-abs"
        "x: float64[] = _Feed()
         y: float64[] = Abs(x)
         z: float64[] = Square(y)
         @fetch y:0 z:0"
        becomes
        "x: float64[] = _Feed()
         y: float64[] = Abs(x)
         z: float64[] = Square(x)
         @fetch y:0 z:0";

    a_rectified_number_is_its_own: "relu-relu"
        "x: float32[2] = _Feed()
         y: float32[2] = Relu(x)
         z: float32[2] = Relu(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Relu(x)
         @fetch y:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Abs(x)
         z: float32[2] = Relu(y)
         @fetch z:0"
        stays "the input is of another operation";

    a_floor_is_its_own: "floor-floor"
        "x: float32[2] = _Feed()
         y: float32[2] = Floor(x)
         z: float32[2] = Floor(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Floor(x)
         @fetch y:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Ceil(x)
         z: float32[2] = Floor(y)
         @fetch z:0"
        stays "the input is of another operation";

    a_ceiling_is_its_own: "ceil-ceil"
        "x: float32[2] = _Feed()
         y: float32[2] = Ceil(x)
         z: float32[2] = Ceil(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Ceil(x)
         @fetch y:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Floor(x)
         z: float32[2] = Ceil(y)
         @fetch z:0"
        stays "the input is of another operation";

    a_rounded_number_is_its_own: "rint-rint"
        "x: float32[2] = _Feed()
         y: float32[2] = Rint(x)
         z: float32[2] = Rint(y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Rint(x)
         @fetch y:0";

        "x: float32[2] = _Feed()
         y: float32[2] = Floor(x)
         z: float32[2] = Rint(y)
         @fetch z:0"
        stays "the input is of another operation";

    a_conjunction_with_true_is_the_other_operand: "and-true"
        "x: bool[2] = _Feed()
         true: bool[] = Const() value=bool[]{true}
         y: bool[2] = LogicalAnd(x, true)
         @fetch y:0"
        becomes
        "x: bool[2] = _Feed()
         @fetch x:0";

        "x: bool[2] = _Feed()
         false: bool[] = Const() value=bool[]{false}
         y: bool[2] = LogicalAnd(x, false)
         @fetch y:0"
        stays "the constant is not neutral";

    a_conjunction_of_true_is_the_other_operand: "true-and"
        "x: bool[2] = _Feed()
         true: bool[] = Const() value=bool[]{true}
         y: bool[2] = LogicalAnd(true, x)
         @fetch y:0"
        becomes
        "x: bool[2] = _Feed()
         @fetch x:0";

        "x: bool[] = _Feed()
         true: bool[1] = Const() value=bool[1]{true}
         y: bool[1] = LogicalAnd(true, x)
         @fetch y:0"
        stays "the constant is no single number";

    a_disjunction_with_false_is_the_other_operand: "or-false"
        "x: bool[2] = _Feed()
         false: bool[] = Const() value=bool[]{false}
         y: bool[2] = LogicalOr(x, false)
         @fetch y:0"
        becomes
        "x: bool[2] = _Feed()
         @fetch x:0";

        "x: bool[2] = _Feed()
         true: bool[] = Const() value=bool[]{true}
         y: bool[2] = LogicalOr(x, true)
         @fetch y:0"
        stays "the constant is not neutral";

    a_disjunction_of_false_is_the_other_operand: "false-or"
        "x: bool[2] = _Feed()
         false: bool[] = Const() value=bool[]{false}
         y: bool[2] = LogicalOr(false, x)
         @fetch y:0"
        becomes
        "x: bool[2] = _Feed()
         @fetch x:0";

        "x: bool[2] = _Feed()
         y: bool[2] = LogicalOr(x, x)
         @fetch y:0"
        stays "the other operand is no constant";

    a_bias_of_the_last_axis_is_added: "bias-add"
        "x: float32[2, 3] = _Feed()
         b: float32[3] = _Feed()
         y: float32[2, 3] = BiasAdd(x, b) data_format=\"NCHW\"
         @fetch y:0"
        becomes
        "x: float32[2, 3] = _Feed()
         b: float32[3] = _Feed()
         y: float32[2, 3] = AddV2(x, b)
         @fetch y:0";

        "x: float32[2, 3, 4] = _Feed()
         b: float32[3] = _Feed()
         y: float32[2, 3, 4] = BiasAdd(x, b) data_format=\"NCHW\"
         @fetch y:0"
        stays "the channels come first";

        "x: float32[2, ?] = _Feed()
         b: float32[3] = _Feed()
         y: float32[2, 3] = BiasAdd(x, b)
         @fetch y:0"
        stays "the bias may not fit";

        "x: float32[..] = _Feed()
         b: float32[3] = _Feed()
         y: float32[..] = BiasAdd(x, b)
         @fetch y:0"
        stays "the rank is not known";

    a_sum_of_one_tensor_is_the_tensor: "add-n-one"
        "x: float32[2] = _Feed()
         y: float32[2] = AddN([x])
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         y: float32[2] = AddN([x, x])
         @fetch y:0"
        stays "there are several";

    a_sum_of_products_adds_one_after_the_other: "add-n"
        "x: float32[2, 2] = _Feed()
         y: float32[2, 2] = _Feed()
         p: float32[2, 2] = MatMul(x, y)
         q: float32[2, 2] = MatMul(y, x)
         s: float32[2, 2] = AddN([x, p, q])
         @fetch s:0"
        becomes
        "x: float32[2, 2] = _Feed()
         y: float32[2, 2] = _Feed()
         p: float32[2, 2] = MatMul(x, y)
         q: float32[2, 2] = MatMul(y, x)
         s: float32[2, 2] = AddV2(x, p)
         s.1: float32[2, 2] = AddV2(s, q)
         @fetch s.1:0";

        "x: float32[2, 2] = _Feed()
         p: float32[2, 2] = MatMul(x, x)
         s: float32[2, 2] = AddN([x, p])
         @fetch s:0 p:0"
        stays "there is no product to add to";

        "x: float32[2, ?] = _Feed()
         p: float32[2, ?] = MatMul(x, x)
         s: float32[2, ?] = AddN([x, p])
         @fetch s:0"
        stays "the shapes may differ";
}
