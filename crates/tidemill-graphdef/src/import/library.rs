//! The functions that nodes call and run.

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, FunctionDef, FunctionDefLibrary};
use tidemill_ops::lookup;

use super::error::ImportErrorKind;
use super::function::{CALLS, Definitions, check_count, read_body};
use super::net::{Attrs, Net, NetNode};

/// The functions that nodes call and run, by name.
pub(super) struct Library<'a> {
    definitions: Definitions<'a>,
    /// The branches and loops of TensorFlow 1.
    raised: FxHashMap<String, Net>,
    /// The version of the format that the message was written in; 0 if it is unknown.
    producer: i32,
}

impl<'a> Library<'a> {
    pub(super) fn new(library: Option<&'a FunctionDefLibrary>, producer: i32) -> Self {
        let named = |function: &'a FunctionDef| {
            Some((function.signature.as_ref()?.name.as_str(), function))
        };
        let functions = library.into_iter().flat_map(|library| &library.function);
        let definitions = functions.filter_map(named).collect();
        Library { definitions, raised: FxHashMap::default(), producer }
    }

    pub(super) fn producer(&self) -> i32 {
        self.producer
    }

    /// The names of the functions of the message.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.definitions.keys().copied()
    }

    /// Adds functions, under names that are not taken.
    pub(super) fn add(&mut self, functions: Vec<(String, Net)>) {
        self.raised.extend(functions);
    }

    /// Whether a function is a branch or loop of TensorFlow 1.
    pub(super) fn is_raised(&self, name: &str) -> bool {
        self.raised.contains_key(name)
    }

    /// A function of the message.
    ///
    /// # Errors
    /// [`ImportErrorKind::UnknownFunction`]
    pub(super) fn definition(&self, name: &str) -> Result<&'a FunctionDef, ImportErrorKind> {
        let unknown = || ImportErrorKind::UnknownFunction { function: name.to_owned() };
        self.definitions.get(name).copied().ok_or_else(unknown)
    }

    fn has(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// The function that a node calls, if the message has it, and its attributes.
    pub(super) fn call_of<'n>(&self, node: &'n NetNode) -> Option<(&'n str, &'n Attrs)> {
        if CALLS.contains(&node.op.as_str()) {
            return match node.attr("f")? {
                AnyValue::Func(function) if self.has(&function.name) => {
                    Some((&function.name, &function.attr))
                }
                _ => None,
            };
        }
        let op = node.op.as_str();
        let is_function = self.definitions.contains_key(op) && lookup(op).is_none();
        (is_function && !node.is_outside).then_some((op, &node.attrs))
    }

    /// The body of a function with these attributes, for a number of arguments.
    ///
    /// # Errors
    /// [`ImportErrorKind`] if there is no such function, it has another number of arguments, or a
    /// reference in it is wrong.
    pub(super) fn body(
        &self,
        name: &str,
        attrs: &Attrs,
        arguments: usize,
    ) -> Result<Net, ImportErrorKind> {
        if let Some(body) = self.raised.get(name) {
            check_count(body.arguments, arguments)?;
            return Ok(body.clone());
        }
        read_body(self.definition(name)?, attrs, arguments, &self.definitions)
    }
}
