//! A run takes effect as a whole, or not at all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{Outcome, in_both_modes, number};
use tidemill::prelude::*;
use tidemill::proto::GraphDef;
use tidemill::{TextMessage, import_graph_def};

/// A node that fails in a run where `x` is zero.
type Failing = fn(Tensor) -> Operation;

const FAILING: [(&str, Failing); 7] = [
    ("an assertion", |x| tidemill::ops::assert(not_equal(x, 0.0), [x])),
    ("check_numerics", |x| check_numerics(1.0 / x, "quotient").op()),
    ("an integer division", |x| floor_div(1, cast(x, DType::I32)).op()),
    ("an index", |x| gather(constant([1, 2]), cast(x, DType::I32) - 1, 0).op()),
    ("a shape", |x| {
        let length = cast(x, DType::I32) + 1;
        reshape(constant([1, 2]), stack([length], 0)).op()
    }),
    ("a host function", |x| {
        host_call([x], [HostOutput::new::<f32>([])], |inputs| {
            match inputs[0].to_scalar::<f32>()? {
                0.0 => Err("zero".into()),
                _ => Ok(inputs.to_vec()),
            }
        })[0]
            .op()
    }),
    ("a panic", |x| {
        host_call([x], [HostOutput::new::<f32>([])], |inputs| {
            assert_ne!(inputs[0].to_scalar::<f32>()?, 0.0);
            Ok(inputs.to_vec())
        })[0]
            .op()
    }),
];

/// Two variables and two writes, one of them in place and large, with a failing node built at a
/// place relative to the writes.
struct Program {
    x: Tensor,
    variables: [Variable; 2],
    noise: Tensor,
    run: Operation,
}

/// The place of the failing node.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Before,
    BeforeWhichDepend,
    Between,
    After,
    AfterAndDepending,
    AfterAReadOfTheWrite,
}

const PLACES: [Place; 6] = [
    Place::Before,
    Place::BeforeWhichDepend,
    Place::Between,
    Place::After,
    Place::AfterAndDepending,
    Place::AfterAReadOfTheWrite,
];

impl Program {
    fn new(place: Place, failing: Failing) -> Self {
        let x = placeholder::<f32>([]);
        let small = get_variable("small", [], ones());
        let large = get_variable("large", [100], ones());
        let noise = random(Distribution::Uniform { min: 0.0, max: 1.0 }, [], DType::F32, Some(1));
        let mut nodes = Vec::new();
        if matches!(place, Place::Before | Place::BeforeWhichDepend) {
            nodes.push(failing(x));
        }
        let guards = if place == Place::BeforeWhichDepend { nodes.clone() } else { Vec::new() };
        let small_write = control_dependencies(guards.clone(), || assign(small, noise + 5.0));
        if place == Place::Between {
            nodes.push(failing(x));
        }
        let large_write = control_dependencies(guards, || assign_add(large, large * 2.0));
        nodes.push(match place {
            Place::After => failing(x),
            Place::AfterAndDepending => {
                control_dependencies([small_write, large_write], || failing(x))
            }
            Place::AfterAReadOfTheWrite => failing(x * small_write / small_write),
            _ => no_op(),
        });
        let run = group(nodes.into_iter().chain([small_write.op(), large_write.op()]));
        Program { x, variables: [small, large], noise, run }
    }

    fn values(&self, session: &Session) -> [String; 2] {
        session.run(self.variables).unwrap().map(|value| value.to_string())
    }
}

#[test]
fn a_run_that_fails_anywhere_changes_no_variable() -> Outcome {
    for (name, failing) in FAILING {
        for place in PLACES {
            let graph = Graph::new();
            let _default = graph.as_default();
            let program = Program::new(place, failing);
            for session in in_both_modes() {
                session.init_missing()?;
                let before = program.values(&session);
                let failed = session.run_with(program.run, feeds![program.x => 0.0]);
                assert!(failed.is_err(), "{name} does not fail");
                assert_eq!(program.values(&session), before, "{name} {place:?}");
                session.run_with(program.run, feeds![program.x => 1.0])?;
                assert_ne!(program.values(&session), before, "{name} {place:?}");
            }
        }
    }
    Ok(())
}

