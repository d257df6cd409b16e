use std::fmt::Write;
use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use crate::NodeId;
use crate::chunked::Chunked;
use crate::holding::Holding;

/// The names of a graph's nodes and scopes.
///
/// They are made unique like TensorFlow's: `x`, `x_1`, `x_2`, where names that differ only in case
/// count as equal.
#[derive(Clone, Default)]
pub(crate) struct NameTable {
    /// The names of all entries, one after the other.
    text: String,
    entries: Chunked<Entry>,
    by_name: HashTable<Key>,
    /// The entry of each node.
    of_node: Chunked<u32>,
}

#[derive(Clone)]
struct Entry {
    /// The end of its name in the text; it begins at the end of the entry before.
    end: usize,
    node: Option<NodeId>,
    /// The number of unique names requested with this name as the wish.
    wishes: u32,
    /// The entry whose name was the wish for this name.
    wish: Option<u32>,
}

/// An entry and the hash of its name, so that the table grows without reading the names again.
#[derive(Clone)]
struct Key {
    hash: u32,
    entry: u32,
}

/// A reserved name that waits for its node.
#[derive(Clone, Copy)]
pub(crate) struct Reserved(u32);

impl NameTable {
    /// The node with exactly this name.
    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        let bound = |entry| self.entries[entry as usize].node;
        let entry = self.entry(name, |entry, of_entry| of_entry == name && bound(entry).is_some());
        entry.and_then(bound)
    }

    pub(crate) fn name(&self, node: NodeId) -> &str {
        self.text_of(self.of_node[node.index()])
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.of_node.iter().map(|&entry| self.text_of(entry))
    }

    pub(crate) fn reserved_name(&self, reserved: Reserved) -> &str {
        self.text_of(reserved.0)
    }

    /// The number of names, current and past, and the bytes that the table has reserved.
    pub(crate) fn holding(&self) -> Holding {
        let bytes = self.text.capacity()
            + self.entries.bytes()
            + self.by_name.allocation_size()
            + self.of_node.bytes();
        Holding { count: self.entries.len(), bytes }
    }

    fn text_of(&self, entry: u32) -> &str {
        let entry = entry as usize;
        let start = if entry == 0 { 0 } else { self.entries[entry - 1].end };
        &self.text[start..self.entries[entry].end]
    }

    /// An entry whose name equals `name`, ignoring case, and that `is_it` admits.
    fn entry(&self, name: &str, is_it: impl Fn(u32, &str) -> bool) -> Option<u32> {
        let hash = hash(name);
        let found = self.by_name.find(spread(hash), |key| {
            key.hash == hash && is_it(key.entry, self.text_of(key.entry))
        });
        found.map(|key| key.entry)
    }

    fn taken(&self, name: &str) -> Option<u32> {
        self.entry(name, |_, of_entry| of_entry.eq_ignore_ascii_case(name))
    }

    /// Makes an entry of the name at the end of the text, from `start` on.
    fn insert(&mut self, start: usize, wish: Option<u32>) -> Reserved {
        let entry = self.entries.len() as u32;
        self.entries.push(Entry { end: self.text.len(), node: None, wishes: 1, wish });
        let hash = hash(&self.text[start..]);
        self.by_name.insert_unique(spread(hash), Key { hash, entry }, |key| spread(key.hash));
        Reserved(entry)
    }

    /// Takes `wish` if it is free, or else the first free of `wish_1`, `wish_2`, ...
    pub(crate) fn reserve(&mut self, wish: &str) -> Reserved {
        let start = self.text.len();
        let base = self.taken(wish);
        self.text.push_str(wish);
        let Some(base) = base else { return self.insert(start, None) };
        let mut suffix = self.entries[base as usize].wishes.max(1);
        self.entries[base as usize].wishes = suffix + 1;
        loop {
            // Writing to a `String` cannot fail.
            let _ = write!(self.text, "_{suffix}");
            if self.taken(&self.text[start..]).is_none() {
                return self.insert(start, Some(base));
            }
            suffix += 1;
            self.text.truncate(start + wish.len());
        }
    }

    /// Takes exactly `name`, unless a node has it.
    pub(crate) fn reserve_exact(&mut self, name: &str) -> Option<Reserved> {
        match self.entry(name, |_, of_entry| of_entry == name) {
            Some(entry) if self.entries[entry as usize].node.is_some() => None,
            Some(entry) => Some(Reserved(entry)),
            None => {
                let start = self.text.len();
                self.text.push_str(name);
                Some(self.insert(start, None))
            }
        }
    }

    /// Gives a reserved name to the node that was added last.
    pub(crate) fn bind(&mut self, reserved: Reserved, node: NodeId) {
        debug_assert_eq!(node.index(), self.of_node.len());
        self.of_node.push(reserved.0);
        self.entries[reserved.0 as usize].node = Some(node);
    }

    /// Renames `node`. The old name becomes free again if it was the last of its kind.
    pub(crate) fn rename(&mut self, node: NodeId, wish: &str) {
        let old = self.of_node[node.index()];
        self.release(old);
        let Reserved(new) = self.reserve(wish);
        self.entries[new as usize].node = Some(node);
        self.of_node[node.index()] = new;
    }

    /// The number of names taken so far.
    pub(crate) fn taken_count(&self) -> usize {
        self.entries.len()
    }

    /// Frees the names of all nodes after the first `nodes`, and names without a node that were
    /// taken after the first `taken`.
    pub(crate) fn truncate(&mut self, nodes: usize, taken: usize) {
        while self.of_node.len() > nodes
            && let Some(entry) = self.of_node.pop()
        {
            self.entries[entry as usize].node = None;
        }
        for index in (taken..self.entries.len()).rev() {
            if self.entries[index].node.is_none() {
                self.free(index as u32);
            }
        }
    }

    fn release(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.node = None;
        if entry.wishes <= 1 {
            self.free(index);
        }
    }

    fn free(&mut self, index: u32) {
        let wish = self.entries[index as usize].wish;
        let hash = hash(self.text_of(index));
        if let Ok(found) = self.by_name.find_entry(spread(hash), |key| key.entry == index) {
            found.remove();
            if let Some(wish) = wish {
                self.entries[wish as usize].wishes -= 1;
            }
        }
    }
}

