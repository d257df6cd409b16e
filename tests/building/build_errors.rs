//! The errors of failed builder calls. Lines are counted from the line of `base`.

use crate::common::relative;
use tidemill::BuildErrors;
use tidemill::prelude::*;

/// The errors of a graph.
fn errors_of(graph: &Graph) -> BuildErrors {
    graph.check().unwrap_err()
}

#[test]
fn types_that_differ() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let price = placeholder::<f32>([]).named("price");
    let count = constant(3).named("count");
    let _ = price * count;
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `x` is float32 and `y` is int32, but they must have the same type
      --> +3:13 (in `mul`)
      input `x`: `price`, float32[] (+1:17)
      input `y`: `count`, int32[] (+2:17)
      help: convert one of them, as in cast(y, DType::F32)
    ");
}

#[test]
fn a_type_that_an_operation_does_not_take() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count = constant(3).named("count");
    exp(count);
    let _ = !count;
    let _ = count / count;
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `x` is int32, but must be float32, float64, float16 or bfloat16
      --> +2:5 (in `Exp`)
      input `x`: `count`, int32[] (+1:17)
      help: convert it, as in cast(x, DType::F32)
    `x` is int32, but must be bool
      --> +3:13 (in `LogicalNot`)
      input `x`: `count`, int32[] (+1:17)
      help: convert it, as in cast(x, DType::Bool)
    `x` is int32, but must be float32, float64, float16 or bfloat16
      --> +4:13 (in `truediv`)
      input `x`: `count`, int32[] (+1:17)
      input `y`: `count`, int32[] (+1:17)
      help: convert it, as in cast(x, DType::F32)
    ");
}

#[test]
fn a_number_that_does_not_fit_the_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count = constant(3).named("count");
    let _ = count + 0.5;
    let _ = constant(1_u8) + 256;
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the number 0.5 does not fit int32
      --> +2:13 (in `y`)
    the number 256 does not fit uint8
      --> +3:13 (in `y`)
    ");
}

#[test]
fn shapes_that_do_not_broadcast() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = placeholder::<f32>(shape![?, 3]).named("x");
    let weights = get_variable("weights", [4], zeros());
    let _ = x * weights;
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    shapes [?, 3] and [4] do not broadcast: counted from the last, axis -1 is 3 on the left and 4 on the right, and neither is 1
      --> +3:13 (in `mul`)
      input `x`: `x`, float32[?, 3] (+1:13)
      input `y`: `weights/read`, float32[4] (+2:19)
    ");
}

#[test]
fn a_matrix_product_of_a_vector() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let row = constant([[1.0_f32, 2.0]]).named("row");
    let vector = constant([1.0_f32, 2.0, 3.0]).named("vector");
    matmul(row, vector);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `b` must have 2 axes, but its shape is [3]
      --> +3:5 (in `MatMul`)
      input `a`: `row`, float32[1, 2] (+1:15)
      input `b`: `vector`, float32[3] (+2:18)
    ");
}

#[test]
fn a_matrix_product_of_matrices_that_do_not_fit() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let left = placeholder::<f32>(shape![?, 2]).named("left");
    let right = get_variable("right", [3, 4], zeros());
    matmul(left, right);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the inner dimensions of [?, 2] and [3, 4] differ: 2 columns on the left, 3 rows on the right
      --> +3:5 (in `MatMul`)
      input `a`: `left`, float32[?, 2] (+1:16)
      input `b`: `right/read`, float32[3, 4] (+2:17)
    ");
}

#[test]
fn a_shape_of_another_number_of_elements() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([[1.0_f32, 2.0, 3.0]; 2]).named("x");
    reshape(x, [4, 2]);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    a tensor of shape [2, 3] has 6 elements, but shape [4, 2] needs 8
      --> +2:5 (in `Reshape`)
      input `tensor`: `x`, float32[2, 3] (+1:13)
      input `shape`: `Reshape/shape`, int32[2] (+2:5)
    ");
}

#[test]
fn an_axis_that_is_not_there() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([[1.0_f32, 2.0, 3.0]; 2]).named("x");
    reduce_sum(x, 2);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    axis 2 is out of range for 2 axes: it must be at least -2 and below 2
      --> +2:5 (in `Sum`)
      input `input`: `x`, float32[2, 3] (+1:13)
      input `reduction_indices`: `Sum/reduction_indices`, int32[] (+2:5)
    ");
}

#[test]
fn a_ragged_list() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    constant(vec![vec![1, 2], vec![3]]);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the nested list is ragged: one part has shape [2], another has [1]
      --> +1:5 (in `Const`)
    ");
}

#[test]
fn tensors_of_two_graphs() {
    let (graph, other) = (Graph::new(), Graph::new());
    let base = line!();
    let elsewhere = {
        let _default = other.as_default();
        constant(1).named("elsewhere")
    };
    let _default = graph.as_default();
    let here = constant(2).named("here");
    let _ = here + elsewhere;
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    tensors of two graphs cannot be combined: one is in graph #, the other in graph #
      --> +7:13 (in `add`)
      input `x`: `here`, in graph # (+6:16)
      input `y`: `elsewhere`, in graph # (+3:9)
    ");
}

