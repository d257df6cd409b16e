//! Values whose elements are in a file.

use std::fs;

use tidemill_value::{DType, FileMap, IntoValue, Shape, Value, copied_bytes};

/// A map of a file of the bytes 0, 1, 2 and so on.
fn file(count: u8) -> (tempfile::TempDir, FileMap) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    fs::write(&path, (0..count).collect::<Vec<u8>>()).unwrap();
    let map = FileMap::open(&path).unwrap();
    (folder, map)
}

fn halves(map: &FileMap) -> Value {
    Value::mapped(DType::U16, &Shape::from([2, 2]), map, 4).unwrap()
}

#[test]
fn elements_of_a_file_are_read_where_they_are() {
    let (_folder, map) = file(16);
    let copied = copied_bytes();
    let value = halves(&map);
    assert_eq!(value.as_slice::<u16>().unwrap().as_ptr().addr(), map[4..].as_ptr().addr());
    assert_eq!(value.as_slice::<u16>().unwrap(), [0x0504, 0x0706, 0x0908, 0x0b0a]);
    assert_eq!(value.as_bytes().unwrap(), &map[4..12]);
    assert_eq!((value.dtype(), value.bytes()), (DType::U16, 8));
    assert!(value.as_slice::<i16>().is_err());
    assert!(value.shares_buffer(&value.clone().reshape([4]).unwrap()));
    assert_eq!(copied_bytes(), copied);
}

#[test]
fn writing_to_elements_of_a_file_copies_them_and_leaves_the_file_alone() {
    let (folder, map) = file(16);
    let mut value = halves(&map);
    assert!(!value.is_unique());
    value.as_mut_slice::<u16>().unwrap()[0] = 7;
    assert!(value.is_unique());
    assert_eq!(value.into_vec::<u16>().unwrap(), [7, 0x0706, 0x0908, 0x0b0a]);
    assert_eq!(halves(&map).into_vec::<u16>().unwrap()[0], 0x0504);
    assert_eq!(fs::read(folder.path().join("bytes")).unwrap()[4], 4);
}

#[test]
fn elements_outlive_the_map_and_the_name_of_their_file() {
    let (folder, map) = file(16);
    let value = halves(&map);
    drop(map);
    folder.close().unwrap();
    assert_eq!(value, [[0x0504_u16, 0x0706], [0x0908, 0x0b0a]].into_value().unwrap());
}

#[test]
fn elements_that_lie_otherwise_than_in_memory_are_not_mapped() {
    let (_folder, map) = file(16);
    let mapped = |dtype, shape: &[usize], begin| {
        Value::mapped(dtype, &Shape::from(shape), &map, begin).is_some()
    };
    assert!(mapped(DType::F64, &[2], 0) && mapped(DType::U8, &[16], 0));
    assert!(!mapped(DType::F64, &[1], 4), "an odd place");
    assert!(!mapped(DType::F64, &[2], 8) && !mapped(DType::U8, &[1], 17), "out of the file");
    assert!(!mapped(DType::F64, &[usize::MAX], 8) && !mapped(DType::U8, &[2], usize::MAX));
    assert!(!mapped(DType::Bool, &[2], 0) && !mapped(DType::String, &[1], 0));
    assert!(!mapped(DType::F32, &[], 0), "a single number takes no memory of its own");
    assert!(mapped(DType::F32, &[0], 16), "no elements");
    assert!(!mapped(DType::F32, &[0], 20));
}

#[test]
fn an_element_of_a_file_can_become_a_single_number() {
    let (_folder, map) = file(8);
    let value = Value::mapped(DType::I32, &Shape::from([1, 1]), &map, 4).unwrap();
    let number = value.reshape([]).unwrap();
    assert!(number.is_scalar());
    assert_eq!(number, Value::from(0x0706_0504));
}

#[test]
fn a_file_without_bytes_has_none_and_a_folder_is_no_file() {
    let (folder, map) = file(0);
    assert!(map.is_empty());
    assert!(FileMap::open(folder.path()).is_err());
    assert!(FileMap::open(folder.path().join("other")).is_err());
}
