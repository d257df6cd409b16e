#![doc = include_str!("../../../README.md")]
#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub use tidemill_autodiff::{
    Cut, Differentiation, GradientOptions, UnconnectedGradients, differentiate, gradients,
    gradients_with, hessian_vector_product, jacobian,
};
#[cfg(feature = "files")]
pub use tidemill_formats::checkpoint;
#[cfg(feature = "files")]
pub use tidemill_formats::{TextFormatError, TextMessage, proto};
pub use tidemill_graph::{
    BuildError, BuildErrorKind, BuildErrors, DefaultGraph, Enclosing, Fact, Graph, InsideBody,
    Lint, Location, Reuse, clear_control_dependencies, control_dependencies, default_graph,
    name_scope, reset_default_graph, unique_variable_scope, variable_scope, variable_scope_with,
};
#[cfg(feature = "files")]
pub use tidemill_graphdef::{
    Asset, ExportError, FreezeError, GraphDefSource, ImportError, ImportErrorKind, ImportOptions,
    Imported, MetaGraph, MetaGraphParts, Signature, extract_sub_graph, freeze, import_graph_def,
    import_graph_def_with, import_meta_graph, to_graph_def, to_meta_graph,
};
pub use tidemill_ops::functions as ops;
pub use tidemill_ops::{
    Bound, Ellipsis, GLOBAL_VARIABLES, InScope, IndexedSlices, Initializer, Inspect, IntoNewShape,
    IntoShape, LOCAL_VARIABLES, LookupError, NameTaken, NewAxis, Operand, Operation,
    REGULARIZATION_LOSSES, Rebuild, SliceItem, Structure, TRAINABLE_VARIABLES, Tensor, TensorArray,
    Variable, VariableBuilder, VariableScope, WhileLoop, case, case_exclusive, cond,
    constant_initializer, foldl, foldr, get_variable, global_variables, global_variables_in,
    global_variables_initializer, glorot_normal, glorot_uniform, he_normal, he_uniform,
    local_variables, local_variables_initializer, map_accumulate, map_accumulate_shaped, map_fn,
    normal, ones, register_op, report_uninitialized_variables, s, scan, scan_reverse, switch_case,
    trainable_variables, trainable_variables_in, truncated_normal, uniform, variable,
    variables_initializer, while_loop, zeros, zip_with,
};
pub use tidemill_runtime::{
    Arguments, Callable, Cancellation, Code, DefaultSession, Evaluate, Explanation, FeedError,
    FeedErrorKind, FeedKey, Feeds, Fetch, Holding, Lines, MemoryReport, NonFinite, NullVariable,
    RandomState, Rewriting, RuleReport, Run, RunError, RunOperation, RunOptions, RunStats,
    RunTrace, Session, SessionOptions, Sink, Site, TraceStep, UnfedPlaceholder, ValueRange, Way,
    feeds, memory_report,
};
pub use tidemill_train::{
    Adadelta, Adagrad, AdagradDa, Adam, AdamW, AmsGrad, ExponentialMovingAverage, Ftrl,
    GLOBAL_STEP, GradientAccumulator, GradientAndVariable, GradientDescent,
    MOVING_AVERAGE_VARIABLES, MinimizeOptions, Momentum, Optimizer, OptimizerBase, ProximalAdagrad,
    ProximalGradientDescent, RmsProp, TRAIN_OP, TrainError, UPDATE_OPS, UpdateOps, Updates,
    assign_moving_average, get_or_create_global_step,
};
#[cfg(feature = "files")]
pub use tidemill_train::{
    Checkpointer, FreezeSessionError, Goal, Mismatch, Missing, RestoreReport, Restored, SavedModel,
    SavedModelBuilder, SavedModelError, Saver, SaverError, freeze_session,
};
pub use tidemill_train::{layers, losses, metrics, rnn, schedules};
pub use tidemill_value::{
    ByteString, DType, Dim, Element, IntoScalars, IntoValue, PartialShape, Scalar, Shape,
    TensorList, Value, ValueError, shape,
};

/// The code in the document on training.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/training.md")]
struct Training;

#[cfg(feature = "files")]
pub mod formats {
    //! Files of tensors, of records and of events.

    pub use tidemill_formats::{
        FileError, FileKind, SafetensorsError, SafetensorsFile, TensorFileError, TensorInfo,
        TensorReader, event, map_file, npy, read_safetensors, remove_unfinished, tfrecord,
        write_file, write_safetensors, write_tensors,
    };
    pub use tidemill_value::FileMap;
}

