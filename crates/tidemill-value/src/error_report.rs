use std::error::Error;
use std::fmt;

/// Writes an error as a reader wants to see it: its message, then one line for each cause that
/// the message does not already include.
pub fn write_error_report(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = error.to_string();
    f.write_str(&shown)?;
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !shown.contains(&message) {
            write!(f, "\n  caused by: {message}")?;
            shown = message;
        }
        source = cause.source();
    }
    Ok(())
}

/// Implements `Debug` for error types by [`write_error_report`](crate::write_error_report).
///
/// A `main` that returns an error prints its `Debug`, so that must be the message.
///
/// ```
/// #[derive(thiserror::Error)]
/// #[error("the pond is empty")]
/// struct EmptyPond;
///
/// tidemill_value::debug_as_report!(EmptyPond);
///
/// assert_eq!(format!("{EmptyPond:?}"), "the pond is empty");
/// ```
#[macro_export]
macro_rules! debug_as_report {
    ($($error:ty),+ $(,)?) => {$(
        impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::write_error_report(self, f)
            }
        }
    )+};
}
