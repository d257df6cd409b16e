//! The forms of a function compute the same bits.

use tidemill_kernels::elementwise::*;
use tidemill_kernels::{NumericError, with_binary, with_unary};
use tidemill_value::{DType, Element, Memory, Value};

/// Numbers that include the corner cases of every function, more than a chunk of them.
fn operands(dtype: DType, seed: usize) -> Value {
    let corners = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 7.0, -7.0, 1e30, 1e-40, 6.0, f64::NAN];
    let numbers = (0..700).map(|i| match (i * 31 + seed * 17) % 5 {
        0 => corners[(i * 7 + seed) % corners.len()],
        k => (k as f64 - 2.5) * ((i * 37 + seed) % 101) as f64 / 7.0,
    });
    cast(&Memory::new(), &Value::list(numbers.collect::<Vec<f64>>()), dtype).unwrap()
}

fn same_bits<T: Element>(left: &[T], right: &[T]) -> bool {
    Value::list(left.to_vec()).bits_eq(&Value::list(right.to_vec()))
}

#[test]
fn one_many_and_in_place_give_the_same_bits_for_functions_of_one_operand() {
    let functions = [
        neg,
        abs,
        sign,
        square,
        sqrt,
        rsqrt,
        reciprocal,
        exp,
        expm1,
        log,
        log1p,
        sin,
        cos,
        tan,
        asin,
        acos,
        atan,
        sinh,
        cosh,
        tanh,
        asinh,
        acosh,
        atanh,
        sigmoid,
        softplus,
        relu,
        relu6,
        elu,
        floor,
        ceil,
        rint,
        logical_not,
    ];
    for &dtype in DType::ALL {
        for function in functions.iter().filter_map(|f| f(dtype)) {
            with_unary!(function, f => {
                let operands = operands(dtype, 1).into_vec().unwrap();
                let mut many = vec![Default::default(); operands.len()];
                f.slice(&operands, &mut many);
                let one: Vec<_> = operands.iter().map(|x| (f.one)(*x)).collect();
                let mut in_place = operands.clone();
                f.in_place(&mut in_place);
                assert!(same_bits(&many, &one), "{function:?}");
                assert!(same_bits(&many, &in_place), "{function:?}");
            });
        }
    }
}

#[test]
fn one_many_and_in_place_give_the_same_bits_for_functions_of_two_operands() {
    let functions = [
        add,
        sub,
        mul,
        div,
        floor_div,
        floor_mod,
        truncate_div,
        truncate_mod,
        pow,
        maximum,
        minimum,
        squared_difference,
        div_no_nan,
        mul_no_nan,
        absorbing_mul,
        atan2,
        xlogy,
        xdivy,
        logical_and,
        logical_or,
        sigmoid_grad,
        tanh_grad,
        sqrt_grad,
        rsqrt_grad,
        reciprocal_grad,
        relu_grad,
        relu6_grad,
        elu_grad,
        softplus_grad,
    ];
    for &dtype in DType::ALL {
        let numbered = functions.iter().enumerate();
        for (i, function) in numbered.filter_map(|(i, f)| Some((i, f(dtype)?))) {
            with_binary!(function, f => {
                let left = operands(dtype, 1).into_vec().unwrap();
                let right = operands(dtype, 2).into_vec().unwrap();
                // Operands on which the function fails are left out.
                let possible = |(x, y): (&_, &_)| (f.one)(*x, *y).is_some();
                let (left, right): (Vec<_>, Vec<_>) = left.into_iter().zip(right)
                    .filter(|(x, y)| possible((x, y))).unzip();
                agree_in_all_forms(f, &left, &right, &format!("function {i} of {dtype}"));
            });
        }
    }
}

fn agree_in_all_forms<T: Plain>(f: Binary<T>, left: &[T], right: &[T], name: &str) {
    let mut many = vec![T::default(); left.len()];
    f.pairs(left, right, &mut many).unwrap();
    let one: Vec<T> = left.iter().zip(right).map(|(x, y)| (f.one)(*x, *y).unwrap()).collect();
    assert!(same_bits(&many, &one), "{name}");
    let mut buffer = left.to_vec();
    f.in_place(Side::Left, &mut buffer, right).unwrap();
    assert!(same_bits(&many, &buffer), "{name}");
    buffer.copy_from_slice(right);
    f.in_place(Side::Right, &mut buffer, left).unwrap();
    assert!(same_bits(&many, &buffer), "{name}");

    let x = left[1];
    let one: Vec<T> = right.iter().map(|y| (f.one)(x, *y).unwrap()).collect();
    f.left_scalar(x, right, &mut many).unwrap();
    assert!(same_bits(&many, &one), "{name}");
    buffer.copy_from_slice(right);
    f.in_place(Side::Right, &mut buffer, &[x]).unwrap();
    assert!(same_bits(&many, &buffer), "{name}");

    let y = right[1];
    let one: Vec<T> = left.iter().map(|x| (f.one)(*x, y).unwrap()).collect();
    f.right_scalar(left, y, &mut many).unwrap();
    assert!(same_bits(&many, &one), "{name}");
    buffer.copy_from_slice(left);
    f.in_place(Side::Left, &mut buffer, &[y]).unwrap();
    assert!(same_bits(&many, &buffer), "{name}");
}

#[test]
fn an_operand_of_another_length_is_an_error_in_place() {
    let AnyBinary::F32(f) = add(DType::F32).unwrap() else { panic!("of float32") };
    let error = NumericError::Length { expected: 3, actual: 2 };
    assert_eq!(f.in_place(Side::Left, &mut [0.0; 3], &[1.0; 2]), Err(error));
    assert_eq!(f.in_place(Side::Left, &mut [], &[1.0]), Ok(()));
    assert_eq!(f.in_place(Side::Left, &mut [], &[]), Ok(()));
}
