use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::NodeId;

/// The names of a graph's nodes and scopes.
///
/// They are made unique as TensorFlow makes them: `x`, `x_1`, `x_2`, where names that differ
/// only in case count as equal.
#[derive(Default)]
pub(crate) struct NameTable {
    entries: Vec<Entry>,
    by_name: HashTable<u32>,
    /// The entry of each node.
    of_node: Vec<u32>,
}

struct Entry {
    name: Box<str>,
    node: Option<NodeId>,
    /// How often a unique name was asked for with this name as the wish.
    wishes: u32,
    /// The entry whose name was the wish that led to this name.
    wish: Option<u32>,
}

/// A name that is taken and waits for its node.
#[derive(Clone, Copy)]
pub(crate) struct Reserved(u32);

impl NameTable {
    /// The node of exactly this name.
    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        let exact = |&entry: &u32| {
            let entry = &self.entries[entry as usize];
            entry.node.is_some() && *entry.name == *name
        };
        self.by_name.find(hash(name), exact).and_then(|&entry| self.entries[entry as usize].node)
    }

    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.entries[self.of_node[node.index()] as usize].name
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.of_node.iter().map(|&entry| &*self.entries[entry as usize].name)
    }

    pub(crate) fn reserved_name(&self, reserved: Reserved) -> &str {
        &self.entries[reserved.0 as usize].name
    }

    fn taken(&self, name: &str) -> Option<u32> {
        let equal = |&entry: &u32| self.entries[entry as usize].name.eq_ignore_ascii_case(name);
        self.by_name.find(hash(name), equal).copied()
    }

    fn insert(&mut self, name: &str, wishes: u32, wish: Option<u32>) -> u32 {
        let index = self.entries.len() as u32;
        self.entries.push(Entry { name: name.into(), node: None, wishes, wish });
        let entries = &self.entries;
        self.by_name.insert_unique(hash(name), index, |&entry| hash(&entries[entry as usize].name));
        index
    }

    /// Takes `wish` if it is free, or else the first free of `wish_1`, `wish_2`, ...
    pub(crate) fn reserve(&mut self, wish: &str) -> Reserved {
        let Some(base) = self.taken(wish) else {
            return Reserved(self.insert(wish, 1, None));
        };
        let mut suffix = self.entries[base as usize].wishes.max(1);
        self.entries[base as usize].wishes = suffix + 1;
        let mut name = format!("{wish}_{suffix}");
        while self.taken(&name).is_some() {
            suffix += 1;
            name.truncate(wish.len());
            name.push_str(&format!("_{suffix}"));
        }
        Reserved(self.insert(&name, 1, Some(base)))
    }

    /// Takes exactly `name`, unless a node has it.
    pub(crate) fn reserve_exact(&mut self, name: &str) -> Option<Reserved> {
        if self.find(name).is_some() {
            return None;
        }
        let free = |&entry: &u32| *self.entries[entry as usize].name == *name;
        let entry = self.by_name.find(hash(name), free).copied();
        Some(Reserved(entry.unwrap_or_else(|| self.insert(name, 1, None))))
    }

    /// Gives a reserved name to the node that was added last.
    pub(crate) fn bind(&mut self, reserved: Reserved, node: NodeId) {
        debug_assert_eq!(node.index(), self.of_node.len());
        self.of_node.push(reserved.0);
        self.entries[reserved.0 as usize].node = Some(node);
    }

    /// Gives `node` another name. The old one is free again if it was the last of its kind.
    pub(crate) fn rename(&mut self, node: NodeId, wish: &str) {
        let old = self.of_node[node.index()];
        self.release(old);
        let Reserved(new) = self.reserve(wish);
        self.entries[new as usize].node = Some(node);
        self.of_node[node.index()] = new;
    }

    fn release(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.node = None;
        if entry.wishes > 1 {
            return;
        }
        let (key, wish) = (hash(&entry.name), entry.wish);
        if let Ok(found) = self.by_name.find_entry(key, |&entry| entry == index) {
            found.remove();
        }
        if let Some(wish) = wish {
            self.entries[wish as usize].wishes -= 1;
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    for byte in name.bytes() {
        hasher.write_u8(byte.to_ascii_lowercase());
    }
    hasher.finish()
}

/// Whether `name` may name a node: letters, digits and `._/>-`, not beginning with `_/>-`.
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
