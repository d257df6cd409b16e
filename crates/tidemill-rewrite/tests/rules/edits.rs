//! An edit knows uses, keeps what others need, and refuses the rest.

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{Attrs, Guarded, Instr, NodeId, Region, TensorId};
use tidemill_ops::ops::{compare, control_flow, identity, math};
use tidemill_rewrite::{GraphEdit, RewriteLog, WhyNot, sweep};

use crate::Named;

/// Calls `edit` with the instruction of that number, and returns the text of the result.
fn edited(text: &str, at: usize, mut edit: impl FnMut(&mut GraphEdit<'_>)) -> String {
    let named = Named::read(text);
    let mut log = RewriteLog::detailed();
    let subgraph = sweep(named.subgraph, &mut log, |each| {
        if each.id().index() == at {
            edit(each);
        }
    });
    assert_eq!(subgraph.verify(), Ok(()));
    Named { subgraph, ..named }.text()
}

fn indices(ids: &[NodeId]) -> Vec<usize> {
    ids.iter().map(|id| id.index()).collect()
}

const CHAIN: &str = "x: float32[2] = _Feed()
                     y: float32[2] = Identity(x)
                     z: float32[2] = AddV2(y, y)
                     w: float32[2] = Exp(x)
                     @fetch y:0 z:0 y:0
                     @commit v = y:0";

#[test]
fn the_users_of_a_tensor_are_known_before_they_are_visited() {
    edited(CHAIN, 1, |edit| {
        let (x, y) = (edit.input(0).expect("an input"), TensorId::new(edit.id(), 0));
        assert_eq!(indices(&edit.readers(x)), [1, 3]);
        assert_eq!(indices(&edit.readers(y)), [2, 2]);
        assert_eq!((edit.returns(x), edit.uses(x)), (0, 2));
        assert_eq!((edit.returns(y), edit.uses(y)), (3, 5));
    });
}

#[test]
fn a_replacement_inherits_the_users() {
    let text = edited(CHAIN, 1, |edit| {
        let x = edit.input(0).expect("an input");
        assert!(edit.apply("test", |edit| Ok(smallvec![edit.input(0)?])));
        assert_eq!(indices(&edit.readers(x)), [2, 2, 3]);
        assert_eq!((edit.returns(x), edit.uses(x)), (3, 6));
    });
    let expected = "x: float32[2] = _Feed()\n\
                    z: float32[2] = AddV2(x, x)\n\
                    w: float32[2] = Exp(x)\n\
                    @fetch x:0 z:0 x:0\n\
                    @commit v = x:0";
    assert_eq!(text, expected);
}

#[test]
fn added_nodes_are_users_until_they_are_taken_back() {
    let text = edited(CHAIN, 3, |edit| {
        let x = edit.input(0).expect("an input");
        let before = indices(&edit.readers(x));
        let applied = edit.apply("test", |edit| {
            let negative = edit.add(&math::NEG, &Attrs::NONE, &[&[x]])?;
            edit.add(&math::NEG, &Attrs::NONE, &[&[negative]])?;
            assert_eq!(edit.uses(x), before.len() + 1);
            assert_eq!(edit.uses(negative), 1);
            Err(WhyNot("it is a test"))
        });
        assert!(!applied);
        assert_eq!(indices(&edit.readers(x)), before);
    });
    assert_eq!(text, Named::read(CHAIN).text());
}

#[test]
fn the_operation_determines_the_type_of_an_added_node() {
    edited(CHAIN, 3, |edit| {
        let applied = edit.apply("test", |edit| {
            let x = edit.input(0)?;
            let less = edit.add(&compare::LESS, &Attrs::NONE, &[&[x], &[x]])?;
            assert_eq!(edit.fact(less).to_string(), "bool[2]");
            assert_eq!(edit.producer(less).origin, edit.instr().origin);
            let nonsense = edit.add(&math::EXP, &Attrs::NONE, &[&[less]]);
            assert_eq!(nonsense, Err(WhyNot("an operation does not take what it would be given")));
            Ok(smallvec![less])
        });
        assert!(!applied);
    });
}

#[test]
fn an_edit_says_why_it_is_refused() {
    let text = "s: int32[1] = Const() value=int32[1]{2}
                y: float32[2] = RandomUniform(s) dtype=float32 seed=1 seed2=2
                z: float32[2] = Exp(y)
                @fetch z:0";
    let refused = |at: usize, outputs: fn(&GraphEdit<'_>) -> SmallVec<[TensorId; 1]>| {
        let mut log = RewriteLog::detailed();
        sweep(Named::read(text).subgraph, &mut log, |edit| {
            if edit.id().index() == at {
                edit.apply("test", |edit| Ok(outputs(edit)));
            }
        });
        log.refusals().map(|(_, why_not, _)| why_not.0).collect::<Vec<_>>()
    };
    let input = |edit: &GraphEdit<'_>| edit.instr().inputs[..1].into();
    let itself = |edit: &GraphEdit<'_>| smallvec![TensorId::new(edit.id(), 0)];
    assert_eq!(refused(1, input), ["it has an effect"]);
    assert_eq!(refused(2, |_| smallvec![]), ["the number of outputs would change"]);
    assert_eq!(refused(2, itself), ["the replacement comes later"]);
    let of_other_type = |edit: &GraphEdit<'_>| {
        let random = edit.producer(edit.instr().inputs[0]);
        random.inputs[..1].into()
    };
    assert_eq!(refused(2, of_other_type), ["the data type or the shape would change"]);
    let mut log = RewriteLog::detailed();
    sweep(Named::read(CHAIN).subgraph, &mut log, |edit| {
        if edit.id().index() == 1 {
            (0..2).for_each(|_| {
                edit.apply("test", |edit| Ok(smallvec![edit.input(0)?]));
            });
        }
    });
    let again = ("test", WhyNot("it is replaced already"), 1);
    assert_eq!((log.count(), log.refusals().collect::<Vec<_>>()), (1, vec![again]));
}

