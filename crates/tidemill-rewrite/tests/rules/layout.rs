//! Shapes, and operations that only move values around.

use crate::rules;

rules! {
    an_identity_is_its_input: "identity"
        "x: float32[2] = _Feed()
         y: float32[2] = Identity(x)
         z: float32[2] = Exp(y)
         @fetch y:0 z:0"
        becomes
        "x: float32[2] = _Feed()
         z: float32[2] = Exp(x)
         @fetch x:0 z:0";

    a_read_of_a_variable_is_its_value: "read"
        "v: float32_handle[2] = VarHandleOp() dtype=float32 shape=[2]
         y: float32[2] = ReadVariableOp(v)
         @fetch y:0"
        becomes
        "v: float32_handle[2] = VarHandleOp() dtype=float32 shape=[2]
         @fetch v:0";

    a_stopped_gradient_is_of_no_concern_to_a_run: "stop-gradient"
        "x: float32[2] = _Feed()
         y: float32[2] = StopGradient(x)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

    a_prevented_gradient_is_of_no_concern_to_a_run: "prevent-gradient"
        "x: float32[2] = _Feed()
         y: float32[2] = PreventGradient(x)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

    a_placeholder_that_is_not_fed_has_its_default: "default"
        "x: float32[2] = _Feed()
         y: float32[?] = PlaceholderWithDefault(x) shape=[?]
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[?] = _Feed()
         y: float32[2] = PlaceholderWithDefault(x) shape=[2]
         @fetch y:0"
        stays "the shape of the default may not fit";

    a_known_shape_is_a_constant: "shape"
        "x: float32[2, 3] = _Feed()
         y: int32[2] = Shape(x)
         @fetch y:0"
        becomes
        "x: float32[2, 3] = _Feed()
         y: int32[2] = Const() value=int32[2]{2, 3}
         @fetch y:0";

        "x: float32[?, 3] = _Feed()
         y: int32[2] = Shape(x)
         @fetch y:0"
        stays "the shape is not known";

    a_known_number_of_elements_is_a_constant: "size"
        "x: float32[2, 3] = _Feed()
         y: int64[] = Size(x) out_type=int64
         @fetch y:0"
        becomes
        "x: float32[2, 3] = _Feed()
         y: int64[] = Const() value=int64[]{6}
         @fetch y:0";

        "x: float32[?, 3] = _Feed()
         y: int32[] = Size(x)
         @fetch y:0"
        stays "the shape is not known";

    a_known_rank_is_a_constant: "rank"
        "x: float32[?, 3] = _Feed()
         y: int32[] = Rank(x)
         @fetch y:0"
        becomes
        "x: float32[?, 3] = _Feed()
         y: int32[] = Const() value=int32[]{2}
         @fetch y:0";

        "x: float32[..] = _Feed()
         y: int32[] = Rank(x)
         @fetch y:0"
        stays "the rank is not known";

    zeros_of_a_known_shape_are_a_constant: "zeros-like"
        "x: float32[2] = _Feed()
         y: float32[2] = ZerosLike(x)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Const() value=float32[2]{0.0, 0.0}
         @fetch y:0";

        "x: float32[?] = _Feed()
         y: float32[?] = ZerosLike(x)
         @fetch y:0"
        stays "the shape is not known";

        "x: float32[1025] = _Feed()
         y: float32[1025] = ZerosLike(x)
         @fetch y:0"
        stays "the result is large";

        "x: bool[2] = _Feed()
         y: bool[2] = ZerosLike(x)
         @fetch y:0"
        stays "the result has no numbers";

    ones_of_a_known_shape_are_a_constant: "ones-like"
        "x: int8[2] = _Feed()
         y: int8[2] = OnesLike(x)
         @fetch y:0"
        becomes
        "x: int8[2] = _Feed()
         y: int8[2] = Const() value=int8[2]{1, 1}
         @fetch y:0";

        "x: int8[..] = _Feed()
         y: int8[..] = OnesLike(x)
         @fetch y:0"
        stays "the shape is not known";

    a_cast_to_its_own_type_is_its_input: "cast"
        "x: float32[2] = _Feed()
         y: float32[2] = Cast(x) DstT=float32
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         y: float64[2] = Cast(x) DstT=float64
         @fetch y:0"
        stays "the data type changes";

        "x: float32[?] = _Feed()
         y: float32[?] = Cast(x) DstT=float32
         @fetch y:0"
        stays "the shape is not known";

    a_reshape_to_its_own_shape_is_its_input: "reshape"
        "x: float32[2] = _Feed()
         s: int32[1] = Const() value=int32[1]{-1}
         y: float32[2] = Reshape(x, s)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         s: int32[2] = Const() value=int32[2]{2, 1}
         y: float32[2, 1] = Reshape(x, s)
         @fetch y:0"
        stays "the shape changes";

        "x: float32[?] = _Feed()
         s: int32[1] = Const() value=int32[1]{-1}
         y: float32[?] = Reshape(x, s)
         @fetch y:0"
        stays "the shape is not known";

    of_two_reshapes_the_last_counts: "reshape-reshape"
        "x: float32[2, 3] = _Feed()
         s: int32[1] = Const() value=int32[1]{6}
         y: float32[6] = Reshape(x, s)
         t: int32[2] = Const() value=int32[2]{3, 2}
         z: float32[3, 2] = Reshape(y, t)
         @fetch z:0"
        becomes
        "x: float32[2, 3] = _Feed()
         t: int32[2] = Const() value=int32[2]{3, 2}
         z: float32[3, 2] = Reshape(x, t)
         @fetch z:0";

        "x: float32[2, 3] = _Feed()
         y: float32[2, 3] = Neg(x)
         t: int32[2] = Const() value=int32[2]{3, 2}
         z: float32[3, 2] = Reshape(y, t)
         @fetch z:0"
        stays "the input is of another operation";

        "x: float32[?, ?] = _Feed()
         s: int32[1] = Const() value=int32[1]{-1}
         y: float32[?] = Reshape(x, s)
         t: int32[1] = Const() value=int32[1]{2}
         z: float32[2] = Reshape(y, t)
         @fetch z:0"
        stays "the elements may not fit the shape; the input is of another operation";

    a_broadcast_to_its_own_shape_is_its_input: "broadcast-to"
        "x: float32[2] = _Feed()
         s: int32[1] = Const() value=int32[1]{2}
         y: float32[2] = BroadcastTo(x, s)
         @fetch y:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         s: int32[2] = Const() value=int32[2]{1, 2}
         y: float32[1, 2] = BroadcastTo(x, s)
         @fetch y:0"
        stays "the shape changes";

    a_transpose_that_moves_no_axis_is_its_input: "transpose"
        "x: float32[?, 3] = _Feed()
         p: int32[2] = Const() value=int32[2]{0, 1}
         y: float32[?, 3] = Transpose(x, p)
         @fetch y:0"
        becomes
        "x: float32[?, 3] = _Feed()
         @fetch x:0";

        "x: float32[2, 3] = _Feed()
         p: int32[2] = Const() value=int32[2]{1, 0}
         y: float32[3, 2] = Transpose(x, p)
         @fetch y:0"
        stays "the permutation moves an axis";

        "x: float32[2, 3] = _Feed()
         p: int32[2] = _Feed()
         y: float32[?, ?] = Transpose(x, p)
         @fetch y:0"
        stays "the permutation is no constant";

        "x: float32[..] = _Feed()
         p: int32[2] = Const() value=int32[2]{0, 1}
         y: float32[?, ?] = Transpose(x, p)
         @fetch y:0"
        stays "the permutation may be of another number of axes";

    two_transposes_are_one: "transpose-transpose"
        "x: float32[2, 3, 4] = _Feed()
         p: int32[3] = Const() value=int32[3]{1, 2, 0}
         y: float32[3, 4, 2] = Transpose(x, p)
         q: int32[3] = Const() value=int32[3]{0, 2, 1}
         z: float32[3, 2, 4] = Transpose(y, q)
         @fetch z:0"
        becomes
        "x: float32[2, 3, 4] = _Feed()
         z: int64[3] = Const() value=int64[3]{1, 0, 2}
         z.1: float32[3, 2, 4] = Transpose(x, z)
         @fetch z.1:0";

        "x: float32[2, 3] = _Feed()
         q: int32[2] = Const() value=int32[2]{1, 0}
         z: float32[3, 2] = Transpose(x, q)
         @fetch z:0"
        stays "the input is of another operation";

    a_select_by_true_is_its_first_value: "select-true"
        "x: float32[2] = _Feed()
         y: float32[2] = _Feed()
         c: bool[] = Const() value=bool[]{true}
         z: float32[2] = SelectV2(c, x, y)
         @fetch z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = _Feed()
         @fetch x:0";

        "x: float32[2] = _Feed()
         y: float32[2] = _Feed()
         c: bool[2] = Const() value=bool[2]{true, false}
         z: float32[2] = SelectV2(c, x, y)
         @fetch z:0"
        stays "the condition also has the other value";

        "x: float32[2] = _Feed()
         c: bool[2] = _Feed()
         z: float32[2] = SelectV2(c, x, x)
         @fetch z:0"
        stays "the condition is no constant";

        "x: float32[] = _Feed()
         y: float32[2] = _Feed()
         c: bool[] = Const() value=bool[]{true}
         z: float32[2] = SelectV2(c, x, y)
         @fetch z:0"
        stays "the branch is broadcast";

        "x: float32[2] = _Feed()
         y: float32[?] = _Feed()
         c: bool[] = Const() value=bool[]{true}
         z: float32[2] = SelectV2(c, x, y)
         @fetch z:0"
        stays "the shapes may not broadcast";

    a_select_by_false_is_its_second_value: "select-false"
        "x: float32[] = _Feed()
         y: float32[2] = _Feed()
         c: bool[2] = Const() value=bool[2]{false, false}
         z: float32[2] = SelectV2(c, x, y)
         @fetch z:0"
        becomes
        "x: float32[] = _Feed()
         y: float32[2] = _Feed()
         @fetch y:0";

        "x: float32[0] = _Feed()
         c: bool[0] = Const() value=bool[0]{}
         z: float32[0] = SelectV2(c, x, x)
         @fetch z:0"
        stays "the condition also has the other value";
}
