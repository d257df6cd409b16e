//! Every builder gives its nodes, and the errors of its call, the line of the program that calls it.
//!
//! Operands are numbers and arrays as far as possible: they become nodes, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tidemill::Location;
use tidemill::ops;
use tidemill::ops::{
    BatchMatMul, Conv, Direction, Distribution, FusedBatchNorm, HostOutput, Indexing, MatMul,
    Mirror, Norm, PartitionStrategy, PrintOptions, StrideMasks, TriangularSolve,
};
use tidemill::prelude::*;

/// A builder by its name, and a call of it.
pub(crate) type Row = (&'static str, fn());

macro_rules! rows {
    ($($name:ident => $call:expr;)*) => {
        &[$((stringify!($name), || { let _ = $call; }),)*]
    };
}
pub(crate) use rows;

const ONE: [f32; 1] = [1.0];
const X: [f32; 2] = [1.0, 2.0];
const MATRIX: [[f32; 2]; 2] = [[2.0, 0.0], [1.0, 3.0]];
const BITS: [i32; 2] = [1, 2];

/// An image of 4 by 4 pixels with one channel.
fn image() -> Value {
    values(&[1, 4, 4, 1])
}

/// A filter of 2 by 2 pixels.
fn filter() -> Value {
    values(&[2, 2, 1, 1])
}

fn values(shape: &[usize]) -> Value {
    Value::from_vec(shape, vec![1.0_f32; shape.iter().product()]).unwrap()
}

#[track_caller]
fn v() -> Variable {
    variable("v", [2]).absolute(true).get()
}

#[track_caller]
fn list() -> Tensor {
    ops::tensor_list_from_tensor([X, X], [2])
}

fn yes(x: &[Tensor]) -> Vec<Tensor> {
    x.to_vec()
}

const OF_ONE: &[Row] = rows! {
    abs => ops::abs(X); acos => ops::acos(X); acosh => ops::acosh(X); asin => ops::asin(X);
    asinh => ops::asinh(X); atan => ops::atan(X); atanh => ops::atanh(X); ceil => ops::ceil(X);
    cos => ops::cos(X); cosh => ops::cosh(X); exp => ops::exp(X); expm1 => ops::expm1(X);
    floor => ops::floor(X); log => ops::log(X); log1p => ops::log1p(X); neg => ops::neg(X);
    reciprocal => ops::reciprocal(X); rint => ops::rint(X); rsqrt => ops::rsqrt(X);
    sign => ops::sign(X); sin => ops::sin(X); sinh => ops::sinh(X); sqrt => ops::sqrt(X);
    square => ops::square(X); tan => ops::tan(X); tanh => ops::tanh(X); inv => ops::inv(X);
    round => ops::round(X); digamma => ops::digamma(X); erf => ops::erf(X); erfc => ops::erfc(X);
    lgamma => ops::lgamma(X); crelu => ops::crelu(X); elu => ops::elu(X); gelu => ops::gelu(X);
    gelu_approximate => ops::gelu_approximate(X); log_sigmoid => ops::log_sigmoid(X);
    relu => ops::relu(X); relu6 => ops::relu6(X); selu => ops::selu(X);
    sigmoid => ops::sigmoid(X); softplus => ops::softplus(X); softsign => ops::softsign(X);
    swish => ops::swish(X, 2.0); leaky_relu => ops::leaky_relu(X, 0.2);
    is_finite => ops::is_finite(X); is_inf => ops::is_inf(X); is_nan => ops::is_nan(X);
    logical_not => ops::logical_not([true]); invert => ops::invert(BITS);
    identity => ops::identity(X); snapshot => ops::snapshot(X);
    identity_n => ops::identity_n([X, X]); stop_gradient => ops::stop_gradient(X);
    prevent_gradient => ops::prevent_gradient(X, "stop"); cast => ops::cast(X, DType::F64);
    bitcast => ops::bitcast(X, DType::I32); check_numerics => ops::check_numerics(X, "x");
    zeros_like => ops::zeros_like(X); ones_like => ops::ones_like(X); rank => ops::rank(X);
    shape => ops::shape(X); shape_n => ops::shape_n([X, X]); size => ops::size(X);
    l2_loss => ops::l2_loss(X); softmax => ops::softmax(X); log_softmax => ops::log_softmax(X);
    constant => ops::constant(X); where_true => ops::where_true([true]);
    cholesky => ops::cholesky(MATRIX); matrix_determinant => ops::matrix_determinant(MATRIX);
    log_matrix_determinant => ops::log_matrix_determinant(MATRIX);
    matrix_inverse => ops::matrix_inverse(MATRIX);
    matrix_transpose => ops::matrix_transpose(MATRIX); diag => ops::diag(X);
    diag_part => ops::diag_part(MATRIX); matrix_diag => ops::matrix_diag(X);
    matrix_diag_part => ops::matrix_diag_part(MATRIX, 0);
    matrix_set_diag => ops::matrix_set_diag(MATRIX, X, 0);
    matrix_band_part => ops::matrix_band_part(MATRIX, 0, 0);
    unique => ops::unique(BITS); unique_with_counts => ops::unique_with_counts(BITS);
    invert_permutation => ops::invert_permutation([1, 0]);
    sort => ops::sort(X, Direction::Ascending); argsort => ops::argsort(X, Direction::Descending);
    random_shuffle => ops::random_shuffle(X, None); no_op => ops::no_op();
    placeholder => ops::placeholder::<f32>([2]);
    placeholder_of => ops::placeholder_of(DType::F32, [2]);
    placeholder_with_default => ops::placeholder_with_default(X, [2]);
    is_variable_initialized => ops::is_variable_initialized(v());
};

const OF_TWO: &[Row] = rows! {
    add => ops::add(X, 1.0); sub => ops::sub(X, 1.0); mul => ops::mul(2.0_f32, X);
    div => ops::div(X, 2.0); pow => ops::pow(X, 2.0); maximum => ops::maximum(X, X);
    minimum => ops::minimum(X, X); floor_div => ops::floor_div(X, X);
    floor_mod => ops::floor_mod(X, X); squared_difference => ops::squared_difference(X, X);
    add_n => ops::add_n([X, X]); div_no_nan => ops::div_no_nan(X, X); div_v1 => ops::div_v1(X, X);
    mod_v1 => ops::mod_v1(X, X); mul_no_nan => ops::mul_no_nan(X, X);
    absorbing_mul => ops::absorbing_mul(X, X);
    truncate_div => ops::truncate_div(BITS, BITS); truncate_mod => ops::truncate_mod(BITS, BITS);
    xdivy => ops::xdivy(X, X); xlogy => ops::xlogy(X, X); atan2 => ops::atan2(X, X);
    polygamma => ops::polygamma(X, X); equal => ops::equal(X, X);
    not_equal => ops::not_equal(X, X); greater => ops::greater(X, X);
    greater_equal => ops::greater_equal(X, X); less => ops::less(X, X);
    less_equal => ops::less_equal(X, X); logical_and => ops::logical_and([true], [false]);
    logical_or => ops::logical_or([true], [false]); bitwise_and => ops::bitwise_and(BITS, BITS);
    bitwise_or => ops::bitwise_or(BITS, BITS); bitwise_xor => ops::bitwise_xor(BITS, BITS);
    left_shift => ops::left_shift(BITS, BITS); right_shift => ops::right_shift(BITS, BITS);
    matmul => ops::matmul(MATRIX, MATRIX);
    matmul_with => ops::matmul_with(MATRIX, MATRIX, MatMul::default());
    batch_matmul => ops::batch_matmul(MATRIX, MATRIX);
    batch_matmul_with => ops::batch_matmul_with(MATRIX, MATRIX, BatchMatMul::default());
    matrix_solve => ops::matrix_solve(MATRIX, MATRIX);
    triangular_solve => ops::triangular_solve(MATRIX, MATRIX, TriangularSolve::default());
    cross => ops::cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]);
    einsum => ops::einsum("ij,jk->ik", [MATRIX, MATRIX]);
    tensordot => ops::tensordot(MATRIX, MATRIX, &[1], &[0]);
    bias_add => ops::bias_add(MATRIX, X);
    sigmoid_cross_entropy_with_logits => ops::sigmoid_cross_entropy_with_logits(X, X);
    softmax_cross_entropy_with_logits => ops::softmax_cross_entropy_with_logits(MATRIX, MATRIX);
    sparse_softmax_cross_entropy_with_logits =>
        ops::sparse_softmax_cross_entropy_with_logits([0, 1], MATRIX);
    weighted_cross_entropy_with_logits => ops::weighted_cross_entropy_with_logits(X, X, 2.0);
    clip_by_value => ops::clip_by_value(X, 0.0, 1.0);
    clip_by_norm => ops::clip_by_norm(X, 1.0, ..);
    clip_by_global_norm => ops::clip_by_global_norm([X, X], 1.0);
    global_norm => ops::global_norm([X, X]); select => ops::select([true, false], X, X);
    select_v1 => ops::select_v1([true, false], X, X);
    safe_where => ops::safe_where([true, false], ops::log, X, 1.0);
};

