//! The methods of values.

use std::any::Any;
use std::sync::Arc;

use bstr::BString as ByteString;
use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use crate::dtype::DType;
use crate::error::ValueError;
use crate::mapped::FileMap;
use crate::model::{Data, Element, Stored, TensorList, Value};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::{Storage, bytes_of};

impl Value {
    /// The size in bytes above which making a value returns an error if there is not enough memory.
    /// Smaller values are assumed to fit.
    pub const CERTAIN_BYTES: usize = 1 << 26;

    /// A single element, of shape `[]`.
    pub fn scalar<T: Element>(element: T) -> Value {
        let data = match element.clone().into_scalar() {
            Some(scalar) => Data::Scalar(scalar),
            None => T::into_data(vec![element]),
        };
        Value { shape: Shape::scalar(), data }
    }

    /// A value of `shape` from its elements in row-major order. The vector is not copied.
    ///
    /// # Errors
    /// [`ValueError::Elements`] if the shape has another number of elements.
    pub fn from_vec<T: Element>(
        shape: impl Into<Shape>,
        elements: Vec<T>,
    ) -> Result<Value, ValueError> {
        let shape = shape.into();
        let expected = checked_elements(&shape)?;
        if expected != elements.len() {
            return Err(ValueError::Elements { shape, expected, actual: elements.len() });
        }
        Ok(Value::from_parts(shape, elements))
    }

    /// A value of rank one. The vector is not copied.
    pub fn list<T: Element>(elements: Vec<T>) -> Value {
        Value::from_parts([elements.len()].into(), elements)
    }

    pub(crate) fn from_parts<T: Element>(shape: Shape, mut elements: Vec<T>) -> Value {
        if shape.rank() == 0
            && let Some(element) = elements.pop()
        {
            return Value::scalar(element);
        }
        Value { shape, data: T::into_data(elements) }
    }

    /// A value whose elements are all zero, false or empty.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if memory cannot hold the elements.
    pub fn zeros(dtype: DType, shape: impl Into<Shape>) -> Result<Value, ValueError> {
        let shape = shape.into();
        if shape.rank() == 0 {
            return Ok(match_dtype!(dtype, any, T => Value::scalar(T::default())));
        }
        let count = checked_elements(&shape)?;
        let data = match dtype {
            DType::String => ByteString::into_data(repeated(ByteString::default(), &shape)?),
            DType::Variant => TensorList::into_data(repeated(TensorList::default(), &shape)?),
            _ => match Storage::zeroed(dtype, count) {
                Some(storage) => Data::Plain(Arc::new(storage)),
                None => return Err(ValueError::TooLarge { shape }),
            },
        };
        Ok(Value { shape, data })
    }

    /// A value whose elements lie in an object of the program, such as an array of another library,
    /// in row-major order. Nothing is copied, and the value shares the object. Writing to the value
    /// copies the elements first.
    ///
    /// # Errors
    /// [`ValueError::Elements`] if the shape has another number of elements.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tidemill_value::Value;
    /// let pixels: Arc<Vec<u8>> = Arc::new(vec![0, 64, 128, 255]);
    /// let image = Value::foreign([2, 2], Arc::clone(&pixels))?;
    /// assert_eq!(image.as_slice::<u8>()?.as_ptr(), pixels.as_ptr());
    /// # Ok::<(), tidemill_value::ValueError>(())
    /// ```
    pub fn foreign<T, O>(shape: impl Into<Shape>, owner: Arc<O>) -> Result<Value, ValueError>
    where
        T: Element + Copy,
        O: AsRef<[T]> + Send + Sync + 'static,
    {
        let shape = shape.into();
        let elements: &[T] = (*owner).as_ref();
        let (expected, actual) = (checked_elements(&shape)?, elements.len());
        if expected != actual {
            return Err(ValueError::Elements { shape, expected, actual });
        }
        if let ([], [element]) = (&shape[..], elements) {
            return Ok(Value::scalar(*element));
        }
        let keeper: Arc<dyn Any + Send + Sync> = Arc::clone(&owner) as _;
        // SAFETY: While a clone of the owner exists, nobody can borrow the object exclusively or
        // drop it, so a slice that was borrowed from it stays as it is.
        let data = unsafe { T::foreign_data(elements, keeper) };
        Ok(Value { shape, data })
    }

