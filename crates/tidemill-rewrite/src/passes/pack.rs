use rustc_hash::FxHashSet;
use smallvec::smallvec;
use tidemill_graph::{Attr, Attrs, Instr, NodeId, OpDef, Subgraph, TensorId};
use tidemill_ops::ops::{matmul, packed_matmul};

use crate::{GraphEdit, Outputs, Pass, RewriteLog, WhyNot, sweep};

/// Packs the right operands of products that would pack the same operand more than once: constants,
/// operands of several products, and those that do not change while a loop runs.
///
/// It comes last, because the other passes do not know the operations that it uses.
pub struct Pack;

impl Pass for Pack {
    fn name(&self) -> &'static str {
        "packed operand"
    }

    fn run(&self, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        let unchanging = (0..subgraph.feeds.len()).filter(|&i| subgraph.is_unchanging(i));
        let unchanging: FxHashSet<NodeId> = unchanging.map(|i| subgraph.feeds[i]).collect();
        sweep(subgraph, log, |edit| {
            if edit.instr().op == &matmul::OP {
                edit.apply(self.name(), |edit| packed_product(edit, &unchanging));
            }
        })
    }
}

fn packed_product(edit: &mut GraphEdit<'_>, unchanging: &FxHashSet<NodeId>) -> Result<Outputs, WhyNot> {
    let (left, right) = (edit.input(0)?, edit.input(1)?);
    let [transpose_a, transpose_b] =
        ["transpose_a", "transpose_b"].map(|flag| is_true(edit.instr(), flag));
    let shape = |tensor| edit.fact(tensor).shape.known().ok_or(WhyNot("a shape is not known"));
    let (left_shape, right_shape) = (shape(left)?, shape(right)?);
    let (&[a, b], &[c, d]) = (&left_shape[..], &right_shape[..]) else {
        return Err(WhyNot("an operand is no matrix"));
    };
    let rows = if transpose_a { b } else { a };
    let [inner, columns] = if transpose_b { [d, c] } else { [c, d] };
    if edit.may_fail() {
        return Err(WhyNot("the operands may not fit"));
    }
    if !packed_matmul::is_preferred(edit.fact(right).dtype, [rows, inner, columns]) {
        return Err(WhyNot("the product does not pack this operand"));
    }
    let constant = edit.constant(right).cloned();
    if constant.is_none() && !unchanging.contains(&right.node) && !is_packed_again(edit, right, transpose_b) {
        return Err(WhyNot("the operand is packed once"));
    }
    let packed = match constant {
        Some(constant) => {
            let packed = packed_matmul::pack(&constant, transpose_b);
            edit.add_constant(packed.map_err(|_| WhyNot("memory is short"))?)
        }
        None => {
            let attrs: Attrs = [("transpose".into(), transpose_b.into())].into_iter().collect();
            edit.add(&packed_matmul::PACK, &attrs, &[&[right]])?
        }
    };
    let columns = i64::try_from(columns).map_err(|_| WhyNot("the operand is too large"))?;
    let attrs = [("transpose_a".into(), transpose_a.into()), ("columns".into(), columns.into())];
    let attrs: Attrs = attrs.into_iter().collect();
    Ok(smallvec![edit.add(&packed_matmul::OP, &attrs, &[&[left], &[packed]])?])
}

/// Whether another instruction packs the right operand in the same way.
fn is_packed_again(edit: &GraphEdit<'_>, right: TensorId, transposed: bool) -> bool {
    let packs = |instr: &Instr, op: &OpDef, place: usize, flag: &str| {
        instr.op == op
            && instr.inputs.get(place) == Some(&right)
            && is_true(instr, flag) == transposed
    };
    edit.readers(right).into_iter().filter(|&reader| reader != edit.id()).any(|reader| {
        let instr = edit.producer(TensorId::new(reader, 0));
        packs(instr, &matmul::OP, 1, "transpose_b")
            || packs(instr, &packed_matmul::PACK, 0, "transpose")
    })
}

fn is_true(instr: &Instr, flag: &str) -> bool {
    matches!(instr.attrs.get(flag), Some(Attr::Bool(true)))
}