const OF_AXES: &[Row] = rows! {
    reduce_sum => ops::reduce_sum(X, 0); reduce_mean => ops::reduce_mean(X, 0);
    reduce_max => ops::reduce_max(X, 0); reduce_min => ops::reduce_min(X, 0);
    reduce_prod => ops::reduce_prod(X, 0); reduce_all => ops::reduce_all([true], 0);
    reduce_any => ops::reduce_any([true], 0); reduce_std => ops::reduce_std(X, 0);
    reduce_euclidean_norm => ops::reduce_euclidean_norm(X, 0);
    reduce_logsumexp => ops::reduce_logsumexp(X, 0);
    reduce_variance => ops::reduce_variance(X, 0); moments => ops::moments(X, 0);
    arg_max => ops::arg_max(X, 0); arg_min => ops::arg_min(X, 0);
    cumsum => ops::cumsum(X, 0); cumsum_with => ops::cumsum_with(X, 0, false, true);
    cumprod => ops::cumprod(X, 0); cumprod_with => ops::cumprod_with(X, 0, false, true);
    top_k => ops::top_k(X, 1); in_top_k => ops::in_top_k(MATRIX, [0, 1], 1);
    layer_normalization => ops::layer_normalization(X, 0, None, None, 1e-3);
    batch_normalization => ops::batch_normalization(X, X, X, None, None, 1e-3);
    segment_sum => ops::segment_sum(X, [0, 1]); segment_mean => ops::segment_mean(X, [0, 1]);
    segment_max => ops::segment_max(X, [0, 1]); segment_min => ops::segment_min(X, [0, 1]);
    segment_prod => ops::segment_prod(X, [0, 1]);
    unsorted_segment_sum => ops::unsorted_segment_sum(X, [0, 1], 2);
    unsorted_segment_max => ops::unsorted_segment_max(X, [0, 1], 2);
    unsorted_segment_min => ops::unsorted_segment_min(X, [0, 1], 2);
    unsorted_segment_prod => ops::unsorted_segment_prod(X, [0, 1], 2);
    bincount => ops::bincount(BITS, 3); lin_space => ops::lin_space(0.0, 1.0, 3);
    range => ops::range(0, 3, 1); fill => ops::fill([2], 1.0);
    random => ops::random(Distribution::Uniform { min: 0.0, max: 1.0 }, [2], DType::F32, None);
    random_integers => ops::random_integers([2], 0, 3, None);
    multinomial => ops::multinomial(MATRIX, 2, None); dropout => ops::dropout(X, 0.5, shape![..], None);
};

