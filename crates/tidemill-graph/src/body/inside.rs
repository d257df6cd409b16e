//! The place of a node inside a body, for errors about its use outside.

use std::fmt;

use crate::Location;

/// A node inside a body that is used outside of it.
#[derive(Clone, Debug, PartialEq)]
pub struct InsideBody {
    /// The name of the node.
    pub name: String,
    /// The bodies that it is in, the innermost first; empty if the body is still being built.
    pub within: Vec<Enclosing>,
    /// The outputs of the node that runs the outermost body.
    pub outputs: Vec<String>,
}

/// A body around a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Enclosing {
    /// The name of the body.
    pub body: String,
    /// The name of the node that runs it.
    pub call: String,
    /// Whether that node is a loop.
    pub is_loop: bool,
    /// The line that created that node.
    pub location: Location,
}

impl fmt::Display for InsideBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is inside ", self.name)?;
        if self.within.is_empty() {
            return f.write_str("a body that is still being built, and has a value only there");
        }
        for (i, Enclosing { body, call, is_loop, location }) in self.within.iter().enumerate() {
            let separator = if i > 0 { ", inside " } else { "" };
            let what = if *is_loop { "loop" } else { "conditional" };
            write!(f, "{separator}the `{body}` of the {what} `{call}` ({location})")?;
        }
        f.write_str(", and has a value only there")?;
        match self.outputs.as_slice() {
            [] => Ok(()),
            [output] => write!(f, ": take what comes out of it, `{output}`"),
            [first, last] => write!(f, ": take what comes out of it, `{first}` or `{last}`"),
            [first, .., last] => write!(f, ": take what comes out of it, `{first}` to `{last}`"),
        }
    }
}
