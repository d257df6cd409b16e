//! Slices: the parts in which a partitioned variable is stored.

use std::ops::Range;

use tidemill_value::{Element, Shape, Value, match_dtype};

use super::error::TensorErrorKind;
use super::messages::SliceProto;

/// A part of a tensor: an interval along each axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice(Vec<Range<usize>>);

impl Slice {
    /// The slice, which must be within `shape`.
    pub(super) fn within(shape: &Shape, proto: &SliceProto) -> Result<Slice, TensorErrorKind> {
        let interval = |extent: usize, start: i64, length: Option<i64>| {
            let start = usize::try_from(start).ok()?;
            let length = match length {
                Some(length) => usize::try_from(length).ok()?,
                None => extent,
            };
            let end = start.checked_add(length)?;
            (end <= extent).then_some(start..end)
        };
        let extents = || shape.iter().zip(&proto.extent);
        let intervals = extents().map(|(&size, part)| interval(size, part.start, part.length));
        match intervals.collect::<Option<Vec<_>>>() {
            Some(intervals) if proto.extent.len() == shape.rank() => Ok(Slice(intervals)),
            _ => Err(TensorErrorKind::SliceRange { shape: shape.clone() }),
        }
    }

    /// The shape of the part.
    pub(super) fn shape(&self) -> Shape {
        self.0.iter().map(ExactSizeIterator::len).collect()
    }

    /// The start of each row of the part within `whole`, in order.
    fn rows(&self, whole: &Shape) -> impl Iterator<Item = usize> {
        let outer = self.0.len().saturating_sub(1);
        let strides = whole.strides();
        let first: usize =
            self.0.iter().zip(&strides).map(|(part, stride)| part.start * stride).sum();
        let steps: Vec<(usize, usize)> = self.0[..outer]
            .iter()
            .zip(&strides)
            .map(|(part, &stride)| (part.len(), stride))
            .collect();
        let count = steps.iter().map(|(length, _)| length).product();
        let mut places = vec![0; outer];
        let mut row = first;
        (0..count).map(move |_| {
            let begin = row;
            for (place, &(length, stride)) in places.iter_mut().zip(&steps).rev() {
                *place += 1;
                row += stride;
                if *place < length {
                    break;
                }
                row -= length * stride;
                *place = 0;
            }
            begin
        })
    }
}

/// The key of the part `slice` of the tensor `name` in the index. Keys order like tensors and
/// intervals, and come before all names.
pub(super) fn slice_key(name: &str, slice: &SliceProto) -> Vec<u8> {
    let mut key = Vec::new();
    encode_unsigned(0, &mut key);
    for &byte in name.as_bytes() {
        key.push(byte);
        match byte {
            0 => key.push(0xff),
            0xff => key.push(0),
            _ => {}
        }
    }
    key.extend([0, 1]);
    encode_unsigned(slice.extent.len() as u64, &mut key);
    for extent in &slice.extent {
        encode_signed(extent.start, &mut key);
        encode_signed(extent.length.unwrap_or(-1), &mut key);
    }
    key
}

/// Appends the number of bytes of a number, and these, big-endian.
fn encode_unsigned(number: u64, key: &mut Vec<u8>) {
    let unused = number.leading_zeros() as usize / 8;
    let bytes = &number.to_be_bytes()[unused..];
    key.push(bytes.len() as u8);
    key.extend(bytes);
}

/// Appends a number whose first bits tell its length: as many ones as there are bytes, then a zero;
/// all of them inverted if the number is negative.
fn encode_signed(number: i64, key: &mut Vec<u8>) {
    let magnitude = if number < 0 { !number } else { number };
    let bits = 64 - magnitude.leading_zeros() as usize;
    let length = bits / 7 + 1;
    let header = !(u128::MAX >> length) >> (128 - 8 * length);
    let number = i128::from(number) as u128 ^ header;
    key.extend(&number.to_be_bytes()[16 - length..]);
}

