use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use tidemill_value::{DType, Shape, Value};

use crate::{BytesError, value_from_bytes};

/// Why bytes are no safetensors file whose tensors are values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// They are no safetensors file.
    #[error("this is no safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// A tensor has a data type that values cannot have.
    #[error("the tensor `{name}` is of type {dtype}, which is not supported yet")]
    DType {
        /// The name of the tensor.
        name: String,
        /// The data type.
        dtype: Dtype,
    },
    /// The bytes of a tensor do not fill its shape.
    #[error("the tensor `{name}`: {source}")]
    Bytes {
        /// The name of the tensor.
        name: String,
        /// What is wrong.
        source: BytesError,
    },
}

/// Reads the tensors of a safetensors file, by name.
///
/// # Errors
/// [`SafetensorsError`]. The header is checked before any tensor is read.
pub fn read_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Value>, SafetensorsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let tensors = file.iter().map(|(name, view)| Ok((name.to_owned(), read(name, &view)?)));
    tensors.collect()
}

fn read(name: &str, view: &TensorView<'_>) -> Result<Value, SafetensorsError> {
    let name = || name.to_owned();
    let dtype = dtype(view.dtype())
        .ok_or_else(|| SafetensorsError::DType { name: name(), dtype: view.dtype() })?;
    value_from_bytes(dtype, Shape::from(view.shape()), view.data())
        .map_err(|source| SafetensorsError::Bytes { name: name(), source })
}

fn dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::I8 => Some(DType::I8),
        Dtype::I16 => Some(DType::I16),
        Dtype::I32 => Some(DType::I32),
        Dtype::I64 => Some(DType::I64),
        Dtype::U8 => Some(DType::U8),
        Dtype::U16 => Some(DType::U16),
        Dtype::U32 => Some(DType::U32),
        Dtype::U64 => Some(DType::U64),
        Dtype::BOOL => Some(DType::Bool),
        _ => None,
    }
}
