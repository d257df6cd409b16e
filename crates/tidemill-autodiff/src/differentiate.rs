use rustc_hash::FxHashSet;
use tidemill_graph::{
    Enclosure, Graph, GraphKey, Location, Note, OpError, TensorId, TensorRef, at_location,
    default_graph, derived, elsewhere, enclosures, fail, innermost, scoped,
};
use tidemill_ops::{Tensor, zeros_like};
use tidemill_value::DType;

use crate::walk::{Cut, Level, Walk};

/// Options of [`gradients_with`].
#[derive(Clone, Debug, Default)]
pub struct GradientOptions {
    /// The initial gradient of each of the `ys`; ones if it is `None` or the list is shorter.
    pub grad_ys: Vec<Option<Tensor>>,
    /// Tensors to treat as constant.
    pub stop_gradients: Vec<Tensor>,
    /// The gradient if no differentiable path leads from an `x` to the `ys`.
    pub unconnected_gradients: UnconnectedGradients,
}

/// The gradient with respect to an `x` that the `ys` do not depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnconnectedGradients {
    /// There is none.
    #[default]
    None,
    /// Zeros of the type and shape of the `x`.
    Zero,
}

/// The gradients of the sum of `ys` with respect to each of `xs`: tensors or variables.
///
/// They are nodes of the graph, so they can be fetched, used, and differentiated again. A gradient
/// is `None` if no differentiable path leads from the `x` to the `ys`. Each has the type and shape
/// of its `x`. The gradient of a table whose rows are gathered is a sum of [`IndexedSlices`](tidemill_ops::IndexedSlices).
///
/// # Errors
/// The handles are invalid if an operation on the path has no gradient defined, or if the `ys` are
/// not floats. The gradient of a tensor list is a list too; a list among the `ys` needs an initial
/// gradient in `grad_ys`.
#[track_caller]
pub fn gradients<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
) -> Vec<Option<Tensor>> {
    gradients_with(ys, xs, GradientOptions::default())
}

/// [`gradients`] with initial gradients of the `ys` and tensors to treat as constant.
#[track_caller]
pub fn gradients_with<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
    options: GradientOptions,
) -> Vec<Option<Tensor>> {
    differentiate(ys, xs, options).gradients
}

/// The result of [`differentiate`].
#[derive(Clone, Debug)]
pub struct Differentiation {
    /// The gradient with respect to each of the `xs`.
    pub gradients: Vec<Option<Tensor>>,
    /// The nodes at which paths from the `ys` to the `xs` end without a derivative, the nearest to
    /// the `ys` first.
    pub cuts: Vec<Cut>,
}

/// [`gradients_with`], which also returns the nodes at which paths end.
#[track_caller]
pub fn differentiate<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
    options: GradientOptions,
) -> Differentiation {
    let location = Location::caller();
    let ys: Vec<Tensor> = ys.into_iter().map(Into::into).collect();
    let xs: Vec<TensorRef> = xs.into_iter().map(Into::into).collect();
    at_location(location, || {
        let graph = ys.first().and_then(|y| y.graph()).unwrap_or_else(default_graph);
        // Nothing can be added to a body that is complete.
        let graph = if graph.is_complete_body() { default_graph() } else { graph };
        let target = innermost(&graph);
        match levels(&target, &ys, &xs, &options) {
            Ok(levels) => scoped(&target, "gradients", |_| {
                let mut result = descend(&target, levels, &xs);
                if options.unconnected_gradients == UnconnectedGradients::Zero {
                    for (gradient, &x) in result.gradients.iter_mut().zip(&xs) {
                        gradient.get_or_insert_with(|| derived(location, || zeros_of(x)));
                    }
                }
                result
            }),
            Err(invalid) => Differentiation {
                gradients: xs.iter().map(|_| Some(invalid)).collect(),
                cuts: Vec::new(),
            },
        }
    })
}

/// Differentiates one graph after the other, from the inside out. The gradients of the tensors that
/// a graph captures are the initial gradients of the graph around it.
fn descend(target: &Graph, mut levels: Vec<Level>, xs: &[TensorRef]) -> Differentiation {
    let mut gradients: Vec<Option<Tensor>> = vec![None; xs.len()];
    let mut cuts = Vec::new();
    for i in 0..levels.len() {
        let (inner, outer) = levels.split_at_mut(i + 1);
        let level = &inner[i];
        if level.ys.is_empty() {
            continue;
        }
        let walked = Walk::new(level, target, gradients_given).run(&level.ys);
        for (gradient, x) in gradients.iter_mut().zip(xs) {
            if let (true, Ok(id)) = (x.graph() == level.graph.key(), x.id()) {
                *gradient = walked.gradient(id).map(Tensor::from);
            }
        }
        cuts.extend(walked.cuts());
        if let Some(Level { ys, captured, .. }) = outer.first_mut() {
            let reached = captured.iter().map(|&(outer, inner)| (outer, walked.gradient(inner)));
            ys.extend(reached.filter(|(_, gradient)| gradient.is_some()));
        }
    }
    Differentiation { gradients, cuts }
}

