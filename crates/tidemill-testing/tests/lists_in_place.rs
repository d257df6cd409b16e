//! The cost of changing a list of tensors.

use tidemill_graph::Graph;
use tidemill_ops::{
    placeholder, placeholder_of, tensor_list_length, tensor_list_pop_back, tensor_list_push_back,
};
use tidemill_runtime::{RunError, Session, feeds};
use tidemill_value::{DType, TensorList, Value, copied_bytes, shape};

#[test]
fn a_list_that_nothing_else_needs_is_changed_in_place() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let start = placeholder_of(DType::Variant, shape![]);
    let item = placeholder::<f32>([1000]);
    let list = (0..100).fold(start, |list, _| tensor_list_push_back(list, item + 1.0));
    let (list, _) = (0..50)
        .fold((list, item), |(list, _), _| tensor_list_pop_back(list, shape![1000], DType::F32));
    let length = tensor_list_length(list);
    let session = Session::new();
    let run = || -> Result<Value, RunError> {
        let empty = TensorList::new(DType::F32, [1000]);
        session.run_with(length, feeds![start => empty, item => vec![0.5_f32; 1000]])
    };
    run().unwrap();
    let before = copied_bytes();
    assert_eq!(run().unwrap(), Value::from(50));
    assert_eq!(copied_bytes(), before);
}