#[test]
fn a_handle_of_a_graph_that_was_dropped() {
    let base = line!();
    let x = {
        let graph = Graph::new();
        let _default = graph.as_default();
        constant(1).named("x")
    };
    insta::assert_snapshot!(relative(x, file!(), base), @"Tensor(<invalid>: the graph of this handle is gone: it was dropped)");
    insta::assert_snapshot!(relative(x + 1, file!(), base), @"Tensor(<invalid>: the graph of this handle is gone: it was dropped (+7:38))");
}

#[test]
fn a_variable_that_exists() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    get_variable("weights", [2], zeros());
    get_variable("weights", [2], zeros());
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the variable `weights` already exists
      --> +2:5 (in `get_variable`)
      `weights` was made here (+1:5)
      help: keep the handle that the first call returned, or share variables by variable_scope_with(.., Reuse::Auto, ..)
    ");
}

#[test]
fn a_variable_to_reuse_that_does_not_exist() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    variable_scope_with("layer", Reuse::Always, || get_variable("weights", [2], zeros()));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    there is no variable `layer/weights` to reuse
      --> +1:52 (in `get_variable`)
      help: create it first, or open the scope with Reuse::Auto, which creates what is missing
    ");
}

#[test]
fn a_variable_to_reuse_that_is_of_another_shape_or_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    get_variable("weights", [2], zeros());
    variable_scope_with("", Reuse::Auto, || {
        get_variable("weights", [3], zeros());
        variable("weights", [2]).dtype(DType::I32).get();
    });
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the variable `weights` is float32[2], but float32[3] was requested
      --> +3:9 (in `get_variable`)
      `weights` was made here (+1:5)
    the variable `weights` is float32[2], but int32[2] was requested
      --> +4:52 (in `get_variable`)
      `weights` was made here (+1:5)
    ");
}

#[test]
fn a_variable_of_unknown_shape() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    get_variable("weights", shape![?, 3], zeros());
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the shape [?, 3] of a variable must be known to initialize it
      --> +1:5 (in `get_variable`)
    ");
}

#[test]
fn an_initial_value_of_another_shape() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    get_variable("weights", [3], constant([1.0_f32, 2.0]));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the initial value has shape [2], not [3]
      --> +1:5 (in `get_variable`)
    ");
}

#[test]
fn an_assigned_value_of_another_shape_or_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let weights = get_variable("weights", [3], zeros());
    assign(weights, constant([1.0_f32, 2.0]));
    assign_add(weights, constant([1, 2, 3]));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    shapes [3] and [2] contradict each other
      --> +2:5 (in `Assign`)
      input `ref`: the variable `weights`, float32[3] (+1:19)
      input `value`: `Const`, float32[2] (+2:21)
    `ref` is float32 and `value` is int32, but they must have the same type
      --> +3:5 (in `AssignAdd`)
      input `ref`: the variable `weights`, float32[3] (+1:19)
      input `value`: `Const_1`, int32[3] (+3:25)
      help: convert one of them, as in cast(value, DType::F32)
    ");
}

#[test]
fn something_assigned_to_that_is_no_variable() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = get_variable("v", [], zeros());
    assign(v.read(), 1.0);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `ref` must be a variable
      --> +2:5 (in `Assign`)
    ");
}

#[test]
fn names_that_cannot_be() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    constant(1).named("two words");
    get_variable("_private", [], zeros());
    name_scope("a:b", || constant(1));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `two words` cannot be a name: names consist of letters, digits and `._/>-`, and begin with a letter, a digit or `.`
      --> +1:17 (in `named`)
    `_private/Initializer/zeros` cannot be a name: names consist of letters, digits and `._/>-`, and begin with a letter, a digit or `.`
      --> +2:5 (in `zeros`)
    `a:b/Const` cannot be a name: names consist of letters, digits and `._/>-`, and begin with a letter, a digit or `.`
      --> +3:26 (in `Const`)
    ");
}

#[test]
fn a_finalized_graph() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant(1);
    graph.finalize();
    let _ = x + 1;
    x.named("late");
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the graph was finalized at +2:11 and takes no more nodes
      --> +3:13 (in `y`)
    the graph was finalized at +2:11 and takes no more nodes
      --> +4:7 (in `named`)
    ");
}

#[test]
fn no_variable_to_train() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let loss = square(constant(1.0_f32));
    GradientDescent::new(0.1).minimize(loss);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the loss `Square` cannot be minimized: its graph has no trainable variable
      --> +2:31 (in `minimize`)
    ");
}

#[test]
fn a_loss_that_depends_on_no_variable() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    get_variable("a", [], zeros());
    get_variable("b", [], zeros());
    let loss = square(constant(1.0_f32)).named("loss");
    GradientDescent::new(0.1).minimize(loss);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the loss `loss` does not depend on any of the variables `a`, `b`
      --> +4:31 (in `minimize`)
    ");
}