const OF_SHAPES: &[Row] = rows! {
    reshape => ops::reshape(X, [2, 1]); expand_dims => ops::expand_dims(X, 0);
    squeeze => ops::squeeze([X], &[0]); transpose => ops::transpose(MATRIX, &[1, 0]);
    concat => ops::concat([X, X], 0); stack => ops::stack([X, X], 0);
    unstack => ops::unstack(X, 0); unstack_count => ops::unstack_count(X, 2, 0);
    split => ops::split(X, 2, 0); split_sizes => ops::split_sizes(X, &[1, 1], 0);
    slice => ops::slice(X, [0], [1]); strided_slice => ops::strided_slice(X, [0], [1], [1]);
    strided_slice_with => ops::strided_slice_with(X, [0], [1], [1], StrideMasks::default());
    tile => ops::tile(X, [2]); pad => ops::pad(X, [[1, 1]]);
    pad_with => ops::pad_with(X, [[1, 1]], 3.0);
    mirror_pad => ops::mirror_pad(X, [[1, 1]], Mirror::Reflect); reverse => ops::reverse(X, [0]);
    reverse_sequence => ops::reverse_sequence(MATRIX, [1, 2], 1, 0);
    broadcast_to => ops::broadcast_to(X, [3, 2]);
    broadcast_dynamic_shape => ops::broadcast_dynamic_shape([1], [2]);
    broadcast_gradient_args => ops::broadcast_gradient_args([1], [2]);
    one_hot => ops::one_hot(BITS, 3); one_hot_with => ops::one_hot_with(BITS, 3, 1.0, 0.0, -1);
    gather => ops::gather(X, [1], 0); gather_nd => ops::gather_nd(X, [[1]]);
    gather_batches => ops::gather_batches(MATRIX, [[0], [1]], 1, 1);
    embedding_lookup => ops::embedding_lookup(MATRIX, [1]);
    embedding_lookup_sharded =>
        ops::embedding_lookup_sharded([MATRIX, MATRIX], [1], PartitionStrategy::Mod);
    boolean_mask => ops::boolean_mask(X, [true, false]); list_diff => ops::list_diff(BITS, [1]);
    dynamic_partition => ops::dynamic_partition(X, [0, 1], 2);
    dynamic_stitch => ops::dynamic_stitch([[0], [1]], [[1.0], [2.0]]);
    scatter_nd => ops::scatter_nd([[0]], ONE, [2]);
    sparse_to_dense => ops::sparse_to_dense([0], [2], [1.0], 0.0);
    tensor_scatter_add => ops::tensor_scatter_add(X, [[0]], ONE);
    tensor_scatter_max => ops::tensor_scatter_max(X, [[0]], ONE);
    tensor_scatter_min => ops::tensor_scatter_min(X, [[0]], ONE);
    tensor_scatter_sub => ops::tensor_scatter_sub(X, [[0]], ONE);
    tensor_scatter_update => ops::tensor_scatter_update(X, [[0]], ONE);
    batch_to_space_nd => ops::batch_to_space_nd(values(&[2, 1]), [2], [[0, 0]]);
    space_to_batch_nd => ops::space_to_batch_nd(values(&[1, 2]), [2], [[0, 0]]);
    depth_to_space => ops::depth_to_space(values(&[1, 1, 1, 4]), 2);
    space_to_depth => ops::space_to_depth(image(), 2);
    string_join => ops::string_join([["a"], ["b"]], ","); string_format => ops::string_format("{}", [X]);
};