/// Scatters are deferred and done in place if a check finds that they cannot fail.
#[test]
fn a_scatter_that_fails_among_other_writes_changes_no_variable() -> Outcome {
    type Scatter = fn(Variable, Tensor) -> Tensor;
    let scatters: [Scatter; 4] = [
        |v, ids| scatter_add(v, ids, 1.0_f32),
        |v, ids| scatter_update(v, ids, 5.0_f32),
        |v, ids| scatter_nd_sub(v, expand_dims(ids, 1), constant([1.0_f32])),
        |v, ids| scatter_add(assign_add(v, constant([1.0_f32; 8])), ids, 1.0_f32),
    ];
    for (number, scatter) in scatters.into_iter().enumerate() {
        let graph = Graph::new();
        let _default = graph.as_default();
        let ids = [(); 3].map(|()| placeholder::<i32>([1]));
        let variables = ["a", "b", "c"].map(|name| get_variable(name, [8], ones()));
        let mut writes = Vec::new();
        for (v, ids) in variables.into_iter().zip(ids) {
            let after = writes.last().copied();
            writes.push(control_dependencies(after, || scatter(v, ids)));
        }
        for session in in_both_modes() {
            session.init_missing()?;
            let mut before = session.run(variables)?;
            for _ in 0..2 {
                for failing in 0..ids.len() {
                    let id = |i| if i == failing { [8] } else { [7] };
                    let feeds = feeds![ids[0] => id(0), ids[1] => id(1), ids[2] => id(2)];
                    let error = session.run_with(writes.as_slice(), feeds).err().unwrap();
                    assert!(error.to_string().contains("index 8"), "{error}");
                    assert_eq!(session.run(variables)?, before, "{number}");
                }
                let feeds = feeds![ids[0] => [7], ids[1] => [7], ids[2] => [7]];
                session.run_with(writes.as_slice(), feeds)?;
                let after = session.run(variables)?;
                assert!(before.iter().zip(&after).all(|(l, r)| l != r || number == 1));
                before = after;
            }
        }
    }
    Ok(())
}

#[test]
fn a_run_that_fails_leaves_null_variables_null() -> Outcome {
    for (name, failing) in FAILING {
        let graph = Graph::new();
        let _default = graph.as_default();
        let x = placeholder::<f32>([]);
        let v = variable("v", []).get();
        let write = assign(v, x);
        let after = control_dependencies([write], || failing(x));
        for session in in_both_modes() {
            assert!(session.run_with(after, feeds![x => 0.0]).is_err());
            assert!(session.run(v).is_err(), "{name} gave the variable a value");
            session.run_with(after, feeds![x => 1.0])?;
            assert_eq!(number(&session, v), 1.0);
        }
    }
    Ok(())
}

#[test]
fn a_run_that_fails_draws_no_random_numbers() -> Outcome {
    for place in PLACES {
        let graph = Graph::new();
        let _default = graph.as_default();
        let program = Program::new(place, FAILING[0].1);
        let [undisturbed, disturbed] = in_both_modes();
        disturbed.init_missing()?;
        for _ in 0..3 {
            assert!(disturbed.run_with(program.run, feeds![program.x => 0.0]).is_err());
        }
        let drawn = [&undisturbed, &disturbed].map(|session| number(session, program.noise));
        assert_eq!(drawn[0], drawn[1], "{place:?}");
    }
    Ok(())
}

#[test]
fn a_run_without_all_its_feeds_changes_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let write = assign(v, 5.0);
    let unfed = placeholder::<f32>([]);
    let null = variable("null", []).get();
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert!(session.run((write, unfed)).is_err());
        assert!(session.run((write, null)).is_err());
        assert!(session.run_with((write, unfed), feeds![unfed => [1.0_f32]]).is_err());
        assert_eq!(number(&session, v), 1.0);
    }
    Ok(())
}

