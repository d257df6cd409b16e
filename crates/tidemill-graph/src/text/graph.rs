use std::fmt::{self, Write};

use super::attr::Constants;
use super::build::{Defined, build_error, merge_outputs};
use super::parse::{Directive, DirectiveLine, NodeLine, Statement, statements};
use super::print::{Names, write_line, write_name, write_reference, write_tensor_name};
use super::{TextError, TextErrorKind};
use crate::{
    Arity, Execution, Graph, GraphReader, Item, Location, NodeBuilder, NodeId, OpDef, OperationRef,
    Referent, TensorRef, VariableRecord,
};

/// Larger constants are abbreviated when a graph is displayed.
const DISPLAYED_ELEMENTS: usize = 8;

impl Graph {
    /// The graph as text that [`Graph::from_text`] reads back, one node per line.
    ///
    /// ```text
    /// x: float32[?, 3] = Placeholder() dtype=float32 shape=[?, 3]
    /// w: float32_ref[3, 2] = VariableV2() dtype=float32 shape=[3, 2]
    /// w/zeros: float32[3, 2] = Const() value=float32[3, 2]{0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
    /// w/Assign: float32_ref[3, 2] = Assign(w, w/zeros)
    /// w/read: float32[3, 2] = Identity(w)
    /// y: float32[?, 2] = MatMul(x, w/read)
    /// axis: int32[] = Const() value=int32[]{1}
    /// parts: float32[?, 1], float32[?, 1] = Split(axis, y) num_split=2
    /// joined: float32[?, 2] = ConcatV2([parts:1, parts], axis)
    /// init = NoOp() ^w/Assign
    /// @variable w initial=w/zeros initializer=w/Assign read=w/read trainable
    /// @collection losses y:0 init
    /// @seed 7
    /// ```
    ///
    /// The text holds everything except source lines, the nodes on whose behalf others were built,
    /// failed calls, constraints of variables, and whether the graph is finalized or strict.
    /// Functions of the host program print as `<host function>`, which does not read back.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write_graph(&mut text, &self.read(), Constants::Whole);
        text
    }

    /// Reads a graph from its text (see [`Graph::to_text`]). `ops` looks up the operation types.
    ///
    /// A node is `name: outputs = Type(arguments) attributes controls`:
    /// - The name is exact. A name with other characters is written as a string.
    /// - The outputs may be left out, with their colon. If they are stated, they must not
    ///   contradict what follows from the inputs: `float32[?, 3]`, `int32[]`, `string[..]` for an
    ///   unknown rank, `float32_ref[2]` for a variable.
    /// - An argument is the name of a node above, or `name:1` for an output other than the first.
    ///   An argument that is a list stands in brackets.
    /// - Attributes that have their default or follow from the inputs, from what is stated of the
    ///   outputs or from the value of a constant can be left out.
    ///   They are written as `3`, `1e-3`, `true`, `"text\n\xff"`, `float32`, `[?, 3]` or `[..]`
    ///   for a shape, `float32[2]{1.0, nan}` for a tensor, `[1, -1]`, `[float32, int32]`,
    ///   `[[2], [..]]`. An attribute that the operation does not know has its kind before the
    ///   bracket: `shape[2]`, `list(int)[2]`, `list(type)[]`, `list(shape)[]`.
    /// - NaN is `nan`, or `nan(0xffc00000)` with other bits.
    /// - A control input is `^name`.
    ///
    /// A line may be blank; `#` begins a comment. Directives may stand on any line.
    ///
    /// # Errors
    /// [`TextError`] if the text is not that of a graph.
    #[track_caller]
    pub fn from_text(
        text: &str,
        ops: &dyn Fn(&str) -> Option<&'static OpDef>,
    ) -> Result<Graph, TextError> {
        let graph = Graph::new();
        let location = Location::caller();
        let mut defined = Defined::default();
        let mut directives = Vec::new();
        for statement in statements(text, ops) {
            match statement? {
                Statement::Nothing => {}
                Statement::Node(node) => add_node(&graph, &mut defined, node, location)?,
                Statement::Directive(directive) => directives.push(directive),
            }
        }
        directives.into_iter().try_for_each(|directive| apply(&graph, &defined, directive))?;
        Ok(graph)
    }
}

impl fmt::Display for Graph {
    /// The text of the graph (see [`Graph::to_text`]), with only the first elements of large
    /// constants.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_graph(f, &self.read(), Constants::First(DISPLAYED_ELEMENTS))
    }
}

