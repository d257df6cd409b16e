//! The updates of each optimizer, and the variables that it keeps.

use crate::common::{Outcome, error_of, failing, number, relative};
use tidemill::prelude::*;
use tidemill::{IndexedSlices, LookupError, TRAIN_OP};

/// An optimizer, its name here, and the test variable after its first two steps.
struct Steps {
    name: &'static str,
    optimizer: fn() -> Box<dyn Optimizer>,
    /// By the gradient of all rows.
    dense: [[f32; 3]; 2],
    /// By the gradient of the first and the last row.
    sparse: [[f32; 3]; 2],
}

macro_rules! steps {
    ($($name:literal $optimizer:expr => $dense:tt, $sparse:tt;)*) => {
        [$(Steps {
            name: $name,
            optimizer: || Box::new($optimizer),
            dense: $dense,
            sparse: $sparse,
        }),*]
    };
}

/// The results of TensorFlow's optimizers.
fn steps() -> Vec<Steps> {
    steps! {
        "GradientDescent" GradientDescent::new(0.5)
            => [[0.95, 1.9, 3.25], [0.9, 1.8, 3.5]], [[0.9, 2.0, 3.2], [0.8, 2.0, 3.4]];
        "Momentum" Momentum::new(0.5, 0.9)
            => [[0.95, 1.9, 3.25], [0.855, 1.71, 3.725]], [[0.9, 2.0, 3.2], [0.71, 2.0, 3.58]];
        "Nesterov" Momentum::new(0.5, 0.9).use_nesterov(true)
            => [[0.905, 1.81, 3.475], [0.7695, 1.539, 4.1525]],
            [[0.81, 2.0, 3.38], [0.539, 2.0, 3.922]];
        "Adagrad" Adagrad::new(0.5)
            => [[0.8492444, 1.732739, 3.422577], [0.7049068, 1.497036, 3.745326]],
            [[0.7327387, 2.0, 3.392232], [0.4970365, 2.0, 3.700839]];
        "AdagradDA" AdagradDa::new(0.5, get_or_create_global_step())
            .l1_regularization_strength(0.01).l2_regularization_strength(0.02)
            => [[-0.1317089, -0.2472891, 0.4072419], [-0.2456264, -0.4276735, 0.6166651]],
            [[-0.2472891, 2.0, 0.3750707], [-0.4276736, 2.0, 0.5837676]];
        "Adadelta" Adadelta::new(1.0).epsilon(1e-2)
            => [[0.90241, 1.817426, 3.333333], [0.8047089, 1.634196, 3.669683]],
            [[0.8174258, 2.0, 3.298142], [0.6341961, 2.0, 3.598605]];
        "RMSProp" RmsProp::new(0.5).momentum(0.5)
            => [[0.9473246, 1.894824, 3.259938], [0.8654965, 1.731643, 3.659881]],
            [[0.8948242, 2.0, 3.208969], [0.7316428, 2.0, 3.53162]];
        "centered RMSProp" RmsProp::new(0.5).momentum(0.5).centered(true).epsilon(1e-2)
            => [[0.9476116, 1.895378, 3.25889], [0.8662534, 1.733048, 3.658156]],
            [[0.8953782, 2.0, 3.208018], [0.733048, 2.0, 3.529646]];
        "Adam" Adam::new(0.5)
            => [[0.5000015, 1.500001, 3.5], [4.351139e-6, 1.000003, 3.999998]],
            [[0.5000008, 2.0, 3.5], [3.069639e-6, 2.0, 3.999998]];
        "Ftrl" Ftrl::new(0.5).l1_regularization_strength(0.01).l2_regularization_strength(0.02)
            => [[-0.08407291, 0.02759235, 1.751352], [-0.220532, -0.1749899, 2.065977]],
            [[-0.09402649, 2.0, 1.464465], [-0.3191178, 2.0, 1.763833]];
        "Ftrl with shrinkage" Ftrl::new(0.5).learning_rate_power(-0.6).beta(0.1)
            .l2_shrinkage_regularization_strength(0.1)
            => [[-0.3694734, -0.460541, 1.255642], [-0.403802, -0.5784794, 1.404484]],
            [[-0.3530058, 2.0, 0.8858473], [-0.4944539, 2.0, 1.046336]];
        "ProximalGradientDescent" ProximalGradientDescent::new(0.5)
            .l1_regularization_strength(0.01).l2_regularization_strength(0.02)
            => [[0.9356436, 1.876238, 3.212871], [0.8719243, 1.753701, 3.423635]],
            [[0.8861386, 2.0, 3.163366], [0.7734045, 2.0, 3.325115]];
        "ProximalAdagrad" ProximalAdagrad::new(0.5)
            .l1_regularization_strength(0.01).l2_regularization_strength(0.02)
            => [[0.8097538, 1.67462, 3.357376], [0.6327175, 1.394269, 3.626847]],
            [[0.70065, 2.0, 3.317367], [0.4427274, 2.0, 3.563276]];
    }
    .into()
}

