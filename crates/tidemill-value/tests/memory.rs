//! Memory of values: reuse by other values, and copies of elements.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tidemill_value::{DType, IntoValue, Memory, Value, ValueError, copied_bytes};

fn address(value: &Value) -> usize {
    value.as_bytes().unwrap().as_ptr().addr()
}

#[test]
fn memory_of_a_value_that_is_gone_serves_the_next_of_its_size_whatever_its_type() {
    let memory = Memory::new();
    let gone = memory.zeros(DType::F32, [6]).unwrap();
    let place = address(&gone);
    memory.recycle(gone);
    assert_ne!(address(&memory.zeros(DType::F64, [600]).unwrap()), place, "too small");
    let zeros = memory.zeros(DType::I64, [3, 1]).unwrap();
    assert_eq!(address(&zeros), place);
    assert_eq!(zeros, Value::full(0_i64.into(), [3, 1]).unwrap());
    memory.recycle(zeros);
    assert_eq!(memory.scratch(DType::F16, [2, 3]).unwrap().dtype(), DType::F16);
    assert_eq!(memory.idle(), 0, "dropped values are freed");
}

#[test]
fn truth_values_in_memory_of_numbers_are_false() {
    let memory = Memory::new();
    let mut numbers = memory.scratch(DType::U8, [8]).unwrap();
    numbers.as_mut_slice::<u8>().unwrap().fill(255);
    memory.recycle(numbers);
    let truths = memory.scratch(DType::Bool, [5]).unwrap();
    assert_eq!((truths.as_slice().unwrap(), memory.idle()), (&[false; 5][..], 0));
}

#[test]
fn memory_is_aligned_to_cache_lines() {
    for dtype in DType::PLAIN {
        for count in [0, 1, 7, 64, 1000] {
            let value = Memory::new().scratch(*dtype, [count]).unwrap();
            assert!(address(&value).is_multiple_of(64));
            assert_eq!(value.elements(), count);
        }
    }
}

#[test]
fn memory_that_is_shared_or_belongs_to_others_is_not_taken_back() {
    let memory = Memory::new();
    let kept = memory.zeros(DType::F32, [2]).unwrap();
    memory.recycle(kept.clone());
    memory.recycle(Value::from(vec![1.0_f32, 2.0]));
    memory.recycle(Value::foreign([2], Arc::new(vec![1.0_f32, 2.0])).unwrap());
    memory.recycle(Value::from("text"));
    memory.recycle(Value::from(1));
    assert_eq!(memory.idle(), 0);
    assert_eq!(kept, Value::from([0.0_f32, 0.0]));
}

#[test]
fn memory_that_nobody_takes_for_a_round_is_freed() {
    let memory = Memory::new();
    memory.recycle(memory.zeros(DType::I32, [8]).unwrap());
    memory.end_round();
    assert_eq!((memory.idle(), memory.idle_bytes() >= 64), (1, true));
    memory.end_round();
    assert_eq!(memory.idle(), 0);
}

#[test]
fn a_workspace_comes_back_when_it_is_dropped() {
    let memory = Memory::new();
    let place = {
        let mut space = memory.workspace::<f64>(100).unwrap();
        space.fill(2.0);
        space.as_ptr().addr()
    };
    assert_eq!(memory.idle(), 1);
    assert_eq!(memory.workspace::<u32>(200).unwrap().as_ptr().addr(), place);
}

#[test]
fn a_value_becomes_the_only_owner_of_its_elements_in_memory_that_waits() {
    let memory = Memory::new();
    let gone = memory.zeros(DType::F32, [3]).unwrap();
    let place = address(&gone);
    memory.recycle(gone);
    let reader = Value::from(vec![1.0_f32, 2.0, 3.0]);
    let mut writer = reader.clone();
    memory.make_unique(&mut writer);
    assert_eq!((address(&writer), writer.is_unique()), (place, true));
    assert_eq!(writer, reader);
    memory.make_unique(&mut writer);
    assert_eq!(address(&writer), place);
}

#[test]
fn elements_that_exceed_memory_are_an_error() {
    let too_large = |shape: [usize; 2]| Err(ValueError::TooLarge { shape: shape.into() });
    for shape in [[usize::MAX, 2], [isize::MAX as usize, 1], [1 << 40, 1 << 20]] {
        assert_eq!(Memory::new().scratch(DType::F64, shape), too_large(shape));
        assert_eq!(Value::zeros(DType::U8, shape), too_large(shape));
        assert_eq!(Value::full(1_i8.into(), shape), too_large(shape));
    }
}

