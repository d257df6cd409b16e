use smallvec::SmallVec;
use tidemill_ops::{Tensor, Variable};
use tidemill_value::{IntoValue, Value, ValueError, copied_bytes};

/// The values that a run takes for tensors instead of computing them, built by
/// [`feeds!`](crate::feeds!).
#[derive(Clone, Default, Debug)]
pub struct Feeds {
    pub(crate) values: SmallVec<[(FeedKey, Result<Value, ValueError>); 2]>,
    /// The bytes of elements that were copied to make the values.
    pub(crate) copied: u64,
}

/// The target of a fed value: a tensor, a variable, or the name of a tensor.
#[derive(Clone, Debug)]
pub enum FeedKey {
    /// A tensor, which need not be a placeholder.
    Tensor(Tensor),
    /// A variable: every read of it in the run gives the fed value.
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
    /// number takes the tensor's type. A tensor does not hold a value, so it cannot be fed as one:
    ///
    /// ```compile_fail
    /// use tidemill_ops::{constant, placeholder};
    /// use tidemill_runtime::feeds;
    /// let (x, two) = (placeholder::<f32>([]), constant(2.0_f32));
    /// let feeds = feeds![x => two];
    /// ```
    pub fn feed(mut self, key: impl Into<FeedKey>, value: impl IntoValue) -> Self {
        let before = copied_bytes();
        self.values.push((key.into(), value.into_value()));
        self.copied += copied_bytes().wrapping_sub(before);
        self
    }
}

/// Builds [`Feeds`]: `feeds![x => 1.0, labels => array]`.
#[macro_export]
macro_rules! feeds {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Feeds::new()$(.feed($key, $value))*
    };
}