/// A tensor from its parts, which must fill it and not overlap.
pub(super) fn join(whole: Value, parts: &[(Slice, Value)]) -> Result<Value, TensorErrorKind> {
    match_dtype!(whole.dtype(), all, T => join_elements::<T>(whole, parts), else Ok(whole))
}

fn join_elements<T: Element>(
    mut whole: Value,
    parts: &[(Slice, Value)],
) -> Result<Value, TensorErrorKind> {
    let shape = whole.shape().clone();
    let uncovered = || TensorErrorKind::SliceCover { shape: shape.clone() };
    let mut covered = vec![false; whole.elements()];
    let elements = whole.as_mut_slice::<T>()?;
    for (slice, part) in parts {
        let part = part.as_slice::<T>()?;
        if part.is_empty() {
            continue;
        }
        let length = slice.0.last().map_or(1, ExactSizeIterator::len);
        for (begin, row) in slice.rows(&shape).zip(part.chunks_exact(length)) {
            let places = begin..begin + length;
            let (Some(to), Some(marks)) =
                (elements.get_mut(places.clone()), covered.get_mut(places))
            else {
                return Err(uncovered());
            };
            if marks.contains(&true) {
                return Err(uncovered());
            }
            marks.fill(true);
            to.clone_from_slice(row);
        }
    }
    if covered.contains(&false) { Err(uncovered()) } else { Ok(whole) }
}

#[cfg(test)]
mod tests {
    use super::super::messages::Extent;
    use super::*;

    fn proto(extents: &[(i64, Option<i64>)]) -> SliceProto {
        let extent = |&(start, length): &(i64, Option<i64>)| Extent { start, length };
        SliceProto { extent: extents.iter().map(extent).collect() }
    }

    #[test]
    fn keys_are_those_that_tensorflow_writes() {
        let slice = proto(&[(0, Some(4)), (3, None)]);
        assert_eq!(slice_key("cols", &slice), b"\0cols\0\x01\x01\x02\x80\x84\x83\x7f");
    }

    #[test]
    fn keys_order_as_numbers_do() {
        let numbers = [i64::MIN, -9000, -65, -64, -1, 0, 1, 63, 64, 8191, 8192, 1 << 61, i64::MAX];
        let keys = numbers.map(|number| {
            let mut key = Vec::new();
            encode_signed(number, &mut key);
            key
        });
        assert!(keys.is_sorted(), "{keys:x?}");
        assert_eq!(keys.map(|key| key.len()), [10, 3, 2, 1, 1, 1, 1, 1, 2, 2, 3, 9, 10]);
    }

    #[test]
    fn parts_are_joined() {
        let whole = Value::zeros(tidemill_value::DType::I32, [2, 3]).unwrap();
        let part = |extents: &[(i64, Option<i64>)], elements: &[i32]| {
            let slice = Slice::within(whole.shape(), &proto(extents)).unwrap();
            let value = Value::from_vec(slice.shape(), elements.to_vec()).unwrap();
            (slice, value)
        };
        let left = part(&[(0, None), (0, Some(2))], &[1, 2, 4, 5]);
        let right = part(&[(0, Some(2)), (2, Some(1))], &[3, 6]);
        let joined = join(whole.clone(), &[left.clone(), right.clone()]).unwrap();
        assert_eq!(joined.as_slice::<i32>().unwrap(), [1, 2, 3, 4, 5, 6]);
        for parts in [&[left.clone()][..], &[left.clone(), right, left]] {
            assert!(matches!(join(whole.clone(), parts), Err(TensorErrorKind::SliceCover { .. })));
        }
    }

    #[test]
    fn parts_of_other_places_are_refused() {
        let shape = Shape::from([2, 3]);
        for extents in [
            &[(0, None)][..],
            &[(0, None), (1, None)],
            &[(0, Some(3)), (0, None)],
            &[(-1, Some(1)), (0, None)],
            &[(0, Some(-1)), (0, None)],
            &[(i64::MAX, Some(i64::MAX)), (0, None)],
        ] {
            let refused = Slice::within(&shape, &proto(extents));
            assert!(matches!(refused, Err(TensorErrorKind::SliceRange { .. })), "{extents:?}");
        }
    }
}
