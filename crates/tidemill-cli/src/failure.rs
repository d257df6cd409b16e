use std::error::Error;
use std::io;

/// The error of a command, as it is printed.
pub(crate) type Failure = Box<dyn Error>;

/// A longer error is cut to this many lines.
const MOST_LINES: usize = 20;

/// True if the reader of the output has closed it.
pub(crate) fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error text of a bearable length.
pub(crate) fn cut(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let end = if more > 0 { format!("\n({more} more lines)") } else { String::new() };
    lines.join("\n") + &end
}
