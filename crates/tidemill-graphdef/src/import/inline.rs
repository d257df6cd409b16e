//! Replaces calls of functions by the bodies of the functions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{
    AnyValue, ArgDef, AttrValue, DataType, FunctionDef, FunctionDefLibrary, GraphDef, ListValue,
    Message, NameAttrList, NodeDef,
};
use tidemill_graph::{Arity, OpDef};
use tidemill_ops::lookup;

use super::error::{ImportError, ImportErrorKind, node_error};
use super::names::prefixed;

/// The operations that call the function named by their attribute `f`.
const CALLS: &[&str] = &["PartitionedCall", "StatefulPartitionedCall"];

/// The limit on the nodes, and bytes of messages, that calls put into a graph, so that functions
/// that call one another twice do not fill the memory.
pub(super) const MAX_NODES: usize = 1 << 18;
pub(super) const MAX_BYTES: usize = 1 << 30;

pub(super) type Attrs = BTreeMap<String, AttrValue>;

/// The functions of a message, by name.
pub(super) struct Library<'a>(FxHashMap<&'a str, &'a FunctionDef>);

impl<'a> Library<'a> {
    pub(super) fn new(library: &'a FunctionDefLibrary) -> Self {
        let named = |function| Some((function_name(function)?, function));
        Library(library.function.iter().filter_map(named).collect())
    }

    /// The nodes of the body of a function for these arguments, and its results.
    ///
    /// # Errors
    /// [`ImportErrorKind`] if there is no such function, or its arguments do not match.
    pub(super) fn body(
        &self,
        function: &NameAttrList,
        inputs: &[String],
    ) -> Result<(Vec<NodeDef>, Vec<String>), ImportErrorKind> {
        let unknown = || ImportErrorKind::UnknownFunction { function: function.name.clone() };
        let definition = *self.0.get(function.name.as_str()).ok_or_else(unknown)?;
        let call = NodeDef { input: inputs.to_vec(), ..NodeDef::default() };
        let body = Body::new(definition, &function.attr, &call, "")?;
        Ok((body.nodes(&self.0)?, body.result_references(&self.0)?))
    }

    /// The graph with calls replaced by the bodies of functions.
    ///
    /// A call `c` becomes the nodes of the body, named `c/node`, and a node `c` that passes on the
    /// results.
    ///
    /// # Errors
    /// If there is no such function, or it calls itself.
    pub(super) fn inline<'g>(
        &self,
        graph: Cow<'g, GraphDef>,
    ) -> Result<Cow<'g, GraphDef>, ImportError> {
        if !graph.node.iter().any(|node| call_of(node, &self.0).is_some()) {
            return Ok(graph);
        }
        let mut inliner = Inliner {
            functions: &self.0,
            scopes: FxHashSet::default(),
            frames: Vec::new(),
            bytes: 0,
        };
        let mut nodes = Vec::with_capacity(graph.node.len());
        inliner.add_scopes(&graph.node, "");
        let pending = graph.node.iter().rev();
        let mut pending: Vec<Pending> =
            pending.map(|node| Pending { node: node.clone(), frame: None }).collect();
        while let Some(Pending { node, frame }) = pending.pop() {
            let Some(call) = call_of(&node, inliner.functions) else {
                nodes.push(node);
                continue;
            };
            let body = inliner.expand(&node, &call, frame);
            pending.extend(body.map_err(|kind| node_error(&node, kind))?.into_iter().rev());
            if pending.len() + nodes.len() > MAX_NODES + graph.node.len() {
                return Err(node_error(&node, ImportErrorKind::TooManyNodes));
            }
        }
        let (library, versions) = (graph.library.clone(), graph.versions.clone());
        Ok(Cow::Owned(GraphDef { node: nodes, library, versions }))
    }
}

fn function_name(function: &FunctionDef) -> Option<&str> {
    function.signature.as_ref().map(|signature| signature.name.as_str())
}