/// The gradient of the test variable, of all rows or as slices, two of which are of the same row.
fn gradient(is_sparse: bool) -> Tensor {
    let values = constant([[0.1_f32], [0.2], [-0.5]]);
    match is_sparse {
        false => values,
        true => {
            let (indices, dense_shape) = (constant([2, 0, 2]), constant([3, 1]));
            IndexedSlices { values, indices, dense_shape }.to_dense()
        }
    }
}

/// Three rows of one number, 1 to 3.
fn rows(name: &str, resource: bool) -> Variable {
    let start = constant([[1.0_f32], [2.0], [3.0]]);
    variable(name, [3, 1]).initializer(start).resource(resource).get()
}

/// The variable after each of `count` steps, in a graph of its own.
fn trained(
    optimizer: impl FnOnce() -> Box<dyn Optimizer>,
    is_sparse: bool,
    resource: bool,
    count: usize,
) -> Result<Vec<Value>, RunError> {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = rows("w", resource);
    let step = get_or_create_global_step();
    let train = optimizer().apply_gradients(&[(Some(gradient(is_sparse)), w)], Some(step));
    let session = Session::new();
    session.run((w.initializer(), step.initializer()))?;
    let step = |_| session.run(train).and_then(|()| session.run(w));
    (0..count).map(step).collect()
}

