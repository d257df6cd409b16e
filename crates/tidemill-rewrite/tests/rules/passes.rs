//! The passes that are no table of rules.

use std::sync::Arc;

use smallvec::smallvec;
use tidemill_graph::{Execution, Instr, Region, Subgraph, TensorId};
use tidemill_ops::ops::control_flow;
use tidemill_rewrite::{Pipeline, RewriteLog};
use tidemill_value::DType;

use crate::{Named, rules};

rules! {
    what_has_constant_inputs_is_a_constant: "constant folding"
        "a: float32[] = Const() value=float32[]{2.0}
         b: float32[2] = Const() value=float32[2]{3.0, -1.0}
         c: float32[2] = Mul(a, b)
         @fetch c:0"
        becomes
        "c: float32[2] = Const() value=float32[2]{6.0, -2.0}
         @fetch c:0";

        "a: float32[] = Const() value=float32[]{2.0}
         x: float32[2] = _Feed()
         c: float32[2] = Mul(a, x)
         @fetch c:0"
        stays "an input is no constant";

        "a: int32[] = Const() value=int32[]{1}
         b: int32[] = Const() value=int32[]{0}
         c: int32[] = FloorDiv(a, b)
         @fetch c:0"
        stays "the kernel fails";

        "s: int32[1] = Const() value=int32[1]{16385}
         zero: float32[] = Const() value=float32[]{0.0}
         c: float32[16385] = Fill(s, zero)
         @fetch c:0"
        stays "the result is large";

        "s: int32[1] = Const() value=int32[1]{2}
         c: float32[2] = RandomUniform(s) dtype=float32 seed=1 seed2=2
         @fetch c:0"
        stays "it has an effect";

    equal_nodes_are_one: "common sub-expression"
        "x: float32[2] = _Feed()
         y: float32[2] = Exp(x)
         z: float32[2] = Exp(x)
         w: float32[2] = AddV2(y, z)
         @fetch w:0 z:0"
        becomes
        "x: float32[2] = _Feed()
         y: float32[2] = Exp(x)
         w: float32[2] = AddV2(y, y)
         @fetch w:0 y:0";

    what_nothing_needs_goes: "dead nodes"
        "x: float32[2] = _Feed()
         y: float32[2] = Exp(x)
         @fetch x:0"
        becomes
        "x: float32[2] = _Feed()
         @fetch x:0";
}

/// Checks that a pass leaves a subgraph as it is.
fn check_untouched(pass: &dyn tidemill_rewrite::Pass, text: &str) {
    let mut log = RewriteLog::detailed();
    let before = Named::read(text).text();
    assert_eq!(Named::read(text).rewritten(pass, &mut log).text(), before);
    assert_eq!(log.count(), 0);
}

#[test]
fn nodes_that_differ_are_not_merged() {
    let texts = [
        "x: float32[2] = _Feed()
         y: float64[2] = Cast(x) DstT=float64
         z: int32[2] = Cast(x) DstT=int32
         @fetch y:0 z:0",
        "s: int32[1] = Const() value=int32[1]{2}
         y: float32[2] = RandomUniform(s) dtype=float32 seed=1 seed2=2
         z: float32[2] = RandomUniform(s) dtype=float32 seed=1 seed2=2
         @fetch y:0 z:0",
        "a: float32[] = Const() value=float32[]{0.0}
         b: float32[] = Const() value=float32[]{-0.0}
         @fetch a:0 b:0",
    ];
    texts.into_iter().for_each(|text| check_untouched(&tidemill_rewrite::Cse, text));
}

#[test]
fn what_may_fail_or_has_an_effect_stays_alive() {
    let texts = [
        "x: int32[2] = _Feed()
         y: int32[2] = FloorDiv(x, x)
         @fetch x:0",
        "x: float32[2] = _Feed()
         y: float32[2] = Print(x, []) message=\"x: \"
         @fetch x:0",
        "x: float32[?] = _Feed()
         y: float32[2] = _Feed()
         z: float32[2] = AddV2(x, y)
         @fetch x:0",
    ];
    texts.into_iter().for_each(|text| check_untouched(&tidemill_rewrite::DeadNodes, text));
}