#[test]
fn a_gradient_that_is_cut_off() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = get_variable("v", [], zeros());
    let rounded = floor(v * 2.0).named("rounded");
    let loss = square(rounded).named("loss");
    GradientDescent::new(0.1).minimize(loss);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    no gradient flows from the loss `loss` to the variables `v`
      `rounded`, of type Floor, has no derivative (+2:19):
         loss ← rounded
      --> +4:31 (in `minimize`)
    ");
}

#[test]
fn a_loss_of_whole_numbers() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = variable("v", []).dtype(DType::I32).get();
    GradientDescent::new(0.1).minimize(square(v.read()));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `Square:0` is int32, but only floats have gradients
      --> +2:31 (in `gradients`)
      `Square:0` was made here (+2:40)
    ");
}

#[test]
fn a_gradient_that_is_prevented() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant(1.0_f32).named("x");
    let y = square(prevent_gradient(x, "it was detached"));
    gradients([y], [x]);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    the gradient is prevented: it was detached
      --> +2:20 (in `gradients`)
    ");
}

#[test]
fn nothing_to_apply() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = get_variable("v", [], zeros());
    GradientDescent::new(0.1).apply_gradients(&[(None, v)], None);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    there is no gradient to apply: none of the variables `v` has one
      --> +2:31 (in `apply_gradients`)
    ");
}

#[test]
fn a_learning_rate_that_is_no_single_number() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let v = get_variable("v", [], zeros());
    GradientDescent::new(constant([0.1_f32, 0.2])).minimize(square(v.read()));
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `alpha` must have no axes, but its shape is [2]
      --> +2:52 (in `ApplyGradientDescent`)
      input `var`: the variable `v`, float32[] (+1:13)
      input `alpha`: `Const`, float32[2] (+2:26)
      input `delta`: `gradients/Square_grad/mul_1`, float32[] (+2:61)
    ");
}

#[test]
fn a_condition_that_is_no_single_truth_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([1.0_f32, -1.0]).named("x");
    tidemill::ops::assert(greater(x, 0.0), [x]);
    insta::assert_snapshot!(relative(errors_of(&graph), file!(), base), @"
    `condition` must have no axes, but its shape is [2]
      --> +2:5 (in `Assert`)
      input `condition`: `Greater`, bool[2] (+2:27)
      input `data`: `x`, float32[2] (+1:13)
    ");
}

#[test]
fn several_mistakes_are_listed_in_the_order_in_which_they_were_made() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant([1.0_f32, 2.0]).named("x");
    let first = x + constant([1.0_f32, 2.0, 3.0]);
    let second = x + constant(1);
    let _consequence = first * second;
    let third = reshape(x, [3]);
    let _consequence = third + 1.0;
    let errors = errors_of(&graph);
    assert_eq!(errors.errors().len(), 3);
    insta::assert_snapshot!(relative(errors, file!(), base), @"
    shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1
      --> +2:17 (in `add`)
      input `x`: `x`, float32[2] (+1:13)
      input `y`: `Const`, float32[3] (+2:21)
    `x` is float32 and `y` is int32, but they must have the same type
      --> +3:18 (in `add`)
      input `x`: `x`, float32[2] (+1:13)
      input `y`: `Const_1`, int32[] (+3:22)
      help: convert one of them, as in cast(y, DType::F32)
    a tensor of shape [2] has 2 elements, but shape [3] needs 3
      --> +5:17 (in `Reshape`)
      input `tensor`: `x`, float32[2] (+1:13)
      input `shape`: `Reshape/shape`, int32[1] (+5:17)
    ");
}

#[test]
fn an_operator_is_found_by_its_column() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let (x, y) = (constant([1.0_f32, 2.0]), constant([1.0_f32, 2.0, 3.0]));
    let _ = (x + x) * (x - y) + (y / x);
    let columns: Vec<(u32, u32)> = errors_of(&graph)
        .errors()
        .map(|error| (error.location.line() - base, error.location.column()))
        .collect();
    assert_eq!(columns, [(2, 23), (2, 33)]);
}

#[test]
fn an_invalid_handle_prints_what_is_wrong() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let sum = constant([1.0_f32, 2.0]) + constant([1.0_f32, 2.0, 3.0]);
    let consequence = sum * 2.0;
    insta::assert_snapshot!(relative(consequence, file!(), base), @"Tensor(<invalid>: shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1 (+1:15))");
    insta::assert_snapshot!(relative(consequence.op(), file!(), base), @"Operation(<invalid>: shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and 3 on the right, and neither is 1 (+1:15))");
    assert_eq!((consequence.name().as_str(), consequence.dtype()), ("<invalid>:0", None));
    assert!(consequence.consumers().is_empty() && consequence.op().inputs().is_empty());
}

#[test]
#[should_panic(expected = "shapes [2] and [3] do not broadcast")]
fn a_strict_graph_panics_where_the_call_fails() {
    let graph = Graph::new();
    graph.strict();
    let _default = graph.as_default();
    let _ = constant([1.0_f32, 2.0]) + constant([1.0_f32, 2.0, 3.0]);
}
