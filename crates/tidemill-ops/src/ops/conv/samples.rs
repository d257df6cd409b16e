//! Samples of convolutions.

use tidemill_graph::Sample;
use tidemill_value::Value;

use crate::sample::array;

/// The sample with the attributes that have no default.
fn moving(sample: Sample, padding: &str, stride: [i64; 2]) -> Sample {
    let strides = vec![1, stride[0], stride[1], 1];
    sample.attr("strides", strides).attr("padding", padding)
}

fn image() -> Value {
    array([1, 2, 2, 1], [1.0_f64, 2.0, 3.0, 4.0])
}

fn diagonal() -> Value {
    array([2, 2, 1, 1], [1.0_f64, 0.0, 0.0, 10.0])
}

/// Numbers that are different enough to check gradients.
fn numbers<const N: usize>(shape: [usize; N]) -> Value {
    let count = shape.iter().product();
    array(shape, (0..count).map(|i| (i * 7 % 11) as f32 / 4.0 - 1.0).collect::<Vec<_>>())
}

pub(super) fn conv_2d() -> Vec<Sample> {
    let whole = || Sample::new([image(), diagonal()], array([1, 1, 1, 1], [41.0_f64]));
    let same = Sample::new([image(), diagonal()], array([1, 2, 2, 1], [41.0_f64, 2.0, 3.0, 4.0]));
    let grouped = Sample::new(
        [array([1, 1, 1, 2], [3.0_f32, 4.0]), array([1, 1, 1, 2], [2.0_f32, 5.0])],
        array([1, 1, 1, 2], [6.0_f32, 20.0]),
    );
    let explicit = Sample::shapes([numbers([2, 4, 3, 4]), numbers([2, 2, 2, 4])])
        .attr("strides", vec![1, 1, 2, 1])
        .attr("padding", "EXPLICIT")
        .attr("dilations", vec![1, 1, 1, 2])
        .attr("explicit_paddings", vec![0, 0, 0, 0, 1, 0, 0, 2])
        .attr("data_format", "NCHW");
    let error = |message| Sample::error([image(), diagonal()], message);
    let narrow = Sample::error(
        [image(), array([1, 1, 2, 1], [1.0_f64, 1.0])],
        "agree in channels: the filters take 2, but there are 1",
    );
    vec![
        moving(whole(), "VALID", [1, 1]),
        moving(whole(), "VALID", [5, 3]),
        moving(same, "SAME", [1, 1]),
        moving(grouped, "VALID", [1, 1]),
        explicit,
        moving(Sample::shapes([numbers([1, 2, 3, 2]), numbers([1, 1, 2, 3])]), "VALID", [1, 1]),
        moving(Sample::shapes([numbers([0, 2, 2, 1]), numbers([2, 2, 1, 1])]), "SAME", [1, 1]),
        moving(Sample::shapes([numbers([1, 2, 2, 1]), numbers([3, 3, 1, 2])]), "VALID", [1, 1]),
        moving(narrow, "VALID", [1, 1]),
        moving(error("must be above 0"), "VALID", [0, 1]),
        moving(error("unknown padding FULL"), "FULL", [1, 1]),
        moving(error("must have 8 entries, not 0"), "EXPLICIT", [1, 1]),
        moving(error("unknown data format HWCN"), "SAME", [1, 1]).attr("data_format", "HWCN"),
        moving(Sample::error([image(), Value::from([1.0_f64])], "4 axes"), "SAME", [1, 1]),
    ]
}

pub(super) fn conv_2d_backprop_input() -> Vec<Sample> {
    let grad = || array([1, 1, 1, 1], [2.0_f64]);
    let expected = || array([1, 2, 2, 1], [2.0_f64, 0.0, 0.0, 20.0]);
    let sizes = Value::from([1, 2, 2, 1]);
    let grouped = [Value::from([2, 3, 3, 4]), numbers([2, 2, 2, 4]), numbers([2, 3, 3, 4])];
    let error = |sizes: Value, message| {
        moving(Sample::error([sizes, diagonal(), grad()], message), "VALID", [1, 1])
    };
    vec![
        moving(Sample::new([sizes, diagonal(), grad()], expected()), "VALID", [1, 1]),
        moving(Sample::new([[2, 2].into(), diagonal(), grad()], expected()), "VALID", [1, 1]),
        moving(Sample::shapes(grouped), "SAME", [1, 1]),
        error(Value::from([1, 3, 3, 1]), "[1, 2, 2, 1]"),
        error(Value::from([1, 2, -2, 1]), "-2"),
        error(Value::from([1, 2, 2]), "must have 4 entries, not 3"),
    ]
}