pub mod error {
    //! The errors of all crates, and the types in them.
    //!
    //! `Debug` of an error is its message and those of its causes, so that a `main` that returns it
    //! prints what a reader needs.

    #[cfg(feature = "files")]
    pub use of_files::*;
    pub use tidemill_autodiff::Cut;
    pub use tidemill_graph::{
        BuildError, BuildErrorKind, BuildErrors, Enclosing, Fact, GradientError, GraphKey,
        InsideBody, KernelError, Location, Note, OpError, TextError, TextErrorKind,
    };
    pub use tidemill_ops::{LookupError, NameTaken};
    pub use tidemill_runtime::{
        FailedNode, FeedError, FeedErrorKind, NonFinite, NullVariable, Remedy, RunError, Site,
        UnfedPlaceholder, ValueRange, Way,
    };
    pub use tidemill_train::TrainError;
    pub use tidemill_value::{
        BroadcastError, DType, Dim, NumericError, PartialShape, Shape, ValueError,
    };

    #[cfg(feature = "files")]
    mod of_files {
        pub use tidemill_formats::checkpoint::{
            CheckpointError, CheckpointErrorKind, Instead, TableError, TensorErrorKind,
        };
        pub use tidemill_formats::event::EventError;
        pub use tidemill_formats::npy::{NpyError, NpzError, ZipError};
        pub use tidemill_formats::proto::{DataTypeError, DecodeError};
        pub use tidemill_formats::tfrecord::{TfRecordError, TfRecordErrorKind};
        pub use tidemill_formats::{
            BytesError, FileError, SafeTensorError, SafetensorsError, ShapeError, TensorError,
            TensorFileError, TextFormatError, TextFormatErrorKind,
        };
        pub use tidemill_graphdef::{ExportError, FreezeError, ImportError, ImportErrorKind};
        pub use tidemill_train::{
            FreezeSessionError, Mismatch, Missing, RestoreReport, SavedModelError, SaverError,
        };
    }
}

pub mod custom {
    //! The items that define custom operations and build their nodes.

    pub use tidemill_graph::{
        Access, Arg, ArgType, Arity, Attr, AttrDef, AttrDefault, AttrKind, Effect, Execution,
        Fallible, GradCx, Gradient, GradientError, Grads, Inferred, Kernel, KernelCx, KernelError,
        NodeBuilder, NodeView, OpDef, OpError, OperationRef, Role, TensorRef, at_location,
    };

    pub use tidemill_value::{Memory, ScalarOp};

    pub use crate::{NameTaken, register_op};
}

pub mod prelude {
    //! The items that a program needs to build and run graphs: `use tidemill::prelude::*`.

    #[cfg(feature = "files")]
    pub use crate::checkpoint::{latest_checkpoint, list_variables};
    #[cfg(feature = "files")]
    pub use crate::{Checkpointer, Saver};

    pub use crate::ops::*;
    #[cfg(feature = "files")]
    pub use crate::proto::Message;
    pub use crate::{
        Adadelta, Adagrad, AdagradDa, Adam, AdamW, AmsGrad, DType, Ellipsis, Evaluate,
        ExponentialMovingAverage, Ftrl, GradientAccumulator, GradientDescent, Graph, IntoScalars,
        MinimizeOptions, Momentum, NewAxis, Operation, Optimizer, PartialShape, ProximalAdagrad,
        ProximalGradientDescent, Rewriting, RmsProp, RunError, RunOperation, RunOptions, Session,
        SessionOptions, Sink, Tensor, Value, Variable, constant_initializer, control_dependencies,
        default_graph, feeds, get_or_create_global_step, get_variable,
        global_variables_initializer, glorot_normal, glorot_uniform, gradients, he_normal,
        he_uniform, layers, local_variables_initializer, losses, metrics, name_scope, normal, ones,
        report_uninitialized_variables, reset_default_graph, rnn, s, schedules, shape,
        truncated_normal, uniform, variable, variable_scope, variable_scope_with,
        variables_initializer, zeros,
    };
    pub use crate::{
        Fetch, GradientOptions, InScope, Inspect, IntoValue, Reuse, TensorArray,
        UnconnectedGradients, VariableScope, WhileLoop, case, case_exclusive,
        clear_control_dependencies, cond, foldl, foldr, global_variables_in, gradients_with,
        map_accumulate, map_accumulate_shaped, map_fn, scan, scan_reverse, switch_case,
        trainable_variables, trainable_variables_in, while_loop,
    };
}
