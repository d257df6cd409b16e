use tidemill_value::DType;

/// Declares [`DataType`] from rows of a constant, its number, its name, and its data type.
macro_rules! data_types {
    ($($constant:ident = $number:literal, $name:literal $(=> $dtype:ident)?;)*) => {
        /// TensorFlow's numbers for data types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
        #[repr(i32)]
        #[allow(missing_docs)]
        pub enum DataType {
            $($constant = $number,)*
        }

        impl DataType {
            /// Every constant, by number.
            pub const ALL: &[DataType] = &[$(DataType::$constant),*];

            /// The name of the constant, such as `DT_FLOAT`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DataType::$constant => $name,)*
                }
            }

            /// The data type of values, if they can have it.
            const fn supported(self) -> Option<DType> {
                match self {
                    $($(DataType::$constant => Some(DType::$dtype),)?)*
                    _ => None,
                }
            }
        }

        impl From<DType> for DataType {
            fn from(dtype: DType) -> Self {
                match dtype {
                    $($(DType::$dtype => DataType::$constant,)?)*
                }
            }
        }
    };
}

data_types! {
    Invalid = 0, "DT_INVALID";
    Float = 1, "DT_FLOAT" => F32;
    Double = 2, "DT_DOUBLE" => F64;
    Int32 = 3, "DT_INT32" => I32;
    Uint8 = 4, "DT_UINT8" => U8;
    Int16 = 5, "DT_INT16" => I16;
    Int8 = 6, "DT_INT8" => I8;
    String = 7, "DT_STRING" => String;
    Complex64 = 8, "DT_COMPLEX64";
    Int64 = 9, "DT_INT64" => I64;
    Bool = 10, "DT_BOOL" => Bool;
    Qint8 = 11, "DT_QINT8";
    Quint8 = 12, "DT_QUINT8";
    Qint32 = 13, "DT_QINT32";
    Bfloat16 = 14, "DT_BFLOAT16" => BF16;
    Qint16 = 15, "DT_QINT16";
    Quint16 = 16, "DT_QUINT16";
    Uint16 = 17, "DT_UINT16" => U16;
    Complex128 = 18, "DT_COMPLEX128";
    Half = 19, "DT_HALF" => F16;
    Resource = 20, "DT_RESOURCE";
    Variant = 21, "DT_VARIANT" => Variant;
    Uint32 = 22, "DT_UINT32" => U32;
    Uint64 = 23, "DT_UINT64" => U64;
    Float8E5m2 = 24, "DT_FLOAT8_E5M2";
    Float8E4m3fn = 25, "DT_FLOAT8_E4M3FN";
    Int4 = 29, "DT_INT4";
    Uint4 = 30, "DT_UINT4";
    FloatRef = 101, "DT_FLOAT_REF";
    DoubleRef = 102, "DT_DOUBLE_REF";
    Int32Ref = 103, "DT_INT32_REF";
    Uint8Ref = 104, "DT_UINT8_REF";
    Int16Ref = 105, "DT_INT16_REF";
    Int8Ref = 106, "DT_INT8_REF";
    StringRef = 107, "DT_STRING_REF";
    Complex64Ref = 108, "DT_COMPLEX64_REF";
    Int64Ref = 109, "DT_INT64_REF";
    BoolRef = 110, "DT_BOOL_REF";
    Bfloat16Ref = 114, "DT_BFLOAT16_REF";
    Uint16Ref = 117, "DT_UINT16_REF";
    HalfRef = 119, "DT_HALF_REF";
    ResourceRef = 120, "DT_RESOURCE_REF";
    Uint32Ref = 122, "DT_UINT32_REF";
    Uint64Ref = 123, "DT_UINT64_REF";
}

impl DataType {
    /// The constant with that name.
    pub fn from_name(name: &str) -> Option<DataType> {
        DataType::ALL.iter().copied().find(|constant| constant.name() == name)
    }

    /// The data type of a number in a message.
    ///
    /// # Errors
    /// [`DataTypeError`] if there is no such type, or values cannot have it.
    pub fn dtype(number: i32) -> Result<DType, DataTypeError> {
        let constant = DataType::try_from(number).map_err(|_| DataTypeError::Unknown { number })?;
        match constant {
            DataType::Invalid => Err(DataTypeError::Unknown { number }),
            _ => constant.supported().ok_or(DataTypeError::Unsupported { name: constant.name() }),
        }
    }
}

/// The error of a number in a message that is not a data type of values.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataTypeError {
    /// TensorFlow has no such number.
    #[error("unknown data type number {number}")]
    Unknown {
        /// The number.
        number: i32,
    },
    /// TensorFlow has the type, but values cannot.
    #[error("the data type {name} is not supported yet")]
    Unsupported {
        /// TensorFlow's name for it.
        name: &'static str,
    },
}

tidemill_value::debug_as_report!(DataTypeError);