#[test]
fn a_log_that_only_counts_keeps_nothing() {
    let mut log = RewriteLog::counting();
    sweep(Named::read(CHAIN).subgraph, &mut log, |edit| {
        if edit.instr().op == &identity::IDENTITY {
            edit.apply("test", |_| Err(WhyNot("it is a test")));
            edit.apply("test", |edit| Ok(smallvec![edit.input(0)?]));
        }
    });
    assert_eq!((log.count(), log.rewrites().len(), log.refusals().count()), (1, 0, 0));
}

#[test]
fn what_is_added_for_a_guarded_node_is_guarded() {
    let mut named = Named::read(CHAIN);
    let ids: Vec<NodeId> = named.subgraph.instrs().map(|(id, _)| id).collect();
    named.subgraph.guarded = vec![Guarded { node: ids[2], call: ids[3], branch: 1 }];
    let subgraph = sweep(named.subgraph, &mut RewriteLog::counting(), |edit| {
        if edit.id() == ids[2] {
            edit.apply("test", |edit| {
                let negative = edit.add(&math::NEG, &Attrs::NONE, &[&[edit.input(0)?]])?;
                Ok(smallvec![edit.add(&math::NEG, &Attrs::NONE, &[&[negative]])?])
            });
        }
    });
    let guarded = |guarded: &Guarded| (guarded.node.index(), guarded.call.index(), guarded.branch);
    let guarded: Vec<_> = subgraph.guarded.iter().map(guarded).collect();
    assert_eq!(guarded, [(2, 4, 1), (3, 4, 1)]);
}

#[test]
fn a_region_keeps_its_parameters_and_results() {
    let region = |text: &str| Region { subgraph: Named::read(text).subgraph, ..Region::default() };
    let mut named = Named::read("p: bool[] = _Feed()\nx: float32[2] = _Feed()");
    let ids: Vec<NodeId> = named.subgraph.instrs().map(|(id, _)| id).collect();
    let [p, x] = [0, 1].map(|i| TensorId::new(ids[i], 0));
    let types = [tidemill_value::DType::F32];
    let attrs = ["Tin", "Tout"].map(|name| (name.into(), types.to_vec().into()));
    let identity = "a: float32[2] = _Feed()\n@fetch a:0";
    named.subgraph.push(Instr {
        op: &control_flow::STATELESS_IF,
        attrs: attrs.into_iter().collect(),
        inputs: smallvec![p, x],
        outputs: smallvec![named.subgraph.fact(x).clone()],
        regions: vec![region(identity).into(), region(identity).into()],
        origin: ids[1],
    });
    let replace = |text: &str| {
        let subgraph = named.subgraph.clone();
        let mut replaced = Ok(());
        let subgraph = sweep(subgraph, &mut RewriteLog::counting(), |edit| {
            if !edit.instr().regions.is_empty() {
                replaced = edit.replace_region(1, |_, _| region(text));
            }
        });
        assert_eq!(subgraph.verify(), Ok(()));
        replaced
    };
    let refused = Err(WhyNot("the region would take or give something else"));
    assert_eq!(replace("a: float32[2] = _Feed()\nb: float32[2] = Neg(a)\n@fetch b:0"), Ok(()));
    assert_eq!(replace("a: float32[2] = _Feed()\n@fetch a:0 a:0"), refused);
    assert_eq!(replace("a: int32[2] = _Feed()\n@fetch a:0"), refused);
    assert_eq!(replace("a: float32[3] = _Feed()\n@fetch a:0"), refused);
    assert_eq!(replace("@fetch"), refused);
}
