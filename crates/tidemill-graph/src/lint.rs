use std::fmt;

use crate::{Effect, Graph, Location};

/// A warning about a graph that is valid but probably not intended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    /// The name of the node it is about.
    pub name: String,
    /// The line that created the node.
    pub location: Location,
    /// The warning.
    pub message: &'static str,
    /// The remedy.
    pub help: &'static str,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lint { name, location, message, help } = self;
        write!(f, "`{name}` {message}\n  --> {location}\n  help: {help}")
    }
}

impl Graph {
    /// Warns about prints and assertions that no other node refers to: they run only if they are
    /// fetched themselves.
    pub fn lint(&self) -> Vec<Lint> {
        let reader = self.read();
        let idle = reader.nodes().filter(|(id, _)| !reader.has_consumers(*id));
        idle.filter_map(|(id, node)| {
            let (message, help) = match node.op.effect {
                Effect::Print => (
                    "is on no path: nothing uses its output",
                    "use the tensor that print returns, or tie it in by control_dependencies",
                ),
                Effect::Assert => {
                    ("is on no path: nothing runs after it", "tie it in by control_dependencies")
                }
                Effect::None | Effect::Random | Effect::Host => return None,
            };
            let (name, location) = (reader.name(id).to_owned(), reader.location(id));
            Some(Lint { name, location, message, help })
        })
        .collect()
    }
}
