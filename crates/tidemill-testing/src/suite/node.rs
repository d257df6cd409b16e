use tidemill_graph::{
    Access, Arg, Arity, Effect, Elements, Execution, Fact, Graph, NodeBuilder, NodeView, OpDef,
    OperationRef, Referent, Role, Sample, TensorRef, may_fail,
};

use tidemill_ops::ops::resource::VAR_HANDLE;
use tidemill_ops::ops::tensor_list::EMPTY_TENSOR_LIST;
use tidemill_ops::ops::variable::VARIABLE;
use tidemill_ops::{
    Operation, Tensor, assign, constant, placeholder_of, stack, tensor_list_reserve,
    tensor_list_set_item,
};
use tidemill_runtime::{Feeds, Rewriting, RunError, Session, SessionOptions, Sink};
use tidemill_value::{DType, Dim, PartialShape, TensorList, Value};

/// The way in which a node under test gets its inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Given {
    /// As constants.
    Constants,
    /// As placeholders that are fed, with partly known shapes.
    Fed(Knowledge),
    /// Small lists of integers as constants, all else fed, with shapes known except for the first
    /// extents.
    Batches,
}

/// The knowledge of the shapes of a node's inputs before a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knowledge {
    /// All of them.
    Shapes,
    /// All but the first extent of each.
    AllButFirst,
    /// The number of axes of each.
    Ranks,
    /// Nothing.
    Nothing,
    /// The number of axes of this input, and the shapes of the others.
    RankOf(usize),
    /// Nothing of this input, and the shapes of the others.
    NothingOf(usize),
}

impl Knowledge {
    /// Every kind of incomplete knowledge, for a node with this many inputs.
    pub fn partial(inputs: usize) -> Vec<Knowledge> {
        let each = (0..inputs).flat_map(|i| [Knowledge::RankOf(i), Knowledge::NothingOf(i)]);
        [Knowledge::AllButFirst, Knowledge::Ranks, Knowledge::Nothing]
            .into_iter()
            .chain(each)
            .collect()
    }

    /// The known part of the shape of input `i`.
    pub fn of(self, i: usize, shape: &[usize]) -> PartialShape {
        match self {
            Knowledge::AllButFirst => {
                let dims = shape.iter().enumerate();
                dims.map(|(axis, &d)| if axis == 0 { Dim::UNKNOWN } else { d.into() }).collect()
            }
            Knowledge::Ranks => PartialShape::of_rank(shape.len()),
            Knowledge::RankOf(input) if input == i => PartialShape::of_rank(shape.len()),
            Knowledge::Nothing => PartialShape::unknown(),
            Knowledge::NothingOf(input) if input == i => PartialShape::unknown(),
            Knowledge::Shapes | Knowledge::RankOf(_) | Knowledge::NothingOf(_) => shape.into(),
        }
    }
}

/// The seed of the sessions that run samples.
const SEED: u64 = 42;

/// The node of a sample, alone in a graph with its inputs.
pub struct SampleNode {
    graph: Graph,
    node: OperationRef,
    inputs: Vec<Tensor>,
    feeds: Vec<(Tensor, Value)>,
    /// The initializers of the variables among the inputs.
    initializers: Vec<Operation>,
}

