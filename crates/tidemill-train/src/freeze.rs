use tidemill_formats::proto::GraphDef;
use tidemill_graphdef::{ExportError, FreezeError, freeze, to_graph_def};
use tidemill_ops::{Inspect, LookupError, Variable};
use tidemill_runtime::{RunError, Session};

/// The error of freezing the graph of a session.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FreezeSessionError {
    /// The graph cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The variables cannot be replaced with constants.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// A node names a variable that is not recorded in the graph.
    #[error(transparent)]
    Variable(#[from] LookupError),
    /// A variable has no value.
    #[error(transparent)]
    Run(#[from] RunError),
}

tidemill_value::debug_as_report!(FreezeSessionError);

/// The part of a session's graph that `outputs` (names of nodes or tensors) need, with the
/// session's values as constants in place of variables (see
/// [`freeze()`](tidemill_graphdef::freeze())).
///
/// ```
/// use tidemill_ops::{get_variable, ones};
/// use tidemill_runtime::Session;
/// let weight = get_variable("weight", [], ones());
/// let double = (weight * 2.0).named("double");
/// let session = Session::new();
/// session.init_missing()?;
/// let frozen = tidemill_train::freeze_session(&session, &["double"])?;
/// assert!(frozen.node.iter().all(|node| node.op != "VariableV2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`FreezeSessionError`], if an output does not exist, a variable has no value, or the part writes
/// a variable.
pub fn freeze_session<S: AsRef<str>>(
    session: &Session,
    outputs: &[S],
) -> Result<GraphDef, FreezeSessionError> {
    let graph = session.graph();
    let graph_def = to_graph_def(graph)?;
    freeze(&graph_def, outputs, |names| {
        let variables = names.iter().map(|name| graph.variable(name));
        let variables: Vec<Variable> = variables.collect::<Result<_, _>>()?;
        Ok(session.run(variables)?)
    })
}