#[test]
fn the_first_steps_are_those_of_tensorflow() -> Outcome {
    for Steps { name, optimizer, dense, sparse } in steps() {
        for (is_sparse, expected) in [(false, dense), (true, sparse)] {
            let values = trained(optimizer, is_sparse, true, 2)?;
            for (value, expected) in values.iter().zip(expected) {
                for (got, want) in value.as_slice::<f32>()?.iter().zip(expected) {
                    let is_close = (got - want).abs() <= 2e-6 * want.abs().max(1.0);
                    assert!(
                        is_close,
                        "{name}, sparse: {is_sparse}: {value} instead of {expected:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn variables_and_resource_variables_get_the_same_bits() -> Outcome {
    type Make = fn() -> Box<dyn Optimizer>;
    let mut optimizers: Vec<(&str, Make)> =
        steps().iter().map(|steps| (steps.name, steps.optimizer)).collect();
    optimizers.push(("AdamW", || Box::new(AdamW::new(0.1, 0.5))));
    optimizers.push(("AMSGrad", || Box::new(AmsGrad::new(0.5))));
    optimizers.push(("Nadam", || Box::new(Adam::new(0.5).use_nesterov(true))));
    for (name, optimizer) in optimizers {
        for is_sparse in [false, true] {
            let [plain, resource] =
                [false, true].map(|kind| trained(optimizer, is_sparse, kind, 5));
            assert_eq!(plain?, resource?, "{name}, sparse: {is_sparse}");
        }
    }
    Ok(())
}

#[test]
fn weights_decay_before_a_step_of_adam_w() -> Outcome {
    // 0.9 of each row, minus 0.5 times the sign of the gradient.
    let value = &trained(|| Box::new(AdamW::new(0.1, 0.5)), false, false, 1)?[0];
    for (got, want) in value.as_slice::<f32>()?.iter().zip([0.4, 1.3, 3.2]) {
        assert!((got - want).abs() < 1e-5, "{value}");
    }
    // Only the rows of the gradient decay.
    let value = &trained(|| Box::new(AdamW::new(0.1, 0.5)), true, false, 1)?[0];
    for (got, want) in value.as_slice::<f32>()?.iter().zip([0.4, 2.0, 3.2]) {
        assert!((got - want).abs() < 1e-5, "{value}");
    }
    Ok(())
}

#[test]
fn steps_of_ams_grad_are_divided_by_the_largest_mean() -> Outcome {
    for resource in [false, true] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = variable("w", []).initializer(1.0).resource(resource).get();
        let g = placeholder::<f32>([]);
        let optimizer = AmsGrad::new(0.1).beta1(0.0).beta2(0.5).epsilon(0.0);
        let train = optimizer.apply_gradients(&[(Some(g), w)], None);
        let session = Session::new();
        session.run(w.initializer())?;
        session.run_with(train, feeds![g => 2.0])?;
        // The mean is 0.5 · 4 = 2, and the rate √0.5 / 1 of 0.1.
        assert!((number(&session, w) - 0.9).abs() < 1e-6);
        session.run_with(train, feeds![g => 0.0])?;
        let slot = |name| optimizer.get_slot(w, name).ok_or("there is such a slot");
        assert_eq!([number(&session, slot("v")?), number(&session, slot("vhat")?)], [1.0, 2.0]);
        assert_eq!(optimizer.slot_names(), ["m", "v", "vhat"]);
    }
    Ok(())
}

#[test]
fn by_some_rows_adam_moves_all_and_the_others_only_these() -> Outcome {
    for Steps { name, optimizer, .. } in steps() {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = rows("w", false);
        let step = get_or_create_global_step();
        let index = placeholder::<i32>([1]);
        let (values, dense_shape) = (constant([[0.5_f32]]), constant([3, 1]));
        let slices = IndexedSlices { values, indices: index, dense_shape };
        let train = optimizer().apply_gradients(&[(Some(slices.to_dense()), w)], Some(step));
        let session = Session::new();
        session.run((w.initializer(), step.initializer()))?;
        session.run_with(train, feeds![index => [0]])?;
        let before = session.run(w)?;
        session.run_with(train, feeds![index => [1]])?;
        let after = session.run(w)?;
        let [before, after] = [before.as_slice::<f32>()?, after.as_slice::<f32>()?];
        let moved: Vec<bool> = before.iter().zip(after).map(|(l, r)| l != r).collect();
        // The momentum of the first row still moves it if all rows are computed.
        assert_eq!(moved, [name == "Adam", true, false], "{name}");
    }
    Ok(())
}

#[test]
fn slots_are_named_as_tensorflow_names_them() {
    let slots = |optimizer: &dyn Optimizer| -> Vec<String> {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = rows("scope/w", false);
        optimizer.apply_gradients(&[(Some(gradient(false)), w)], None);
        optimizer.variables().iter().map(|slot| slot.op().name()).collect()
    };
    assert_eq!(slots(&GradientDescent::new(0.1)), [""; 0]);
    assert_eq!(slots(&Momentum::new(0.1, 0.9)), ["scope/w/Momentum"]);
    let expected = ["beta1_power", "beta2_power", "scope/w/Adam", "scope/w/Adam_1"];
    assert_eq!(slots(&Adam::new(0.1)), expected);
    let expected = ["scope/w/RMSProp", "scope/w/RMSProp_1", "scope/w/RMSProp_2"];
    assert_eq!(slots(&RmsProp::new(0.1).centered(true)), expected);
    assert_eq!(slots(&Ftrl::new(0.1).named("mine")), ["scope/w/mine", "scope/w/mine_1"]);
}

#[test]
fn powers_are_named_in_the_scope_of_names_and_slots_are_not() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = rows("w", false);
    let adam = Adam::new(0.1);
    let train = name_scope("train", || adam.apply_gradients(&[(Some(gradient(false)), w)], None));
    assert_eq!(train.name(), "train/Adam");
    let names: Vec<String> = adam.variables().iter().map(|slot| slot.op().name()).collect();
    assert_eq!(names, ["train/beta1_power", "train/beta2_power", "w/Adam", "w/Adam_1"]);
    assert_eq!(graph.collection(TRAIN_OP).len(), 1);
    graph.operation("train/Adam/update_w/ApplyAdam")?;
    Ok(())
}

#[test]
fn a_slot_is_found_by_its_variable_and_name() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, w) = (rows("v", false), rows("w", true));
    let adam = Adam::new(0.1);
    assert_eq!(adam.get_slot(w, "m"), None);
    adam.apply_gradients(&[(Some(gradient(false)), w)], None);
    let m = adam.get_slot(w, "m").ok_or("there is a slot")?;
    assert_eq!((m.op().name().as_str(), m.shape(), m.dtype()), ("w/Adam", w.shape(), w.dtype()));
    assert!(m.is_resource() && !m.is_trainable());
    assert_eq!((adam.get_slot(w, "momentum"), adam.get_slot(v, "m")), (None, None));
    assert_eq!(adam.slot_names(), ["m", "v"]);
    // Minimizing again creates no more of them.
    adam.apply_gradients(&[(Some(gradient(false)), w), (Some(gradient(false)), v)], None);
    assert_eq!(adam.get_slot(w, "m"), Some(m));
    assert_eq!(adam.variables().len(), 6);
    Ok(())
}

#[test]
fn optimizers_of_one_variable_have_their_own_slots() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = rows("w", false);
    let [first, second] = [0.1, 0.2].map(|rate| {
        let adam = Adam::new(rate);
        let train = adam.apply_gradients(&[(Some(gradient(false)), w)], None);
        (adam, train)
    });
    let names = |adam: &Adam| -> Vec<String> {
        adam.variables().iter().map(|slot| slot.op().name()).collect()
    };
    assert_eq!(names(&first.0), ["beta1_power", "beta2_power", "w/Adam", "w/Adam_1"]);
    assert_eq!(names(&second.0), ["beta1_power_1", "beta2_power_1", "w/Adam_2", "w/Adam_3"]);
    let session = Session::new();
    session.run(w.initializer())?;
    session.run(first.1)?;
    let m = |adam: &Adam| adam.get_slot(w, "m").ok_or("there is a slot");
    assert_ne!(session.run(m(&first.0)?)?, session.run(m(&second.0)?)?);
    Ok(())
}

