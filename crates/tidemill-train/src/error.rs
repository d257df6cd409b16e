use tidemill_autodiff::Cut;
use tidemill_graph::ShownWay;
use tidemill_value::DType;

/// Why a loss cannot be minimized.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// There is no variable to change.
    #[error("the loss `{loss}` cannot be minimized: its graph has no trainable variable")]
    NoVariables {
        /// The name of the loss.
        loss: String,
    },
    /// The loss does not depend on any of the variables.
    #[error("the loss `{loss}` does not depend on any of the variables {}", list(variables))]
    Independent {
        /// The name of the loss.
        loss: String,
        /// The names of the variables.
        variables: Vec<String>,
    },
    /// No gradient gets from the loss to any of the variables.
    #[error(
        "no gradient gets from the loss `{loss}` to the variables {}{}",
        list(variables),
        ends(cuts)
    )]
    NoGradient {
        /// The name of the loss.
        loss: String,
        /// The names of the variables on the path of the loss.
        variables: Vec<String>,
        /// The nodes at which the ways to them end.
        cuts: Vec<Cut>,
    },
    /// A variable does not hold floats.
    #[error("`{name}` holds {dtype}: only floats can be trained")]
    NotFloat {
        /// The name of the variable.
        name: String,
        /// What it holds.
        dtype: DType,
    },
    /// A hyperparameter is not what it must be.
    #[error("`{name}` is {value}, and must be {wanted}")]
    Hyperparameter {
        /// Its name.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it must be.
        wanted: &'static str,
    },
    /// A variable of which only some rows are updated has a constraint, which is for all of them.
    #[error(
        "the gradient of `{variable}` has only some of its rows, so that its constraint cannot be kept"
    )]
    SparseConstraint {
        /// The name of the variable.
        variable: String,
    },
    /// An optimizer has no update for a variable.
    #[error("there is no update of `{variable}`")]
    NoUpdate {
        /// The name of the variable.
        variable: String,
    },
    /// There is no gradient to apply.
    #[error("there is no gradient to apply: none of the variables {} has one", list(variables))]
    NothingToApply {
        /// The names of the variables.
        variables: Vec<String>,
    },
}

tidemill_value::debug_as_report!(TrainError);

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn ends(cuts: &[Cut]) -> String {
    let end = |cut: &Cut| {
        format!(
            "\n  `{}`, of type {}, has no derivative ({}):\n     {}",
            cut.name,
            cut.op,
            cut.location,
            ShownWay(&cut.way)
        )
    };
    cuts.iter().map(end).collect()
}