/// A subgraph of one instruction with these regions, which takes a feed and the constant 2.
fn calling(op: &'static tidemill_graph::OpDef, inputs: &[usize], regions: &[&str]) -> Named {
    let mut named = Named::read(
        "p: bool[] = _Feed()
         x: float32[] = _Feed()
         two: float32[] = Const() value=float32[]{2.0}",
    );
    let region = |text: &&str| Region { subgraph: Named::read(text).subgraph, ..Region::default() };
    let ids: Vec<_> = named.subgraph.instrs().map(|(id, _)| id).collect();
    let types = vec![DType::F32; 2];
    let attrs = ["Tin", "Tout", "T"].map(|name| (name.into(), types.clone().into()));
    let fact = named.subgraph.fact(TensorId::new(ids[1], 0)).clone();
    let mut regions: Vec<Region> = regions.iter().map(region).collect();
    if let Some(last) = regions.last_mut() {
        last.subgraph.repeats = op.execution == Execution::Loop;
    }
    let regions = regions.into_iter().map(Arc::new).collect();
    let call = named.subgraph.push(Instr {
        op,
        attrs: attrs.into_iter().collect(),
        inputs: inputs.iter().map(|&i| TensorId::new(ids[i], 0)).collect(),
        outputs: smallvec![fact.clone(), fact],
        regions,
        origin: ids[1],
    });
    named.subgraph.fetches = vec![TensorId::new(call, 0)];
    named
}

fn texts_of_regions(subgraph: &Subgraph) -> Vec<String> {
    let (_, call) = subgraph.instrs().last().expect("the call");
    let text = |region: &Arc<Region>| {
        let names = ["a", "b", "c", "d"];
        Named { subgraph: region.subgraph.clone(), names: names.map(str::to_owned).into() }.text()
    };
    call.regions.iter().map(text).collect()
}

const BODY: &str = "a: float32[] = _Feed()
                    b: float32[] = _Feed()
                    c: float32[] = Exp(b)
                    d: float32[] = Mul(a, c)";

#[test]
fn a_constant_argument_is_a_constant_in_each_branch() {
    let branch = format!("{BODY}\n@fetch d:0 b:0");
    let named = calling(&control_flow::STATELESS_IF, &[0, 1, 2], &[&branch, &branch]);
    let mut log = RewriteLog::detailed();
    let subgraph = Pipeline::standard().run(named.subgraph, &mut log);
    // The branch returns this parameter as it is, so it stays.
    let expected = "a: float32[] = _Feed()\n\
                    c: float32[] = Const() value=float32[]{7.389056}\n\
                    d: float32[] = Mul(a, c)\n\
                    b: float32[] = _Feed()\n\
                    @fetch d:0 b:0";
    assert_eq!(texts_of_regions(&subgraph), [expected, expected]);
    let rules = log.rewrites().iter().map(|rewrite| rewrite.rule);
    let arguments = rules.filter(|rule| *rule == "constant argument").count();
    assert_eq!(arguments, 1);
}

#[test]
fn a_loop_has_the_constants_that_it_passes_on() {
    let condition = "a: float32[] = _Feed()
                     b: float32[] = _Feed()
                     c: bool[] = Less(a, b)
                     @fetch c:0";
    let run = |fetches: &str| {
        let body = format!("{BODY}\n@fetch {fetches}");
        let regions = [condition, &body];
        let named = calling(&control_flow::STATELESS_WHILE, &[1, 2], &regions);
        let mut log = RewriteLog::detailed();
        let subgraph = Pipeline::standard().run(named.subgraph, &mut log);
        let texts = texts_of_regions(&subgraph);
        texts.iter().map(|text| text.contains("Const()")).collect::<Vec<bool>>()
    };
    assert_eq!(run("d:0 b:0"), [true, true]);
    assert_eq!(run("d:0 c:0"), [false, false]);
}