const OF_IMAGES: &[Row] = rows! {
    conv1d => ops::conv1d(values(&[1, 4, 1]), values(&[2, 1, 1]), Conv::SAME);
    conv2d => ops::conv2d(image(), filter(), Conv::SAME);
    conv3d => ops::conv3d(values(&[1, 2, 2, 2, 1]), values(&[1, 1, 1, 1, 1]), Conv::SAME);
    conv2d_transpose => ops::conv2d_transpose(image(), filter(), [1, 4, 4, 1], Conv::SAME);
    conv2d_backprop_filter =>
        ops::conv2d_backprop_filter(image(), [2, 2, 1, 1], image(), Conv::SAME);
    conv2d_backprop_input =>
        ops::conv2d_backprop_input([1, 4, 4, 1], filter(), image(), Conv::SAME);
    depthwise_conv2d_native => ops::depthwise_conv2d_native(image(), filter(), Conv::SAME);
    dilation2d => ops::dilation2d(image(), values(&[2, 2, 1]), Conv::SAME);
    avg_pool => ops::avg_pool(image(), [2, 2], Conv::SAME);
    max_pool => ops::max_pool(image(), [2, 2], Conv::SAME);
    max_pool_with_argmax => ops::max_pool_with_argmax(image(), [2, 2], Conv::SAME);
    fused_batch_norm => ops::fused_batch_norm(image(), ONE, ONE, FusedBatchNorm::default());
    lrn => ops::lrn(image(), 1, 1.0, 1.0, 0.5); resize_bicubic => ops::resize_bicubic(image(), [2, 2]);
    resize_bilinear => ops::resize_bilinear(image(), [2, 2]);
    resize_nearest_neighbor => ops::resize_nearest_neighbor(image(), [2, 2]);
    crop_and_resize => ops::crop_and_resize(image(), [[0.0_f32, 0.0, 1.0, 1.0]], [0], [2, 2], 0.0);
};

