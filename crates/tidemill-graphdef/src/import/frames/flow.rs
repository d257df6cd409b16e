//! Kinds of nodes of control flow.

use super::super::error::{ImportError, ImportErrorKind};
use super::super::net::NetNode;

/// The role of a node in control flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    Switch,
    Merge,
    Enter,
    Exit,
    NextIteration,
    LoopCond,
    /// Anything but control flow.
    None,
}

impl Flow {
    pub(super) fn of(op: &str) -> Flow {
        match op {
            "Switch" | "RefSwitch" => Flow::Switch,
            "Merge" | "RefMerge" => Flow::Merge,
            "Enter" | "RefEnter" => Flow::Enter,
            "Exit" | "RefExit" => Flow::Exit,
            "NextIteration" | "RefNextIteration" => Flow::NextIteration,
            "LoopCond" => Flow::LoopCond,
            _ => Flow::None,
        }
    }
}

/// The error of a node whose control flow cannot be converted.
pub(super) fn refused(node: &NetNode, problem: impl Into<String>) -> ImportError {
    node.error(ImportErrorKind::ControlFlow { problem: problem.into() })
}