/// The function that a node calls, if any.
fn call_of(node: &NodeDef, functions: &FxHashMap<&str, &FunctionDef>) -> Option<NameAttrList> {
    if CALLS.contains(&node.op.as_str()) {
        return match node.attr.get("f")?.value.as_ref()? {
            AnyValue::Func(function) => Some(function.clone()),
            _ => None,
        };
    }
    let is_function = functions.contains_key(node.op.as_str()) && lookup(&node.op).is_none();
    is_function.then(|| NameAttrList { name: node.op.clone(), attr: node.attr.clone() })
}

/// A node to add, and the call whose body it belongs to.
struct Pending {
    node: NodeDef,
    frame: Option<usize>,
}

/// A call under way.
struct Frame {
    function: String,
    /// The call whose body it belongs to.
    caller: Option<usize>,
}

struct Inliner<'a> {
    functions: &'a FxHashMap<&'a str, &'a FunctionDef>,
    /// The scopes that names of nodes are in.
    scopes: FxHashSet<String>,
    frames: Vec<Frame>,
    /// The bytes that the bodies take.
    bytes: usize,
}

impl Inliner<'_> {
    /// Notes the scopes of the names of nodes, below one that is noted.
    fn add_scopes(&mut self, nodes: &[NodeDef], below: &str) {
        for node in nodes {
            let ends = node.name.match_indices('/').map(|(end, _)| end);
            let ends = ends.filter(|end| *end > below.len());
            self.scopes.extend(ends.map(|end| node.name[..end].to_owned()));
        }
    }

    /// A scope for the body of a call: the name of the call, unless other nodes are in it.
    fn scope(&mut self, call: &str) -> String {
        let mut scope = call.to_owned();
        let mut number = 0;
        while !self.scopes.insert(scope.clone()) {
            number += 1;
            scope = format!("{call}_{number}");
        }
        scope
    }

    fn check_recursion(&self, name: &str, mut frame: Option<usize>) -> Result<(), ImportErrorKind> {
        while let Some(index) = frame {
            if self.frames[index].function == name {
                return Err(ImportErrorKind::Recursion { function: name.to_owned() });
            }
            frame = self.frames[index].caller;
        }
        Ok(())
    }

    /// The nodes that replace a call.
    fn expand(
        &mut self,
        node: &NodeDef,
        call: &NameAttrList,
        caller: Option<usize>,
    ) -> Result<Vec<Pending>, ImportErrorKind> {
        self.check_recursion(&call.name, caller)?;
        let unknown = || ImportErrorKind::UnknownFunction { function: call.name.clone() };
        let function = *self.functions.get(call.name.as_str()).ok_or_else(unknown)?;
        self.bytes = self.bytes.saturating_add(function.encoded_len());
        if self.bytes > MAX_BYTES {
            return Err(ImportErrorKind::TooManyNodes);
        }
        let scope = self.scope(&node.name);
        let body = Body::new(function, &call.attr, node, &scope)?;
        let mut nodes = body.nodes(self.functions)?;
        self.add_scopes(&nodes, &scope);
        nodes.push(body.results(node, self.functions)?);
        self.frames.push(Frame { function: call.name.clone(), caller });
        let frame = Some(self.frames.len() - 1);
        Ok(nodes.into_iter().map(|node| Pending { node, frame }).collect())
    }
}

/// The body of a function at a call.
struct Body<'a> {
    function: &'a FunctionDef,
    results: &'a [ArgDef],
    /// The values of the function's attributes.
    attrs: &'a Attrs,
    scope: &'a str,
    /// For each argument by name, the tensors passed.
    arguments: FxHashMap<&'a str, &'a [String]>,
    /// The nodes of the body, with the values of the attributes.
    members: FxHashMap<&'a str, (&'a NodeDef, Attrs)>,
    /// The nodes that must run before.
    controls: &'a [String],
}

