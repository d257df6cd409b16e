use tidemill_graph::KernelError;
use tidemill_runtime::RunError;

/// The failure of a run, in a comparable form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// These placeholders were not fed.
    Unfed(Vec<String>),
    /// The feed for this tensor does not fit.
    Feed(String),
    /// These variables have no value.
    Uninitialized(Vec<String>),
    /// The kernel of a node failed.
    Kernel {
        /// The name of the node.
        node: String,
        /// The kind of error.
        kind: String,
    },
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The failure of a kernel.
    pub(crate) fn kernel(node: String, error: &KernelError) -> Self {
        // The names of variants come first, followed by the numbers they hold.
        let is_variant = |c: &char| c.is_alphanumeric() || *c == '(';
        let kind = format!("{error:?}").chars().take_while(is_variant).collect();
        Failure::Kernel { node, kind }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Unfed(unfed) => {
                Failure::Unfed(unfed.into_iter().map(|unfed| unfed.placeholder.name).collect())
            }
            RunError::Feed(feed) => Failure::Feed(feed.tensor.name),
            RunError::Uninitialized(variables) => Failure::Uninitialized(
                variables.into_iter().map(|missing| missing.variable.name).collect(),
            ),
            RunError::Kernel(failed) => Failure::kernel(failed.node.name, &failed.source),
            other => Failure::Other(other.to_string()),
        }
    }
}
