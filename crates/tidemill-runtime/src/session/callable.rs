use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::lower::signature::Signature;
use crate::report::error::RunError;
use crate::run::execute::BoundPlan;
use crate::session::arguments::Arguments;
use crate::session::feeder::Feeder;
use crate::session::fetch::Fetch;
use crate::session::inner::Inner;
use crate::session::options::{Run, RunOptions};

/// A prepared run: its feeds and fetches are fixed, only the fed values vary.
///
/// Use it in loops: it does all look-ups once, in advance. Threads can share it. It keeps its
/// session's variables and its graph alive.
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
    /// For each argument, the number of its feed in the signature.
    pub(crate) places: SmallVec<[u32; 4]>,
    pub(crate) fetches: F,
}

impl<F: Fetch> Callable<F> {
    /// Runs the callable with values for its feeds, in the order in which the feeds were given to
    /// [`Session::callable`](crate::Session::callable): a tuple, an array or a vector.
    ///
    /// Values passed by value are moved and a `&Value` is shared; no elements are copied.
    ///
    /// # Errors
    /// [`RunError`]; no variable changes.
    pub fn call(&self, arguments: impl Arguments) -> Result<F::Output, RunError> {
        let _running = self.session.enter()?;
        let feed = |feeder: &mut Feeder<'_>| self.feed(arguments, feeder);
        self.session.execute(&self.signature, &self.bound, feed, &self.fetches)
    }

    /// Runs it as [`call`](Callable::call) does, with options.
    ///
    /// # Errors
    /// [`RunError`]; no variable changes.
    pub fn call_with_options(
        &self,
        arguments: impl Arguments,
        options: &RunOptions,
    ) -> Result<Run<F::Output>, RunError> {
        let _running = self.session.enter()?;
        let feed = |feeder: &mut Feeder<'_>| self.feed(arguments, feeder);
        self.session.execute_watched(&self.signature, feed, &self.fetches, options)
    }

    #[inline]
    fn feed(&self, arguments: impl Arguments, feeder: &mut Feeder<'_>) -> Result<(), RunError> {
        let expected = self.places.len();
        let (mut actual, mut result) = (0, Ok(()));
        arguments.each(|value| {
            if let (Some(&i), Ok(())) = (self.places.get(actual), &result) {
                let place = i as usize;
                let put = feeder.put(place, value);
                result = put.map_err(|kind| self.session.bad_feed(&self.signature, place, kind));
            }
            actual += 1;
        });
        if actual == expected { result } else { Err(RunError::Arguments { expected, actual }) }
    }
}

impl<F> fmt::Debug for Callable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callable({:?})", self.signature)
    }
}