fn add_node<'t>(
    graph: &Graph,
    defined: &mut Defined<'t>,
    node: NodeLine<'t>,
    location: Location,
) -> Result<(), TextError> {
    defined.check_new(&node)?;
    let key = graph.key();
    let mut builder = NodeBuilder::new(node.op.value).graph(key).exact_name(&*node.name.value);
    let arguments = defined.arguments(&node)?;
    for (arg, tensors) in node.op.value.inputs.iter().zip(arguments.iter()) {
        let tensors = tensors.iter().map(|&tensor| TensorRef::new(key, tensor));
        builder = match arg.arity {
            Arity::One => tensors.fold(builder, NodeBuilder::input),
            _ => builder.inputs(tensors),
        };
    }
    for control in &node.controls {
        let control = Referent::Node(defined.node(node.line, control)?);
        builder = builder.control(OperationRef::new(key, control));
    }
    for (name, attr) in &node.attrs {
        builder = builder.attr(name.clone(), attr.clone());
    }
    let id = builder.try_node(location).map_err(|kind| build_error(&node, kind))?;
    let outputs = merge_outputs(&node, &graph.read().node(id).outputs)?.len();
    defined.add(node.name.value, outputs);
    Ok(())
}

fn apply(
    graph: &Graph,
    defined: &Defined<'_>,
    directive: DirectiveLine<'_>,
) -> Result<(), TextError> {
    let DirectiveLine { line, at, directive } = directive;
    match directive {
        Directive::Variable { name, start, read, trainable, self_starting } => {
            let record = VariableRecord {
                node: defined.node(line, &name)?,
                start: match start {
                    Some((initial, initializer)) => {
                        Some((defined.tensor(line, &initial)?, defined.node(line, &initializer)?))
                    }
                    None => None,
                },
                read: defined.tensor(line, &read)?,
                trainable,
                self_starting,
                constraint: None,
            };
            if graph.read().node(record.node).op.execution != Execution::Variable {
                let kind = TextErrorKind::NotAVariable { name: name.value.into_owned() };
                return Err(line.error(name.at, kind));
            }
            graph.add_variable(&name.value, record);
        }
        Directive::Collection { name, items } => {
            for item in &items {
                let item = match item.slot {
                    Some(_) => Item::Tensor(defined.tensor(line, item)?),
                    None => Item::Operation(defined.node(line, &item.name)?),
                };
                graph.add_item(&name.value, item);
            }
        }
        Directive::Seed(seed) => graph.set_random_seed(seed),
        Directive::Feed(_) | Directive::Fetch(_) | Directive::Commit { .. } => {
            let directive = directive.keyword().to_owned();
            return Err(line.error(at, TextErrorKind::Directive { directive }));
        }
    }
    Ok(())
}

fn write_graph(out: &mut dyn Write, graph: &GraphReader<'_>, constants: Constants) -> fmt::Result {
    let names = |id: NodeId| graph.name(id);
    for (id, node) in graph.nodes() {
        write_line(out, id, node, &names, constants)?;
    }
    for variable in graph.variables() {
        write_variable(out, variable, &names)?;
    }
    for (name, items) in graph.collections() {
        out.write_str("@collection ")?;
        write_name(out, name)?;
        for item in items {
            out.write_str(" ")?;
            match *item {
                Item::Tensor(tensor) => write_tensor_name(out, tensor, &names)?,
                Item::Operation(id) => write_name(out, graph.name(id))?,
            }
        }
        out.write_str("\n")?;
    }
    graph.seed().map_or(Ok(()), |seed| writeln!(out, "@seed {seed}"))
}

fn write_variable(out: &mut dyn Write, variable: &VariableRecord, names: Names<'_>) -> fmt::Result {
    out.write_str("@variable ")?;
    write_name(out, names(variable.node))?;
    if let Some((initial_value, initializer)) = variable.start {
        out.write_str(" initial=")?;
        write_reference(out, initial_value, names)?;
        out.write_str(" initializer=")?;
        write_name(out, names(initializer))?;
    }
    out.write_str(" read=")?;
    write_reference(out, variable.read, names)?;
    out.write_str(if variable.trainable { " trainable" } else { "" })?;
    out.write_str(if variable.self_starting { " self_starting\n" } else { "\n" })
}
