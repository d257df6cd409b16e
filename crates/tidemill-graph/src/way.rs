use std::fmt;

/// The number of names shown at each end of a long path.
const ENDS: usize = 4;

/// Names of nodes from one that is needed down to one that it needs, for a message:
/// `loss ← sub ← mul`. The middle of a long path is omitted.
pub struct ShownWay<'a, S>(pub &'a [S]);

impl<S: AsRef<str>> fmt::Display for ShownWay<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0;
        let join = |names: &[S]| names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ← ");
        match names.len().checked_sub(2 * ENDS) {
            // Saying that one name is omitted takes as much room as the name.
            Some(left_out @ 2..) => {
                let (first, last) = (&names[..ENDS], &names[names.len() - ENDS..]);
                write!(f, "{} ← … {left_out} more … ← {}", join(first), join(last))
            }
            _ => f.write_str(&join(names)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_way_shows_its_ends() {
        let names: Vec<String> = (0..4000).map(|i| format!("n{i}")).collect();
        let shown = |count: usize| ShownWay(&names[..count]).to_string();
        assert_eq!(shown(0), "");
        assert_eq!(shown(2), "n0 ← n1");
        assert_eq!(shown(9), "n0 ← n1 ← n2 ← n3 ← n4 ← n5 ← n6 ← n7 ← n8");
        assert_eq!(shown(10), "n0 ← n1 ← n2 ← n3 ← … 2 more … ← n6 ← n7 ← n8 ← n9");
        let ends = "n0 ← n1 ← n2 ← n3 ← … 3992 more … ← n3996 ← n3997 ← n3998 ← n3999";
        assert_eq!(shown(4000), ends);
    }
}
