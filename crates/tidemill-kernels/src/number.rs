use tidemill_value::Bits;

/// The operations that the generic parts of this crate need of numbers. Integers wrap.
pub(crate) trait Number: Bits + Copy {
    /// The type that integers are summed in for their mean; floats stay as they are.
    type Wide: Number;

    /// Whether this is a floating-point type.
    const IS_FLOAT: bool;
    const ZERO: Self;
    const ONE: Self;
    /// The lower bound of all numbers.
    const BOTTOM: Self;
    /// The upper bound of all numbers.
    const TOP: Self;
    /// The ends of the range of finite numbers.
    const LOWEST: Self;
    const HIGHEST: Self;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// `self + x · y`, rounded once if it is `FUSED`.
    fn plus_product<const FUSED: bool>(self, x: Self, y: Self) -> Self;
    /// The quotient; 0 where an integer is divided by 0.
    fn over(self, other: Self) -> Self;
    fn larger(self, other: Self) -> Self;
    fn smaller(self, other: Self) -> Self;
    fn root(self) -> Self;
    fn to_f64(self) -> f64;
    fn widen(self) -> Self::Wide;
    fn mean(total: Self::Wide, count: usize) -> Self;
}

/// Combines the elements of two slices pairwise, in place.
pub(crate) fn combined<T: Copy>(combine: impl Fn(T, T) -> T) -> impl Fn(&mut [T], &[T]) {
    move |own, other| {
        for (o, x) in own.iter_mut().zip(other) {
            *o = combine(*o, *x);
        }
    }
}

macro_rules! floats {
    ($($rust:ident),*) => {$(
        impl Number for $rust {
            type Wide = $rust;

            const IS_FLOAT: bool = true;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const BOTTOM: Self = $rust::NEG_INFINITY;
            const TOP: Self = $rust::INFINITY;
            const LOWEST: Self = $rust::MIN;
            const HIGHEST: Self = $rust::MAX;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn plus_product<const FUSED: bool>(self, x: Self, y: Self) -> Self {
                if FUSED { x.mul_add(y, self) } else { self + x * y }
            }

            #[inline(always)]
            fn over(self, other: Self) -> Self {
                self / other
            }

            #[inline(always)]
            fn larger(self, other: Self) -> Self {
                if self < other || other.is_nan() { other } else { self }
            }

            #[inline(always)]
            fn smaller(self, other: Self) -> Self {
                if other < self || other.is_nan() { other } else { self }
            }

            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }

            #[inline(always)]
            fn widen(self) -> Self {
                self
            }

            #[inline(always)]
            fn mean(total: Self, count: usize) -> Self {
                total / count as Self
            }
        }
    )*};
}

macro_rules! integers {
    ($($rust:ident $wide:ident),*) => {$(
        impl Number for $rust {
            type Wide = $wide;

            const IS_FLOAT: bool = false;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const BOTTOM: Self = $rust::MIN;
            const TOP: Self = $rust::MAX;
            const LOWEST: Self = $rust::MIN;
            const HIGHEST: Self = $rust::MAX;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn plus_product<const FUSED: bool>(self, x: Self, y: Self) -> Self {
                self.plus(x.times(y))
            }

            #[inline(always)]
            fn over(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div(other) }
            }

            #[inline(always)]
            fn larger(self, other: Self) -> Self {
                self.max(other)
            }

            #[inline(always)]
            fn smaller(self, other: Self) -> Self {
                self.min(other)
            }

            #[inline(always)]
            fn root(self) -> Self {
                (self as f64).sqrt() as $rust
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn widen(self) -> $wide {
                self.into()
            }

            #[inline(always)]
            fn mean(total: $wide, count: usize) -> Self {
                if count == 0 { 0 } else { (total / count as $wide) as $rust }
            }
        }
    )*};
}

floats!(f32, f64);
integers!(i8 i64, i16 i64, i32 i64, i64 i64, u8 u64, u16 u64, u32 u64, u64 u64);
