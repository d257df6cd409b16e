//! Lookups of table rows by id.

use tidemill_graph::{BuildErrorKind, NodeBuilder, OpError, fail};
use tidemill_value::DType;

use super::arithmetic::{floor_div, floor_mod, maximum};
use super::array::{
    GATHER, PARALLEL_DYNAMIC_STITCH, concat, dynamic_partition, gather, range, reshape, shape, size,
};
use super::cast::cast;
use super::compare::less;
use super::identity::identity;
use super::select::select;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor, s};

operations! {
    exports: PartitionStrategy, embedding_lookup, embedding_lookup_sharded;
}

/// The distribution of ids over several tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PartitionStrategy {
    /// Round robin: with `n` tables, table `id % n` has the row at `id / n`.
    #[default]
    Mod,
    /// Contiguous ranges of ids; the first tables have one more if the ids do not divide evenly.
    Div,
}

/// The rows of `table` at `ids`, in the shape of `ids`.
///
/// Its gradient is a sum of slices (see [`IndexedSlices`](crate::IndexedSlices)): the cost of
/// training the table depends on the rows looked up, not on the table's size.
///
/// ```
/// use tidemill_ops::{constant, embedding_lookup};
/// let rows = embedding_lookup(constant([[1.0_f32, 2.0], [3.0, 4.0]]), [1_i64, 1, 0]);
/// assert_eq!(rows.shape().to_string(), "[3, 2]");
/// ```
///
/// # Errors
/// Ids that are not `int32` or `int64`; a run fails if an id is out of range.
#[track_caller]
pub fn embedding_lookup(table: impl Into<Operand>, ids: impl Into<Operand>) -> Tensor {
    let (table, ids) = (table.into().to_tensor(), ids.into());
    composite(table.graph(), "embedding_lookup", |full| {
        let ids = ids.to_tensor_beside(table, "ids");
        let axis = Operand::from(0).to_tensor_beside(table, "axis");
        let node = NodeBuilder::new(&GATHER).exact_name(full);
        identity(tensor(node.input(table).input(ids).input(axis)))
    })
}

/// [`embedding_lookup`] in a table that is sharded over several tables according to `partition`.
///
/// # Errors
/// As for [`embedding_lookup`]; no tables, or tables whose rows differ in shape.
#[track_caller]
pub fn embedding_lookup_sharded<T: Into<Operand>>(
    tables: impl IntoIterator<Item = T>,
    ids: impl Into<Operand>,
    partition: PartitionStrategy,
) -> Tensor {
    let mut shards = Vec::new();
    for table in tables {
        shards.push(table.into().to_tensor());
    }
    match shards.as_slice() {
        [] => {
            let kind = BuildErrorKind::Op(OpError::invalid("there are no tables to look up in"));
            fail(None, "embedding_lookup", kind, Vec::new()).output(0).into()
        }
        [table] => embedding_lookup(*table, ids),
        [first, ..] => {
            let ids = ids.into();
            composite(first.graph(), "embedding_lookup", |_| {
                lookup(&shards, ids.to_tensor_beside(*first, "ids"), partition)
            })
        }
    }
}

/// Partitions the ids by table, looks up each part, and puts the rows in the order of the ids.
fn lookup(shards: &[Tensor], ids: Tensor, partition: PartitionStrategy) -> Tensor {
    let list = reshape(ids, [-1]);
    let (shard, row) = match partition {
        PartitionStrategy::Mod => {
            let count = shards.len() as i64;
            (floor_mod(list, count), floor_div(list, count))
        }
        PartitionStrategy::Div => runs(shards, list),
    };
    let shard = cast(shard, DType::I32);
    let rows = dynamic_partition(row, shard, shards.len());
    let places = dynamic_partition(range(0, size(list), 1), shard, shards.len());
    let found = shards.iter().zip(rows).map(|(&table, rows)| gather(table, rows, 0));
    let stitch = NodeBuilder::new(&PARALLEL_DYNAMIC_STITCH).inputs(places);
    let flat = tensor(stitch.inputs(found.collect::<Vec<_>>()));
    let row_shape = shape(shards[0]).slice(s![1..]);
    reshape(flat, concat([shape(ids), row_shape], 0))
}

/// The tables and rows of ids, if each table has a contiguous range of ids.
fn runs(shards: &[Tensor], ids: Tensor) -> (Tensor, Tensor) {
    let rows = shards.iter().map(|&table| shape(table).slice(s![0]));
    let total = rows.reduce(|total, rows| total + rows).unwrap_or(ids);
    let total = cast(total, ids.dtype().unwrap_or(DType::I64));
    let count = shards.len() as i64;
    let (least, longer) = (floor_div(total, count), floor_mod(total, count));
    let shard = maximum(floor_div(ids, least + 1), floor_div(ids - longer, least));
    let row =
        select(less(shard, longer), floor_mod(ids, least + 1), floor_mod(ids - longer, least));
    (shard, row)
}
