use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use tidemill_graph::{Attr, NodeId, Subgraph, TensorId};

use crate::{GraphEdit, Pass, Replacement, Rewrite, sweep};

/// Common sub-expression elimination: only the first of several nodes of equal type, attributes and
/// inputs is computed.
pub struct Cse;

impl Pass for Cse {
    fn name(&self) -> &'static str {
        "common sub-expression"
    }

    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph {
        // The nodes seen so far, by hash. The map is only looked up, so its order does not matter.
        let mut seen: FxHashMap<u64, SmallVec<[NodeId; 1]>> = FxHashMap::default();
        sweep(subgraph, rewrites, |edit| {
            let same_hash = seen.entry(hash(edit)).or_default();
            let found = same_hash.iter().copied().find(|&id| edit.is_same_as(id));
            match found {
                Some(id) => {
                    let outputs = 0..edit.node().outputs.len() as u32;
                    let outputs = outputs.map(|slot| TensorId::new(id, slot)).collect();
                    Some(Replacement { rule: "common sub-expression", outputs })
                }
                None => {
                    same_hash.push(edit.next_id());
                    None
                }
            }
        })
    }
}

fn hash(edit: &GraphEdit<'_>) -> u64 {
    let node = edit.node();
    let mut hasher = FxHasher::default();
    node.op.name.hash(&mut hasher);
    node.inputs.hash(&mut hasher);
    for (name, attr) in node.attrs.iter() {
        name.hash(&mut hasher);
        hash_attr(attr, &mut hasher);
    }
    hasher.finish()
}

fn hash_attr(attr: &Attr, hasher: &mut FxHasher) {
    match attr {
        Attr::Int(x) => x.hash(hasher),
        Attr::Float(x) => x.to_bits().hash(hasher),
        Attr::Bool(x) => x.hash(hasher),
        Attr::Str(x) => x.hash(hasher),
        Attr::Type(x) => x.hash(hasher),
        Attr::Shape(x) => x.hash(hasher),
        Attr::Ints(x) => x.hash(hasher),
        Attr::Types(x) => x.hash(hasher),
        Attr::Shapes(x) => x.hash(hasher),
        Attr::Strs(x) => x.hash(hasher),
        Attr::Tensor(x) => {
            x.dtype().hash(hasher);
            x.shape().hash(hasher);
            x.number().map(|number| number.to_string()).hash(hasher);
        }
        Attr::Function(_) | Attr::Body(_) | Attr::Bodies(_) | Attr::Paths(_) => {}
    }
}
