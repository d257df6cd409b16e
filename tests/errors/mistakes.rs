//! Mistakes that programs make. Each function is one: it ends in the error that `main` would print.
//! `table.rs` puts them into docs/errors.md, with their code.

use std::fs;

use tidemill::formats::npy;
use tidemill::prelude::*;
use tidemill::proto::{GraphDef, Message};
use tidemill::{
    MetaGraphParts, SavedModel, SavedModelBuilder, TextMessage, import_graph_def, to_graph_def,
};

use super::table::folder;
use crate::common::Outcome;

/// A checkpoint that does not exist.
pub(crate) fn missing_checkpoint() -> Outcome {
    get_variable("weights", [2], ones());
    let (session, saver) = (Session::new(), Saver::new()?);
    session.init_missing()?;
    saver.save_step(&session, folder().join("model"), 100)?;
    saver.restore(&session, folder().join("modle-100"))?;
    Ok(())
}

/// A checkpoint in a folder that does not exist.
pub(crate) fn missing_folder() -> Outcome {
    get_variable("weights", [2], ones());
    Saver::new()?.restore(&Session::new(), folder().join("old/model"))?;
    Ok(())
}

/// A folder of checkpoints passed as a checkpoint.
pub(crate) fn folder_for_checkpoint() -> Outcome {
    get_variable("weights", [2], ones());
    let (session, saver) = (Session::new(), Saver::new()?);
    session.init_missing()?;
    saver.save(&session, folder().join("run/model"))?;
    saver.restore(&session, folder().join("run"))?;
    Ok(())
}

/// A checkpoint path whose parent is a file.
pub(crate) fn file_for_folder() -> Outcome {
    get_variable("weights", [2], ones());
    let session = Session::new();
    session.init_missing()?;
    fs::write(folder().join("notes"), "")?;
    Saver::new()?.save(&session, folder().join("notes/model"))?;
    Ok(())
}

/// A prefix that ends with `/`.
pub(crate) fn trailing_slash() -> Outcome {
    get_variable("weights", [2], ones());
    let session = Session::new();
    session.init_missing()?;
    Saver::new()?.save(&session, format!("{}/model/", folder().display()))?;
    Ok(())
}

/// A prefix with the name of the file that lists checkpoints.
pub(crate) fn name_of_state_file() -> Outcome {
    get_variable("weights", [2], ones());
    let session = Session::new();
    session.init_missing()?;
    Saver::new()?.save(&session, folder().join("checkpoint"))?;
    Ok(())
}

/// A checkpoint without some of the variables.
pub(crate) fn incomplete_checkpoint() -> Outcome {
    get_variable("layer/weights", [2, 3], ones());
    let session = Session::new();
    session.init_missing()?;
    Saver::new()?.save(&session, folder().join("model"))?;
    let graph = Graph::new();
    let _default = graph.as_default();
    get_variable("layer/weight", [2, 3], ones());
    Saver::new()?.restore(&Session::new(), folder().join("model"))?;
    Ok(())
}

/// One variable saved under two names.
pub(crate) fn variable_saved_twice() -> Outcome {
    let weights = get_variable("weights", [2], ones());
    Saver::named([("w", weights), ("weights", weights)])?;
    Ok(())
}

/// A NumPy file that does not exist.
pub(crate) fn missing_array() -> Outcome {
    npy::read_npy_file(folder().join("x.npy"))?;
    Ok(())
}

/// A tensor fetched by a session of another graph.
pub(crate) fn fetch_of_another_graph() -> Outcome {
    let x = constant(1.0_f32).named("x");
    let graph = Graph::new();
    let session = Session::with_graph(&graph);
    {
        let _default = graph.as_default();
        constant(2.0_f32);
    }
    session.run(x)?;
    Ok(())
}

/// A tensor fetched by a session of an empty graph.
pub(crate) fn session_of_an_empty_graph() -> Outcome {
    let x = constant(1.0_f32).named("x");
    let session = Session::with_graph(&Graph::new());
    session.run(x)?;
    Ok(())
}