#[test]
fn elements_of_other_objects_are_shared_and_copied_before_they_change() {
    let owner = Arc::new(vec![1_i32, 2, 3, 4]);
    let before = copied_bytes();
    let mut value = Value::foreign([2, 2], Arc::clone(&owner)).unwrap();
    assert_eq!(address(&value), owner.as_ptr().addr());
    assert_eq!(
        (value.clone().reshape([4]).unwrap(), copied_bytes()),
        (Value::from([1, 2, 3, 4]), before)
    );
    value.as_mut_slice::<i32>().unwrap()[0] = 7;
    assert_eq!((owner[0], value.as_slice::<i32>().unwrap()), (1, &[7, 2, 3, 4][..]));
    let wrong = Value::foreign::<i32, _>([3], Arc::clone(&owner));
    let expected = ValueError::Elements { shape: [3].into(), expected: 3, actual: 4 };
    assert_eq!((wrong, Arc::strong_count(&owner)), (Err(expected), 1));
    let number = Value::foreign([], Arc::new([2.5_f64])).unwrap();
    assert!(number.is_scalar());
}

#[test]
fn elements_of_a_vector_go_back_to_a_vector_without_a_copy() {
    let elements = Vec::with_capacity(10).into_iter().chain([1.0_f32; 7]).collect::<Vec<_>>();
    let (place, before) = (elements.as_ptr(), copied_bytes());
    let back = Value::from(elements).reshape([1, 7]).unwrap().into_array::<f32>().unwrap();
    assert_eq!((back.as_ptr(), copied_bytes()), (place, before));
    let truths = Value::from([true, false]).reshape([2]).unwrap().into_vec::<bool>();
    assert_eq!(truths, Ok(vec![true, false]));
    let memory = Value::zeros(DType::F32, [7]).unwrap();
    assert_eq!((memory.into_vec::<f32>(), copied_bytes()), (Ok(vec![0.0; 7]), before + 28));
}

#[test]
fn bytes_are_counted_where_elements_are_copied() {
    let copied_by = |make: &dyn Fn() -> Value| {
        let before = copied_bytes();
        let value = make();
        (copied_bytes() - before, value).0
    };
    let array = ndarray::Array2::<f32>::zeros((3, 4));
    assert_eq!(copied_by(&|| array.clone().into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| vec![1.0_f64; 5].into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| Value::from(2.0_f32).into_value().unwrap()), 0);
    assert_eq!(copied_by(&|| array.view().into_value().unwrap()), 48);
    assert_eq!(copied_by(&|| array.t().into_value().unwrap()), 48);
    assert_eq!(copied_by(&|| [1_i16, 2].as_slice().into_value().unwrap()), 4);
    let mut shared = Value::from(vec![0_u8; 7]);
    let reader = shared.clone();
    let before = copied_bytes();
    shared.as_mut_slice::<u8>().unwrap()[0] = 1;
    assert_eq!((copied_bytes() - before, reader.as_slice::<u8>().unwrap()[0]), (7, 0));
}

#[test]
fn memory_of_a_large_result_that_was_handed_out_comes_back_when_it_is_dropped_on_any_thread() {
    for elements in [1 << 14, 1 << 21] {
        let memory = Memory::new();
        let mut result = memory.scratch(DType::F32, [elements]).unwrap();
        memory.lend(&mut result);
        let (place, shared) = (address(&result), result.clone());
        drop(result);
        assert_eq!(memory.idle(), 0, "still shared");
        std::thread::spawn(move || drop(shared)).join().unwrap();
        assert_eq!(memory.idle_bytes() >= 4 * elements, memory.idle() == 1);
        assert_eq!(address(&memory.scratch(DType::I32, [elements]).unwrap()), place);

        memory.end_round();
        memory.end_round();
        assert_eq!(memory.idle(), 0, "nobody took it");
    }
}

#[test]
fn a_large_result_outlives_the_memory_it_came_from() {
    let memory = Memory::new();
    let mut result = memory.zeros(DType::F64, [1 << 20]).unwrap();
    memory.lend(&mut result);
    drop(memory);
    assert!(result.as_slice::<f64>().unwrap().iter().all(|&x| x == 0.0));
}

#[test]
fn results_of_many_rounds_that_are_dropped_together_bring_back_the_memory_of_one_round() {
    let memory = Memory::new();
    let round = || {
        let mut results = [1 << 14, 1 << 16].map(|n| memory.zeros(DType::F32, [n]).unwrap());
        results.iter_mut().for_each(|result| memory.lend(result));
        memory.end_round();
        results
    };
    let kept: Vec<_> = (0..10).map(|_| round()).collect();
    let newer = round();
    drop(kept);
    let held = memory.idle_bytes();
    assert!((1 << 18..(1 << 18) + (1 << 17)).contains(&held), "{held} bytes");
    drop(newer);
}

#[test]
fn memory_of_a_result_that_is_not_lent_or_that_others_share_does_not_come_back() {
    let memory = Memory::new();
    drop(memory.zeros(DType::F32, [1 << 16]).unwrap());
    let mut result = memory.zeros(DType::F32, [1 << 16]).unwrap();
    let shared = result.clone();
    memory.lend(&mut result);
    drop((result, shared));
    assert_eq!(memory.idle(), 0);
}
