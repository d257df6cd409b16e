//! Recurrent networks: values and gradients match TensorFlow's for the same variables.

use crate::common::Outcome;
use rnn::{BasicRnnCell, DropoutWrapper, DynamicRnn, GruCell, LstmCell, MultiRnnCell, RnnCell};
use tidemill::prelude::*;

/// Numbers between -0.5 and 0.5.
fn waves(shape: &[usize], step: f64) -> Value {
    let count: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..count).map(|i| (0.5 * (i as f64 * step).sin()) as f32).collect();
    Value::from(numbers).reshape(shape).unwrap()
}

/// A batch of two sequences, one of which is a step shorter.
const LENGTHS: [i32; 2] = [3, 2];

fn assert_close(actual: &Value, expected: &[f32]) {
    let actual = actual.as_slice::<f32>().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() < 1e-5, "{actual:?} is not {expected:?}");
    }
}

/// Runs a cell whose variables, which have these names, hold waves. The gradients are those of the
/// sum of squares, each given as the sum of its elements and the sum of their squares.
fn check<C: RnnCell>(cell: &C, names: &[&str], outputs: &[f32], gradients: &[[f32; 2]]) {
    let x = constant(waves(&[2, 3, 2], 0.7));
    let lengths = constant(LENGTHS);
    let (y, _) = DynamicRnn::new(cell).sequence_length(lengths).run(x);
    let variables = default_graph().trainable_variables();
    let found: Vec<String> = variables.iter().map(|variable| variable.op().name()).collect();
    assert_eq!(found, names);
    let loss = reduce_sum(square(y), ..);
    let grads = tidemill::gradients([loss], variables.iter().copied());
    for session in crate::common::in_both_modes() {
        for (i, variable) in variables.iter().enumerate() {
            let shape = variable.shape().known().unwrap();
            session.run(assign(*variable, waves(&shape, 0.3 + 0.1 * i as f64))).unwrap();
        }
        assert_close(&session.run(y).unwrap(), outputs);
        for (gradient, [sum, squares]) in grads.iter().zip(gradients) {
            let gradient = gradient.unwrap();
            let found = (reduce_sum(gradient, ..), reduce_sum(square(gradient), ..));
            let (a, b): (f32, f32) = session.run(found).unwrap().into_scalars().unwrap();
            let near = |x: f32, y: f32| (x - y).abs() < 1e-4 * (1.0 + y.abs());
            assert!(near(a, *sum) && near(b, *squares), "{a} {b} are not {sum} {squares}");
        }
    }
}

#[test]
fn a_basic_cell_gives_what_tensorflows_gives() {
    let _graph = Graph::new().as_default();
    check(
        &BasicRnnCell::new(2),
        &["rnn/basic_rnn_cell/kernel", "rnn/basic_rnn_cell/bias"],
        &[
            0.09068831,
            0.31029105,
            0.30516192,
            0.548_135_2,
            0.344857,
            0.49263978,
            -0.137_801_3,
            -0.06199869,
            -0.09177431,
            0.05581878,
            0.0,
            0.0,
        ],
        &[[5.6340275, 4.425_31], [6.0042315, 18.385296]],
    );
}

#[test]
fn an_lstm_gives_what_tensorflows_gives() {
    let _graph = Graph::new().as_default();
    check(
        &LstmCell::new(2).named("basic_lstm_cell"),
        &["rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias"],
        &[
            0.10408736,
            0.11558637,
            0.24423409,
            0.268_940_4,
            0.32567948,
            0.381_489_5,
            0.05297984,
            0.08968863,
            0.11768375,
            0.15890849,
            0.0,
            0.0,
        ],
        &[[1.0411093, 0.05756934], [2.2832596, 1.2333069]],
    );
}

#[test]
fn an_lstm_of_another_forget_bias_gives_what_tensorflows_gives() {
    let _graph = Graph::new().as_default();
    check(
        &LstmCell::new(2).forget_bias(0.5),
        &["rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"],
        &[
            0.10408736,
            0.11558637,
            0.23654875,
            0.260_775_7,
            0.30331066,
            0.35980865,
            0.05297984,
            0.08968863,
            0.11326628,
            0.15172371,
            0.0,
            0.0,
        ],
        &[[0.98456305, 0.04954363], [2.1432552, 1.0695741]],
    );
}

