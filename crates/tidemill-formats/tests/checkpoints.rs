//! Checkpoints read back as they were written, and damaged ones are rejected.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tidemill_formats::checkpoint::{
    CheckpointErrorKind, CheckpointReader, CheckpointState, TensorErrorKind, latest_checkpoint,
    list_variables, remove_checkpoint, write_checkpoint,
};
use tidemill_value::{ByteString, DType, Value, match_dtype};

fn write(prefix: &Path, tensors: &BTreeMap<String, Value>) {
    write_checkpoint(prefix, tensors.iter().map(|(name, value)| (name.as_str(), value))).unwrap();
}

fn sample() -> BTreeMap<String, Value> {
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    let words: Vec<ByteString> = vec!["alpha".into(), "".into(), "γ".into()];
    [
        ("dense/kernel", Value::list(vec![1.0_f32, -0.0, f32::NAN, 4.0]).reshape([2, 2]).unwrap()),
        ("global_step", Value::scalar(7_i64)),
        ("words", Value::from(words)),
        ("empty", Value::zeros(DType::F64, [0, 3]).unwrap()),
    ]
    .map(named)
    .into()
}

fn file(prefix: &Path, suffix: &str) -> std::path::PathBuf {
    format!("{}{suffix}", prefix.display()).into()
}

#[test]
fn a_checkpoint_lists_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("new/model.ckpt");
    write(&prefix, &sample());
    let listed: Vec<String> =
        list_variables(&prefix).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        listed,
        [
            "dense/kernel: float32[2, 2]",
            "empty: float64[0, 3]",
            "global_step: int64[]",
            "words: string[3]"
        ]
    );
    let files = fs::read_dir(prefix.parent().unwrap()).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["model.ckpt.data-00000-of-00001", "model.ckpt.index"]);
}

#[test]
fn a_name_that_is_not_there_is_an_error_that_names_a_near_one() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("m");
    write(&prefix, &sample());
    let reader = CheckpointReader::open(&prefix).unwrap();
    let error = reader.read("dense/kernle").unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("there is no tensor `dense/kernle`; did you mean `dense/kernel`?"),
        "{text}"
    );
    assert!(CheckpointReader::open(folder.path().join("other")).is_err());
}

#[test]
fn names_that_the_index_has_other_uses_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let value = Value::scalar(1.0_f32);
    for name in ["", "\0a"] {
        let error = write_checkpoint(folder.path().join("m"), [(name, &value)]).unwrap_err();
        assert!(matches!(error.kind, CheckpointErrorKind::Name { .. }));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn damaged_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("m");
    write(&prefix, &sample());
    let reader = CheckpointReader::open(&prefix).unwrap();
    let data = file(&prefix, ".data-00000-of-00001");
    let bytes = fs::read(&data).unwrap();
    let fails = || reader.names().filter(|name| reader.read(name).is_err()).count();
    for i in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x10;
        fs::write(&data, &damaged).unwrap();
        assert_eq!(fails(), 1, "byte {i}");
        fs::write(&data, &bytes[..i]).unwrap();
        assert!(fails() > 0, "{i} bytes");
    }
    fs::remove_file(&data).unwrap();
    let error = reader.read("global_step").unwrap_err();
    let CheckpointErrorKind::Tensor { source, .. } = error.kind else { unreachable!() };
    assert!(matches!(*source, TensorErrorKind::Io { .. }));
}

#[test]
fn a_damaged_index_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("m");
    write(&prefix, &sample());
    let index = file(&prefix, ".index");
    let bytes = fs::read(&index).unwrap();
    for length in 0..bytes.len() {
        fs::write(&index, &bytes[..length]).unwrap();
        assert!(CheckpointReader::open(&prefix).is_err(), "{length} bytes");
    }
}

#[test]
fn the_latest_checkpoint_is_the_one_that_the_folder_names() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(latest_checkpoint(&folder).unwrap(), None);
    let prefix = folder.path().join("m-1");
    write(&prefix, &sample());
    let state = CheckpointState { latest: prefix.clone(), all: vec![prefix.clone()] };
    state.write(&folder).unwrap();
    let text = fs::read_to_string(folder.path().join("checkpoint")).unwrap();
    assert_eq!(text, "model_checkpoint_path: \"m-1\"\nall_model_checkpoint_paths: \"m-1\"\n");
    assert_eq!(CheckpointState::read(&folder).unwrap(), Some(state));
    assert_eq!(latest_checkpoint(&folder).unwrap(), Some(prefix.clone()));
    remove_checkpoint(&prefix).unwrap();
    assert_eq!(latest_checkpoint(&folder).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A value of a type and shape, with elements made of `seed`.
fn value(dtype: DType, shape: &[usize], seed: u64) -> Value {
    let count: usize = shape.iter().product();
    let bytes = |width: usize| -> Vec<u8> {
        let byte = |i| (seed.wrapping_mul(i as u64 + 1) >> 13) as u8;
        (0..count * width).map(byte).collect()
    };
    if dtype == DType::String {
        let words = (0..count).map(|i| "ab".repeat(seed as usize % 90 * i % 200).into());
        return Value::from_vec(shape, words.collect::<Vec<ByteString>>()).unwrap();
    }
    let width = match_dtype!(dtype, plain, T => size_of::<T>(), else 0);
    let mut bytes = bytes(width);
    if dtype == DType::Bool {
        bytes.iter_mut().for_each(|byte| *byte &= 1);
    }
    tidemill_formats::value_from_bytes(dtype, shape.into(), &bytes).unwrap()
}

fn tensors() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let shape = vec(0_usize..4, 0..4);
    let any = (prop::sample::select(DType::ALL), shape, any::<u64>());
    let any = any.prop_map(|(dtype, shape, seed)| value(dtype, &shape, seed));
    btree_map("[a-c]{1,3}(/[a-zé_]{1,9}){0,3}", any, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(tensors in tensors()) {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("model.ckpt-12");
        write(&prefix, &tensors);
        let reader = CheckpointReader::open(&prefix).unwrap();
        prop_assert!(reader.names().eq(tensors.keys()));
        for (name, value) in &tensors {
            prop_assert!(reader.read(name).unwrap().bits_eq(value), "{}", name);
        }
    }

    #[test]
    fn random_bytes_are_no_checkpoint(bytes in vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("m");
        fs::write(file(&prefix, ".index"), bytes).unwrap();
        prop_assert!(CheckpointReader::open(&prefix).is_err());
    }
}
