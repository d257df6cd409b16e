//! The names that programs written for TensorFlow 1 use most, and their counterparts here.

use std::fmt::Write;

/// Names of TensorFlow's Python interface that have another name here, or are built in another way.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tf.AUTO_REUSE", "`Reuse::Auto`"),
    ("tf.argmax", "`arg_max`"),
    ("tf.ConfigProto", "`SessionOptions`"),
    ("tf.contrib.layers.batch_norm", "`layers::batch_normalization`"),
    ("tf.contrib.layers.fully_connected", "`layers::fully_connected`"),
    (
        "tf.contrib.layers.layer_norm",
        "`layer_normalization`, with variables that the program creates",
    ),
    ("tf.contrib.layers.xavier_initializer", "`glorot_uniform`"),
    ("tf.contrib.layers.xavier_initializer_conv2d", "`glorot_uniform`"),
    (
        "tf.contrib.legacy_seq2seq.rnn_decoder, .sequence_loss_by_example",
        "`rnn::rnn_decoder`, `losses::sequence_loss_by_example`",
    ),
    (
        "tf.contrib.metrics.accuracy",
        "`reduce_mean(to_float(equal(labels, predictions)), ..)`; over batches, `metrics::accuracy`",
    ),
    ("tf.contrib.rnn.BasicLSTMCell, .LSTMCell", "`rnn::LstmCell`, whose `forget_bias` is 1"),
    ("tf.contrib.rnn.DropoutWrapper", "`rnn::DropoutWrapper`, which takes the rates to drop"),
    ("tf.contrib.rnn.GRUCell", "`rnn::GruCell`"),
    ("tf.contrib.rnn.LSTMStateTuple", "a pair, `(memory, outputs)`"),
    ("tf.contrib.rnn.MultiRNNCell", "`rnn::MultiRnnCell`"),
    ("tf.contrib.rnn.OutputProjectionWrapper", "`rnn::OutputProjectionWrapper`"),
    ("tf.contrib.rnn.RNNCell", "`rnn::RnnCell`"),
    ("tf.contrib.rnn.static_rnn", "`rnn::static_rnn`"),
    ("tf.contrib.seq2seq.sequence_loss", "`losses::sequence_loss`"),
    ("tf.control_dependencies(None)", "`clear_control_dependencies`"),
    ("tf.flags, tf.app.flags, tf.app.run", "a crate that parses arguments, and `main`"),
    ("tf.get_collection", "`Inspect::tensors_in`, `variables_in`, `operations_in`"),
    ("tf.get_collection(.., scope)", "`InScope::is_in_scope` of each"),
    ("tf.GraphKeys.TRAINABLE_VARIABLES, .UPDATE_OPS", "`TRAINABLE_VARIABLES`, `UPDATE_OPS`"),
    ("tf.float32, tf.int32, tf.int64, tf.bool", "`DType::F32`, `I32`, `I64`, `Bool`"),
    ("tf.InteractiveSession", "`Session::as_default`, `Tensor::eval`"),
    ("tf.multiply, tf.subtract, tf.negative", "`mul`, `sub`, `neg`, or operators"),
    ("tf.nn.bidirectional_dynamic_rnn", "`rnn::bidirectional_dynamic_rnn`"),
    ("tf.nn.dynamic_rnn", "`rnn::dynamic_rnn`, `rnn::DynamicRnn`"),
    ("tf.nn.rnn_cell.BasicRNNCell", "`rnn::BasicRnnCell`"),
    ("tf.nn.softmax_cross_entropy_with_logits(labels=, logits=)", "the same, in this order"),
    ("tf.random_normal_initializer", "`normal`"),
    ("tf.Session(config=)", "`Session::with_options`"),
    ("tf.set_random_seed", "`Graph::set_random_seed`"),
    ("tf.Tensor.set_shape", "`Tensor::set_shape`, which returns a tensor, or `ensure_shape`"),
    ("tf.TensorShape", "`PartialShape`, `shape![?, 3]`"),
    ("tf.train.AdamOptimizer and others", "`Adam` and others"),
    ("tf.train.Saver", "`Saver`, `Checkpointer`"),
    ("tf.trainable_variables(scope), tf.global_variables(scope)", "`trainable_variables_in` ..."),
    ("tf.truncated_normal", "`random(Distribution::TruncatedNormal { .. }, ..)`"),
    ("tf.Variable", "`variable(..)`, `get_variable`"),
    ("tf.variable_scope(.., initializer=, regularizer=, custom_getter=)", "`VariableScope`"),
    ("tf.where", "`select`, `where_true`"),
    ("tf.zeros, tf.ones", "`fill(shape, 0.0_f32)`; as initializers, `zeros()`, `ones()`"),
];

/// Names of TensorFlow's Python interface that have no counterpart.
const MISSING: &[(&str, &str)] = &[
    ("tf.contrib.layers, except those above", "layers with variables of their own"),
    ("tf.contrib.learn", "estimators and the processing of vocabularies"),
    ("tf.contrib.opt.ScipyOptimizerInterface", "optimizers outside the graph"),
    ("tf.contrib.rnn.NASCell", "a cell found by a search"),
    ("tf.data.Dataset", "data sets"),
    ("tf.decode_csv, tf.image.decode_jpeg, tf.image.decode_png", "decoding in the graph"),
    ("tf.device", "devices: there is one"),
    ("tf.errors.OutOfRangeError", "the end of a queue or a data set"),
    ("tf.layers, except dense and batch_normalization", "layers with variables of their own"),
    ("tf.sparse_placeholder", "sparse tensors"),
    ("tf.summary", "summary operations; `formats::event` writes event files"),
    ("tf.TextLineReader, tf.WholeFileReader", "readers"),
    (
        "tf.train.batch, tf.train.string_input_producer, tf.train.start_queue_runners",
        "queues that threads fill",
    ),
];

/// The names, in Markdown.
pub(crate) fn tensorflow_names() -> String {
    let mut text = "\
## Names used in TensorFlow programs

The operations and functions above have TensorFlow's names. TensorFlow 1 programs also use the following
names, which differ here or are built from other functions:

"
    .to_owned();
    table(&mut text, ["TensorFlow", "here"], ELSEWHERE);
    text.push_str("\nThese are missing:\n\n");
    table(&mut text, ["TensorFlow", "what it is"], MISSING);
    text
}

fn table(text: &mut String, head: [&str; 2], rows: &[(&str, &str)]) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "| {} | {} |\n| --- | --- |", head[0], head[1]);
    for (name, here) in rows {
        let _ = writeln!(text, "| {name} | {here} |");
    }
}
