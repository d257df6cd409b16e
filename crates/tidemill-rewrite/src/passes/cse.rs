use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use tidemill_graph::{Attr, Instr, NodeId, Subgraph, TensorId};

use crate::{Pass, RewriteLog, sweep};

/// Common sub-expression elimination: only the first of several nodes of equal type, attributes and
/// inputs is computed.
pub struct Cse;

impl Pass for Cse {
    fn name(&self) -> &'static str {
        "common sub-expression"
    }

    fn run(&self, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        // The nodes seen so far, by hash. The map is only looked up, so its order does not matter.
        let mut seen: FxHashMap<u64, SmallVec<[NodeId; 1]>> = FxHashMap::default();
        sweep(subgraph, log, |edit| {
            if !edit.is_replaceable() {
                return;
            }
            let same_hash = seen.entry(hash(edit.instr())).or_default();
            let found = same_hash.iter().copied().find(|&id| edit.is_same_as(id));
            let Some(id) = found else { return same_hash.push(edit.id()) };
            edit.apply(self.name(), |edit| {
                let outputs = 0..edit.instr().outputs.len() as u32;
                Ok(outputs.map(|slot| TensorId::new(id, slot)).collect())
            });
        })
    }
}

fn hash(instr: &Instr) -> u64 {
    let mut hasher = FxHasher::default();
    instr.op.name.hash(&mut hasher);
    instr.inputs.hash(&mut hasher);
    for (name, attr) in instr.attrs.iter() {
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
        Attr::Function(_) | Attr::Body(_) | Attr::Bodies(_) => {}
    }
}