#[test]
fn a_value_of_the_wrong_shape_is_not_assigned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [2], ones());
    let w = get_variable("w", [], ones());
    let x = placeholder::<f32>(shape![?]);
    let writes = group([assign(w, 5.0), assign(v, x), assign_add(v, x)]);
    for session in in_both_modes() {
        session.init_missing()?;
        assert!(session.run_with(writes, feeds![x => [1.0_f32, 2.0, 3.0]]).is_err());
        assert_eq!(session.run(v)?.to_string(), "[1.0, 1.0]");
        assert_eq!(number(&session, w), 1.0);
        session.run_with(writes, feeds![x => [1.0_f32, 2.0]])?;
        assert_eq!(session.run(v)?.to_string(), "[2.0, 4.0]");
    }
    Ok(())
}

#[test]
fn a_result_that_memory_cannot_hold_changes_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", [1 << 23, 1]).dtype(DType::U8).initializer(zeros()).get();
    let row = placeholder::<u8>([1, 1 << 25]);
    let huge = assign_add(v, ones_like(v)) + row;
    let fed = Value::zeros(DType::U8, [1, 1 << 25])?;
    for session in in_both_modes() {
        session.init_missing()?;
        assert!(session.run_with(huge, feeds![row => &fed]).is_err());
        assert!(session.run(v)?.as_slice::<u8>()?.iter().all(|x| *x == 0));
    }
    Ok(())
}

#[test]
fn a_panic_while_printing_changes_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [100], ones());
    let write = assign_add(v, v);
    let after = control_dependencies([write], || print(constant(0), ["text"]));
    let print_to = Sink::function(|_| panic!("it cannot print"));
    let options = SessionOptions { print_to, ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    session.init_missing()?;
    assert!(catch_unwind(AssertUnwindSafe(|| session.run(after))).is_err());
    assert!(session.run(v)?.as_slice::<f32>()?.iter().all(|x| *x == 1.0));
    session.run(write)?;
    assert!(session.run(v)?.as_slice::<f32>()?.iter().all(|x| *x == 2.0));
    Ok(())
}

#[test]
fn a_variable_of_another_shape_than_it_was_declared_with_is_not_lost() -> Outcome {
    let constant = |name: &str, shape: &str, numbers: &str| {
        format!(
            "node {{ name: '{name}' op: 'Const' attr {{ key: 'dtype' value {{ type: DT_FLOAT }} }} \
             attr {{ key: 'value' value {{ tensor {{ dtype: DT_FLOAT tensor_shape {{ {shape} }} \
             {numbers} }} }} }} }}"
        )
    };
    let text = format!(
        "node {{ name: 'v' op: 'VariableV2' attr {{ key: 'dtype' value {{ type: DT_FLOAT }} }} \
         attr {{ key: 'shape' value {{ shape {{ dim {{ size: 2 }} }} }} }} }} {} {} \
         node {{ name: 'set' op: 'Assign' input: 'v' input: 'three' \
         attr {{ key: 'T' value {{ type: DT_FLOAT }} }} \
         attr {{ key: 'validate_shape' value {{ b: false }} }} }} \
         node {{ name: 'add' op: 'AssignAdd' input: 'v' input: 'two' \
         attr {{ key: 'T' value {{ type: DT_FLOAT }} }} }}",
        constant("three", "dim { size: 3 }", "float_val: [1, 2, 3]"),
        constant("two", "dim { size: 2 }", "float_val: [1, 1]"),
    );
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(GraphDef::from_text(&text)?)?;
    for session in in_both_modes() {
        session.run("set:0")?;
        assert!(session.run("add:0").is_err());
        assert_eq!(session.run("v:0")?, Value::from([1.0_f32, 2.0, 3.0]));
    }
    Ok(())
}