    /// A value whose elements are in a file, from byte `begin`, in little-endian order. Nothing is
    /// copied, and the file stays mapped while a value refers to it.
    ///
    /// Returns `None` if the file's bytes cannot serve as elements in memory: if the value is of
    /// type bool or string or of rank zero, the file is too short, the address is not a multiple of
    /// the element size, or the machine is big-endian.
    pub fn mapped(dtype: DType, shape: &Shape, file: &FileMap, begin: usize) -> Option<Value> {
        if shape.rank() == 0 {
            return None;
        }
        let storage = Storage::mapped(dtype, shape.elements()?, file, begin)?;
        Some(Value { shape: shape.clone(), data: Data::Plain(Arc::new(storage)) })
    }

    /// Whether the elements lie in a file that is mapped into memory.
    pub fn is_mapped(&self) -> bool {
        matches!(&self.data, Data::Plain(storage) if storage.is_mapped())
    }

    /// The bytes of the elements in memory, in this machine's order. Strings and lists have none.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Scalar(scalar) => match_dtype!(scalar.dtype(), plain, T => {
                T::in_scalar(scalar).map(bytes_of)
            }, else None),
            Data::Plain(storage) => Some(storage.bytes()),
            Data::Strings(_) | Data::Lists(_) => None,
        }
    }

    /// A value of `shape` whose elements are all `scalar`.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if memory cannot hold the elements.
    pub fn full(scalar: Scalar, shape: impl Into<Shape>) -> Result<Value, ValueError> {
        let shape = shape.into();
        if shape.rank() == 0 {
            return Ok(Value::from(scalar));
        }
        Ok(match_dtype!(scalar.dtype(), plain, T => {
            let element = T::in_scalar(&scalar).copied().unwrap_or_default();
            let mut value = Value::zeros(T::DTYPE, shape)?;
            value.as_mut_slice()?.fill(element);
            value
        }, else unreachable!("a scalar is never a string")))
    }

    /// The type of the elements.
    #[inline]
    pub fn dtype(&self) -> DType {
        match &self.data {
            Data::Scalar(scalar) => scalar.dtype(),
            Data::Plain(storage) => storage.dtype(),
            Data::Strings(_) => DType::String,
            Data::Lists(_) => DType::Variant,
        }
    }

    /// The extents along the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.shape.elements().unwrap_or_default()
    }

    /// The number of bytes the elements take.
    pub fn bytes(&self) -> usize {
        if let Ok(strings) = self.as_slice::<ByteString>() {
            return strings.iter().map(|s| s.len() + DType::String.size()).sum();
        }
        match self.as_slice::<TensorList>() {
            Ok(lists) => lists.iter().map(TensorList::bytes).sum(),
            Err(_) => self.elements() * self.dtype().size(),
        }
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// [`ValueError::DType`] if they are not of type `T`.
    #[inline]
    pub fn as_slice<T: Element>(&self) -> Result<&[T], ValueError> {
        let mismatch = || ValueError::DType { expected: T::DTYPE, actual: self.dtype() };
        T::in_data(&self.data).ok_or_else(mismatch)
    }

    /// The elements in row-major order, for writing. A shared buffer is copied first.
    ///
    /// # Errors
    /// [`ValueError::DType`] if they are not of type `T`.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T], ValueError> {
        let actual = self.dtype();
        let Value { shape, data } = self;
        T::in_data_mut(data).ok_or_else(|| match T::DTYPE == actual {
            true => ValueError::TooLarge { shape: shape.clone() },
            false => ValueError::DType { expected: T::DTYPE, actual },
        })
    }

    /// Takes the elements out. Those of a vector or array that the value was made of are moved,
    /// unless another value shares them; others are copied.
    ///
    /// # Errors
    /// [`ValueError::DType`] if they are not of type `T`.
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>, ValueError> {
        let mismatch = ValueError::DType { expected: T::DTYPE, actual: self.dtype() };
        T::from_data(self.data).ok_or(mismatch)
    }

    /// The element, if the value has type `T` and rank zero.
    ///
    /// Kernels use it for their fast path.
    #[inline]
    pub fn as_scalar<T: Element>(&self) -> Option<T> {
        match &self.data {
            Data::Scalar(scalar) => T::in_scalar(scalar).cloned(),
            Data::Plain(_) | Data::Strings(_) | Data::Lists(_) => None,
        }
    }

    /// Replaces the element of a value of rank zero. Returns false if the value has another rank or
    /// is a string.
    #[inline]
    pub fn replace_scalar(&mut self, scalar: Scalar) -> bool {
        match &mut self.data {
            Data::Scalar(element) => {
                *element = scalar;
                true
            }
            Data::Plain(_) | Data::Strings(_) | Data::Lists(_) => false,
        }
    }

    /// Whether the value is a number or bool of rank zero, which needs no allocation.
    #[inline]
    pub fn is_scalar(&self) -> bool {
        matches!(self.data, Data::Scalar(_))
    }

    /// The element of a value of rank zero, unless it is a string or a list.
    pub fn number(&self) -> Option<Scalar> {
        match &self.data {
            Data::Scalar(scalar) => Some(*scalar),
            Data::Plain(_) | Data::Strings(_) | Data::Lists(_) => None,
        }
    }

    /// The only element of a value, of any rank.
    ///
    /// # Errors
    /// [`ValueError::DType`] if it is not of type `T`, [`ValueError::NotScalar`] if there is none
    /// or more than one.
    pub fn to_scalar<T: Element>(&self) -> Result<T, ValueError> {
        match self.as_slice::<T>()? {
            [element] => Ok(element.clone()),
            _ => Err(ValueError::NotScalar { shape: self.shape.clone() }),
        }
    }

    /// Whether no other value shares the elements, so that writing to them copies nothing.
    pub fn is_unique(&mut self) -> bool {
        match &mut self.data {
            Data::Scalar(_) => true,
            Data::Plain(storage) => Arc::get_mut(storage).is_some_and(|storage| storage.is_owned()),
            Data::Strings(strings) => Arc::get_mut(strings).is_some(),
            Data::Lists(lists) => Arc::get_mut(lists).is_some(),
        }
    }

    /// A number that tells the elements from those of all other values and of this one once they have
    /// been written to. `None` if they are a single number, or not plain. Mapped files and foreign
    /// owners keep their elements unchanged.
    pub fn edition(&self) -> Option<u64> {
        match &self.data {
            Data::Plain(storage) => Some(storage.edition()),
            Data::Scalar(_) | Data::Strings(_) | Data::Lists(_) => None,
        }
    }

    /// Whether both values share one buffer.
    pub fn shares_buffer(&self, other: &Value) -> bool {
        match (&self.data, &other.data) {
            (Data::Plain(left), Data::Plain(right)) => Arc::ptr_eq(left, right),
            (Data::Strings(left), Data::Strings(right)) => Arc::ptr_eq(left, right),
            (Data::Lists(left), Data::Lists(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }

    /// The same elements under another shape. Nothing is copied.
    ///
    /// # Errors
    /// [`ValueError::Elements`] if the shape has another number of elements.
    pub fn reshape(self, shape: impl Into<Shape>) -> Result<Value, ValueError> {
        let shape = shape.into();
        let expected = checked_elements(&shape)?;
        let actual = self.elements();
        if expected != actual {
            return Err(ValueError::Elements { shape, expected, actual });
        }
        let data = match self.data {
            Data::Scalar(scalar) if shape.rank() > 0 => {
                return Value::full(scalar, shape);
            }
            Data::Plain(storage) if shape.rank() == 0 => match only_scalar(&storage) {
                Some(scalar) => Data::Scalar(scalar),
                None => Data::Plain(storage),
            },
            data => data,
        };
        Ok(Value { shape, data })
    }

    /// The elements as an `ndarray` view. Nothing is copied.
    ///
    /// # Errors
    /// [`ValueError::DType`] if they are not of type `T`.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>, ValueError> {
        let elements = self.as_slice::<T>()?;
        ArrayViewD::from_shape(IxDyn(&self.shape), elements)
            .map_err(|_| ValueError::TooLarge { shape: self.shape.clone() })
    }

    /// The elements as an owned `ndarray` array. Those of a vector or array that the value was made
    /// of are moved, unless another value shares them; others are copied.
    ///
    /// # Errors
    /// [`ValueError::DType`] if they are not of type `T`.
    pub fn into_array<T: Element>(self) -> Result<ArrayD<T>, ValueError> {
        let shape = self.shape.clone();
        ArrayD::from_shape_vec(IxDyn(&shape), self.into_vec()?)
            .map_err(|_| ValueError::TooLarge { shape })
    }

    /// Whether data type, shape and every bit of the elements are equal. Unlike `==`, this
    /// tells 0 from -0 and finds a NaN equal to itself.
    pub fn bits_eq(&self, other: &Value) -> bool {
        if self.dtype() != other.dtype() || self.shape != other.shape {
            return false;
        }
        if let (Data::Plain(own), Data::Plain(other)) = (&self.data, &other.data)
            && Arc::ptr_eq(own, other)
        {
            return true;
        }
        match self.dtype() {
            DType::F32 => bits_of(self, f32::to_bits).eq(bits_of(other, f32::to_bits)),
            DType::F64 => bits_of(self, f64::to_bits).eq(bits_of(other, f64::to_bits)),
            DType::F16 => bits_of(self, f16::to_bits).eq(bits_of(other, f16::to_bits)),
            DType::BF16 => bits_of(self, bf16::to_bits).eq(bits_of(other, bf16::to_bits)),
            DType::Variant => {
                let lists = |value| Value::as_slice::<TensorList>(value).unwrap_or_default();
                lists(self).iter().zip(lists(other)).all(|(left, right)| left.bits_eq(right))
            }
            _ => self == other,
        }
    }
}

fn bits_of<T: Element + Copy, B>(value: &Value, bits: fn(T) -> B) -> impl Iterator<Item = B> {
    value.as_slice::<T>().unwrap_or_default().iter().map(move |x| bits(*x))
}

fn only_scalar(storage: &Storage) -> Option<Scalar> {
    match_dtype!(storage.dtype(), plain, T => {
        let [element] = storage.elements::<T>()? else { return None };
        element.into_scalar()
    }, else None)
}

/// A copy of `element` for each element of the shape.
fn repeated<T: Element>(element: T, shape: &Shape) -> Result<Vec<T>, ValueError> {
    let count = checked_elements(shape)?;
    if count.saturating_mul(size_of::<T>()) <= Value::CERTAIN_BYTES {
        return Ok(vec![element; count]);
    }
    // If memory is short, `vec!` would abort the process.
    let mut elements = Vec::new();
    elements.try_reserve_exact(count).map_err(|_| ValueError::TooLarge { shape: shape.clone() })?;
    elements.resize(count, element);
    Ok(elements)
}

fn checked_elements(shape: &Shape) -> Result<usize, ValueError> {
    shape.elements().ok_or_else(|| ValueError::TooLarge { shape: shape.clone() })
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        Value { shape: Shape::scalar(), data: Data::Scalar(scalar) }
    }
}

impl PartialEq for Value {
    /// Equal data type, shape and elements, where floats compare by IEEE rules.
    fn eq(&self, other: &Value) -> bool {
        self.dtype() == other.dtype()
            && self.shape == other.shape
            && match_dtype!(self.dtype(), any, T => self.as_slice::<T>() == other.as_slice::<T>())
    }
}
