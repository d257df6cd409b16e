//! The types that need each other: a value can hold lists of tensors, which hold values. Their
//! methods are in files of their own.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use bstr::BString as ByteString;

use crate::dtype::DType;
use crate::partial_shape::PartialShape;
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::Storage;

/// A concrete n-dimensional array: feeds, fetched results and the contents of variables are values.
///
/// The elements are in row-major order in shared memory. Cloning copies no elements; writing to
/// shared elements copies them first.
#[derive(Clone)]
pub struct Value {
    pub(crate) shape: Shape,
    pub(crate) data: Data,
}

/// The elements of a value.
#[derive(Clone)]
pub enum Data {
    /// The element of a value of rank zero.
    Scalar(Scalar),
    #[allow(private_interfaces)]
    Plain(Arc<Storage>),
    Strings(Arc<Vec<ByteString>>),
    Lists(Arc<Vec<TensorList>>),
}

/// A list of tensors, the only kind of element in values of [`DType::Variant`].
///
/// Its tensors have one data type, and their shapes match a common, possibly partial shape. An
/// element is absent if it was never set.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorList {
    pub(crate) dtype: DType,
    pub(crate) shape: PartialShape,
    pub(crate) most: Option<usize>,
    pub(crate) elements: Vec<Option<Value>>,
    /// The nesting depth of lists: 1 if no element is a list.
    pub(crate) depth: usize,
}

/// A Rust type that a value can hold elements of.
///
/// Implemented for `f32`, `f64`, [`f16`](struct@crate::f16), [`bf16`](struct@crate::bf16), the
/// integers of 8 to 64 bits, `bool`, [`ByteString`] and [`TensorList`]. The trait is sealed: data
/// types are a closed set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type",
    label = "tensors cannot hold elements of this type",
    note = "elements are floats and integers of 8 to 64 bits, `bool` and `ByteString`; instead of \
            `usize`, write `i64`"
)]
pub trait Element:
    Clone + Debug + Display + PartialEq + Default + Send + Sync + Stored + 'static
{
    /// The data type of such elements.
    const DTYPE: DType;

    /// The element as a scalar, for the types that have one.
    fn into_scalar(self) -> Option<Scalar>;

    /// The element inside a scalar, if it is of this type.
    fn in_scalar(scalar: &Scalar) -> Option<&Self>;

    /// The element inside a scalar for writing, if it is of this type.
    fn in_scalar_mut(scalar: &mut Scalar) -> Option<&mut Self>;
}

/// How values hold elements of a type.
pub trait Stored: Sized {
    /// Holds elements, without copying them.
    fn into_data(elements: Vec<Self>) -> Data;

    /// Holds elements that `owner` keeps. Copies them if the type is not plain.
    ///
    /// # Safety
    /// The elements must live, in place and unchanged, as long as `owner` is shared.
    unsafe fn foreign_data(elements: &[Self], owner: Arc<dyn Any + Send + Sync>) -> Data;

    /// The elements, if they are of this type.
    fn in_data(data: &Data) -> Option<&[Self]>;

    /// The elements for writing, if they are of this type. Shared ones are copied first.
    fn in_data_mut(data: &mut Data) -> Option<&mut [Self]>;

    /// Takes the elements out, if they are of this type. Shared ones are copied.
    fn from_data(data: Data) -> Option<Vec<Self>>;
}

impl DType {
    /// The bytes that one element takes; for `string` and `variant`, those of its header.
    pub const fn size(self) -> usize {
        match self {
            DType::String => size_of::<ByteString>(),
            DType::Variant => size_of::<TensorList>(),
            _ => self.plain_size(),
        }
    }
}
