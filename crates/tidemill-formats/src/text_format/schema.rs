//! The fields of TensorFlow's messages, by name and number: one table, for reading and writing.

/// A message type.
#[derive(Debug)]
pub(crate) struct MessageType {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) cardinality: Cardinality,
    pub(crate) kind: Kind,
}

/// The number of values of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cardinality {
    One,
    Many,
    /// One for each key. An entry is a message of a key and a value.
    Map(Scalar),
}

/// The contents of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Enumeration(&'static Enumeration),
    Message(&'static MessageType),
}

/// A kind of value other than a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(non_camel_case_types)] // The names are those of the protocol buffer language.
pub(crate) enum Scalar {
    bool,
    bytes,
    double,
    float,
    int32,
    int64,
    string,
    uint32,
    uint64,
}

/// Named numbers.
#[derive(Debug)]
pub(crate) struct Enumeration {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [(i32, &'static str)],
}

impl MessageType {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn numbered(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

macro_rules! kind {
    (message $message:ident) => {
        Kind::Message(&$message)
    };
    (enumeration $enumeration:ident) => {
        Kind::Enumeration(&$enumeration)
    };
    ($scalar:ident) => {
        Kind::Scalar(Scalar::$scalar)
    };
}

macro_rules! cardinality {
    (one) => {
        Cardinality::One
    };
    (many) => {
        Cardinality::Many
    };
    (map $key:ident) => {
        Cardinality::Map(Scalar::$key)
    };
}

macro_rules! messages {
    ($(message $message:ident {
        $($number:literal $field:ident:
            $cardinality:ident $(<$key:ident>)? $kind:ident $($of:ident)?;)*
    })*) => {$(
        #[allow(non_upper_case_globals)] // The names are those of the messages.
        pub(crate) static $message: MessageType = MessageType {
            name: stringify!($message),
            fields: &[$(Field {
                number: $number,
                name: stringify!($field),
                cardinality: cardinality!($cardinality $($key)?),
                kind: kind!($kind $($of)?),
            }),*],
        };
    )*};
}

macro_rules! enumerations {
    ($(enumeration $enumeration:ident { $($number:literal $value:ident;)* })*) => {$(
        #[allow(non_upper_case_globals)] // The names are those of the enumerations.
        static $enumeration: Enumeration = Enumeration {
            name: stringify!($enumeration),
            values: &[$(($number, stringify!($value))),*],
        };
    )*};
}

messages! {
    message SavedModel {
        1 saved_model_schema_version: one int64;
        2 meta_graphs: many message MetaGraphDef;
    }
    message MetaGraphDef {
        1 meta_info_def: one message MetaInfoDef;
        2 graph_def: one message GraphDef;
        3 saver_def: one message SaverDef;
        4 collection_def: map<string> message CollectionDef;
        5 signature_def: map<string> message SignatureDef;
        6 asset_file_def: many message AssetFileDef;
    }
    message MetaInfoDef {
        1 meta_graph_version: one string;
        2 stripped_op_list: one message OpList;
        3 any_info: one message Any;
        4 tags: many string;
        5 tensorflow_version: one string;
        6 tensorflow_git_version: one string;
        7 stripped_default_attrs: one bool;
        8 function_aliases: map<string> string;
    }
    message OpList {
        1 op: many message OpDef;
    }
    message OpDef {
        1 name: one string;
        2 input_arg: many message ArgDef;
        3 output_arg: many message ArgDef;
        4 attr: many message AttrDef;
        5 summary: one string;
        6 description: one string;
        8 deprecation: one message OpDeprecation;
        16 is_aggregate: one bool;
        17 is_stateful: one bool;
        18 is_commutative: one bool;
        19 allows_uninitialized_input: one bool;
        20 control_output: many string;
        21 is_distributed_communication: one bool;
    }
    message ArgDef {
        1 name: one string;
        2 description: one string;
        3 type: one enumeration DataType;
        4 type_attr: one string;
        5 number_attr: one string;
        6 type_list_attr: one string;
        7 handle_data: many message DtypeAndShape;
        16 is_ref: one bool;
        17 experimental_full_type: one message FullTypeDef;
    }
    message DtypeAndShape {
        1 dtype: one enumeration DataType;
        2 shape: one message TensorShapeProto;
    }
    message TensorShapeProto {
        2 dim: many message Dim;
        3 unknown_rank: one bool;
    }
    message Dim {
        1 size: one int64;
        2 name: one string;
    }
    message FullTypeDef {
        1 type_id: one enumeration FullTypeId;
        2 args: many message FullTypeDef;
        3 s: one string;
        4 i: one int64;
    }
    message AttrDef {
        1 name: one string;
        2 type: one string;
        3 default_value: one message AttrValue;
        4 description: one string;
        5 has_minimum: one bool;
        6 minimum: one int64;
        7 allowed_values: one message AttrValue;
    }
    message AttrValue {
        1 list: one message ListValue;
        2 s: one bytes;
        3 i: one int64;
        4 f: one float;
        5 b: one bool;
        6 type: one enumeration DataType;
        7 shape: one message TensorShapeProto;
        8 tensor: one message TensorProto;
        9 placeholder: one string;
        10 func: one message NameAttrList;
    }
    message TensorProto {
        1 dtype: one enumeration DataType;
        2 tensor_shape: one message TensorShapeProto;
        3 version_number: one int32;
        4 tensor_content: one bytes;
        5 float_val: many float;
        6 double_val: many double;
        7 int_val: many int32;
        8 string_val: many bytes;
        9 scomplex_val: many float;
        10 int64_val: many int64;
        11 bool_val: many bool;
        12 dcomplex_val: many double;
        13 half_val: many int32;
        14 resource_handle_val: many message ResourceHandleProto;
        15 variant_val: many message VariantTensorDataProto;
        16 uint32_val: many uint32;
        17 uint64_val: many uint64;
        18 float8_val: one bytes;
    }
    message ResourceHandleProto {
        1 device: one string;
        2 container: one string;
        3 name: one string;
        4 hash_code: one uint64;
        5 maybe_type_name: one string;
        6 dtypes_and_shapes: many message DtypeAndShape;
    }
    message VariantTensorDataProto {
        1 type_name: one string;
        2 metadata: one bytes;
        3 tensors: many message TensorProto;
    }
    message ListValue {
        2 s: many bytes;
        3 i: many int64;
        4 f: many float;
        5 b: many bool;
        6 type: many enumeration DataType;
        7 shape: many message TensorShapeProto;
        8 tensor: many message TensorProto;
        9 func: many message NameAttrList;
    }
    message NameAttrList {
        1 name: one string;
        2 attr: map<string> message AttrValue;
    }
    message OpDeprecation {
        1 version: one int32;
        2 explanation: one string;
    }
    message Any {
        1 type_url: one string;
        2 value: one bytes;
    }
    message GraphDef {
        1 node: many message NodeDef;
        2 library: one message FunctionDefLibrary;
        3 version: one int32;
        4 versions: one message VersionDef;
    }
    message NodeDef {
        1 name: one string;
        2 op: one string;
        3 input: many string;
        4 device: one string;
        5 attr: map<string> message AttrValue;
        6 experimental_debug_info: one message ExperimentalDebugInfo;
        7 experimental_type: one message FullTypeDef;
    }
    message ExperimentalDebugInfo {
        1 original_node_names: many string;
        2 original_func_names: many string;
    }
    message VersionDef {
        1 producer: one int32;
        2 min_consumer: one int32;
        3 bad_consumers: many int32;
    }
    message FunctionDefLibrary {
        1 function: many message FunctionDef;
        2 gradient: many message GradientDef;
        3 registered_gradients: many message RegisteredGradient;
    }
    message FunctionDef {
        1 signature: one message OpDef;
        3 node_def: many message NodeDef;
        4 ret: map<string> string;
        5 attr: map<string> message AttrValue;
        6 control_ret: map<string> string;
        7 arg_attr: map<uint32> message ArgAttrs;
        8 resource_arg_unique_id: map<uint32> uint32;
    }
    message ArgAttrs {
        1 attr: map<string> message AttrValue;
    }
    message GradientDef {
        1 function_name: one string;
        2 gradient_func: one string;
    }
    message RegisteredGradient {
        1 gradient_func: one string;
        2 registered_op_type: one string;
    }
    message SaverDef {
        1 filename_tensor_name: one string;
        2 save_tensor_name: one string;
        3 restore_op_name: one string;
        4 max_to_keep: one int32;
        5 sharded: one bool;
        6 keep_checkpoint_every_n_hours: one float;
        7 version: one enumeration CheckpointFormatVersion;
    }
    message CollectionDef {
        1 node_list: one message NodeList;
        2 bytes_list: one message BytesList;
        3 int64_list: one message Int64List;
        4 float_list: one message FloatList;
        5 any_list: one message AnyList;
    }
    message NodeList {
        1 value: many string;
    }
    message BytesList {
        1 value: many bytes;
    }
    message Int64List {
        1 value: many int64;
    }
    message FloatList {
        1 value: many float;
    }
    message AnyList {
        1 value: many message Any;
    }
    message SignatureDef {
        1 inputs: map<string> message TensorInfo;
        2 outputs: map<string> message TensorInfo;
        3 method_name: one string;
        4 defaults: map<string> message TensorProto;
    }
    message TensorInfo {
        1 name: one string;
        2 dtype: one enumeration DataType;
        3 tensor_shape: one message TensorShapeProto;
        4 coo_sparse: one message CooSparse;
    }
    message CooSparse {
        1 values_tensor_name: one string;
        2 indices_tensor_name: one string;
        3 dense_shape_tensor_name: one string;
    }
    message AssetFileDef {
        1 tensor_info: one message TensorInfo;
        2 filename: one string;
    }
    message VariableDef {
        1 variable_name: one string;
        2 initializer_name: one string;
        3 snapshot_name: one string;
        4 save_slice_info_def: one message SaveSliceInfoDef;
        5 is_resource: one bool;
        6 initial_value_name: one string;
        7 trainable: one bool;
        8 synchronization: one enumeration VariableSynchronization;
        9 aggregation: one enumeration VariableAggregation;
    }
    message SaveSliceInfoDef {
        1 full_name: one string;
        2 full_shape: many int64;
        3 var_offset: many int64;
        4 var_shape: many int64;
    }
    message CheckpointState {
        1 model_checkpoint_path: one string;
        2 all_model_checkpoint_paths: many string;
        3 all_model_checkpoint_timestamps: many double;
        4 last_preserved_timestamp: one double;
    }
}

enumerations! {
    enumeration DataType {
        0 DT_INVALID; 1 DT_FLOAT; 2 DT_DOUBLE; 3 DT_INT32; 4 DT_UINT8; 5 DT_INT16; 6 DT_INT8;
        7 DT_STRING; 8 DT_COMPLEX64; 9 DT_INT64; 10 DT_BOOL; 11 DT_QINT8; 12 DT_QUINT8;
        13 DT_QINT32; 14 DT_BFLOAT16; 15 DT_QINT16; 16 DT_QUINT16; 17 DT_UINT16; 18 DT_COMPLEX128;
        19 DT_HALF; 20 DT_RESOURCE; 21 DT_VARIANT; 22 DT_UINT32; 23 DT_UINT64; 24 DT_FLOAT8_E5M2;
        25 DT_FLOAT8_E4M3FN; 26 DT_FLOAT8_E4M3FNUZ; 27 DT_FLOAT8_E4M3B11FNUZ; 28 DT_FLOAT8_E5M2FNUZ;
        29 DT_INT4; 30 DT_UINT4; 31 DT_INT2; 32 DT_UINT2; 33 DT_FLOAT4_E2M1FN; 101 DT_FLOAT_REF;
        102 DT_DOUBLE_REF; 103 DT_INT32_REF; 104 DT_UINT8_REF; 105 DT_INT16_REF; 106 DT_INT8_REF;
        107 DT_STRING_REF; 108 DT_COMPLEX64_REF; 109 DT_INT64_REF; 110 DT_BOOL_REF;
        111 DT_QINT8_REF; 112 DT_QUINT8_REF; 113 DT_QINT32_REF; 114 DT_BFLOAT16_REF;
        115 DT_QINT16_REF; 116 DT_QUINT16_REF; 117 DT_UINT16_REF; 118 DT_COMPLEX128_REF;
        119 DT_HALF_REF; 120 DT_RESOURCE_REF; 121 DT_VARIANT_REF; 122 DT_UINT32_REF;
        123 DT_UINT64_REF; 124 DT_FLOAT8_E5M2_REF; 125 DT_FLOAT8_E4M3FN_REF;
        126 DT_FLOAT8_E4M3FNUZ_REF; 127 DT_FLOAT8_E4M3B11FNUZ_REF; 128 DT_FLOAT8_E5M2FNUZ_REF;
        129 DT_INT4_REF; 130 DT_UINT4_REF; 131 DT_INT2_REF; 132 DT_UINT2_REF;
        133 DT_FLOAT4_E2M1FN_REF;
    }
    enumeration FullTypeId {
        0 TFT_UNSET; 1 TFT_VAR; 2 TFT_ANY; 3 TFT_PRODUCT; 4 TFT_NAMED; 20 TFT_FOR_EACH;
        100 TFT_CALLABLE; 1000 TFT_TENSOR; 1001 TFT_ARRAY; 1002 TFT_OPTIONAL; 1003 TFT_LITERAL;
        1004 TFT_ENCODED; 1005 TFT_SHAPE_TENSOR; 200 TFT_BOOL; 201 TFT_UINT8; 202 TFT_UINT16;
        203 TFT_UINT32; 204 TFT_UINT64; 205 TFT_INT8; 206 TFT_INT16; 207 TFT_INT32; 208 TFT_INT64;
        209 TFT_HALF; 210 TFT_FLOAT; 211 TFT_DOUBLE; 215 TFT_BFLOAT16; 212 TFT_COMPLEX64;
        213 TFT_COMPLEX128; 214 TFT_STRING; 10102 TFT_DATASET; 10103 TFT_RAGGED; 10104 TFT_ITERATOR;
        10202 TFT_MUTEX_LOCK; 10203 TFT_LEGACY_VARIANT;
    }
    enumeration CheckpointFormatVersion {
        0 LEGACY; 1 V1; 2 V2;
    }
    enumeration VariableSynchronization {
        0 VARIABLE_SYNCHRONIZATION_AUTO; 1 VARIABLE_SYNCHRONIZATION_NONE;
        2 VARIABLE_SYNCHRONIZATION_ON_WRITE; 3 VARIABLE_SYNCHRONIZATION_ON_READ;
    }
    enumeration VariableAggregation {
        0 VARIABLE_AGGREGATION_NONE; 1 VARIABLE_AGGREGATION_SUM; 2 VARIABLE_AGGREGATION_MEAN;
        3 VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA;
    }
}
