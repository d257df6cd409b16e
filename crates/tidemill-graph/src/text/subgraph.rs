use std::fmt::{self, Write};

use rustc_hash::{FxHashMap, FxHashSet};

use super::attr::Constants;
use super::build::{Defined, build_error, merge_outputs};
use super::parse::{Directive, DirectiveLine, NodeLine, Statement, statements};
use super::print::{Names, write_line, write_name, write_tensor_name};
use super::{TextError, TextErrorKind};
use crate::append::infer_outputs;
use crate::bind::bind;
use crate::{BuildErrorKind, Commit, FEED, Instr, NodeId, OpDef, Subgraph};

impl Subgraph {
    /// The subgraph as text that [`Subgraph::from_text`] reads back, one instruction per line. `names`
    /// returns the names of the nodes of the graph that the instructions come from.
    ///
    /// The lines are those of [`Graph::to_text`](crate::Graph::to_text). Further instructions of the same
    /// origin are named `name.1`, `name.2`, and so on.
    ///
    /// ```text
    /// x: float32[?, 2] = _Feed() dtype=float32 shape=[?, 2]
    /// w: float32_ref[?, 2] = VariableV2() dtype=float32 shape=[?, 2]
    /// y: float32[?, 2] = AddV2(x, w)
    /// w/Assign: float32_ref[?, 2] = Assign(w, y)
    /// @fetch y:0 w:0
    /// @commit w = w/Assign:0
    /// ```
    ///
    /// The `_Feed` nodes are the feeds, in the order of their lines; if they are in another order,
    /// a line `@feed` lists them. Regions are left out; each has a text of its own.
    pub fn to_text(&self, names: &dyn Fn(NodeId) -> String) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write_subgraph(&mut text, self, names);
        text
    }

    /// Reads a subgraph from its text (see [`Subgraph::to_text`]), and returns the names of the
    /// nodes it comes from: node number `i` has origin number `i`. Variables that are committed but
    /// are not nodes of the subgraph follow. `ops` knows the operation types besides `_Feed`.
    ///
    /// The grammar is that of [`Graph::from_text`](crate::Graph::from_text); stated outputs add to
    /// the facts that follow from the inputs.
    ///
    /// # Errors
    /// [`TextError`] if the text is not that of a subgraph.
    pub fn from_text(
        text: &str,
        ops: &dyn Fn(&str) -> Option<&'static OpDef>,
    ) -> Result<(Subgraph, Vec<String>), TextError> {
        let mut reading = Reading::default();
        let mut directives = Vec::new();
        let with_feed = |name: &str| if name == FEED.name { Some(&FEED) } else { ops(name) };
        for statement in statements(text, &with_feed) {
            match statement? {
                Statement::Nothing => {}
                Statement::Node(node) => reading.add_node(node)?,
                Statement::Directive(directive) => directives.push(directive),
            }
        }
        reading.subgraph.feeds = feeds_of(&reading.subgraph);
        directives.into_iter().try_for_each(|directive| reading.apply(directive))?;
        Ok((reading.subgraph, reading.names))
    }
}

/// The nodes that stand for fed tensors, in the order of their numbers.
fn feeds_of(subgraph: &Subgraph) -> Vec<NodeId> {
    subgraph.instrs().filter(|(_, instr)| *instr.op == FEED).map(|(id, _)| id).collect()
}

/// A partly read subgraph.
#[derive(Default)]
struct Reading<'t> {
    subgraph: Subgraph,
    names: Vec<String>,
    defined: Defined<'t>,
}

impl<'t> Reading<'t> {
    fn add_node(&mut self, line: NodeLine<'t>) -> Result<(), TextError> {
        self.defined.check_new(&line)?;
        if let Some(control) = line.controls.first() {
            return Err(line.line.error(control.at, TextErrorKind::ControlInSubgraph));
        }
        if self.subgraph.len() + 1 >= NodeId::LIMIT {
            return Err(build_error(&line, BuildErrorKind::Full));
        }
        let instr = self.derive(&line)?;
        self.defined.add(line.name.value.clone(), instr.outputs.len());
        self.subgraph.push(instr);
        self.names.push(line.name.value.into_owned());
        Ok(())
    }