/// Tensors of two graphs in one operation.
pub(crate) fn two_graphs() -> Outcome {
    let outer = constant(1.0_f32).named("outer");
    let graph = Graph::new();
    let _default = graph.as_default();
    let inner = constant(2.0_f32).named("inner");
    Session::new().run(inner + outer)?;
    Ok(())
}

/// A reshape whose extents do not divide the elements.
pub(crate) fn reshape_that_does_not_divide() -> Outcome {
    let x = placeholder::<f32>([2, 3]).named("x");
    Session::new().run(reshape(x, [-1, 4]))?;
    Ok(())
}

/// Concatenated tensors whose other extents differ.
pub(crate) fn joined_with_other_extents() -> Outcome {
    let left = placeholder::<f32>([2, 3]).named("left");
    let right = placeholder::<f32>([2, 4]).named("right");
    Session::new().run(concat([left, right], 0))?;
    Ok(())
}

/// Labels and logits with different batch sizes.
pub(crate) fn labels_of_another_batch() -> Outcome {
    let labels = placeholder::<i32>([8]).named("labels");
    let logits = placeholder::<f32>([4, 10]).named("logits");
    let loss = losses::sparse_softmax_cross_entropy(labels, logits, 1.0);
    Session::new().run(loss)?;
    Ok(())
}

/// Predictions with another shape than the labels.
pub(crate) fn predictions_of_another_shape() -> Outcome {
    let labels = placeholder::<f32>([8]).named("labels");
    let predictions = placeholder::<f32>([4]).named("predictions");
    let loss = losses::mean_squared_error(labels, predictions, 1.0);
    Session::new().run(loss)?;
    Ok(())
}

/// A convolution whose filter and input differ in channels.
pub(crate) fn channels_that_differ() -> Outcome {
    let images = placeholder::<f32>(shape![?, 28, 28, 3]).named("images");
    let filter = get_variable("filter", [5, 5, 1, 16], ones());
    Session::new().run(conv2d(images, filter, Conv::SAME))?;
    Ok(())
}

/// Sequences without a feature axis passed to a recurrent network.
pub(crate) fn sequences_without_inputs() -> Outcome {
    let x = placeholder::<f32>([8, 20]).named("x");
    let (outputs, _) = rnn::dynamic_rnn(&rnn::GruCell::new(5), x);
    Session::new().run(outputs)?;
    Ok(())
}

/// Batch normalization along an axis of unknown extent.
pub(crate) fn unknown_channels() -> Outcome {
    let x = placeholder::<f32>(shape![?, ?]).named("x");
    let y = layers::batch_normalization(x, true, layers::BatchNormalization::default());
    Session::new().run(y)?;
    Ok(())
}

/// Reuse of a variable that does not exist.
pub(crate) fn variable_to_reuse_is_missing() -> Outcome {
    get_variable("layer/weights", [2], ones());
    let reuse = || get_variable("wieghts", [2], ones());
    let weights = variable_scope_with("layer", Reuse::Always, reuse);
    Session::new().run(weights)?;
    Ok(())
}

/// Reuse of a variable with another shape.
pub(crate) fn variable_of_another_shape() -> Outcome {
    get_variable("weights", [2], ones());
    let reuse = || get_variable("weights", [3], ones());
    let weights = variable_scope_with("", Reuse::Always, reuse);
    Session::new().run(weights)?;
    Ok(())
}

/// A loss in a graph without variables.
pub(crate) fn nothing_to_train() -> Outcome {
    let loss = square(placeholder::<f32>([])).named("loss");
    Session::new().run(GradientDescent::new(0.1).minimize(loss))?;
    Ok(())
}

/// No gradients to apply.
pub(crate) fn no_gradient_to_apply() -> Outcome {
    let weights = get_variable("weights", [], ones());
    let train = GradientDescent::new(0.1).apply_gradients(&[(None, weights)], None);
    Session::new().run(train)?;
    Ok(())
}

/// Integers assigned to a variable of floats.
pub(crate) fn integers_for_floats() -> Outcome {
    let weights = get_variable("weights", [3], ones());
    Session::new().run(assign(weights, constant([1, 2, 3])))?;
    Ok(())
}

