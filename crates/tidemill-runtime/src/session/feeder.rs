//! Checks fed values and puts them in their slots.

use tidemill_graph::Fact;
use tidemill_value::{TensorList, Value, ValueError};

use crate::plan::step::Feed;
use crate::report::error::FeedErrorKind;

/// Puts the values of a plan's feeds in their places.
pub(crate) struct Feeder<'a> {
    pub(crate) feeds: &'a [Feed],
    pub(crate) slots: &'a mut [Option<Value>],
}

impl Feeder<'_> {
    /// Puts the value of feed `i` of the signature in its place. It is checked even if nothing
    /// needs it.
    #[inline]
    pub(crate) fn put(
        &mut self,
        i: usize,
        value: Result<Value, ValueError>,
    ) -> Result<(), FeedErrorKind> {
        let value = fit(value?, &self.feeds[i].fact)?;
        self.place(i, Some(value));
        Ok(())
    }

    /// Puts a value that fits feed `i` in its place, if anything needs it.
    #[inline]
    pub(crate) fn place(&mut self, i: usize, value: Option<Value>) {
        if let Some(slot) = self.feeds[i].slot {
            self.slots[slot as usize] = value;
        }
    }
}

/// The value as one of the tensor's type. A single number adopts it.
///
/// # Errors
/// [`FeedErrorKind`] if the type or the shape does not fit.
#[inline]
pub(crate) fn fit(value: Value, fact: &Fact) -> Result<Value, FeedErrorKind> {
    let value = match value.number() {
        Some(number) if number.dtype() != fact.dtype => number.adopt(fact.dtype)?.into(),
        _ => value,
    };
    if value.dtype() != fact.dtype {
        return Err(FeedErrorKind::DType { expected: fact.dtype, actual: value.dtype() });
    }
    if !fact.shape.admits(value.shape()) {
        let (expected, actual) = (fact.shape.clone(), value.shape().clone());
        return Err(FeedErrorKind::Shape { expected, actual });
    }
    if let Some(elements) = &fact.list {
        check_lists(&value, elements)?;
    }
    Ok(value)
}

/// Checks that all lists hold tensors that satisfy `elements`.
fn check_lists(value: &Value, elements: &Fact) -> Result<(), ValueError> {
    for list in value.as_slice::<TensorList>()? {
        let (expected, actual) = (elements.dtype, list.dtype());
        if expected != actual {
            return Err(ValueError::DType { expected, actual });
        }
        if list.shape().merge(&elements.shape)? != *list.shape() {
            let (left, right) = (list.shape().clone(), elements.shape.clone());
            return Err(ValueError::Incompatible { left, right });
        }
    }
    Ok(())
}
