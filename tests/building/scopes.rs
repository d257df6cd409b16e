//! Variable scopes with settings, look-ups by scope, and withdrawn control dependencies.

use crate::common::Outcome;
use tidemill::REGULARIZATION_LOSSES;
use tidemill::prelude::*;

#[test]
fn a_scope_says_what_variables_start_with_that_do_not_say_it_themselves() -> Outcome {
    let _graph = Graph::new().as_default();
    let scope = VariableScope::new("layer").initializer(ones());
    let (own, given, inner) = scope.enter(|| {
        let own = variable("own", [2]).get();
        let given = get_variable("given", [2], zeros());
        let inner = variable_scope("inner", || variable("own", [2]).get());
        (own, given, inner)
    });
    let outside = get_variable("outside", [2], tidemill::Initializer::default());
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(own)?, Value::from([1.0_f32, 1.0]));
    assert_eq!(session.run(given)?, Value::from([0.0_f32, 0.0]));
    assert_eq!(session.run(inner)?, Value::from([1.0_f32, 1.0]));
    assert_ne!(session.run(outside)?, Value::from([1.0_f32, 1.0]));
    Ok(())
}

#[test]
fn the_inner_scope_says_it_where_two_do() -> Outcome {
    let _graph = Graph::new().as_default();
    let outer = VariableScope::new("outer").initializer(ones());
    let inner = VariableScope::new("inner").initializer(constant_initializer(2.0));
    let (first, second) =
        outer.enter(|| (inner.enter(|| variable("v", []).get()), variable("v", []).get()));
    assert_eq!((first.name(), second.name()), ("outer/inner/v:0".into(), "outer/v:0".into()));
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run([first, second])?, [Value::from(2.0_f32), Value::from(1.0_f32)]);
    Ok(())
}

#[test]
fn a_regularizer_adds_a_loss_for_each_trainable_variable_that_is_made() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let decay = losses::l2_regularizer(0.5);
    let scope = VariableScope::new("layer").reuse(Reuse::Auto);
    let scope = scope.regularizer(move |weights| decay.apply(weights));
    scope.enter(|| {
        get_variable("weights", [2], constant_initializer(2.0));
        get_variable("weights", [2], constant_initializer(2.0));
        variable("moving_mean", [2]).initializer(ones()).trainable(false).get();
    });
    variable("alone", []).initializer(ones()).regularizer(|x| x * 3.0).get();
    assert_eq!(graph.tensors_in(REGULARIZATION_LOSSES).len(), 2);
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(losses::get_regularization_loss())?, Value::from(2.0_f32 + 3.0));
    Ok(())
}

#[test]
fn a_custom_getter_changes_what_is_asked_for_before_those_of_outer_scopes() {
    let _graph = Graph::new().as_default();
    let outer = VariableScope::new("outer").custom_getter(|asked| {
        let name = asked.name().to_owned();
        let made = asked.get();
        assert_eq!(made.is_trainable(), name != "frozen");
        made
    });
    let inner = VariableScope::new("inner").custom_getter(|asked| {
        let is_frozen = asked.name() == "frozen";
        asked.trainable(!is_frozen).dtype(DType::F64).get()
    });
    let (frozen, free, outside) = outer.enter(|| {
        let outside = get_variable("free", [], zeros());
        inner.enter(|| {
            (get_variable("frozen", [], zeros()), get_variable("free", [], zeros()), outside)
        })
    });
    assert_eq!(frozen.name(), "outer/inner/frozen:0");
    assert!(!frozen.is_trainable() && free.is_trainable() && outside.is_trainable());
    assert_eq!((free.dtype(), outside.dtype()), (Some(DType::F64), Some(DType::F32)));
}

#[test]
fn a_scope_is_entered_again_from_anywhere() {
    let _graph = Graph::new().as_default();
    let (first, scope) = VariableScope::new("generator").initializer(ones()).enter(|| {
        variable_scope("layer", || (get_variable("bias", [], zeros()), VariableScope::current()))
    });
    variable_scope("elsewhere", || {
        let again = scope.clone().reuse(Reuse::Always).enter(|| get_variable("bias", [], zeros()));
        assert_eq!(again, first);
        let (new, sum) = scope.enter(|| (variable("scale", []).get(), constant(1.0).named("sum")));
        assert_eq!(new.name(), "generator/layer/scale:0");
        assert_eq!(new.initial_value().op().op_type(), "Const");
        // Variables keep their scope; other nodes get a name scope of their own.
        assert_eq!(sum.name(), "elsewhere/layer_1/sum:0");
    });
}

#[test]
fn the_settings_of_a_scope_hold_inside_a_body() -> Outcome {
    let _graph = Graph::new().as_default();
    let scope = VariableScope::new("layer").initializer(ones());
    let x = scope
        .enter(|| cond(constant(true), || variable("v", []).get() * 2.0, || constant(0.0_f32)));
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(x)?, Value::from(2.0_f32));
    Ok(())
}

#[test]
fn variables_and_collections_are_looked_up_by_scope() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let make = |scope| variable_scope(scope, || get_variable("bias", [], zeros()));
    let (generator, other) = (make("generator"), make("generator_1"));
    let frozen = variable_scope("generator", || variable("mean", []).trainable(false).get());
    assert_eq!(trainable_variables(), [generator, other]);
    assert_eq!(trainable_variables_in("generator"), [generator]);
    assert_eq!(global_variables_in("generator/"), [generator, frozen]);
    assert_eq!(global_variables_in("gen"), []);
    let summed = name_scope("losses", || constant(1.0));
    graph.add_to_collection("losses", summed);
    graph.add_to_collection("losses", constant(2.0));
    let losses = graph.tensors_in("losses");
    assert_eq!(losses.iter().filter(|loss| loss.is_in_scope("losses")).count(), 1);
    graph.add_to_collection("train", no_op());
    assert_eq!(graph.operations_in("train").len(), 1);
}

#[test]
fn control_dependencies_can_be_taken_back() {
    let _graph = Graph::new().as_default();
    let (first, second) = (no_op(), no_op());
    let (inside, outside, again) = control_dependencies([first], || {
        let inside = constant(1) + 1;
        clear_control_dependencies(|| {
            let outside = constant(2) + 1;
            (inside, outside, control_dependencies([second], || constant(3) + 1))
        })
    });
    assert_eq!(inside.op().control_inputs(), [first]);
    assert_eq!(outside.op().control_inputs(), []);
    assert_eq!(again.op().control_inputs(), [second]);
}