/// A value fed under a misspelled name.
pub(crate) fn fed_by_a_near_name() -> Outcome {
    let images = placeholder::<f32>([]).named("images");
    placeholder::<f32>([]).named("labels");
    Session::new().run_with(images, feeds!["Image" => 1.0])?;
    Ok(())
}

/// `f64` numbers fed to a tensor of `float32`.
pub(crate) fn floats_of_64_bits() -> Outcome {
    let x = placeholder::<f32>([2]).named("x");
    Session::new().run_with(x, feeds![x => [1.0, 2.0]])?;
    Ok(())
}

/// `f64` numbers multiplied with a tensor of `float32`.
pub(crate) fn floats_of_64_bits_in_an_operation() -> Outcome {
    let x = placeholder::<f32>([2]).named("x");
    Session::new().run(x * [1.0, 2.0])?;
    Ok(())
}

/// A single number read from a vector.
pub(crate) fn number_of_a_list() -> Outcome {
    let x = constant([1.0_f32, 2.0]);
    let _number: f32 = Session::new().run(x)?.into_scalars()?;
    Ok(())
}

/// An unknown name fetched.
pub(crate) fn unknown_name() -> Outcome {
    constant(1.0_f32).named("accuracy");
    Session::new().run("Acuracy:0")?;
    Ok(())
}

/// A placeholder that was not fed, at the end of a long path.
pub(crate) fn placeholder_far_away() -> Outcome {
    let x = placeholder::<f32>([]).named("x");
    let y = (0..4000).fold(x, |y, _| y * 2.0).named("y");
    Session::new().run(y)?;
    Ok(())
}

/// A variable without a value.
pub(crate) fn variable_without_a_value() -> Outcome {
    let weights = get_variable("weights", [2], ones());
    Session::new().run(weights * 2.0)?;
    Ok(())
}

/// An index out of range.
pub(crate) fn index_out_of_range() -> Outcome {
    let row = placeholder::<i32>([]).named("row");
    let picked = gather([1.0_f32, 2.0], row, 0);
    Session::new().run_with(picked, feeds![row => 2])?;
    Ok(())
}

/// A name fetched from an empty graph.
pub(crate) fn empty_graph() -> Outcome {
    Session::new().run("x")?;
    Ok(())
}

/// An empty file imported.
pub(crate) fn empty_file() -> Outcome {
    fs::write(folder().join("graph.pb"), "")?;
    import_graph_def(&fs::read(folder().join("graph.pb"))?)?;
    Ok(())
}

/// A graph as text imported as if it were binary.
pub(crate) fn text_for_binary() -> Outcome {
    constant(1.0_f32);
    let text = to_graph_def(&default_graph())?.to_text();
    import_graph_def(text.as_bytes())?;
    Ok(())
}

/// The file of a SavedModel imported as if it were a graph.
pub(crate) fn saved_model_for_graph() -> Outcome {
    constant(1.0_f32);
    SavedModelBuilder::new(&Session::new()).save(folder().join("model"))?;
    import_graph_def(&fs::read(folder().join("model/saved_model.pb"))?)?;
    Ok(())
}

/// The MetaGraphDef of a checkpoint imported as if it were a graph.
pub(crate) fn meta_graph_for_graph() -> Outcome {
    constant(1.0_f32);
    let meta = tidemill::to_meta_graph(&default_graph(), &MetaGraphParts::default())?;
    import_graph_def(&meta.encode_to_vec())?;
    Ok(())
}

/// A node of a file that breaks a rule of its operation.
pub(crate) fn wrong_node() -> Outcome {
    let text = "node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_INT32 } } }
                node { name: 'y' op: 'Exp' input: 'x' attr { key: 'T' value { type: DT_INT32 } } }";
    import_graph_def(GraphDef::from_text(text)?)?;
    Ok(())
}

/// A SavedModel that does not exist.
pub(crate) fn missing_model() -> Outcome {
    SavedModel::load(folder().join("model"), &["serve"])?;
    Ok(())
}
