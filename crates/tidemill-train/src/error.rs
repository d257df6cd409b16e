use tidemill_autodiff::Cut;
use tidemill_graph::ShownWay;
use tidemill_value::DType;

/// The error of minimizing a loss.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// There is no variable to train.
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
    /// No gradient reaches any of the variables from the loss.
    #[error(
        "no gradient flows from the loss `{loss}` to the variables {}{}",
        list(variables),
        ends(cuts)
    )]
    NoGradient {
        /// The name of the loss.
        loss: String,
        /// The names of the variables on the path of the loss.
        variables: Vec<String>,
        /// The nodes at which the paths to them end.
        cuts: Vec<Cut>,
    },
    /// A variable does not hold floats.
    #[error("`{name}` holds {dtype}: only floats can be trained")]
    NotFloat {
        /// The name of the variable.
        name: String,
        /// Its data type.
        dtype: DType,
    },
    /// A hyperparameter has an invalid value.
    #[error("`{name}` is {value}, but must be {wanted}")]
    Hyperparameter {
        /// Its name.
        name: &'static str,
        /// The value.
        value: f64,
        /// The requirement.
        wanted: &'static str,
    },
    /// A variable has a constraint, which covers all rows, but only some of its rows are updated.
    #[error(
        "the gradient of `{variable}` covers only some of its rows, so its constraint cannot be \
         applied"
    )]
    SparseConstraint {
        /// The name of the variable.
        variable: String,
    },
    /// An optimizer has no update for a variable.
    #[error("`{variable}` has no update")]
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
