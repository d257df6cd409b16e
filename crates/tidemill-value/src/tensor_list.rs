use std::fmt;

use crate::dtype::DType;
use crate::error::ValueError;
use crate::model::{TensorList, Value};
use crate::partial_shape::{Dim, PartialShape};

impl TensorList {
    /// The maximum nesting depth of lists.
    pub const MAX_DEPTH: usize = 64;

    /// An empty list of tensors of this type whose shapes match `shape`.
    pub fn new(dtype: DType, shape: impl Into<PartialShape>) -> Self {
        TensorList { dtype, shape: shape.into(), most: None, elements: Vec::new(), depth: 1 }
    }

    /// The same list with a maximum length of `most` for [`push`](TensorList::push).
    pub fn with_limit(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Merges `shape` into the common shape of the elements.
    ///
    /// # Errors
    /// [`ValueError::Incompatible`] if both shapes contradict each other.
    pub fn refine(&mut self, shape: &PartialShape) -> Result<(), ValueError> {
        self.shape = self.shape.merge(shape)?;
        Ok(())
    }

    /// The data type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The common shape of the elements.
    pub fn shape(&self) -> &PartialShape {
        &self.shape
    }

    /// The maximum length for [`push`](TensorList::push).
    pub fn limit(&self) -> Option<usize> {
        self.most
    }

    /// The length of the list, including absent elements.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether the length is 0.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The elements; `None` for absent ones.
    pub fn elements(&self) -> &[Option<Value>] {
        &self.elements
    }

    /// The element at `index`, unless it is absent.
    ///
    /// # Errors
    /// [`ValueError::ListIndex`] if `index` is out of range.
    pub fn get(&self, index: usize) -> Result<Option<&Value>, ValueError> {
        let element = self.elements.get(index).ok_or(self.no_place(index))?;
        Ok(element.as_ref())
    }

    /// Sets the element at `index`.
    ///
    /// # Errors
    /// [`ValueError::ListIndex`] if `index` is out of range, and as for
    /// [`check`](TensorList::check).
    pub fn set(&mut self, index: usize, value: Value) -> Result<(), ValueError> {
        self.check(&value)?;
        let no_place = self.no_place(index);
        self.depth = self.depth.max(depth_with(&value));
        *self.elements.get_mut(index).ok_or(no_place)? = Some(value);
        Ok(())
    }

    /// Takes out the element at `index`, which is absent from then on.
    ///
    /// # Errors
    /// [`ValueError::ListIndex`] if `index` is out of range.
    pub fn take(&mut self, index: usize) -> Result<Option<Value>, ValueError> {
        let no_place = self.no_place(index);
        Ok(self.elements.get_mut(index).ok_or(no_place)?.take())
    }

    /// Appends an element.
    ///
    /// # Errors
    /// [`ValueError::ListFull`] if the list is full, and as for [`check`](TensorList::check).
    pub fn push(&mut self, value: Value) -> Result<(), ValueError> {
        self.check(&value)?;
        if let Some(most) = self.most.filter(|most| self.len() >= *most) {
            return Err(ValueError::ListFull { most });
        }
        self.depth = self.depth.max(depth_with(&value));
        self.elements.push(Some(value));
        Ok(())
    }

    /// Removes and returns the last element. `None` if the list is empty.
    pub fn pop(&mut self) -> Option<Option<Value>> {
        self.elements.pop()
    }

    /// Changes the length of the list. New elements are absent.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if memory cannot hold them.
    pub fn resize(&mut self, len: usize) -> Result<(), ValueError> {
        let added = len.saturating_sub(self.len());
        let too_large = |_| ValueError::TooLarge { shape: [len].into() };
        self.elements.try_reserve(added).map_err(too_large)?;
        self.elements.resize(len, None);
        Ok(())
    }

    /// Appends the elements of another list.
    ///
    /// # Errors
    /// As for [`check`](TensorList::check).
    pub fn append(&mut self, other: TensorList) -> Result<(), ValueError> {
        other.elements.iter().flatten().try_for_each(|element| self.check(element))?;
        self.depth = self.depth.max(other.depth);
        self.elements.extend(other.elements);
        Ok(())
    }

    /// Checks that a value can be an element.
    ///
    /// # Errors
    /// [`ValueError::DType`] if it is of another type, [`ValueError::Incompatible`] if its shape
    /// does not fit, [`ValueError::ListDepth`] if lists would be nested too deeply.
    pub fn check(&self, value: &Value) -> Result<(), ValueError> {
        if value.dtype() != self.dtype {
            return Err(ValueError::DType { expected: self.dtype, actual: value.dtype() });
        }
        if !self.shape.admits(value.shape()) {
            let (left, right) = (self.shape.clone(), value.shape().into());
            return Err(ValueError::Incompatible { left, right });
        }
        match depth_with(value) {
            depth if depth <= TensorList::MAX_DEPTH => Ok(()),
            _ => Err(ValueError::ListDepth { most: TensorList::MAX_DEPTH }),
        }
    }

    fn no_place(&self, index: usize) -> ValueError {
        ValueError::ListIndex { index, len: self.len() }
    }

    /// The number of bytes that the list and its elements take.
    pub(crate) fn bytes(&self) -> usize {
        let elements: usize = self.elements.iter().flatten().map(Value::bytes).sum();
        elements + size_of_val(&self.elements[..]) + size_of::<TensorList>()
    }

    /// Whether both are equal to the bit.
    pub(crate) fn bits_eq(&self, other: &TensorList) -> bool {
        let same = |(left, right): (&Option<Value>, &Option<Value>)| match (left, right) {
            (Some(left), Some(right)) => left.bits_eq(right),
            (None, None) => true,
            _ => false,
        };
        (self.dtype, &self.shape, self.most, self.len())
            == (other.dtype, &other.shape, other.most, other.len())
            && self.elements.iter().zip(&other.elements).all(same)
    }
}

/// The nesting depth of a list that has this element.
fn depth_with(value: &Value) -> usize {
    let lists = value.as_slice::<TensorList>().unwrap_or_default();
    1 + lists.iter().map(|list| list.depth).max().unwrap_or(0)
}

impl Default for TensorList {
    /// An empty list, of lists.
    fn default() -> Self {
        TensorList::new(DType::Variant, PartialShape::unknown())
    }
}

impl fmt::Display for TensorList {
    /// Type and shape of the elements, and the length: `list(float32[?, 3] x 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list({}", self.dtype)?;
        match self.shape.dims() {
            Some(_) => write!(f, "{}", self.shape)?,
            None => f.write_str("[..]")?,
        }
        write!(f, " x {})", self.len())
    }
}