impl<'a> Body<'a> {
    fn new(
        function: &'a FunctionDef,
        attrs: &'a Attrs,
        call: &'a NodeDef,
        scope: &'a str,
    ) -> Result<Self, ImportErrorKind> {
        let is_control = |input: &String| input.starts_with('^');
        let data = call.input.iter().position(is_control).unwrap_or(call.input.len());
        let (mut given, controls) = call.input.split_at(data);
        let (args, results) = function.signature.as_ref().map_or((&[][..], &[][..]), |signature| {
            (signature.input_arg.as_slice(), signature.output_arg.as_slice())
        });
        let count = |arg: &ArgDef| count_of(attrs, &arg.number_attr, &arg.type_list_attr);
        let expected = args.iter().fold(0usize, |sum, arg| sum.saturating_add(count(arg)));
        if expected != given.len() {
            return Err(ImportErrorKind::InputCount { expected, actual: given.len() });
        }
        let mut arguments = FxHashMap::default();
        for arg in args {
            let (tensors, rest) = given.split_at(count(arg));
            arguments.insert(arg.name.as_str(), tensors);
            given = rest;
        }
        let member = |node: &'a NodeDef| {
            let filled = node.attr.iter().map(|(name, value)| (name.clone(), fill(value, attrs)));
            (node.name.as_str(), (node, filled.collect()))
        };
        let members = function.node_def.iter().map(member).collect();
        Ok(Body { function, results, attrs, scope, arguments, members, controls })
    }

    fn nodes(
        &self,
        functions: &FxHashMap<&str, &FunctionDef>,
    ) -> Result<Vec<NodeDef>, ImportErrorKind> {
        let node = |node: &NodeDef| {
            let inputs = node.input.iter().map(|input| self.reference(input, functions));
            let mut input: Vec<String> = inputs.collect::<Result<_, _>>()?;
            // A node that takes a node of the body runs after it, and so after all of these.
            let follows = node.input.iter().any(|input| self.member_of(input).is_some());
            if !follows {
                input.extend(self.controls.iter().cloned());
            }
            let attr = self.members.get(node.name.as_str()).map(|(_, attrs)| attrs.clone());
            Ok(NodeDef {
                name: prefixed(self.scope, &node.name),
                input,
                attr: attr.unwrap_or_default(),
                ..node.clone()
            })
        };
        self.function.node_def.iter().map(node).collect()
    }

    /// The name of the node of the body that an input refers to.
    fn member_of(&self, input: &str) -> Option<&str> {
        let reference = input.strip_prefix('^').unwrap_or(input);
        let name = reference.split(':').next()?;
        self.members.get_key_value(name).map(|(name, _)| *name)
    }

    /// The reference of an input of the body, as a node of the graph.
    fn reference(
        &self,
        input: &str,
        functions: &FxHashMap<&str, &FunctionDef>,
    ) -> Result<String, ImportErrorKind> {
        let missing = || ImportErrorKind::MissingInput { input: input.to_owned() };
        if let Some(name) = input.strip_prefix('^') {
            let name = self.members.get_key_value(name).ok_or_else(missing)?.0;
            return Ok(format!("^{}", prefixed(self.scope, name)));
        }
        let mut parts = input.split(':');
        let (name, output, index) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if let Some(tensors) = self.arguments.get(name) {
            let index = output.map_or(Some(0), |index| index.parse::<usize>().ok());
            return index.and_then(|i| tensors.get(i)).cloned().ok_or_else(missing);
        }
        let (node, attrs) = self.members.get(name).ok_or_else(missing)?;
        let start = output.map_or(Some(0), |output| output_start(node, attrs, output, functions));
        let index = index.map_or(Some(0), |index| index.parse::<usize>().ok());
        let slot = start.zip(index).and_then(|(start, index)| start.checked_add(index));
        Ok(format!("{}:{}", prefixed(self.scope, name), slot.ok_or_else(missing)?))
    }

    /// The references to the results of the body, as nodes of the graph.
    fn result_references(
        &self,
        functions: &FxHashMap<&str, &FunctionDef>,
    ) -> Result<Vec<String>, ImportErrorKind> {
        let result = |arg: &ArgDef| {
            let missing = || ImportErrorKind::MissingInput { input: arg.name.clone() };
            self.reference(self.function.ret.get(&arg.name).ok_or_else(missing)?, functions)
        };
        self.results.iter().map(result).collect()
    }

    /// The node that replaces the call, and passes on the results.
    fn results(
        &self,
        call: &NodeDef,
        functions: &FxHashMap<&str, &FunctionDef>,
    ) -> Result<NodeDef, ImportErrorKind> {
        let mut input = self.result_references(functions)?;
        let kept = self.function.control_ret.values();
        let kept = kept.map(|name| self.reference(&format!("^{name}"), functions));
        input.extend(kept.collect::<Result<Vec<_>, _>>()?);
        input.extend(self.controls.iter().cloned());
        let types: Vec<i32> = self.results.iter().map(|arg| self.type_of(arg)).collect();
        let (op, types) = match types.as_slice() {
            [] => ("NoOp", None),
            [dtype] => ("Identity", Some(AnyValue::Type(*dtype))),
            _ => {
                let list = ListValue { r#type: types, ..ListValue::default() };
                ("IdentityN", Some(AnyValue::List(list)))
            }
        };
        let attr = types.map(|types| ("T".to_owned(), AttrValue { value: Some(types) }));
        Ok(NodeDef {
            name: call.name.clone(),
            op: op.to_owned(),
            input,
            device: String::new(),
            attr: attr.into_iter().collect(),
        })
    }

    fn type_of(&self, arg: &ArgDef) -> i32 {
        match self.attrs.get(&arg.type_attr).and_then(|attr| attr.value.as_ref()) {
            Some(AnyValue::Type(dtype)) => *dtype,
            _ if arg.r#type != 0 => arg.r#type,
            _ => DataType::Invalid.into(),
        }
    }
}