pub(super) fn conv_2d_backprop_filter() -> Vec<Sample> {
    let grad = || array([1, 1, 1, 1], [2.0_f64]);
    let sizes = || Value::from([2, 2, 1, 1]);
    let expected = array([2, 2, 1, 1], [2.0_f64, 4.0, 6.0, 8.0]);
    let grouped = [numbers([2, 3, 3, 4]), Value::from([2, 2, 2, 4]), numbers([2, 2, 2, 4])];
    let error = |sizes: Value, message| {
        moving(Sample::error([image(), sizes, grad()], message), "VALID", [1, 1])
    };
    vec![
        moving(Sample::new([image(), sizes(), grad()], expected), "VALID", [1, 1]),
        moving(Sample::shapes(grouped), "SAME", [2, 2]),
        error(Value::from([1, 1, 1, 1]), "[1, 2, 2, 1]"),
        error(Value::from([2, 2, 1]), "must have 4 entries, not 3"),
    ]
}

pub(super) fn depthwise() -> Vec<Sample> {
    let x = || array([1, 1, 2, 2], [1.0_f64, 2.0, 3.0, 4.0]);
    let filter = || array([1, 2, 2, 1], [1.0_f64, 10.0, 2.0, 20.0]);
    let narrow = Sample::error(
        [x(), array([1, 1, 1, 1], [1.0_f64])],
        "agree in channels: the filters take 1, but there are",
    );
    vec![
        moving(
            Sample::new([x(), filter()], array([1, 1, 1, 2], [7.0_f64, 100.0])),
            "VALID",
            [1, 1],
        ),
        moving(Sample::shapes([numbers([2, 3, 3, 2]), numbers([2, 2, 2, 3])]), "SAME", [2, 2]),
        moving(Sample::shapes([numbers([0, 3, 3, 2]), numbers([2, 2, 2, 3])]), "SAME", [1, 1]),
        moving(narrow, "SAME", [1, 1]),
    ]
}

pub(super) fn depthwise_backprop_input() -> Vec<Sample> {
    let filter = array([1, 2, 2, 1], [1.0_f64, 10.0, 2.0, 20.0]);
    let grad = array([1, 1, 1, 2], [1.0_f64, 2.0]);
    let expected = array([1, 1, 2, 2], [1.0_f64, 20.0, 2.0, 40.0]);
    let shared = [Value::from([2, 3, 3, 2]), numbers([2, 2, 2, 3]), numbers([2, 2, 2, 6])];
    vec![
        moving(Sample::new([[1, 1, 2, 2].into(), filter, grad], expected), "VALID", [1, 1]),
        moving(Sample::shapes(shared), "SAME", [2, 2]),
    ]
}

pub(super) fn depthwise_backprop_filter() -> Vec<Sample> {
    let x = array([1, 1, 2, 2], [1.0_f64, 2.0, 3.0, 4.0]);
    let grad = array([1, 1, 1, 2], [1.0_f64, 2.0]);
    let expected = array([1, 2, 2, 1], [1.0_f64, 4.0, 3.0, 8.0]);
    let shared = [numbers([2, 3, 3, 2]), Value::from([2, 2, 2, 3]), numbers([2, 2, 2, 6])];
    vec![
        moving(Sample::new([x, [1, 2, 2, 1].into(), grad], expected), "VALID", [1, 1]),
        moving(Sample::shapes(shared), "SAME", [2, 2]),
    ]
}

fn moving_3d(sample: Sample, padding: &str) -> Sample {
    sample.attr("strides", vec![1, 1, 1, 1, 1]).attr("padding", padding)
}

pub(super) fn conv_3d() -> Vec<Sample> {
    let x = || array([1, 2, 1, 2, 1], [1.0_f64, 2.0, 3.0, 4.0]);
    let filter = array([2, 1, 2, 1, 1], [1.0_f64, 2.0, 3.0, 4.0]);
    vec![
        moving_3d(Sample::new([x(), filter], array([1, 1, 1, 1, 1], [30.0_f64])), "VALID"),
        moving_3d(Sample::shapes([numbers([1, 2, 2, 3, 2]), numbers([2, 1, 2, 2, 1])]), "SAME"),
        moving_3d(Sample::error([x(), image()], "5 axes"), "SAME"),
    ]
}

pub(super) fn conv_3d_backprop_input() -> Vec<Sample> {
    let filter = array([2, 1, 2, 1, 1], [1.0_f64, 2.0, 3.0, 4.0]);
    let grad = array([1, 1, 1, 1, 1], [2.0_f64]);
    let expected = array([1, 2, 1, 2, 1], [2.0_f64, 4.0, 6.0, 8.0]);
    vec![moving_3d(Sample::new([[1, 2, 1, 2, 1].into(), filter, grad], expected), "VALID")]
}

pub(super) fn conv_3d_backprop_filter() -> Vec<Sample> {
    let x = array([1, 2, 1, 2, 1], [1.0_f64, 2.0, 3.0, 4.0]);
    let grad = array([1, 1, 1, 1, 1], [2.0_f64]);
    let expected = array([2, 1, 2, 1, 1], [2.0_f64, 4.0, 6.0, 8.0]);
    vec![moving_3d(Sample::new([x, [2, 1, 2, 1, 1].into(), grad], expected), "VALID")]
}