#[test]
fn the_initializer_can_be_made_before_the_optimizer() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], 1.0);
    let init = global_variables_initializer();
    let adam = Adam::new(0.5);
    let train = adam.minimize(square(w - 3.0));
    // In any session.
    for _ in 0..2 {
        let (warn_to, lines) = Sink::lines();
        let options = SessionOptions { warn_to, ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        session.run(init)?;
        session.run(train)?;
        assert!((number(&session, w) - 1.5).abs() < 1e-6);
        session.run(train)?;
        let power = number(&session, "beta1_power:0");
        assert!((power - 0.9_f32.powi(3)).abs() < 1e-6, "{power}");
        assert_eq!(lines.take(), [""; 0], "slots need no initializer");
    }
    Ok(())
}

#[test]
fn a_slot_can_be_read_and_initialized_before_it_is_used() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], 1.0);
    let adagrad = Adagrad::new(0.5).initial_accumulator_value(0.25);
    let train = adagrad.minimize(square(w - 3.0));
    let slot = adagrad.get_slot(w, "accumulator").ok_or("there is a slot")?;
    let session = Session::new();
    assert_eq!(number(&session, slot), 0.25);
    session.run(w.initializer())?;
    session.run(train)?;
    assert_eq!(number(&session, slot), 16.25);
    session.run(slot.initializer())?;
    assert_eq!(number(&session, slot), 0.25);
    let early = Session::new();
    early.run(global_variables_initializer())?;
    assert_eq!(number(&early, slot), 0.25);
    Ok(())
}

#[test]
fn a_run_that_fails_starts_no_slot() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], 1.0);
    let adam = Adam::new(0.5);
    let train = adam.minimize(square(w - 3.0));
    let m = adam.get_slot(w, "m").ok_or("there is a slot")?;
    let has_value = is_variable_initialized(m);
    let fails = control_dependencies([train], failing);
    let session = Session::new();
    session.run(w.initializer())?;
    assert!(session.run((train, fails)).is_err());
    assert_eq!((session.run(has_value)?.to_string().as_str(), number(&session, w)), ("false", 1.0));
    session.run(train)?;
    assert_eq!(session.run(has_value)?.to_string(), "true");
    Ok(())
}