const OF_VARIABLES: &[Row] = rows! {
    assign => ops::assign(v(), X); assign_add => ops::assign_add(v(), X);
    assign_sub => ops::assign_sub(v(), X);
    apply_gradient_descent => ops::apply_gradient_descent(v(), 0.1, X);
    scatter_add => ops::scatter_add(v(), [0], ONE); scatter_sub => ops::scatter_sub(v(), [0], ONE);
    scatter_mul => ops::scatter_mul(v(), [0], ONE); scatter_div => ops::scatter_div(v(), [0], ONE);
    scatter_max => ops::scatter_max(v(), [0], ONE); scatter_min => ops::scatter_min(v(), [0], ONE);
    scatter_update => ops::scatter_update(v(), [0], ONE);
    scatter_nd_add => ops::scatter_nd_add(v(), [[0]], ONE);
    scatter_nd_sub => ops::scatter_nd_sub(v(), [[0]], ONE);
    scatter_nd_max => ops::scatter_nd_max(v(), [[0]], ONE);
    scatter_nd_min => ops::scatter_nd_min(v(), [[0]], ONE);
    scatter_nd_update => ops::scatter_nd_update(v(), [[0]], ONE);
};

const OF_EFFECTS: &[Row] = rows! {
    group => ops::group([ops::no_op()]); with_dependencies => ops::with_dependencies([ops::no_op()], X);
    assert => ops::assert(true, [X]); print => ops::print(X, [X]);
    print_with => ops::print_with(X, [X], PrintOptions::default()); print_on => ops::print_on(X, [X]);
    print_on_with => ops::print_on_with(X, [X], PrintOptions::default());
    host_call => ops::host_call([X], [HostOutput::new::<f32>([2])], |x| Ok(x.to_vec()));
    custom_gradient => ops::custom_gradient([X], yes, |_| vec![None]);
};

const OF_LISTS: &[Row] = rows! {
    empty_tensor_list => ops::empty_tensor_list([2], DType::F32);
    tensor_list_reserve => ops::tensor_list_reserve([2], 3, DType::F32);
    tensor_list_from_tensor => ops::tensor_list_from_tensor([X, X], [2]);
    tensor_list_length => ops::tensor_list_length(list());
    tensor_list_element_shape => ops::tensor_list_element_shape(list());
    tensor_list_resize => ops::tensor_list_resize(list(), 3);
    tensor_list_get_item => ops::tensor_list_get_item(list(), 0, [2], DType::F32);
    tensor_list_set_item => ops::tensor_list_set_item(list(), 0, X);
    tensor_list_push_back => ops::tensor_list_push_back(list(), X);
    tensor_list_pop_back => ops::tensor_list_pop_back(list(), [2], DType::F32);
    tensor_list_push_back_batch => ops::tensor_list_push_back_batch(ops::stack([list()], 0), [X]);
    tensor_list_stack => ops::tensor_list_stack(list(), [2], DType::F32);
    tensor_list_gather => ops::tensor_list_gather(list(), [0], [2], DType::F32);
    tensor_list_concat => ops::tensor_list_concat(list(), [2], DType::F32);
    tensor_list_concat_lists => ops::tensor_list_concat_lists(list(), list(), DType::F32);
    tensor_list_scatter => ops::tensor_list_scatter([X], [0], [2], 1);
    tensor_list_scatter_into => ops::tensor_list_scatter_into(list(), [X], [0]);
    tensor_list_split => ops::tensor_list_split(X, [1], [1_i64, 1]);
};

