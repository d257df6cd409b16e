//! Lists of tensors: their known facts, their contents, and their gradients.

use crate::common::{Outcome, in_both_modes};
use tidemill::prelude::*;
use tidemill::{TensorArray, TensorList};
use tidemill_testing::check_gradient;

fn rows() -> Value {
    Value::from_vec([3, 2], vec![1.0, -2.0, 0.5, 4.0, 3.0, -1.0]).unwrap()
}

fn list_of(x: Tensor) -> Tensor {
    tensor_list_from_tensor(x, shape![2])
}

fn stacked(list: Tensor) -> Tensor {
    tensor_list_stack(list, shape![2], DType::F64)
}

/// Checks the gradient of a function of three rows and of one, and the gradient of that gradient.
#[track_caller]
fn check(function: impl Fn(Tensor, Tensor) -> Tensor) {
    check_gradient(|x| square(function(x[0], x[1])), &[rows(), Value::from([2.0, -0.5])]);
}

#[test]
fn elements_that_are_read_and_written_have_gradients() {
    check(|x, row| {
        let list = tensor_list_set_item(list_of(x), 1, row * row);
        tensor_list_get_item(list, 1, shape![2], DType::F64) * stacked(list)
    });
    check(|x, _| {
        let list = list_of(x);
        let item = |i| tensor_list_get_item(list, i, shape![2], DType::F64);
        item(0) * item(0) * item(2)
    });
}

#[test]
fn a_stack_has_gradients() {
    check(|x, row| {
        let list = tensor_list_push_back(list_of(x), row * row);
        let (list, last) = tensor_list_pop_back(list, shape![2], DType::F64);
        let (list, second) = tensor_list_pop_back(list, shape![2], DType::F64);
        stacked(list) * last * second
    });
    check(|x, row| {
        let list = tensor_list_push_back(list_of(x), row);
        tensor_list_pop_back(list, shape![2], DType::F64).1 * row
    });
}

#[test]
fn an_element_that_is_gathered_twice_has_the_sum_of_both_gradients() {
    check(|x, row| tensor_list_gather(list_of(square(x)), [2, 0, 2], shape![2], DType::F64) * row);
}

#[test]
fn what_is_scattered_has_gradients() {
    check(|x, row| {
        let list = tensor_list_scatter(square(x), [4, 0, 1], shape![2], -1);
        stacked(tensor_list_push_back(list, row))
    });
    check(|x, row| {
        let rows = stack([row * row, row], 0);
        stacked(tensor_list_scatter_into(list_of(square(x)), rows, [4, 1]))
    });
}

#[test]
fn lists_that_are_joined_split_and_resized_have_gradients() {
    check(|x, row| {
        let list = tensor_list_split(square(x), shape![?, 2], constant([2_i64, 1]));
        let list = tensor_list_push_back(list, expand_dims(row, 0));
        tensor_list_concat(list, shape![?, 2], DType::F64).0
    });
    check(|x, _| stacked(tensor_list_resize(list_of(square(x)), 2)));
    check(|x, row| {
        let list = tensor_list_resize(list_of(square(x)), 4);
        stacked(tensor_list_set_item(list, 3, row * row))
    });
}

#[test]
fn arrays_have_gradients() {
    check(|x, row| {
        let array = TensorArray::unstack(square(x)).dynamic_size().write(3, row * row);
        array.gather([0, 3]) * array.read(1)
    });
    check(|x, row| {
        let array = TensorArray::of_shape(DType::F64, shape![2], 5);
        array.scatter([0, 1, 4], square(x)).write(2, row).stack()
    });
    check(|x, _| TensorArray::split(square(x), constant([1_i64, 2])).concat());
}

#[test]
fn the_shapes_of_elements_are_known_before_a_run() {
    let array = TensorArray::of_shape(DType::F32, shape![?, 3], 2);
    assert_eq!((array.dtype(), array.element_shape()), (DType::F32, shape![?, 3]));
    let array = array.write(0, placeholder::<f32>([4, 3]));
    assert_eq!(array.read(1).shape(), shape![?, 3]);
    assert_eq!(array.stack().shape(), shape![?, ?, 3]);
    assert_eq!(array.gather([0, 1]).shape(), shape![2, ?, 3]);
    assert_eq!(array.concat().shape(), shape![?, 3]);
    let again = TensorArray::from_flow(identity(array.flow()), DType::F32);
    assert_eq!(again.element_shape(), shape![?, 3]);
    assert!(array.write(1, placeholder::<f32>([4, 2])).flow().is_invalid());
    assert!(TensorArray::from_flow(array.flow(), DType::I32).flow().is_invalid());
}