#[test]
fn a_variable_of_the_program_does_not_start_by_itself() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], 1.0);
    let train = Adam::new(0.5).minimize(square(w - 3.0));
    match error_of(&Session::new(), train) {
        RunError::Uninitialized(missing) => {
            let names: Vec<&str> = missing.iter().map(|null| null.variable.name.as_str()).collect();
            assert_eq!(names, ["w"]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_graph_read_from_text_starts_its_slots() -> Outcome {
    let text = {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = get_variable("w", [], 1.0);
        Adam::new(0.5).minimize(square(w - 3.0));
        graph.to_text()
    };
    let graph = Graph::from_text(&text, &tidemill_ops::lookup)?;
    assert_eq!(graph.to_text(), text);
    let session = Session::with_graph(&graph);
    let operation = |name: &str| -> Result<Operation, LookupError> { graph.operation(name) };
    session.run(operation("w/Assign")?)?;
    session.run(operation("Adam")?)?;
    assert!((number(&session, "w:0") - 1.5).abs() < 1e-6);
    Ok(())
}

#[test]
fn training_goes_on_from_a_checkpoint_with_or_without_slots() -> Outcome {
    let folder = tempfile::tempdir()?;
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = rows("w", false);
    let weights = Saver::new()?;
    let loss = reduce_sum(square(w - 0.3), ..);
    let train = Adam::new(0.1).minimize(loss);
    let all = Saver::new()?;
    let session = Session::new();
    session.run(w.initializer())?;
    let step = |session: &Session| session.run((loss, train)).map(|(loss, ())| loss);
    (0..5).try_for_each(|_| step(&session).map(drop))?;
    all.save(&session, folder.path().join("all"))?;
    weights.save(&session, folder.path().join("weights"))?;
    let resumed = Session::new();
    all.restore(&resumed, folder.path().join("all"))?;
    let anew = Session::new();
    weights.restore(&anew, folder.path().join("weights"))?;
    for _ in 0..5 {
        assert_eq!(step(&session)?, step(&resumed)?);
        step(&anew)?;
    }
    assert_ne!(session.run(w)?, anew.run(w)?, "its means started at 0");
    // A saver that knows slots requires them in the checkpoint.
    let error = all.restore(&anew, folder.path().join("weights")).unwrap_err().to_string();
    assert!(error.contains("w/Adam") && error.contains("beta1_power"), "{error}");
    // Slots that were not used yet are saved with their initial values.
    let fresh = Session::new();
    fresh.run(w.initializer())?;
    all.save(&fresh, folder.path().join("fresh"))?;
    Ok(())
}

#[test]
fn a_constraint_is_kept_after_each_update() -> Outcome {
    for resource in [false, true] {
        let graph = Graph::new();
        let _default = graph.as_default();
        let clip = |value| clip_by_value(value, -1.0, 1.0);
        let w = variable("w", [2]).initializer(constant([0.5_f32, -0.5])).resource(resource);
        let w = w.constraint(clip).get();
        let train = GradientDescent::new(1.0)
            .apply_gradients(&[(Some(constant([-2.0_f32, -0.25])), w)], None);
        let session = Session::new();
        session.run(w.initializer())?;
        session.run(train)?;
        assert_eq!(session.run(w)?.to_string(), "[1.0, -0.25]");
    }
    Ok(())
}

#[test]
fn hyperparameters_can_be_tensors() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let w = get_variable("w", [], 1.0);
    let [rate, momentum] = [placeholder::<f32>([]), placeholder::<f32>([])];
    let train =
        Momentum::new(rate, momentum).apply_gradients(&[(Some(constant(1.0_f32)), w)], None);
    let session = Session::new();
    session.run(w.initializer())?;
    session.run_with(train, feeds![rate => 0.5, momentum => 0.0])?;
    assert_eq!(number(&session, w), 0.5);
    session.run_with(train, feeds![rate => 0.25, momentum => 1.0])?;
    assert_eq!(number(&session, w), 0.0);
    Ok(())
}

#[test]
fn doubles_and_halves_are_trained() -> Outcome {
    for dtype in [DType::F64, DType::F16, DType::BF16] {
        for resource in [false, true] {
            let graph = Graph::new();
            let _default = graph.as_default();
            let w = variable("w", [2]).dtype(dtype).initializer(ones()).resource(resource).get();
            // 0.999 as bfloat16 would be 1.
            let adam = Adam::new(0.5).beta2(0.75);
            let train = adam.minimize(reduce_sum(square(w), ..));
            let session = Session::new();
            session.run(w.initializer())?;
            session.run(train)?;
            let value = session.run(cast(w, DType::F32))?;
            assert_eq!(adam.get_slot(w, "v").and_then(Variable::dtype), Some(dtype));
            assert!((value.as_slice::<f32>()?[1] - 0.5).abs() < 1e-2, "{value}");
        }
    }
    Ok(())
}

#[test]
fn a_variable_of_unknown_shape_has_slots_of_its_size() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let start = placeholder::<f32>(PartialShape::unknown());
    let w = variable("w", PartialShape::unknown()).initializer(start).get();
    let adagrad = Adagrad::new(0.5);
    let train = adagrad.minimize(reduce_sum(square(w), ..));
    let session = Session::new();
    session.run_with(w.initializer(), feeds![start => [1.0_f32, 2.0]])?;
    session.run(train)?;
    let slot = adagrad.get_slot(w, "accumulator").ok_or("there is a slot")?;
    assert_eq!(session.run(slot)?.to_string(), "[4.1, 16.1]");
    Ok(())
}

#[test]
fn an_update_that_names_one_variable_twice_leaves_what_it_writes_last() -> Outcome {
    let text = {
        let graph = Graph::new();
        let _default = graph.as_default();
        let w = get_variable("w", [], 1.0);
        Momentum::new(0.5, 0.5).apply_gradients(&[(Some(constant(2.0_f32)), w)], None);
        graph.to_text()
    };
    let aliased = text.replace("ApplyMomentum(w, w/Momentum, ", "ApplyMomentum(w, w, ");
    assert_ne!(text, aliased);
    let graph = Graph::from_text(&aliased, &tidemill_ops::lookup)?;
    let session = Session::with_graph(&graph);
    session.run(graph.operation("w/Assign")?)?;
    session.run(graph.operation("Momentum")?)?;
    assert_eq!(number(&session, "w:0"), 2.5);
    Ok(())
}

#[test]
fn a_variable_of_whole_numbers_cannot_be_trained() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let count = variable("count", []).dtype(DType::I32).get();
    Adam::new(0.1).apply_gradients(&[(Some(constant(1)), count)], None);
    let before = graph.len();
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    `count` holds int32: only floats can be trained
      --> +2:20 (in `apply_gradients`)
    ");
    assert_eq!(graph.len(), before);
}