impl SampleNode {
    /// Builds the node of a sample.
    ///
    /// # Errors
    /// The text of the error, if it cannot be built.
    pub fn build(op: &'static OpDef, sample: &Sample, given: Given) -> Result<Self, String> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let mut inputs = Inputs { given, ..Inputs::default() };
        for (arg, values) in op.inputs.iter().zip(&sample.inputs) {
            values.iter().for_each(|value| inputs.add(value, arg));
        }
        let node = node_of(op, sample, &inputs.tensors);
        graph.check().map_err(|errors| errors.to_string())?;
        let Inputs { tensors, feeds, initializers, .. } = inputs;
        Ok(SampleNode { graph, node, inputs: tensors, feeds, initializers })
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The inputs of the node: placeholders, constants and variables.
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    /// The values that are fed.
    pub fn feeds(&self) -> &[(Tensor, Value)] {
        &self.feeds
    }

    /// The outputs of the node.
    pub fn outputs(&self) -> Vec<Tensor> {
        Operation::from(self.node).outputs()
    }

    /// The facts known about the outputs before a run.
    pub fn output_facts(&self) -> Vec<Fact> {
        self.outputs().into_iter().filter_map(Tensor::fact).collect()
    }

    /// True if plans assume that a run of the node can fail. Variables without a value, and kernels
    /// that cannot be made, are found before anything runs.
    pub fn may_fail(&self) -> bool {
        let Referent::Node(id) = self.node.referent() else { return true };
        let reader = self.graph.read();
        let node = reader.node(id);
        let facts = reader.input_facts(node);
        let view = NodeView::new(node.op, &node.attrs, &facts, &node.outputs);
        node.op.execution == Execution::Variable
            || node.op.effect != Effect::None
            || node.op.kernel_of(&view).is_err()
            || may_fail((node.op, &node.attrs), facts.iter(), &node.outputs)
    }

    /// Runs the node, after the initializers of its variables, and returns its outputs.
    ///
    /// # Errors
    /// The error of the run.
    pub fn run(&self, rewriting: Rewriting) -> Result<Vec<Value>, RunError> {
        let (print_to, _) = Sink::lines();
        let options =
            SessionOptions { rewriting, print_to, seed: Some(SEED), ..SessionOptions::default() };
        let session = Session::with_options(&self.graph, options);
        session.run(self.initializers.as_slice())?;
        let feeds = self.feeds.iter().cloned();
        let feeds = feeds.fold(Feeds::new(), |feeds, (tensor, value)| feeds.feed(tensor, value));
        let (outputs, ()) =
            session.run_with((self.outputs(), Operation::from(self.node)), feeds)?;
        Ok(outputs)
    }
}

/// The node of a sample with these inputs, in the default graph.
pub(super) fn node_of(op: &'static OpDef, sample: &Sample, inputs: &[Tensor]) -> OperationRef {
    let mut inputs = inputs.iter().copied();
    let mut node = NodeBuilder::new(op);
    for (arg, values) in op.inputs.iter().zip(&sample.inputs) {
        let mut tensors = inputs.by_ref().take(values.len());
        node = match arg.arity {
            Arity::One => tensors.next().into_iter().fold(node, NodeBuilder::input),
            Arity::Count(_) | Arity::Types(_) => node.inputs(tensors),
        };
    }
    let attrs = sample.attrs.iter();
    attrs.fold(node, |node, (name, attr)| node.attr(*name, attr.clone())).build()
}

/// Lists cannot be constants; they are built in a run.
fn lists_of(value: &Value) -> Tensor {
    let lists = value.as_slice::<TensorList>().expect("it is a value of lists");
    let made = lists.iter().map(|list| {
        let reserved = match list.limit() {
            Some(most) => {
                let none = NodeBuilder::new(&EMPTY_TENSOR_LIST)
                    .input(constant(list.shape().to_value()))
                    .input(constant(most as i32));
                none.attr("element_dtype", list.dtype()).build().output(0).into()
            }
            None => tensor_list_reserve(list.shape().clone(), list.len() as i32, list.dtype()),
        };
        let places = list.elements().iter().enumerate();
        let present = places.filter_map(|(i, element)| Some((i, element.as_ref()?)));
        present.fold(reserved, |list, (i, x)| tensor_list_set_item(list, i as i32, x.clone()))
    });
    let made: Vec<Tensor> = made.collect();
    match (value.shape().rank(), made.as_slice()) {
        (0, [list]) => *list,
        _ => stack(made, 0),
    }
}

/// The inputs made so far.
#[derive(Default)]
struct Inputs {
    given: Given,
    tensors: Vec<Tensor>,
    feeds: Vec<(Tensor, Value)>,
    initializers: Vec<Operation>,
}

impl Default for Given {
    fn default() -> Self {
        Given::Fed(Knowledge::Shapes)
    }
}

impl Inputs {
    fn add(&mut self, value: &Value, arg: &Arg) {
        let i = self.tensors.len();
        let shape = match self.given {
            Given::Fed(knowledge) => knowledge.of(i, value.shape()),
            Given::Constants => value.shape().into(),
            // A filter has no batch.
            Given::Batches if arg.name == "filter" => value.shape().into(),
            Given::Batches => Knowledge::AllButFirst.of(i, value.shape()),
        };
        let is_constant = match self.given {
            Given::Constants => true,
            Given::Batches => Elements::of(value).is_some(),
            Given::Fed(_) => false,
        };
        let tensor = match (arg.access, is_constant) {
            _ if arg.role == Role::Handle => self.add_variable(&VAR_HANDLE, value, shape),
            (Access::Read, true) if value.dtype() == DType::Variant => lists_of(value),
            (Access::Read, true) => constant(value),
            (Access::Read, false) => {
                let placeholder = placeholder_of(value.dtype(), shape);
                self.feeds.push((placeholder, value.clone()));
                placeholder
            }
            _ => self.add_variable(&VARIABLE, value, shape),
        };
        self.tensors.push(tensor);
    }

    fn add_variable(&mut self, op: &'static OpDef, value: &Value, shape: PartialShape) -> Tensor {
        let mut node = NodeBuilder::new(op).attr("dtype", value.dtype()).attr("shape", shape);
        if op == &VAR_HANDLE {
            // Handles without a name would name the same variable.
            node = node.attr("shared_name", self.tensors.len().to_string().as_str());
        }
        let variable: TensorRef = node.build().output(0);
        self.initializers.push(assign(variable, value.clone()).op());
        variable.into()
    }
}
