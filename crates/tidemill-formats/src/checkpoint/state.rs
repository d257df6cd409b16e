use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};

use super::error::{CheckpointError, CheckpointErrorKind};
use super::reader::is_checkpoint;
use crate::file::{folder_of, write_file};

const FILE: &str = "checkpoint";
const LATEST: &str = "model_checkpoint_path";
const ALL: &str = "all_model_checkpoint_paths";

/// Which checkpoints a folder has: the content of its file `checkpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointState {
    /// The prefix of the one written last.
    pub latest: PathBuf,
    /// The prefixes of all that are kept, the oldest first.
    pub all: Vec<PathBuf>,
}

impl CheckpointState {
    /// Reads the state of a folder; `None` if it has none.
    ///
    /// # Errors
    /// [`CheckpointError`], where the file cannot be read, or is damaged.
    pub fn read(folder: impl AsRef<Path>) -> Result<Option<CheckpointState>, CheckpointError> {
        let folder = folder.as_ref();
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CheckpointErrorKind::Io(error).at(path)),
        };
        let state = CheckpointState::parse(&String::from_utf8_lossy(&text), folder);
        state.map(Some).map_err(|kind| kind.at(path))
    }

    /// Writes the state of a folder. Prefixes within the folder are written relative to it, so
    /// that it can be moved.
    ///
    /// # Errors
    /// [`CheckpointError`], where the file cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let folder = folder.as_ref();
        let line = |key: &str, prefix: &Path| {
            let stored = match prefix.file_name() {
                Some(name) if folder_of(prefix) == folder => PathBuf::from(name),
                _ => absolute(prefix).unwrap_or_else(|_| prefix.to_owned()),
            };
            format!("{key}: \"{}\"\n", escape(&stored.to_string_lossy()))
        };
        let mut text = line(LATEST, &self.latest);
        self.all.iter().for_each(|prefix| text.push_str(&line(ALL, prefix)));
        Ok(write_file(folder.join(FILE), |file| file.write_all(text.as_bytes()))?)
    }

    fn parse(text: &str, folder: &Path) -> Result<CheckpointState, CheckpointErrorKind> {
        let mut state = CheckpointState::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || CheckpointErrorKind::State { line: number + 1 };
            let (key, value) = line.split_once(':').ok_or_else(malformed)?;
            let prefix = || {
                let quoted = value.trim().strip_prefix('"')?.strip_suffix('"')?;
                Some(folder.join(unescape(quoted)?))
            };
            match key.trim() {
                LATEST => state.latest = prefix().ok_or_else(malformed)?,
                ALL => state.all.push(prefix().ok_or_else(malformed)?),
                // TensorFlow also writes when each was made.
                _ => {}
            }
        }
        Ok(state)
    }
}

/// The prefix of the checkpoint that was written last in a folder, as its file `checkpoint`
/// says; `None` if there is no such file, or no such checkpoint any more.
///
/// # Errors
/// [`CheckpointError`], where the file cannot be read, or is damaged.
pub fn latest_checkpoint(folder: impl AsRef<Path>) -> Result<Option<PathBuf>, CheckpointError> {
    let state = CheckpointState::read(folder)?;
    let latest = state.map(|state| state.latest);
    Ok(latest.filter(|prefix| is_checkpoint(prefix)))
}

impl CheckpointState {
    /// The folder that the state of a checkpoint is in.
    pub fn folder(prefix: &Path) -> &Path {
        folder_of(prefix)
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' | '\'' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text of a quoted string of a text protocol buffer.
fn unescape(quoted: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = quoted.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            digit @ b'0'..=b'7' => {
                let mut code = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next) = rest.next_if(|next| (b'0'..=b'7').contains(next)) else {
                        break;
                    };
                    code = code * 8 + u32::from(next - b'0');
                }
                u8::try_from(code).ok()?
            }
            quoted @ (b'"' | b'\'' | b'\\') => quoted,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back() {
        for text in ["model.ckpt-3", "with \"quotes\" and \\", "new\nline\tand ünïcode", ""] {
            assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        }
        assert_eq!(unescape(r"\303\274").as_deref(), Some("ü"));
        for bad in ["\\", "\\q", "\\777"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_tensorflow_writes_is_read() {
        let text = "model_checkpoint_path: \"m-2\"\nall_model_checkpoint_paths: \"/x/m-1\"\n\
                    all_model_checkpoint_paths: \"m-2\"\nall_model_checkpoint_timestamps: 1.5\n";
        let state = CheckpointState::parse(text, Path::new("runs")).unwrap();
        assert_eq!(state.latest, Path::new("runs/m-2"));
        assert_eq!(state.all, [Path::new("/x/m-1"), Path::new("runs/m-2")]);
        let damaged = CheckpointState::parse("a: 1\nmodel_checkpoint_path: 3", Path::new(""));
        assert!(matches!(damaged, Err(CheckpointErrorKind::State { line: 2 })));
    }
}
