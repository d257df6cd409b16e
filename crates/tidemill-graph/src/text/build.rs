use std::borrow::Cow;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::cursor::{Line, Spanned};
use super::parse::{Argument, Name, NodeLine, Reference};
use super::{TextError, TextErrorKind};
use crate::arguments::Arguments;
use crate::{Arity, BuildErrorKind, Fact, NodeId, TensorId};

/// The nodes that the lines above define.
#[derive(Default)]
pub(super) struct Defined<'t> {
    by_name: FxHashMap<Cow<'t, str>, NodeId>,
    /// The number of outputs of each node.
    outputs: Vec<usize>,
}

impl<'t> Defined<'t> {
    /// Checks that no node has the name of the line.
    pub(super) fn check_new(&self, node: &NodeLine<'t>) -> Result<(), TextError> {
        let Spanned { value: name, at } = &node.name;
        match self.by_name.get(name) {
            None => Ok(()),
            Some(_) => {
                let name = name.clone().into_owned();
                Err(node.line.error(*at, TextErrorKind::Redefined { name }))
            }
        }
    }

    /// Adds the next node.
    pub(super) fn add(&mut self, name: Cow<'t, str>, outputs: usize) {
        self.by_name.insert(name, NodeId::new(self.outputs.len()));
        self.outputs.push(outputs);
    }

    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The node with a name.
    pub(super) fn node(&self, line: Line<'_>, name: &Name<'_>) -> Result<NodeId, TextError> {
        self.find(&name.value).ok_or_else(|| {
            line.error(name.at, TextErrorKind::Undefined { name: name.value.clone().into_owned() })
        })
    }

    /// The tensor of a reference; without a slot, the first output.
    pub(super) fn tensor(
        &self,
        line: Line<'_>,
        reference: &Reference<'_>,
    ) -> Result<TensorId, TextError> {
        let node = self.node(line, &reference.name)?;
        let slot = reference.slot.unwrap_or(0);
        let outputs = self.outputs.get(node.index()).copied().unwrap_or(0);
        if (slot as usize) < outputs {
            return Ok(TensorId::new(node, slot));
        }
        let name = reference.name.value.clone().into_owned();
        Err(line.error(reference.name.at, TextErrorKind::NoOutput { name, slot, outputs }))
    }

    pub(super) fn tensors(
        &self,
        line: Line<'_>,
        references: &[Reference<'_>],
    ) -> Result<SmallVec<[TensorId; 2]>, TextError> {
        references.iter().map(|reference| self.tensor(line, reference)).collect()
    }

    /// The tensors of each argument, checked against the operation's arguments.
    pub(super) fn arguments(&self, node: &NodeLine<'_>) -> Result<Arguments<TensorId>, TextError> {
        let (expected, actual) = (node.op.value.inputs.len(), node.arguments.len());
        if expected != actual {
            return Err(build_error(node, BuildErrorKind::InputCount { expected, actual }));
        }
        let resolve = |(arg, argument): (&'static crate::Arg, &Spanned<Argument<'_>>)| {
            let kind = match (&argument.value, arg.arity) {
                (Argument::List(_), Arity::One) => TextErrorKind::List { argument: arg.name },
                (Argument::List(tensors), _) => return self.tensors(node.line, tensors),
                (Argument::Tensor(tensor), Arity::One) => {
                    return self.tensors(node.line, std::slice::from_ref(tensor));
                }
                (Argument::Tensor(_), _) => TextErrorKind::NotAList { argument: arg.name },
            };
            Err(node.line.error(argument.at, kind))
        };
        node.op.value.inputs.iter().zip(&node.arguments).map(resolve).collect()
    }
}

/// The error of a node that breaks a rule of its operation.
pub(super) fn build_error(node: &NodeLine<'_>, kind: BuildErrorKind) -> TextError {
    let at = match kind {
        BuildErrorKind::InvalidName { .. } | BuildErrorKind::NameTaken { .. } => node.name.at,
        _ => node.op.at,
    };
    node.line.error(at, TextErrorKind::Build(kind))
}

/// Checks the stated outputs, and combines them with the facts that follow from the inputs.
pub(super) fn merge_outputs(
    node: &NodeLine<'_>,
    inferred: &[Fact],
) -> Result<SmallVec<[Fact; 1]>, TextError> {
    let Some(stated) = &node.outputs else { return Ok(inferred.into()) };
    if stated.len() != inferred.len() {
        let (stated, actual) = (stated.len(), inferred.len());
        let kind = TextErrorKind::OutputCount { stated, actual };
        return Err(node.line.error(node.name.at, kind));
    }
    stated.iter().zip(inferred).map(|(stated, inferred)| merge(node, stated, inferred)).collect()
}

fn merge(node: &NodeLine<'_>, stated: &Spanned<Fact>, inferred: &Fact) -> Result<Fact, TextError> {
    let Spanned { value: fact, at } = stated;
    let same_type = (fact.dtype, fact.role) == (inferred.dtype, inferred.role);
    let shape = fact.shape.merge(&inferred.shape).ok().filter(|_| same_type);
    shape.map(|shape| Fact { shape, ..inferred.clone() }).ok_or_else(|| {
        let (stated, inferred) = (fact.clone(), inferred.clone());
        node.line.error(*at, TextErrorKind::Contradiction { stated, inferred })
    })
}