    /// The instruction of a line, with the facts that follow from its inputs.
    fn derive(&self, line: &NodeLine<'t>) -> Result<Instr, TextError> {
        let op = line.op.value;
        let arguments = self.defined.arguments(line)?;
        let facts = self.subgraph.facts(&arguments.inputs);
        let fail = |kind| build_error(line, kind);
        let bound = bind(op, &arguments, &facts, line.attrs.clone()).map_err(fail)?;
        let outputs = infer_outputs(op, &bound, &facts).map_err(fail)?;
        let mut instr = Instr {
            op,
            attrs: bound.attrs,
            inputs: arguments.inputs,
            outputs,
            regions: Vec::new(),
            origin: NodeId::new(self.names.len()),
        };
        self.subgraph.add_state(&mut instr);
        instr.outputs = merge_outputs(line, &instr.outputs)?;
        Ok(instr)
    }

    fn apply(&mut self, directive: DirectiveLine<'t>) -> Result<(), TextError> {
        let DirectiveLine { line, at, directive } = directive;
        match directive {
            Directive::Feed(names) => {
                let feeds = names.iter().map(|name| self.defined.node(line, name));
                self.subgraph.feeds = feeds.collect::<Result<_, _>>()?;
            }
            Directive::Fetch(tensors) => {
                self.subgraph.fetches.extend(self.defined.tensors(line, &tensors)?);
            }
            Directive::Commit { variable, value } => {
                let value = self.defined.tensor(line, &value)?;
                let variable = self.variable(&variable.value);
                self.subgraph.commits.push(Commit { variable, value });
            }
            other => {
                let directive = other.keyword().to_owned();
                return Err(line.error(at, TextErrorKind::Directive { directive }));
            }
        }
        Ok(())
    }

    /// The number of a variable of the graph: that of its node, or else a new one.
    fn variable(&mut self, name: &str) -> NodeId {
        let nodes = self.subgraph.len();
        let further = self.names.iter().skip(nodes).position(|other| other == name);
        self.defined.find(name).or(further.map(|i| NodeId::new(nodes + i))).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            NodeId::new(self.names.len() - 1)
        })
    }
}

fn write_subgraph(
    out: &mut dyn Write,
    subgraph: &Subgraph,
    origin_names: &dyn Fn(NodeId) -> String,
) -> fmt::Result {
    let unique = unique_names(subgraph, origin_names);
    let names = |id: NodeId| unique.get(id.index()).map_or("<no node>", String::as_str);
    for (id, instr) in subgraph.instrs() {
        write_line(out, id, instr, &names, Constants::Whole)?;
    }
    if subgraph.feeds != feeds_of(subgraph) {
        out.write_str("@feed")?;
        for &feed in &subgraph.feeds {
            out.write_str(" ")?;
            write_name(out, names(feed))?;
        }
        out.write_str("\n")?;
    }
    write_roots(out, subgraph, &names, origin_names)
}

fn write_roots(
    out: &mut dyn Write,
    subgraph: &Subgraph,
    names: Names<'_>,
    origin_names: &dyn Fn(NodeId) -> String,
) -> fmt::Result {
    if !subgraph.fetches.is_empty() {
        out.write_str("@fetch")?;
        for &fetch in &subgraph.fetches {
            out.write_str(" ")?;
            write_tensor_name(out, fetch, names)?;
        }
        out.write_str("\n")?;
    }
    for commit in &subgraph.commits {
        out.write_str("@commit ")?;
        write_name(out, &origin_names(commit.variable))?;
        out.write_str(" = ")?;
        write_tensor_name(out, commit.value, names)?;
        out.write_str("\n")?;
    }
    Ok(())
}

/// The name of each node: that of its origin, with a number if another node has it.
fn unique_names(subgraph: &Subgraph, origin_names: &dyn Fn(NodeId) -> String) -> Vec<String> {
    let mut taken = FxHashSet::default();
    let mut further: FxHashMap<NodeId, usize> = FxHashMap::default();
    let unique = |(_, instr): (NodeId, &Instr)| {
        let origin = instr.origin;
        let base = origin_names(origin);
        let mut name = base.clone();
        while !taken.insert(name.clone()) {
            let number = further.entry(origin).or_insert(0);
            *number += 1;
            name = format!("{base}.{number}");
        }
        name
    };
    subgraph.instrs().map(unique).collect()
}
