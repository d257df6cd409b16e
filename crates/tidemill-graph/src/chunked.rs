use std::ops::{Index, IndexMut};

/// The number of items that are contiguous.
const CHUNK: usize = 512;

/// A list that only grows. Unlike a `Vec`, once it is long it neither moves its items nor reserves
/// as much memory again: a graph of a million nodes costs as much per node as one of a thousand.
#[derive(Clone)]
pub(crate) struct Chunked<T> {
    /// All are full except the last.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(item),
            full => {
                let capacity = if full.is_some() { CHUNK } else { 1 };
                let mut chunk = Vec::with_capacity(capacity);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
    }

    /// Takes the last item off.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let item = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// The bytes that it has reserved.
    pub(crate) fn bytes(&self) -> usize {
        let items: usize = self.chunks.iter().map(Vec::capacity).sum();
        items * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<usize> for Chunked<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunked<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_by_their_numbers_across_chunks() {
        let mut list = Chunked::default();
        for length in 0..3 * CHUNK + 1 {
            assert_eq!((list.len(), list.get(length)), (length, None));
            list.push(length);
        }
        assert!(list.iter().copied().eq(0..list.len()));
        assert!((0..list.len()).all(|i| list[i] == i && list.get(i) == Some(&i)));
    }

    #[test]
    fn items_are_taken_off_across_chunks() {
        let mut list = Chunked::default();
        (0..CHUNK + 2).for_each(|i| list.push(i));
        assert!((CHUNK - 1..CHUNK + 2).rev().all(|i| list.pop() == Some(i)));
        list.push(7);
        assert_eq!((list.len(), list[CHUNK - 2], list[CHUNK - 1]), (CHUNK, CHUNK - 2, 7));
        assert_eq!(Chunked::<usize>::default().pop(), None);
    }
}