#[test]
fn a_hyperparameter_that_must_be_positive() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let w = get_variable("w", [], 1.0);
    Adagrad::new(0.1).initial_accumulator_value(0.0).minimize(square(w));
    Ftrl::new(0.1).learning_rate_power(0.5).minimize(square(w));
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    `initial_accumulator_value` is 0, but must be above 0
      --> +2:54 (in `minimize`)
    `learning_rate_power` is 0.5, but must be at most 0
      --> +3:45 (in `minimize`)
    ");
}

#[test]
fn a_constraint_of_a_variable_that_is_updated_by_rows() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let w = variable("w", [3, 1]).constraint(|value| value).get();
    Adam::new(0.1).apply_gradients(&[(Some(gradient(true)), w)], None);
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    the gradient of `w` covers only some of its rows, so its constraint cannot be applied
      --> +2:20 (in `apply_gradients`)
    ");
}

#[test]
fn a_loss_without_a_gradient_for_any_variable() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let w = get_variable("w", [], 1.0);
    Adam::new(0.1).minimize(floor(w.read()).named("loss"));
    assert!(graph.variables().len() == 1, "no slot was made");
    insta::assert_snapshot!(relative(graph.check().unwrap_err(), file!(), base), @"
    no gradient flows from the loss `loss` to the variables `w`
      `loss`, of type Floor, has no derivative (+2:29):
         loss
      --> +2:20 (in `minimize`)
    ");
}