#[test]
fn a_gru_gives_what_tensorflows_gives() {
    let _graph = Graph::new().as_default();
    check(
        &GruCell::new(2),
        &[
            "rnn/gru_cell/gates/kernel",
            "rnn/gru_cell/gates/bias",
            "rnn/gru_cell/candidate/kernel",
            "rnn/gru_cell/candidate/bias",
        ],
        &[
            0.05036398,
            0.14696445,
            0.10100877,
            0.272_308_1,
            0.03688344,
            0.250_656_2,
            -0.10207205,
            -0.03212427,
            -0.06701333,
            0.06116738,
            0.0,
            0.0,
        ],
        &[
            [-0.10020518, 0.0044142],
            [-0.18194729, 0.02430347],
            [0.578_503, 0.06583257],
            [0.74263424, 0.47555703],
        ],
    );
}

#[test]
fn cells_above_each_other_give_what_tensorflows_give() {
    let _graph = Graph::new().as_default();
    let names: Vec<String> = (0..2)
        .flat_map(|i| {
            ["gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias"]
                .map(|name| format!("rnn/multi_rnn_cell/cell_{i}/gru_cell/{name}"))
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check(
        &MultiRnnCell::new([GruCell::new(2), GruCell::new(2)]),
        &names,
        &[
            0.02763628,
            0.18848908,
            0.05098318,
            0.317_510_3,
            0.04777411,
            0.376_961_5,
            -0.00603981,
            0.15126525,
            -0.00515222,
            0.25744408,
            0.0,
            0.0,
        ],
        &[
            [-0.03568768, 0.00036574],
            [-0.04354404, 0.00152432],
            [0.06102862, 0.00076926],
            [0.482_249_3, 0.11792798],
            [-0.07921817, 0.00241456],
            [-0.28804612, 0.08034948],
            [0.41276652, 0.06474521],
            [1.4200488, 1.9740353],
        ],
    );
}

#[test]
fn a_loop_gives_the_outputs_states_and_gradients_of_its_steps_one_by_one() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = constant(waves(&[2, 4, 3], 0.3));
    let cell = LstmCell::new(5);
    let (outputs, (memory, last)) = rnn::dynamic_rnn(&cell, x);
    let steps = unstack(x, 1);
    let (unrolled, (memory_2, last_2)) = rnn::static_rnn(&cell, steps, None);
    let unrolled = stack(unrolled, 1);
    let variables = default_graph().trainable_variables();
    assert_eq!(variables.len(), 2);
    let gradient =
        |y| gradients([reduce_sum(square(y), ..)], variables.iter().copied())[0].unwrap();
    let (of_loop, of_steps) = (gradient(outputs), gradient(unrolled));
    for session in crate::common::in_both_modes() {
        session.init_missing()?;
        let loops = session.run((outputs, memory, last, of_loop))?;
        let steps = session.run((unrolled, memory_2, last_2, of_steps))?;
        for (a, b) in
            [(loops.0, steps.0), (loops.1, steps.1), (loops.2, steps.2), (loops.3, steps.3)]
        {
            assert_eq!(a.shape(), b.shape());
            assert_close(&a, b.as_slice::<f32>()?);
        }
    }
    Ok(())
}

#[test]
fn behind_the_end_of_a_sequence_outputs_are_zeros_and_the_state_stays() -> Outcome {
    let _graph = Graph::new().as_default();
    let x = placeholder::<f32>(shape![?, ?, 2]);
    let lengths = placeholder::<i32>(shape![?]);
    let cell = GruCell::new(3);
    let run = DynamicRnn::new(&cell).time_major(true).sequence_length(lengths);
    let (outputs, state) = run.run(x);
    assert_eq!(outputs.shape().to_string(), "[?, ?, 3]");
    let session = Session::new();
    session.init_missing()?;
    let feeds = feeds![x => waves(&[4, 2, 2], 0.7), lengths => [2, 0]];
    let (outputs, state) = session.run_with((outputs, state), feeds)?;
    let (outputs, state) = (outputs.as_slice::<f32>()?, state.as_slice::<f32>()?);
    // The second step of the first sequence is its last; the second sequence has none.
    assert_eq!(state[..3], outputs[6..9]);
    assert_eq!(state[3..], [0.0; 3]);
    assert!(outputs[9..].iter().chain(&outputs[3..6]).all(|&x| x == 0.0), "{outputs:?}");
    Ok(())
}

#[test]
fn dropout_of_outputs_keeps_the_state() -> Outcome {
    let _graph = Graph::new().as_default();
    default_graph().set_random_seed(3);
    let x = constant(waves(&[1, 50, 2], 0.7));
    let cell = GruCell::new(4);
    let (plain, state) = rnn::dynamic_rnn(&cell, x);
    let cell = DropoutWrapper { output_rate: 0.5, ..DropoutWrapper::new(cell) };
    let (dropped, same) = rnn::dynamic_rnn(&cell, x);
    let session = Session::new();
    session.init_missing()?;
    let (plain, state, dropped, same) = session.run((plain, state, dropped, same))?;
    assert_eq!(state, same);
    let (plain, dropped) = (plain.as_slice::<f32>()?, dropped.as_slice::<f32>()?);
    let zeros = dropped.iter().filter(|&&x| x == 0.0).count();
    assert!((60..140).contains(&zeros), "{zeros} of 200");
    for (x, y) in plain.iter().zip(dropped).filter(|(_, y)| **y != 0.0) {
        assert!((2.0 * x - y).abs() < 1e-6);
    }
    Ok(())
}

#[test]
fn after_no_steps_there_are_no_outputs_and_the_state_is_the_first() -> Outcome {
    let _graph = Graph::new().as_default();
    let cell = MultiRnnCell::new([LstmCell::new(2), LstmCell::new(4)]);
    let x = placeholder::<f32>(shape![?, ?, 3]);
    let lengths = placeholder::<i32>(shape![?]);
    let (whole, states) = rnn::dynamic_rnn(&cell, x);
    let (cut, _) = DynamicRnn::new(&cell).sequence_length(lengths).run(x);
    let loss = reduce_sum(square(whole), ..) + reduce_sum(states[1].1, ..);
    let grads: Vec<Tensor> =
        gradients([loss], trainable_variables()).into_iter().flatten().collect();
    let fixed = rnn::dynamic_rnn(&GruCell::new(2), placeholder::<f32>([5, 0, 3])).0;
    assert_eq!((whole.shape(), fixed.shape()), (shape![?, ?, 4], [5, 0, 2].into()));
    let session = Session::new();
    session.init_missing()?;
    let given = feeds![x => Value::zeros(DType::F32, [2, 0, 3])?, lengths => [0, 0]];
    let (whole, cut, state, grads) = session.run_with((whole, cut, states, grads), given)?;
    assert_eq!((whole.shape(), cut.shape()), (&[2, 0, 4].into(), &[2, 0, 4].into()));
    assert_eq!(state[1].0, Value::zeros(DType::F32, [2, 4])?);
    for grad in grads {
        assert_eq!(grad, Value::zeros(DType::F32, grad.shape().clone())?);
    }
    Ok(())
}

#[test]
fn a_wrapper_projects_outputs_and_leaves_the_state() -> Outcome {
    let _graph = Graph::new().as_default();
    let cell = rnn::OutputProjectionWrapper::new(GruCell::new(3), 2);
    let (outputs, state) = rnn::dynamic_rnn(&cell, constant(waves(&[2, 4, 3], 0.7)));
    let names: Vec<String> = trainable_variables().iter().map(|v| v.op().name()).collect();
    assert_eq!(names[0], "rnn/output_projection_wrapper/gru_cell/gates/kernel");
    assert_eq!(
        names[4..],
        ["kernel", "bias"].map(|v| format!("rnn/output_projection_wrapper/{v}"))
    );
    let session = Session::new();
    session.init_missing()?;
    let kernel = trainable_variables()[4];
    let last = outputs.slice(s![.., -1]);
    let [last, expected] = session.run([last, state.matmul(kernel)])?;
    assert_close(&last, expected.as_slice()?);
    Ok(())
}

#[test]
fn a_decoder_feeds_its_outputs_back() -> Outcome {
    let _graph = Graph::new().as_default();
    let cell = BasicRnnCell::new(2);
    let steps = [constant(waves(&[1, 2], 0.7)), constant(waves(&[1, 2], 0.3))];
    let zero = || cell.zero_state(1, DType::F32);
    let (given, _) = rnn::rnn_decoder(&cell, steps, zero(), None);
    let next = |output: Tensor, i: usize| output + i;
    let (fed, state) = rnn::rnn_decoder(&cell, steps, zero(), Some(&next));
    let (by_hand, _) = cell.call(fed[0] + 0.0, fed[0]);
    let session = Session::new();
    session.init_missing()?;
    let values = session.run((given, fed, state, by_hand))?;
    assert_eq!(values.0[0], values.1[0]);
    assert_ne!(values.0[1], values.1[1]);
    assert_eq!((&values.1[1], &values.1[1]), (&values.2, &values.3));
    Ok(())
}