const OF_COMPOSITES: &[Row] = rows! {
    confusion_matrix => ops::confusion_matrix([0, 1], [1, 1], 2, None, DType::I32);
    convert_to_tensor => ops::convert_to_tensor(X); ensure_shape => ops::ensure_shape(X, [2]);
    eye => ops::eye(2, 3, DType::F32); l2_normalize => ops::l2_normalize(X, 0, 1e-12);
    logical_xor => ops::logical_xor([true], [false]);
    meshgrid => ops::meshgrid([X, X], Indexing::Xy);
    norm => ops::norm(X, Norm::Euclidean, ..);
    random_normal => ops::random_normal([2], 0.0, 1.0, DType::F32, None);
    random_uniform => ops::random_uniform([2], 0.0, 1.0, DType::F32, None);
    rot90 => ops::rot90(image(), 1); to_float => ops::to_float(BITS);
    xw_plus_b => ops::xw_plus_b(MATRIX, MATRIX, X);
};

fn all_rows() -> impl Iterator<Item = &'static Row> {
    let tables = [
        OF_ONE,
        OF_TWO,
        OF_AXES,
        OF_SHAPES,
        OF_IMAGES,
        OF_VARIABLES,
        OF_EFFECTS,
        OF_LISTS,
        OF_COMPOSITES,
    ];
    tables.into_iter().flatten()
}

/// The functions that `tidemill::ops` exports, by its source: the lists of exports, and the rows of
/// the tables that have none.
fn builders() -> BTreeSet<String> {
    let mut pending =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tidemill-ops/src/ops")];
    let mut found = BTreeSet::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        let Some((_, lists)) = source.split_once("\noperations! {") else { continue };
        let (lists, rest) = lists.split_once("\n}").unwrap();
        let exports = lists.split("exports:").nth(1).unwrap_or_default().split([',', ';']);
        found.extend(exports.map(|name| name.trim().to_owned()));
        if lists.contains("tables:") {
            let rows =
                rest.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(" = \""));
            found.extend(rows.filter_map(|(names, _)| Some(names.split_once(' ')?.1.to_owned())));
        }
    }
    found.retain(|name| name.starts_with(char::is_lowercase));
    found
}

#[test]
fn every_builder_is_called() {
    let called: BTreeSet<String> = all_rows().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(called, builders());
}

/// Panics with the nodes of calls whose lines are in other files than `file`.
pub(crate) fn check_nodes(rows: impl Iterator<Item = &'static Row>, file: &str) {
    let mut wrong = Vec::new();
    for (name, call) in rows {
        let graph = Graph::new();
        let _default = graph.as_default();
        call();
        graph.check().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let places = graph.operations().into_iter().filter_map(Operation::location);
        let elsewhere = places.filter(|place| place.file() != file);
        wrong.extend(elsewhere.map(|place| format!("{name}: {place}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Panics with the errors of calls that name lines of other files than `file`.
pub(crate) fn check_errors(rows: impl Iterator<Item = &'static Row>, file: &str) {
    let mut wrong = Vec::new();
    for (name, call) in rows {
        let graph = Graph::new();
        graph.finalize();
        let _default = graph.as_default();
        call();
        let errors = graph.check().expect_err(name);
        let elsewhere = errors.errors().filter(|error| error.location.file() != file);
        wrong.extend(elsewhere.map(|error| format!("{name}: {error}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nodes_have_the_line_of_the_call_that_made_them() {
    check_nodes(all_rows(), file!());
}

#[test]
fn errors_have_the_line_of_the_call_that_failed() {
    check_errors(all_rows(), file!());
}

#[test]
fn a_place_in_a_file_that_is_no_rust_source_is_shown_as_it_is() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let place = Location::in_file("model.script", 12, 3);
    let sum = tidemill::custom::at_location(place, || ops::add(X, [1.0, 2.0, 3.0]));
    assert!(sum.is_invalid());
    let x = tidemill::custom::at_location(place, || ops::placeholder::<f32>([2]));
    assert_eq!(x.op().location(), Some(place));
    assert_eq!((place.file(), place.line(), place.column()), ("model.script", 12, 3));
    assert!(graph.check().unwrap_err().to_string().contains("--> model.script:12:3 (in `"));
    assert_eq!(place, Location::in_file("model.script", 12, 3));
    assert_ne!(place, Location::in_file("other.script", 12, 3));
}
