//! Operations that a program defines itself.

use crate::common::{Outcome, in_both_modes};
use tidemill::custom::{
    Arg, Fallible, Inferred, KernelCx, KernelError, NodeBuilder, OpDef, register_op,
};
use tidemill::prelude::*;
use tidemill::{import_graph_def, to_graph_def};

/// An operation that doubles.
const fn double(name: &'static str) -> OpDef {
    OpDef::new(name, "Doubles.")
        .inputs(const { &[Arg::is("x", DType::F32)] })
        .outputs(const { &[Arg::is("y", DType::F32)] })
        .fallible(Fallible::Never)
        .infer(|node| Inferred::one(node.shape(0).clone()))
        .kernel(|_| {
            Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let mut y = cx.take(0)?;
                y.as_mut_slice::<f32>()?.iter_mut().for_each(|y| *y *= 2.0);
                cx.set(0, y);
                Ok(())
            }))
        })
}

static DOUBLE: OpDef = double("Double").gradient(|cx| {
    let grad: Tensor = cx.grad();
    Ok([Some(node(&DOUBLE, grad).into())].into_iter().collect())
});
static DOUBLE_WITHOUT_GRADIENT: OpDef = double("DoubleWithoutGradient");
static DOUBLE_IN_FILES: OpDef = double("DoubleInFiles");
static SECOND_OF_ITS_NAME: OpDef = double("DoubleInFiles");
static LIKE_ONE_BUILT_IN: OpDef = double("MatMul");

#[track_caller]
fn node(op: &'static OpDef, x: Tensor) -> Tensor {
    NodeBuilder::new(op).input(x).build().output(0).into()
}

#[test]
fn an_operation_of_ones_own_runs_and_is_differentiated_twice() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([2]);
    let y = node(&DOUBLE, square(x));
    let first = gradients([y], [x])[0].ok_or("no gradient")?;
    let second = gradients([first], [x])[0].ok_or("no gradient")?;
    for session in in_both_modes() {
        let values = session.run_with([y, first, second], feeds![x => [3.0_f32, -1.0]])?;
        let texts = values.map(|value| value.to_string());
        assert_eq!(texts, ["[18.0, 2.0]", "[12.0, -4.0]", "[4.0, 4.0]"]);
    }
    Ok(())
}

#[test]
fn to_differentiate_without_a_gradient_names_the_operation() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let _ = gradients([node(&DOUBLE_WITHOUT_GRADIENT, x)], [x]);
    let error = graph.check().unwrap_err().to_string();
    assert!(error.contains("no gradient is defined for DoubleWithoutGradient"), "{error}");
}

#[test]
fn a_wrong_input_is_an_error_as_for_any_operation() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _ = node(&DOUBLE, constant(1_i32));
    let error = graph.check().unwrap_err().to_string();
    assert!(error.contains("Double") && error.contains("float32"), "{error}");
}

#[test]
fn an_operation_is_imported_once_it_is_registered() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _ = node(&DOUBLE_IN_FILES, constant(1.5_f32)).op().named("twice");
    let message = to_graph_def(&graph)?;

    let before = Graph::new();
    {
        let _before = before.as_default();
        import_graph_def(&message)?;
    }
    let error =
        Session::with_graph(&before).run(before.tensor("twice:0")?).unwrap_err().to_string();
    assert!(error.contains("DoubleInFiles"), "{error}");

    let again = Graph::new();
    let _again = again.as_default();
    register_op(&DOUBLE_IN_FILES)?;
    import_graph_def(&message)?;
    assert_eq!(Session::new().run(again.tensor("twice:0")?)?.to_string(), "3.0");

    assert_eq!(register_op(&DOUBLE_IN_FILES), Ok(()));
    let taken = register_op(&SECOND_OF_ITS_NAME).unwrap_err().to_string();
    assert_eq!(taken, "the operation DoubleInFiles already exists");
    assert!(register_op(&LIKE_ONE_BUILT_IN).is_err());
    Ok(())
}
