use rustc_hash::FxHashSet;
use smallvec::smallvec;
use tidemill_graph::{Attr, Attrs, Execution, Fact, Instr, NodeId, OpDef, Subgraph, TensorId};
use tidemill_ops::ops::{matmul, packed_matmul};

use crate::{GraphEdit, Outputs, Pass, RewriteLog, WhyNot, sweep};

/// Packs the right operands of products that would pack the same operand more than once: constants,
/// variables that the run only reads, operands of several products, and those that do not change while a
/// loop runs.
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
        let written: FxHashSet<NodeId> =
            subgraph.commits.iter().map(|commit| commit.variable).collect();
        let is_only_read = |instr: &Instr| {
            instr.op.execution == Execution::Variable && !written.contains(&instr.origin)
        };
        let read: FxHashSet<NodeId> =
            subgraph.instrs().filter(|(_, instr)| is_only_read(instr)).map(|(id, _)| id).collect();
        let lasting = Lasting { unchanging, read };
        sweep(subgraph, log, |edit| {
            if edit.instr().op == &matmul::OP {
                edit.apply(self.name(), |edit| packed_product(edit, &lasting));
            }
        })
    }
}

/// Nodes whose values outlast the run of a plan.
struct Lasting {
    /// Parameters of a loop's body that keep their values in the next iteration.
    unchanging: FxHashSet<NodeId>,
    /// Variables that keep theirs in this run, and most likely in the next.
    read: FxHashSet<NodeId>,
}

fn packed_product(edit: &mut GraphEdit<'_>, lasting: &Lasting) -> Result<Outputs, WhyNot> {
    let (left, right) = (edit.input(0)?, edit.input(1)?);
    let [transpose_a, transpose_b] =
        ["transpose_a", "transpose_b"].map(|flag| is_true(edit.instr(), flag));
    let Fact { dtype, shape, .. } = edit.fact(right);
    let shape = shape.known().ok_or(WhyNot("the shape of the operand is not known"))?;
    let &[inner, columns] = &shape[..] else { return Err(WhyNot("the operand is no matrix")) };
    let [inner, columns] = if transpose_b { [columns, inner] } else { [inner, columns] };
    let rows = edit.fact(left).shape.dims().and_then(|dims| dims.get(usize::from(transpose_a)));
    let rows = rows.and_then(|rows| rows.known());
    let constant = edit.constant(right).cloned();
    let is_variable = lasting.read.contains(&right.node);
    if (constant.is_some() || is_variable) && rows.is_none() {
        return Err(WhyNot("the number of rows is not known"));
    }
    if !packed_matmul::is_preferred(*dtype, [rows.unwrap_or(2), inner, columns]) {
        return Err(WhyNot("the product takes no packed operand"));
    }
    let is_again = is_variable
        || lasting.unchanging.contains(&right.node)
        || is_packed_again(edit, right, transpose_b);
    if constant.is_none() && !is_again {
        return Err(WhyNot("the operand is packed once"));
    }
    let packed = match constant {
        Some(constant) => {
            let packed = packed_matmul::pack(&constant, transpose_b);
            edit.add_constant(packed.map_err(|_| WhyNot("memory is short"))?)
        }
        None => {
            let attrs =
                [("transpose".into(), transpose_b.into()), ("keeps".into(), is_variable.into())];
            let attrs: Attrs = attrs.into_iter().collect();
            edit.add(&packed_matmul::PACK, &attrs, &[&[right]])?
        }
    };
    let [inner, columns] = [inner, columns].map(|extent| i64::try_from(extent).unwrap_or(-1));
    let attrs = [
        ("transpose_a".into(), transpose_a.into()),
        ("inner".into(), inner.into()),
        ("columns".into(), columns.into()),
    ];
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