impl From<TensorList> for Value {
    fn from(list: TensorList) -> Self {
        Value::scalar(list)
    }
}

impl PartialShape {
    /// The shape as the tensor that describes it to operations on lists: extents as `int32`, or
    /// `int64` if they are larger, -1 for unknown ones; a single -1 if the rank is unknown.
    pub fn to_value(&self) -> Value {
        let Some(dims) = self.dims() else { return Value::from(-1) };
        let narrow = |dim: &Dim| dim.known().map_or(Some(-1), |extent| extent.try_into().ok());
        if let Some(extents) = dims.iter().map(narrow).collect::<Option<Vec<i32>>>() {
            return Value::list(extents);
        }
        let wide = |dim: &Dim| dim.known().and_then(|extent| extent.try_into().ok()).unwrap_or(-1);
        Value::list(dims.iter().map(wide).collect::<Vec<i64>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_of(values: impl IntoIterator<Item = f32>) -> TensorList {
        let mut list = TensorList::new(DType::F32, shape![]);
        values.into_iter().for_each(|value| list.push(value.into()).unwrap());
        list
    }

    #[test]
    fn what_does_not_fit_the_list_is_no_element() {
        let mut list = TensorList::new(DType::F32, shape![?, 2]).with_limit(1);
        let row = || Value::from_vec([1, 2], vec![1.0_f32, 2.0]).unwrap();
        let wrong = list.push(Value::from([1_i32, 2]));
        assert_eq!(wrong, Err(ValueError::DType { expected: DType::F32, actual: DType::I32 }));
        let wrong = list.push(Value::from([1.0_f32, 2.0]));
        assert!(matches!(wrong, Err(ValueError::Incompatible { .. })));
        list.push(row()).unwrap();
        assert_eq!(list.push(row()), Err(ValueError::ListFull { most: 1 }));
        assert_eq!(list.get(1), Err(ValueError::ListIndex { index: 1, len: 1 }));
        assert_eq!(list.to_string(), "list(float32[?, 2] x 1)");
    }

    #[test]
    fn places_that_are_added_are_absent_and_popped_ones_are_gone() {
        let mut list = list_of([1.0]);
        list.resize(2).unwrap();
        assert_eq!((list.get(0), list.get(1)), (Ok(Some(&Value::from(1.0_f32))), Ok(None)));
        assert_eq!((list.pop(), list.pop()), (Some(None), Some(Some(Value::from(1.0_f32)))));
        assert_eq!(list.pop(), None);
    }

    #[test]
    fn a_list_that_nothing_shares_changes_in_place() {
        let mut value = Value::from(list_of([1.0, 2.0]));
        let place = |value: &Value| value.as_slice::<TensorList>().unwrap()[0].elements().as_ptr();
        let before = place(&value);
        value.as_mut_slice::<TensorList>().unwrap()[0].set(1, 3.0_f32.into()).unwrap();
        assert_eq!(place(&value), before);
        let shared = value.clone();
        value.as_mut_slice::<TensorList>().unwrap()[0].set(1, 4.0_f32.into()).unwrap();
        assert_eq!(shared, Value::from(list_of([1.0, 3.0])));
        assert_eq!(value, Value::from(list_of([1.0, 4.0])));
        assert_eq!((value.dtype(), value.shape().rank()), (DType::Variant, 0));
    }

    #[test]
    fn lists_lie_in_one_another_up_to_a_depth() {
        let mut value = Value::from(TensorList::default());
        for _ in 1..TensorList::MAX_DEPTH {
            let mut outer = TensorList::default();
            outer.push(value).unwrap();
            value = outer.into();
        }
        let too_deep = TensorList::default().push(value);
        assert_eq!(too_deep, Err(ValueError::ListDepth { most: TensorList::MAX_DEPTH }));
    }
}
