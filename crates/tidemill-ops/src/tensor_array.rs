use tidemill_graph::{BuildErrorKind, OpError, TensorRef, fail};
use tidemill_value::{DType, Dim, PartialShape, ValueError};

use crate::ops::tensor_list::{
    set_item, tensor_list_concat, tensor_list_from_tensor, tensor_list_gather,
    tensor_list_get_item, tensor_list_length, tensor_list_reserve, tensor_list_scatter_into,
    tensor_list_split, tensor_list_stack,
};
use crate::{Operand, Tensor};

/// An array of tensors whose elements are read and written one by one, such as the inputs or
/// results of a loop.
///
/// It is an immutable handle to a list of tensors: a write returns a new array, to be used from
/// then on. If the old array is no longer used, as for a loop variable, the list is changed in
/// place. An element that was never written is zeros.
///
/// ```
/// use tidemill_ops::{TensorArray, constant};
/// use tidemill_value::DType;
/// let array = TensorArray::new(DType::F32, 2);
/// let array = array.write(0, constant([1.0_f32, 2.0])).write(1, constant([3.0_f32, 4.0]));
/// assert_eq!(array.stack().dtype(), Some(DType::F32));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TensorArray {
    flow: Tensor,
    dtype: DType,
    grows: bool,
}

impl TensorArray {
    /// An array of `size` elements of one data type and unknown shape; see
    /// [`TensorArray::of_shape`].
    ///
    /// # Errors
    /// In a run, a negative size.
    #[track_caller]
    pub fn new(dtype: DType, size: impl Into<Operand>) -> Self {
        TensorArray::of_shape(dtype, PartialShape::unknown(), size)
    }

    /// An array of `size` elements of one data type, whose shapes match `element_shape`.
    ///
    /// ```
    /// use tidemill_ops::TensorArray;
    /// use tidemill_value::{DType, shape};
    /// let array = TensorArray::of_shape(DType::F32, shape![?, 3], 5);
    /// assert_eq!(array.read(0).shape(), shape![?, 3]);
    /// ```
    ///
    /// # Errors
    /// In a run, a negative size.
    #[track_caller]
    pub fn of_shape(
        dtype: DType,
        element_shape: impl Into<PartialShape>,
        size: impl Into<Operand>,
    ) -> Self {
        let flow = tensor_list_reserve(element_shape.into(), size, dtype);
        TensorArray { flow, dtype, grows: false }
    }

    /// The array whose elements are the slices of `tensor` along its first axis.
    ///
    /// ```
    /// use tidemill_ops::{TensorArray, constant};
    /// let array = TensorArray::unstack(constant([[1.0_f32, 2.0], [3.0, 4.0]]));
    /// assert_eq!(array.read(1).shape().to_string(), "[2]");
    /// ```
    ///
    /// # Errors
    /// A tensor without axes.
    #[track_caller]
    pub fn unstack(tensor: impl Into<Operand>) -> Self {
        let tensor = tensor.into().to_tensor();
        let shape = tensor.shape();
        let inner = shape.dims().map(|dims| dims.iter().skip(1).copied().collect());
        let flow = tensor_list_from_tensor(tensor, inner.unwrap_or(PartialShape::unknown()));
        TensorArray { flow, dtype: tensor.dtype().unwrap_or(DType::F32), grows: false }
    }

    /// The array whose elements are the parts of `tensor` along its first axis with the lengths
    /// `lengths`, an `int64` list.
    ///
    /// # Errors
    /// A tensor without axes, or lengths that do not add up to that of the axis.
    #[track_caller]
    pub fn split(tensor: impl Into<Operand>, lengths: impl Into<Operand>) -> Self {
        let tensor = tensor.into().to_tensor();
        let shape = tensor.shape();
        let part = shape.dims().map(|dims| {
            std::iter::once(Dim::UNKNOWN).chain(dims.iter().skip(1).copied()).collect()
        });
        let flow = tensor_list_split(tensor, part.unwrap_or(PartialShape::unknown()), lengths);
        TensorArray { flow, dtype: tensor.dtype().unwrap_or(DType::F32), grows: false }
    }

