use std::error::Error;
use std::io;

/// Why a command failed: what is printed.
pub(crate) type Failure = Box<dyn Error>;

/// An error of so many lines is cut.
const MOST_LINES: usize = 20;

/// Whether the program that reads the output has had enough.
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
