//! Array files read back as they were written, and damaged ones are rejected.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tidemill_formats::npy::{
    NpyError, NpyHeader, NpzReader, read_npy, read_npy_file, write_npy, write_npy_file, write_npz,
};
use tidemill_formats::{
    FileKind, SafetensorsFile, read_safetensors, value_from_bytes, write_file, write_safetensors,
};
use tidemill_value::{ByteString, DType, IntoValue, Value, bf16, f16};

/// A file that NumPy wrote (see the program next to the files).
fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy").join(name)
}

fn npy(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_npy(value, &mut bytes).unwrap();
    bytes
}

fn array(data: impl IntoValue) -> Value {
    data.into_value().unwrap()
}

/// A value of a type and shape, with elements made of `seed`.
fn value(dtype: DType, shape: &[usize], seed: u64) -> Value {
    let count: usize = shape.iter().product();
    if dtype == DType::String {
        let word = |i| ByteString::from("ab".repeat((seed as usize % 90).wrapping_mul(i) % 20));
        return Value::from_vec(shape, (0..count).map(word).collect()).unwrap();
    }
    let byte = |i| (seed.wrapping_mul(i as u64 + 1) >> 13) as u8;
    let mut bytes: Vec<u8> = (0..count * dtype.size()).map(byte).collect();
    if dtype == DType::Bool {
        bytes.iter_mut().for_each(|byte| *byte &= 1);
    }
    value_from_bytes(dtype, shape.into(), &bytes).unwrap()
}

fn values(dtypes: Vec<DType>) -> impl Strategy<Value = Value> {
    let shape = vec(0_usize..5, 0..4);
    (prop::sample::select(dtypes), shape, any::<u64>())
        .prop_map(|(dtype, shape, seed)| value(dtype, &shape, seed))
}

fn all_but(left_out: DType) -> Vec<DType> {
    DType::ALL.iter().copied().filter(|dtype| *dtype != left_out).collect()
}

