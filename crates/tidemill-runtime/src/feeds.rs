use smallvec::SmallVec;
use tidemill_ops::{Tensor, Variable};
use tidemill_value::{IntoValue, Value, ValueError};

/// The values that a run takes for tensors instead of computing them. [`feeds!`](crate::feeds!)
/// writes them.
#[derive(Clone, Default, Debug)]
pub struct Feeds(pub(crate) SmallVec<[(FeedKey, Result<Value, ValueError>); 2]>);

/// What a value is fed for: a tensor, a variable, or the name of a tensor.
#[derive(Clone, Debug)]
pub enum FeedKey {
    /// A tensor; not only placeholders can be fed.
    Tensor(Tensor),
    /// What everything that uses the variable reads of it in the run.
    Variable(Variable),
    /// The tensor of that name.
    Name(String),
}

impl From<Tensor> for FeedKey {
    fn from(tensor: Tensor) -> Self {
        FeedKey::Tensor(tensor)
    }
}

impl From<Variable> for FeedKey {
    fn from(variable: Variable) -> Self {
        FeedKey::Variable(variable)
    }
}

impl From<&str> for FeedKey {
    fn from(name: &str) -> Self {
        FeedKey::Name(name.to_owned())
    }
}

impl From<String> for FeedKey {
    fn from(name: String) -> Self {
        FeedKey::Name(name)
    }
}

impl Feeds {
    /// No feeds.
    pub fn new() -> Self {
        Feeds::default()
    }

    /// Adds a value for a tensor.
    ///
    /// The value must have the tensor's data type and a shape that fits the tensor's. A single
    /// number takes the tensor's type. A tensor holds no value, and cannot be fed:
    ///
    /// ```compile_fail
    /// use tidemill_ops::{constant, placeholder};
    /// use tidemill_runtime::feeds;
    /// let (x, two) = (placeholder::<f32>([]), constant(2.0_f32));
    /// let feeds = feeds![x => two];
    /// ```
    pub fn feed(mut self, key: impl Into<FeedKey>, value: impl IntoValue) -> Self {
        self.0.push((key.into(), value.into_value()));
        self
    }
}

/// Writes [`Feeds`]: `feeds![x => 1.0, labels => array]`.
#[macro_export]
macro_rules! feeds {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Feeds::new()$(.feed($key, $value))*
    };
}