/// [`gradients`] of tensors whose gradients are given.
fn gradients_given(
    ys: &[Tensor],
    grad_ys: &[Option<Tensor>],
    xs: &[TensorRef],
) -> Vec<Option<Tensor>> {
    let options = GradientOptions { grad_ys: grad_ys.to_vec(), ..GradientOptions::default() };
    gradients_with(ys.iter().copied(), xs.iter().copied(), options)
}

/// Sorts tensors by their graphs, from `target` outwards.
///
/// # Errors
/// An invalid handle if one is given, graphs mix, or a `y` is not a float.
fn levels(
    target: &Graph,
    ys: &[Tensor],
    xs: &[TensorRef],
    options: &GradientOptions,
) -> Result<Vec<Level>, Tensor> {
    let level = |Enclosure { graph, captured }| Level {
        graph,
        ys: Vec::new(),
        xs: Vec::new(),
        stops: FxHashSet::default(),
        captured,
    };
    let mut levels: Vec<Level> = enclosures(target).into_iter().map(level).collect();
    let keys: Vec<GraphKey> = levels.iter().map(|level| level.graph.key()).collect();
    let given = ys.iter().map(|&y| TensorRef::from(y)).chain(xs.iter().copied());
    let beside = given.into_iter().find(|tensor| keys.contains(&tensor.graph()));
    let find = |tensor: TensorRef| find(tensor, &keys, beside);
    for (i, &y) in ys.iter().enumerate() {
        let (level, id) = find(y.into())?;
        let grad = options.grad_ys.get(i).copied().flatten().map(TensorRef::from);
        if let Some(grad) = grad {
            find(grad)?;
        }
        check_float(&levels[level].graph, id, grad.is_some())?;
        levels[level].ys.push((id, grad));
    }
    for &x in xs {
        let (level, id) = find(x)?;
        levels[level].xs.push(id);
    }
    for &stop in &options.stop_gradients {
        let (level, id) = find(stop.into())?;
        levels[level].stops.insert(id);
    }
    add_captured(&mut levels);
    Ok(levels)
}

/// Adds to the `xs` of each graph the tensors that capture tensors of the graph around it which
/// depend on the `xs` there.
fn add_captured(levels: &mut [Level]) {
    for i in (1..levels.len()).rev() {
        let outer = &levels[i];
        if outer.xs.is_empty() {
            continue;
        }
        let dependent = {
            let reader = outer.graph.read();
            reader.descendants(outer.xs.iter().map(|x| x.node), |_| true)
        };
        let depends = |tensor: &TensorId| dependent.binary_search(&tensor.node).is_ok();
        let captured = outer.captured.iter().filter(|(outer, _)| depends(outer));
        let inner: Vec<TensorId> = captured.map(|&(_, inner)| inner).collect();
        levels[i - 1].xs.extend(inner);
    }
}

/// Finds the graph that a tensor belongs to.
///
/// # Errors
/// The handle that is invalid, or one whose error says where the tensor is.
fn find(
    tensor: TensorRef,
    graphs: &[GraphKey],
    beside: Option<TensorRef>,
) -> Result<(usize, TensorId), Tensor> {
    let Ok(id) = tensor.id() else { return Err(tensor.into()) };
    match graphs.iter().position(|&graph| graph == tensor.graph()) {
        Some(level) => Ok((level, id)),
        None => Err(misplaced(tensor, graphs[0], beside)),
    }
}

/// An error: the tensor is in another graph than those being differentiated, or inside a body.
fn misplaced(tensor: TensorRef, graph: GraphKey, beside: Option<TensorRef>) -> Tensor {
    let others = beside.filter(|other| *other != tensor);
    let notes = others.into_iter().chain([tensor]);
    let notes = notes.filter_map(|tensor| Note::made_here(tensor.operation())).collect();
    let (default, kind) = (default_graph().key(), elsewhere(tensor.operation(), graph));
    fail(Some(default), "gradients", kind, notes).output(0).into()
}

/// Checks that a tensor has a gradient. The gradient of a list of tensors must be given.
///
/// # Errors
/// A handle whose error says that it has none.
fn check_float(graph: &Graph, tensor: TensorId, is_given: bool) -> Result<(), Tensor> {
    let reader = graph.read();
    let dtype = reader.node(tensor.node).outputs[tensor.slot as usize].dtype;
    if dtype.is_float() || (dtype == DType::Variant && is_given) {
        return Ok(());
    }
    let name = reader.tensor_name(tensor);
    let at = reader.location(tensor.node);
    drop(reader);
    let message = format!("`{name}` is {dtype}, but only floats have gradients");
    let notes = Vec::from([Note::at(format!("`{name}` was made here"), at)]);
    Err(fail(Some(graph.key()), "gradients", OpError::Invalid(message), notes).output(0).into())
}

/// Zeros of the type and shape of a tensor, or of the value of a variable.
fn zeros_of(x: TensorRef) -> Tensor {
    let read = || {
        let graph = Graph::find(x.graph()).ok()?;
        let record = graph.read().variable(x.id().ok()?.node).cloned()?;
        Some(TensorRef::new(graph.key(), record.read))
    };
    zeros_like(Tensor::from(read().unwrap_or(x)))
}
