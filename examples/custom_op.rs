//! A custom operation: its description, kernel and gradient, and its use like a built-in one.

use std::error::Error;

use tidemill::custom::{
    Arg, AttrDef, Fallible, Inferred, KernelCx, KernelError, NodeBuilder, NodeView, OpDef,
    register_op,
};
use tidemill::prelude::*;
use tidemill::{Operand, import_graph_def, to_graph_def};

/// Moves numbers towards zero by a threshold, but not beyond it.
static SOFT_THRESHOLD: OpDef = OpDef::new("SoftThreshold", "Moves numbers towards zero.")
    .inputs(&[Arg::is("x", DType::F32)])
    .outputs(&[Arg::is("y", DType::F32)])
    .attrs(&[AttrDef::float("threshold", 1.0)])
    .fallible(Fallible::Never)
    // The output has the shape of the input.
    .infer(|node| Inferred::one(node.shape(0).clone()))
    // A kernel is made once for each node: attributes are read here, not in each run.
    .kernel(|node: &NodeView<'_>| {
        let threshold = node.float_attr("threshold")?;
        Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let mut y = cx.take(0)?;
            for y in y.as_mut_slice::<f32>()? {
                *y -= y.clamp(-threshold, threshold);
            }
            cx.set(0, y);
            Ok(())
        }))
    })
    // A gradient consists of nodes, so it has a gradient itself.
    .gradient(|cx| {
        let (x, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
        let moves = greater(abs(x), cx.node().float_attr("threshold")?);
        let of_x = select(moves, grad, zeros_like(grad));
        Ok([Some(of_x.into())].into_iter().collect())
    });

#[track_caller]
fn soft_threshold(x: impl Into<Operand>, threshold: f32) -> Tensor {
    let node = NodeBuilder::new(&SOFT_THRESHOLD).input(x.into().to_tensor());
    node.attr("threshold", threshold).build().output(0).into()
}

fn main() -> Result<(), Box<dyn Error>> {
    let x = placeholder::<f32>(shape![?]);
    let y = soft_threshold(x, 0.5);
    let gradient = gradients([reduce_sum(square(y), ..)], [x]).remove(0).ok_or("no gradient")?;
    let session = Session::new();
    let feeds = feeds![x => [-2.0_f32, -0.25, 0.5, 3.0]];
    let [y_value, gradient_value] = session.run_with([y, gradient], feeds)?;
    println!("{y}");
    println!("values:    {y_value}");
    println!("gradients: {gradient_value}");

    // Files name operations, so an operation that is read from a file must be registered under its
    // name.
    register_op(&SOFT_THRESHOLD)?;
    let message = to_graph_def(&default_graph())?;
    reset_default_graph();
    import_graph_def(message)?;
    println!("imported:  {} nodes", default_graph().len());
    Ok(())
}