    /// The array for a list, such as the [`flow`](TensorArray::flow) of another array that passed
    /// through a loop. Its elements are of type `dtype`.
    ///
    /// # Errors
    /// The array's flow is invalid if the tensor is not a list, or is known to be a list of another
    /// type.
    #[track_caller]
    pub fn from_flow(flow: impl Into<Tensor>, dtype: DType) -> Self {
        let flow = flow.into();
        let fact = flow.fact();
        let elements = fact.as_ref().and_then(|fact| fact.list.as_deref());
        let wrong = match (fact.as_ref().map(|fact| fact.dtype), elements.map(|fact| fact.dtype)) {
            (Some(actual), _) if actual != DType::Variant => Some((DType::Variant, actual)),
            (_, Some(actual)) if actual != dtype => Some((dtype, actual)),
            _ => None,
        };
        let flow = match wrong {
            None => flow,
            Some((expected, actual)) => {
                let kind =
                    BuildErrorKind::Op(OpError::from(ValueError::DType { expected, actual }));
                let graph = TensorRef::from(flow).graph();
                fail(Some(graph), "TensorArray", kind, Vec::new()).output(0).into()
            }
        };
        TensorArray { flow, dtype, grows: false }
    }

    /// The same array, but a write beyond its end extends it instead of failing.
    pub fn dynamic_size(self) -> Self {
        TensorArray { grows: true, ..self }
    }

    /// The list of the elements, a scalar of type `variant`, which represents the array where a
    /// tensor is needed, such as in loop variables.
    pub fn flow(self) -> Tensor {
        self.flow
    }

    /// The array with its flow replaced by `replace`.
    pub(crate) fn rebuild_flow(self, replace: impl FnOnce(Tensor) -> Tensor) -> Self {
        TensorArray { flow: replace(self.flow), ..self }
    }

    /// The data type of the elements.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The shape of the elements; dimensions may be unknown.
    pub fn element_shape(self) -> PartialShape {
        let fact = self.flow.fact();
        let elements = fact.as_ref().and_then(|fact| fact.list.as_deref());
        elements.map_or(PartialShape::unknown(), |fact| fact.shape.clone())
    }

    /// The number of elements, an `int32`.
    #[track_caller]
    pub fn size(self) -> Tensor {
        tensor_list_length(self.flow)
    }

    /// The element at `index`.
    ///
    /// # Errors
    /// In a run, an index out of range, or an element that was never written if the shape of
    /// elements is unknown.
    #[track_caller]
    pub fn read(self, index: impl Into<Operand>) -> Tensor {
        tensor_list_get_item(self.flow, index, self.element_shape(), self.dtype)
    }

    /// The array with `value` at `index`.
    ///
    /// # Errors
    /// A value of another type or shape than the elements have, and in a run, an index out of
    /// range.
    #[track_caller]
    pub fn write(self, index: impl Into<Operand>, value: impl Into<Operand>) -> Self {
        let flow = set_item(self.flow.into(), index.into(), value.into(), self.grows);
        TensorArray { flow, ..self }
    }

    /// The array with the slices of `tensor` along its first axis at `indices`, a list of `int32`.
    ///
    /// Unlike in [`write`](TensorArray::write), an index beyond the end always extends the array,
    /// even without [`dynamic_size`](TensorArray::dynamic_size).
    ///
    /// # Errors
    /// Slices of another type or shape than the elements have, more or fewer indices than slices,
    /// and in a run, a negative index.
    #[track_caller]
    pub fn scatter(self, indices: impl Into<Operand>, tensor: impl Into<Operand>) -> Self {
        TensorArray { flow: tensor_list_scatter_into(self.flow, tensor, indices), ..self }
    }

    /// The elements along a new first axis.
    ///
    /// # Errors
    /// In a run: elements of different shapes, or no written element if the shape of elements is
    /// unknown.
    #[track_caller]
    pub fn stack(self) -> Tensor {
        tensor_list_stack(self.flow, self.element_shape(), self.dtype)
    }

    /// The elements at `indices`, a list of `int32`, along a new first axis.
    ///
    /// # Errors
    /// In a run, an index out of range, elements of different shapes, or only absent elements
    /// whose shape is unknown.
    #[track_caller]
    pub fn gather(self, indices: impl Into<Operand>) -> Tensor {
        tensor_list_gather(self.flow, indices, self.element_shape(), self.dtype)
    }

    /// The elements one after the other along their first axis.
    ///
    /// # Errors
    /// In a run, elements without axes, or whose other dimensions differ.
    #[track_caller]
    pub fn concat(self) -> Tensor {
        tensor_list_concat(self.flow, self.element_shape(), self.dtype).0
    }
}
