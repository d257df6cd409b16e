/// Builds a [`PartialShape`](crate::PartialShape): `shape![?, 784]` has an axis of unknown extent,
/// `shape![..]` an unknown number of axes.
///
/// ```
/// use tidemill_value::{PartialShape, shape};
/// let images = shape![?, 28, 28];
/// assert_eq!(images.to_string(), "[?, 28, 28]");
/// assert!(images.admits(&[32, 28, 28]));
/// assert_eq!(shape![..], PartialShape::unknown());
/// ```
#[macro_export]
macro_rules! shape {
    (..) => { $crate::PartialShape::unknown() };
    (@ [$($dims:expr),*] $(,)?) => {
        <$crate::PartialShape as ::core::iter::FromIterator<$crate::Dim>>::from_iter([$($dims),*])
    };
    (@ [$($dims:expr),*] ? $(, $($rest:tt)*)?) => {
        $crate::shape!(@ [$($dims,)* $crate::Dim::UNKNOWN] $($($rest)*)?)
    };
    (@ [$($dims:expr),*] $dim:expr $(, $($rest:tt)*)?) => {
        $crate::shape!(@ [$($dims,)* $crate::Dim::from($dim)] $($($rest)*)?)
    };
    ($($dims:tt)*) => { $crate::shape!(@ [] $($dims)*) };
}
