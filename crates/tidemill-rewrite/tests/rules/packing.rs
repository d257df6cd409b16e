//! Packed operands of products, on machines whose products take such.

use tidemill_ops::ops::packed_matmul::is_preferred;
use tidemill_rewrite::{Cse, DeadNodes, Pack, Pass, RewriteLog};
use tidemill_value::DType;

use crate::{Named, check_stays};

/// The name of the pass.
const RULE: &str = "packed operand";

/// Whether products of the matrices below take packed operands on this machine.
fn packs() -> bool {
    is_preferred(DType::F32, [32, 16, 64])
}

#[track_caller]
fn check_becomes(before: &str, after: &str) {
    if !packs() {
        return;
    }
    let mut named = Named::read(before);
    for pass in [&Pack as &dyn Pass, &Cse, &DeadNodes] {
        named = named.rewritten(pass, &mut RewriteLog::counting());
    }
    let after: Vec<&str> = after.lines().map(str::trim).collect();
    assert_eq!(named.text(), after.join("\n"));
}

#[track_caller]
fn check_keeps(text: &str, reason: &str) {
    if packs() {
        check_stays(RULE, text, reason);
    }
}

#[test]
fn an_operand_of_two_products_is_packed_once() {
    check_becomes(
        "x: float32[32, 16] = _Feed()
         w: float32[16, 64] = _Feed()
         y: float32[32, 64] = MatMul(x, w)
         z: float32[32, 64] = MatMul(x, w)
         @fetch y:0 z:0",
        "x: float32[32, 16] = _Feed()
         w: float32[16, 64] = _Feed()
         y: float32[1024] = _PackMatrix(w)
         y.1: float32[32, 64] = _PackedMatMul(x, y) columns=64 inner=16
         @fetch y.1:0 y.1:0",
    );
}

#[test]
fn a_constant_operand_is_packed_before_the_run() {
    let ones = ["1.0"; 128].join(", ");
    check_becomes(
        &format!(
            "x: float32[200, 2] = _Feed()
             w: float32[64, 2] = Const() value=float32[64, 2]{{{ones}}}
             y: float32[200, 64] = MatMul(x, w) transpose_b=true
             @fetch y:0"
        ),
        &format!(
            "x: float32[200, 2] = _Feed()
             y: float32[128] = Const() value=float32[128]{{{ones}}}
             y.1: float32[200, 64] = _PackedMatMul(x, y) columns=64 inner=2
             @fetch y.1:0"
        ),
    );
}

#[test]
fn a_variable_that_is_only_read_is_packed_for_all_runs() {
    check_becomes(
        "x: float32[32, 16] = _Feed()
         w: float32_ref[16, 64] = VariableV2() dtype=float32 shape=[16, 64]
         y: float32[32, 64] = MatMul(x, w)
         @fetch y:0",
        "x: float32[32, 16] = _Feed()
         w: float32_ref[16, 64] = VariableV2() dtype=float32 shape=[16, 64]
         y: float32[1024] = _PackMatrix(w) keeps=true
         y.1: float32[32, 64] = _PackedMatMul(x, y) columns=64 inner=16
         @fetch y.1:0",
    );
}

#[test]
fn an_operand_is_not_packed_if_that_gains_nothing() {
    check_keeps(
        "x: float32[32, 16] = _Feed()
         w: float32[16, 64] = _Feed()
         y: float32[32, 64] = MatMul(x, w)
         @fetch y:0",
        "the operand is packed once",
    );
    check_keeps(
        "x: float32[64, 16] = _Feed()
         w: float32[64, 16] = _Feed()
         y: float32[64, 64] = MatMul(x, w) transpose_b=true
         z: float32[16, 16] = MatMul(x, w) transpose_a=true
         @fetch y:0 z:0",
        "the operand is packed once; the product takes no packed operand",
    );
    check_keeps(
        "x: float32[?, 16] = _Feed()
         w: float32[16, ?] = _Feed()
         y: float32[?, ?] = MatMul(x, w)
         z: float32[?, ?] = MatMul(x, w)
         @fetch y:0 z:0",
        "the shape of the operand is not known",
    );
}
