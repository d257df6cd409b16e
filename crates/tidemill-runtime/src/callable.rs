use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::arguments::Arguments;
use crate::error::{FeedErrorKind, RunError};
use crate::executor::{BoundPlan, Values};
use crate::fetch::Fetch;
use crate::options::{Run, RunOptions};
use crate::request::fit;
use crate::session::{Inner, assemble};
use crate::signature::Signature;

/// A run that was prepared: what is fed and what is fetched are settled, only the values are not.
///
/// It is what a loop should call: it finds nothing again that could be found once. Threads can
/// share it. It keeps its session's variables and its graph alive.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_runtime::Session;
/// let (x, y) = (placeholder::<f32>([]), placeholder::<f32>([]));
/// let session = Session::new();
/// let product = session.callable(&[x, y], x * y)?;
/// assert_eq!(product.call((2.0, 3.5))?.to_string(), "7.0");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
pub struct Callable<F> {
    pub(crate) session: Arc<Inner>,
    pub(crate) signature: Signature,
    pub(crate) bound: Arc<BoundPlan>,
    /// For each feed of the signature, which argument has its value.
    pub(crate) order: SmallVec<[u32; 4]>,
    pub(crate) fetches: F,
}

impl<F: Fetch> Callable<F> {
    /// Runs it with values for its feeds, in the order in which they were given to
    /// [`Session::callable`](crate::Session::callable): a tuple, an array or a vector.
    ///
    /// What is passed by value moves in, a `&Value` is shared; nothing is copied.
    ///
    /// # Errors
    /// [`RunError`], after which every variable is as it was.
    pub fn call(&self, arguments: impl Arguments) -> Result<F::Output, RunError> {
        let _running = self.session.enter()?;
        let values = self.fit(arguments)?;
        let results = self.session.execute(&self.signature, &self.bound, values)?;
        assemble(&self.fetches, results)
    }

    /// Runs it as [`call`](Callable::call) does, with options.
    ///
    /// # Errors
    /// [`RunError`], after which every variable is as it was.
    pub fn call_with_options(
        &self,
        arguments: impl Arguments,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        let _running = self.session.enter()?;
        let copied = tidemill_value::copied_bytes();
        let values = self.fit(arguments)?;
        let run = self.session.execute_watched(&self.signature, values, options, copied)?;
        run.try_map(|results| assemble(&self.fetches, results))
    }

    /// The values of the arguments in the order of the signature.
    #[inline]
    fn fit(&self, arguments: impl Arguments) -> Result<Values, RunError> {
        let mut arguments = arguments.into_values();
        if arguments.len() != self.order.len() {
            let (expected, actual) = (self.order.len(), arguments.len());
            return Err(RunError::Arguments { expected, actual });
        }
        let taken = || Err(tidemill_value::ValueError::Count { expected: 1, actual: 0 });
        let mut values = Values::new();
        for (i, &argument) in self.order.iter().enumerate() {
            let value = std::mem::replace(&mut arguments[argument as usize], taken());
            let fact = &self.bound.plan.feeds[i].fact;
            let fitted = value.map_err(FeedErrorKind::from).and_then(|value| fit(value, fact));
            let fitted = fitted.map_err(|kind| self.session.bad_feed(&self.signature, i, kind));
            values.push(fitted?);
        }
        Ok(values)
    }
}

impl<F> fmt::Debug for Callable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callable({:?})", self.signature)
    }
}
