use tidemill_ops::{Operation, Tensor, Variable};
use tidemill_value::Value;

use crate::report::error::RunError;
use crate::session::feeds::Feeds;
use crate::session::handle::run_in_default;

/// Computes a tensor or variable in the default session.
pub trait Evaluate {
    /// The value in the session of [`Session::as_default`](crate::Session::as_default).
    ///
    /// # Errors
    /// [`RunError::NoSession`], and those of [`Session::run_with`](crate::Session::run_with).
    fn eval(&self, feeds: Feeds) -> Result<Value, RunError>;
}

impl Evaluate for Tensor {
    fn eval(&self, feeds: Feeds) -> Result<Value, RunError> {
        run_in_default(self, feeds)
    }
}

impl Evaluate for Variable {
    fn eval(&self, feeds: Feeds) -> Result<Value, RunError> {
        run_in_default(self, feeds)
    }
}

/// Runs an operation in the default session.
pub trait RunOperation {
    /// Runs it in the session of [`Session::as_default`](crate::Session::as_default).
    ///
    /// An operation gives no value, so one that can neither fail nor have an effect, such as a sum, is
    /// not computed: nothing could tell the difference. To trace or to time one, fetch its tensor, or
    /// run it with [`RunOptions::force_targets`](crate::RunOptions::force_targets).
    ///
    /// # Errors
    /// [`RunError::NoSession`], and those of [`Session::run_with`](crate::Session::run_with).
    fn run(&self, feeds: Feeds) -> Result<(), RunError>;
}

impl RunOperation for Operation {
    fn run(&self, feeds: Feeds) -> Result<(), RunError> {
        run_in_default(self, feeds)
    }
}
