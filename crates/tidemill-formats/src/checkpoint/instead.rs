use std::fmt;

/// The number of names that are shown.
const SHOWN: usize = 5;

/// The contents of a folder that lacks a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instead {
    /// The folder does not exist either.
    NoFolder,
    /// The path is a folder, with this as its latest checkpoint.
    Within {
        /// The name of the latest checkpoint.
        latest: String,
    },
    /// Other checkpoints, or none.
    Others {
        /// Their names, in order.
        names: Vec<String>,
        /// The name most similar to that of the checkpoint.
        near: Option<String>,
    },
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instead::NoFolder => f.write_str("its folder does not exist"),
            Instead::Within { latest } => {
                write!(f, "it is a folder, whose latest checkpoint is `{latest}`")
            }
            Instead::Others { names, .. } if names.is_empty() => {
                f.write_str("its folder has no checkpoints")
            }
            Instead::Others { names, near } => {
                let shown: Vec<String> =
                    names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
                write!(f, "its folder has {}", shown.join(", "))?;
                if let Some(more @ 1..) = names.len().checked_sub(SHOWN) {
                    write!(f, " and {more} more")?;
                }
                match near {
                    Some(near) => write!(f, "\n  help: did you mean `{near}`?"),
                    None => Ok(()),
                }
            }
        }
    }
}