/// The value of an attribute of a node of a body, given the function's attributes.
fn fill(value: &AttrValue, attrs: &Attrs) -> AttrValue {
    match &value.value {
        Some(AnyValue::Placeholder(name)) => attrs.get(name).cloned().unwrap_or_default(),
        Some(AnyValue::Func(function)) => {
            let filled =
                function.attr.iter().map(|(name, value)| (name.clone(), fill(value, attrs)));
            let function = NameAttrList { name: function.name.clone(), attr: filled.collect() };
            AttrValue { value: Some(AnyValue::Func(function)) }
        }
        _ => value.clone(),
    }
}

/// The number of tensors of an argument, given by an attribute with the number or the list of
/// types. Without either it is one.
fn count_of(attrs: &Attrs, number: &str, types: &str) -> usize {
    let name = if number.is_empty() { types } else { number };
    match attrs.get(name).and_then(|attr| attr.value.as_ref()) {
        Some(AnyValue::I(count)) => usize::try_from(*count).unwrap_or(0),
        Some(AnyValue::List(list)) => list.r#type.len(),
        _ => 1,
    }
}

/// The number of the first tensor of an output of a node of a body.
fn output_start(
    node: &NodeDef,
    attrs: &Attrs,
    output: &str,
    functions: &FxHashMap<&str, &FunctionDef>,
) -> Option<usize> {
    if CALLS.contains(&node.op.as_str()) {
        return Some(0);
    }
    let counts: Vec<(&str, usize)> = match (lookup(&node.op), functions.get(node.op.as_str())) {
        (Some(op), _) => outputs_of(op, attrs),
        (None, Some(function)) => {
            let results = function.signature.iter().flat_map(|signature| &signature.output_arg);
            results.map(|arg| (arg.name.as_str(), 1)).collect()
        }
        // The node itself will be rejected.
        (None, None) => return Some(0),
    };
    if let [_] = counts.as_slice() {
        return Some(0);
    }
    let place = counts.iter().position(|(name, _)| *name == output)?;
    Some(counts[..place].iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)))
}

/// The outputs of an operation, with the number of tensors of each.
fn outputs_of(op: &'static OpDef, attrs: &Attrs) -> Vec<(&'static str, usize)> {
    let count = |arity| match arity {
        Arity::One => 1,
        Arity::Count(name) => count_of(attrs, name, ""),
        Arity::Types(name) => count_of(attrs, "", name),
    };
    op.outputs.iter().map(|arg| (arg.name, count(arg.arity))).collect()
}
