//! Conditionals and loops: functions of the host program build the bodies that nodes run.

mod conditional;
mod repetition;
mod sequence;
mod structure;

use std::sync::Arc;

use tidemill_graph::{
    Attr, Body, BuildErrorKind, Fact, Graph, NodeBuilder, OpDef, OperationRef, TensorRef, Trace,
    fail,
};

pub use conditional::{case, case_exclusive, cond, switch_case};
pub use repetition::{WhileLoop, while_loop};
pub use sequence::{
    foldl, foldr, map_accumulate, map_accumulate_shaped, map_fn, scan, scan_reverse,
};
pub use structure::{Rebuild, Structure};

use crate::{Operation, Tensor};

/// The tensors that the bodies of a node capture, each once.
fn captured_by(traces: &[&Trace]) -> Vec<TensorRef> {
    let mut captured: Vec<TensorRef> = Vec::new();
    for tensor in traces.iter().flat_map(|trace| trace.captured()) {
        if !captured.contains(&tensor) {
            captured.push(tensor);
        }
    }
    captured
}

/// Collects the tensors of a structure.
#[derive(Default)]
struct Collect(Vec<TensorRef>);

impl Rebuild for Collect {
    fn tensor(&mut self, tensor: Tensor) -> Tensor {
        self.0.push(tensor.into());
        tensor
    }

    fn operation(&mut self, operation: Operation) -> Operation {
        operation
    }
}

/// Puts the outputs of a node in the places of a structure.
struct Replace<I> {
    outputs: I,
    operation: OperationRef,
}

impl<I: Iterator<Item = TensorRef>> Rebuild for Replace<I> {
    fn tensor(&mut self, tensor: Tensor) -> Tensor {
        self.outputs.next().map_or(tensor, Tensor::from)
    }

    fn operation(&mut self, _: Operation) -> Operation {
        self.operation.into()
    }
}

/// The structure, with the tensors in it.
fn collect<S: Structure>(structure: S) -> (S, Vec<TensorRef>) {
    let mut collected = Collect::default();
    let structure = structure.rebuild(&mut collected);
    (structure, collected.0)
}

/// The structure with these tensors, which belong to one node, in place of its own.
fn replace<S: Structure>(
    structure: S,
    operation: OperationRef,
    outputs: impl IntoIterator<Item = TensorRef>,
) -> S {
    structure.rebuild(&mut Replace { outputs: outputs.into_iter(), operation })
}

/// The structure with the outputs of a node in place of its tensors.
fn outputs<S: Structure>(structure: S, operation: OperationRef) -> S {
    replace(structure, operation, (0..).map(|slot| operation.output(slot)))
}

/// The structure of a failed call.
fn poison<S: Structure>(structure: S, failure: OperationRef) -> S {
    replace(structure, failure, std::iter::repeat_with(|| failure.output(0)))
}

/// The structure `left`, with each tensor replaced by `merge` of it and the tensor in the same
/// place of `right`.
///
/// ```
/// use tidemill_ops::{maximum, placeholder, zip_with};
/// let [a, b, c, d] = [0; 4].map(|_| placeholder::<f32>([2]));
/// let (larger, _) = zip_with((a, b), (c, d), |x, y| maximum(x, y));
/// assert_eq!(larger.shape().to_string(), "[2]");
/// ```
pub fn zip_with<S: Structure>(left: S, right: S, merge: impl FnMut(Tensor, Tensor) -> Tensor) -> S {
    struct Zip<I, F>(I, F);
    impl<I: Iterator<Item = TensorRef>, F: FnMut(Tensor, Tensor) -> Tensor> Rebuild for Zip<I, F> {
        fn tensor(&mut self, left: Tensor) -> Tensor {
            self.0.next().map_or(left, |right| (self.1)(left, right.into()))
        }

        fn operation(&mut self, operation: Operation) -> Operation {
            operation
        }
    }
    left.rebuild(&mut Zip(collect(right).1.into_iter(), merge))
}

#[track_caller]
fn failed(graph: &Graph, what: &'static str, kind: BuildErrorKind) -> OperationRef {
    fail(Some(graph.key()), what, kind, Vec::new())
}

/// The node that runs bodies, of the kind with effects or of the stateless kind.
fn call(
    graph: &Graph,
    [stateful, stateless]: [&'static OpDef; 2],
    bodies: &[Arc<Body>],
) -> NodeBuilder {
    let is_stateful = bodies.iter().any(|body| body.is_stateful());
    NodeBuilder::new(if is_stateful { stateful } else { stateless }).graph(graph.key())
}

/// The types of the results of a body.
fn result_types(body: &Body) -> Attr {
    Attr::from(body.result_facts().iter().map(|fact| fact.dtype).collect::<Vec<_>>())
}

/// The facts known about a tensor when a loop begins.
fn fact_of(tensor: TensorRef) -> Option<Fact> {
    Tensor::from(tensor).fact()
}