fn named(values: &BTreeMap<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    values.iter().map(|(name, value)| (name.as_str(), value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_array_is_read_as_it_was_written(value in values(all_but(DType::BF16))) {
        let bytes = npy(&value);
        prop_assert!(read_npy(&bytes).unwrap().bits_eq(&value));
        let header = NpyHeader::read(&bytes).unwrap();
        prop_assert_eq!((header.dtype, &header.shape), (value.dtype(), value.shape()));
        for length in 0..bytes.len() {
            prop_assert!(read_npy(&bytes[..length]).is_err(), "{} bytes", length);
        }
    }

    #[test]
    fn arrays_are_read_by_name(
        arrays in btree_map("[a-z/:é]{1,9}", values(all_but(DType::BF16)), 0..5)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arrays.npz");
        write_npz(&path, named(&arrays)).unwrap();
        let reader = NpzReader::open(&path).unwrap();
        prop_assert!(reader.names().eq(arrays.keys()));
        for (name, value) in &arrays {
            prop_assert_eq!(&reader.header(name).unwrap().shape, value.shape());
            prop_assert!(reader.read(name).unwrap().bits_eq(value));
        }
    }

    #[test]
    fn tensors_and_metadata_are_read_as_they_were_written(
        tensors in btree_map("[a-z/é\"\\\\]{0,9}", values(all_but(DType::String)), 0..8),
        metadata in btree_map("[a-z\"]{0,5}", "[a-z\n]{0,5}", 0..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensors.safetensors");
        write_safetensors(&path, named(&tensors), &metadata).unwrap();
        let file = SafetensorsFile::open(&path).unwrap();
        prop_assert_eq!(file.metadata(), &metadata);
        prop_assert!(file.tensors().map(|info| info.name).eq(tensors.keys().cloned()));
        let bytes = fs::read(&path).unwrap();
        let read = read_safetensors(&bytes).unwrap();
        for (name, value) in &tensors {
            prop_assert!(file.read(name).unwrap().bits_eq(value) && read[name].bits_eq(value));
        }
        for length in 0..bytes.len() {
            prop_assert!(read_safetensors(&bytes[..length]).is_err(), "{} bytes", length);
        }
    }

    #[test]
    fn random_bytes_are_no_arrays(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(read_npy(&bytes).is_err());
        prop_assert!(NpzReader::new(&bytes[..]).is_err());
        prop_assert!(read_safetensors(&bytes).is_err());
        let after_magic = [b"\x93NUMPY\x01\0".as_slice(), &bytes].concat();
        prop_assert!(read_npy(&after_magic).is_err());
    }

    #[test]
    fn a_damaged_archive_never_gives_another_array(at in 0_usize..1000, bit in 0_u8..8) {
        let mut bytes = fs::read(numpy("compressed.npz")).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let Ok(reader) = NpzReader::new(&bytes[..]) else { return Ok(()) };
        let expected = Value::from([0_i64; 1000]);
        let other = array([[1.5_f32, -2.5]]);
        for name in reader.names() {
            if let Ok(value) = reader.read(name) {
                prop_assert!(value == expected || value == other, "byte {}", at);
            }
        }
    }
}

#[test]
fn what_numpy_writes_is_read() {
    let read = |name: &str| read_npy_file(numpy(name)).unwrap();
    let matrix = array([[1.0_f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(read("matrix.npy"), matrix);
    assert_eq!(read("fortran.npy"), matrix);
    assert_eq!(read("big_endian.npy"), array([[1_i16, -2], [300, 4]]));
    assert_eq!(read("bool.npy"), Value::from([true, false, true]));
    assert_eq!(read("half.npy"), Value::from([f16::from_f32(0.5), f16::NEG_INFINITY]));
    assert_eq!(read("scalar.npy"), Value::from(7_u64));
    assert_eq!(read("empty.npy"), Value::zeros(DType::F32, [0, 3]).unwrap());
    assert_eq!(read("version_2.npy"), Value::from([1_u8, 2]));
    let words = |words: [&str; 3]| Value::from(words.map(ByteString::from));
    assert_eq!(read("bytes.npy"), words(["a", "", "bcd"]));
    assert_eq!(read("unicode.npy"), words(["ä", "", "日本"]));
    assert_eq!(read("unicode_big_endian.npy"), words(["ä", "", "日本"]));
    let cube: Vec<i32> = (0..24).collect();
    assert_eq!(read("fortran_cube.npy"), Value::from_vec([2, 3, 4], cube).unwrap());
}

#[test]
fn what_is_written_is_what_numpy_writes() {
    let matrix = array([[1.0_f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    for (name, value) in [
        ("matrix.npy", matrix),
        ("bool.npy", Value::from([true, false, true])),
        ("scalar.npy", Value::from(7_u64)),
        ("empty.npy", Value::zeros(DType::F32, [0, 3]).unwrap()),
    ] {
        assert_eq!(npy(&value), fs::read(numpy(name)).unwrap(), "{name}");
    }
}

#[test]
fn archives_of_numpy_are_read() {
    for name in ["stored.npz", "compressed.npz"] {
        let reader = NpzReader::open(numpy(name)).unwrap();
        assert!(reader.names().eq(["arr_0", "w"]));
        assert_eq!(reader.read("w").unwrap(), array([[1.5_f32, -2.5]]));
        assert_eq!(reader.read("arr_0").unwrap(), Value::from([0_i64; 1000]));
        assert_eq!(&reader.header("arr_0").unwrap().shape[..], [1000]);
    }
}

#[test]
fn the_same_arrays_are_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let arrays = BTreeMap::from([("a".to_owned(), Value::from(1)), ("b".into(), Value::from(2))]);
    let metadata = BTreeMap::from(["x", "y", "z"].map(|key| (key.to_owned(), key.to_owned())));
    let write = |name: &str| {
        let path = folder.path().join(name);
        write_npz(&path, named(&arrays)).unwrap();
        let npz = fs::read(&path).unwrap();
        write_safetensors(&path, named(&arrays), &metadata).unwrap();
        (npz, fs::read(&path).unwrap())
    };
    assert_eq!(write("first"), write("second"));
}

#[test]
fn large_values_stay_in_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let large = Value::list((0..5000).map(|i| i as f32).collect::<Vec<f32>>());
    let is_mapped = |mut value: Value| {
        assert!(value.bits_eq(&large));
        !value.is_unique()
    };
    let npy = folder.path().join("large.npy");
    write_npy_file(&npy, &large).unwrap();
    assert_eq!(is_mapped(read_npy_file(&npy).unwrap()), cfg!(unix));
    let path = folder.path().join("large.safetensors");
    let flag = Value::from([true]);
    write_safetensors(&path, [("a flag", &flag), ("large", &large)], &BTreeMap::new()).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    assert_eq!(is_mapped(file.read("large").unwrap()), cfg!(unix));
    let kept = file.read("large").unwrap();
    drop(file);
    write_safetensors(&path, [("large", &flag)], &BTreeMap::new()).unwrap();
    assert!(
        kept.bits_eq(&large),
        "a file that is replaced keeps what it had for those who read it"
    );
}

#[test]
fn a_file_that_fails_to_be_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_file(&path, |file| file.write_all(b"before")).unwrap();
    let error = write_file(&path, |file| {
        file.write_all(b"after")?;
        Err(std::io::Error::other("the disk is full"))
    });
    assert_eq!(error.unwrap_err().to_string(), format!("{}: the disk is full", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_file(folder.path().join("none/file"), |_| Ok(())).is_err());
}

#[test]
fn values_that_a_format_cannot_have_are_refused_before_a_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let brain = Value::from([bf16::ONE]);
    let words = Value::from([ByteString::from("a\0")]);
    let messages = [
        write_npy_file(&path, &brain).unwrap_err().to_string(),
        write_npz(&path, [("x", &words)]).unwrap_err().to_string(),
        write_safetensors(&path, [("x", &words)], &BTreeMap::new()).unwrap_err().to_string(),
        write_safetensors(&path, [("__metadata__", &brain)], &BTreeMap::new())
            .unwrap_err()
            .to_string(),
    ];
    let text = messages.join("\n").replace(&path.display().to_string(), "file");
    insta::assert_snapshot!(text, @r"
    file: NumPy has no type bfloat16: cast to float32, which loses nothing, or write safetensors
    file: the array `x`: string 0 ends with a zero byte, which NumPy would lose
    file: the tensor `x` is of type string, which safetensors cannot store
    file: a tensor in a safetensors file cannot be named `__metadata__`
    ");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// An `npy` file with a given header.
fn with_header(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let length = (dictionary.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], dictionary.as_bytes(), data].concat()
}

#[test]
fn damaged_headers_of_arrays_are_told_apart() {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
    };
    let files = [
        b"PNG".to_vec(),
        b"\x93NUMPY\x09\0".to_vec(),
        b"\x93NUMPY\x01\0\xff\xff{".to_vec(),
        with_header("{'descr': '<f4'}", &[]),
        with_header("{'descr: '<f4'}", &[]),
        with_header("{'descr': '<f4', 'fortran_order': 3}", &[]),
        with_header(&header("'<f4'", "(3"), &[]),
        with_header(&header("'<f4'", "(-3,)"), &[]),
        with_header(&header("'<f4'", "(99999999999999999999,)"), &[]),
        with_header(&header("'<f4'", "(3,)"), &[0; 11]),
        with_header(&header("'<f4'", "(3,)"), &[0; 13]),
        with_header(&header("'<f8'", "(4000000000, 4000000000)"), &[]),
        with_header(&header("'|S0'", "(4000000000,)"), &[]),
        with_header(&header("'<U1'", "(1,)"), &[0, 0xd8, 0, 0]),
        with_header(&header("'|O'", "(1,)"), &[0; 8]),
        with_header(&header("'<c8'", "(1,)"), &[0; 8]),
        with_header(&header("'<M8[ns]'", "(1,)"), &[0; 8]),
        with_header(&header("[('x', '<f4')]", "(1,)"), &[0; 4]),
        with_header(&header("'|V2'", "(1,)"), &[0; 2]),
        with_header(&header("''", "(1,)"), &[0; 2]),
    ];
    let messages = files.map(|bytes| read_npy(&bytes).unwrap_err().to_string());
    insta::assert_snapshot!(messages.join("\n"), @r"
    not an npy file: it does not begin with \x93NUMPY
    the npy file has version 9.0, but only 1.0, 2.0 and 3.0 are supported
    the npy file ends inside its header
    the header of the npy file is damaged: missing key at byte 16
    the header of the npy file is damaged: expected `:` at byte 10
    the header of the npy file is damaged: expected `True` or `False` at byte 34
    the header of the npy file is damaged: expected an extent at byte 54
    the header of the npy file is damaged: expected an extent at byte 51
    the header of the npy file is damaged: expected an extent at byte 51
    a tensor of type float32 and shape [3] takes 12 bytes, not 11
    a tensor of type float32 and shape [3] takes 12 bytes, not 13
    shape [4000000000, 4000000000] has more elements than memory can hold
    shape [4000000000] has more elements than memory can hold
    string 0 of the array contains 0xd800, which is not a Unicode character
    the array has elements of NumPy's type `|O`, for pickled Python objects, which are not supported
    the array has elements of NumPy's type `<c8`, for complex numbers, which are not supported
    the array has elements of NumPy's type `<M8[ns]`, for dates and times, which are not supported
    the array has elements of NumPy's type `[('x', '<f4')]`, for records of several fields, which are not supported
    the array has elements of NumPy's type `|V2`, for untyped bytes, which is how bfloat16 is written without the ml_dtypes package
    the array has elements of NumPy's type ``, which is not supported
    ");
    assert!(matches!(read_npy(&[]), Err(NpyError::Magic)));
}

#[test]
fn files_are_told_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        FileKind::of(path).map_err(|error| error.kind.to_string())
    };
    let value = Value::from([1.0_f32]);
    assert_eq!(put("a.bin", &npy(&value)), Ok(FileKind::Npy));
    assert_eq!(put("b.bin", &fs::read(numpy("stored.npz")).unwrap()), Ok(FileKind::Npz));
    assert_eq!(put("c.bin", b"# a comment\n\nnode {\n}\n"), Ok(FileKind::GraphDefText));
    assert_eq!(put("d.bin", b"\x0a\x05\x0a\x01x\x12\x00"), Ok(FileKind::GraphDef));
    assert_eq!(put("e.bin", b"\x02\0\0\0\0\0\0\0{}"), Ok(FileKind::Safetensors));
    assert_eq!(put("f.npy", b"damaged"), Ok(FileKind::Npy));
    assert_eq!(put("g.pb", b""), Ok(FileKind::GraphDef));
    let unknown = "not a recognized file type".to_owned();
    assert_eq!(put("h.png", b"\x89PNG\r\n"), Err(unknown));
    assert!(FileKind::of(folder.path()).is_err(), "a folder without anything in it");
    let prefix = folder.path().join("model.ckpt");
    tidemill_formats::checkpoint::write_checkpoint(&prefix, [("x", &value)]).unwrap();
    assert_eq!(FileKind::of(&prefix).unwrap(), FileKind::Checkpoint);
    let index = folder.path().join("model.ckpt.index");
    assert_eq!(FileKind::of(&index).unwrap(), FileKind::CheckpointIndex);
    fs::write(folder.path().join("checkpoint"), "").unwrap();
    assert_eq!(FileKind::of(folder.path()).unwrap(), FileKind::CheckpointFolder);
    fs::write(folder.path().join("saved_model.pb"), "").unwrap();
    assert_eq!(FileKind::of(folder.path()).unwrap(), FileKind::SavedModel);
}