#[test]
fn an_array_gives_what_was_written() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let array = TensorArray::of_shape(DType::I32, shape![2], 3);
    let written = array.write(0, constant([1, 2])).write(2, constant([5, 6]));
    for session in in_both_modes() {
        assert_eq!(session.run(written.stack())?.to_string(), "[[1, 2], [0, 0], [5, 6]]");
        assert_eq!(session.run(array.stack())?.to_string(), "[[0, 0], [0, 0], [0, 0]]");
        assert_eq!(session.run(written.size())?, Value::from(3));
        assert_eq!(session.run(written.concat())?, Value::from([1, 2, 0, 0, 5, 6]));
        let text = session.run(written.read(3)).unwrap_err().to_string();
        assert!(text.contains("index 3 is out of range for a list of 3 elements"), "{text}");
    }
    Ok(())
}

#[test]
fn lists_are_fetched_and_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let flow = TensorArray::unstack(constant([[1, 2], [3, 4]])).flow();
    let rows = tensor_list_stack(flow, shape![2], DType::I32);
    for session in in_both_modes() {
        let list = session.run(flow)?;
        assert_eq!(list.to_string(), "list(int32[2] x 2)");
        let mut other = TensorList::new(DType::I32, [2]);
        other.push(Value::from([7, 8]))?;
        assert_eq!(session.run_with(rows, feeds![flow => other])?.to_string(), "[[7, 8]]");
        let wrong = Value::from(TensorList::new(DType::I32, [3]));
        let text = session.run_with(rows, feeds![flow => wrong]).unwrap_err().to_string();
        assert!(text.contains("shapes [3] and [2] contradict each other"), "{text}");
    }
    Ok(())
}

#[test]
fn sums_of_lists_take_absent_elements_for_zeros() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let none = TensorArray::of_shape(DType::F32, shape![2], 3);
    let left = none.write(0, constant([1.0_f32, 2.0])).write(1, constant([3.0_f32, 4.0]));
    let right = none.write(1, constant([10.0_f32, 20.0]));
    let sum = TensorArray::from_flow(add_n([left.flow(), right.flow()]), DType::F32);
    let zeros = TensorArray::from_flow(zeros_like(left.flow()), DType::F32);
    let short = TensorArray::of_shape(DType::F32, shape![2], 2).flow();
    let wrong = tensor_list_length(add_n([left.flow(), short]));
    for session in in_both_modes() {
        let expected = "[[1.0, 2.0], [13.0, 24.0], [0.0, 0.0]]";
        assert_eq!(session.run(sum.stack())?.to_string(), expected);
        assert_eq!(session.run(zeros.stack())?, Value::zeros(DType::F32, [3, 2])?);
        let text = session.run(wrong).unwrap_err().to_string();
        assert!(text.contains("lists of 3 and 2 elements cannot be added"), "{text}");
    }
    Ok(())
}

#[test]
fn lists_of_lists_are_stacks_of_stacks() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([2]);
    let inner = tensor_list_push_back(empty_tensor_list(shape![2], DType::F32), x * x);
    let outer = tensor_list_push_back(empty_tensor_list(shape![], DType::Variant), inner);
    let (_, inner) = tensor_list_pop_back(outer, shape![], DType::Variant);
    let (_, y) = tensor_list_pop_back(inner, shape![2], DType::F32);
    let gradient = gradients([y], [x])[0].unwrap();
    for session in in_both_modes() {
        let given = [1.5_f32, -2.0];
        assert_eq!(session.run_with(y, feeds![x => given])?, Value::from([2.25_f32, 4.0]));
        assert_eq!(session.run_with(gradient, feeds![x => given])?, Value::from([3.0_f32, -4.0]));
    }
    Ok(())
}
