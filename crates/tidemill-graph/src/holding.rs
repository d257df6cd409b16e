use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// The number of items of a kind, and the bytes that they take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct Holding {
    pub count: usize,
    pub bytes: usize,
}

impl Holding {
    /// One item of this size in bytes.
    pub fn one(bytes: usize) -> Self {
        Holding { count: 1, bytes }
    }
}

impl Add for Holding {
    type Output = Holding;

    fn add(self, other: Holding) -> Holding {
        Holding { count: self.count + other.count, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Holding {
    fn add_assign(&mut self, other: Holding) {
        *self = *self + other;
    }
}

impl Sum for Holding {
    fn sum<I: Iterator<Item = Holding>>(holdings: I) -> Holding {
        holdings.fold(Holding::default(), Add::add)
    }
}