/// A hash in which names that differ only in case are equal.
fn hash(name: &str) -> u32 {
    /// Makes capital letters lowercase, eight bytes at a time. Its effect on other characters does
    /// not matter: names of nodes and scopes stay distinct.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let mut hasher = FxHasher::default();
    for eight in name.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..eight.len()].copy_from_slice(eight);
        hasher.write_u64(u64::from_le_bytes(word) | SMALL);
    }
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// Repeats a hash, so that both the highest and the lowest bits, which the table uses, are random.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// True if `name` is a valid node name: letters, digits and `._/>-`, not beginning with `_/>-`.
pub(crate) fn is_valid(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'.')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._/>-\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_for(wishes: &[&str]) -> Vec<String> {
        let mut names = NameTable::default();
        wishes
            .iter()
            .map(|wish| {
                let reserved = names.reserve(wish);
                names.reserved_name(reserved).to_owned()
            })
            .collect()
    }

    #[test]
    fn names_are_made_unique_as_tensorflow_makes_them() {
        assert_eq!(taken_for(&["Const", "Const", "Const"]), ["Const", "Const_1", "Const_2"]);
        assert_eq!(taken_for(&["a_1", "a", "a"]), ["a_1", "a", "a_2"]);
        assert_eq!(taken_for(&["a", "a", "a_1"]), ["a", "a_1", "a_1_1"]);
        assert_eq!(taken_for(&["Foo", "foo", "FOO"]), ["Foo", "foo_1", "FOO_2"]);
    }

    #[test]
    fn a_renamed_node_frees_its_automatic_name() {
        let mut names = NameTable::default();
        let add = |names: &mut NameTable, wish: &str, index: usize| {
            let reserved = names.reserve(wish);
            names.bind(reserved, NodeId::new(index));
        };
        add(&mut names, "Const", 0);
        add(&mut names, "Const", 1);
        names.rename(NodeId::new(1), "cool_const");
        add(&mut names, "Const", 2);
        assert_eq!(names.names().collect::<Vec<_>>(), ["Const", "cool_const", "Const_1"]);
        assert_eq!(names.find("cool_const"), Some(NodeId::new(1)));
        assert_eq!(names.find("Const_1"), Some(NodeId::new(2)));
    }

    #[test]
    fn names_that_are_taken_back_are_free_again() {
        let mut names = NameTable::default();
        let add = |names: &mut NameTable, wish: &str, index: usize| {
            let reserved = names.reserve(wish);
            names.bind(reserved, NodeId::new(index));
        };
        add(&mut names, "x", 0);
        let (nodes, taken) = (1, names.taken_count());
        names.reserve("scope");
        for index in 1..4 {
            add(&mut names, "x", index);
        }
        names.truncate(nodes, taken);
        assert_eq!((names.find("x_1"), names.find("x")), (None, Some(NodeId::new(0))));
        add(&mut names, "x", 1);
        add(&mut names, "scope", 2);
        assert_eq!(names.names().collect::<Vec<_>>(), ["x", "x_1", "scope"]);
    }

    #[test]
    fn an_exact_name_is_refused_only_if_a_node_has_it() {
        let mut names = NameTable::default();
        let reserved = names.reserve("a");
        names.bind(reserved, NodeId::new(0));
        assert!(names.reserve_exact("a").is_none());
        assert!(names.reserve_exact("A").is_some());
    }

    #[test]
    fn names_of_nodes_have_the_characters_that_tensorflow_allows() {
        for name in ["a", "A/b_1", ".x", "3", "a-b>c", "a\\b"] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "_a", "/a", "a b", "a:0", "-", "ä", "^a"] {
            assert!(!is_valid(name), "{name}");
        }
    }
}
