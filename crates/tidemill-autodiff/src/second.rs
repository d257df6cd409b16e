//! Derivatives of many outputs, and of gradients.

use tidemill_graph::{
    BuildErrorKind, Location, OpError, TensorRef, at_location, default_graph, fail, scoped,
};
use tidemill_ops::{
    Operand, Tensor, broadcast_to, concat, reshape, shape, stack, stop_gradient, zeros_like,
};
use tidemill_value::{DType, Shape, Value};

use crate::{GradientOptions, gradients, gradients_with};

/// The most rows of a Jacobian: the graph gets a gradient for each of them.
const MOST_ROWS: usize = 1024;

/// The derivatives of each element of `y` with respect to each element of `x`: a tensor whose shape
/// is that of `y` followed by that of `x`. It is `None` if `y` does not depend on `x`.
///
/// It builds a gradient for each element of `y`, so it can be differentiated again.
///
/// # Errors
/// The handle is invalid if the shape of `y` is unknown or has more than 1024 elements, and as for
/// [`gradients`].
#[track_caller]
pub fn jacobian(y: impl Into<Tensor>, x: impl Into<TensorRef>) -> Option<Tensor> {
    let (y, x) = (y.into(), x.into());
    at_location(Location::caller(), || {
        let graph = y.graph().unwrap_or_else(default_graph);
        scoped(&graph, "jacobian", |_| match rows_of(y) {
            Ok(known) => jacobian_of(y, x, &known),
            Err(_) if y.is_invalid() => Some(y),
            Err(error) => {
                let kind = BuildErrorKind::Op(error);
                Some(fail(Some(graph.key()), "jacobian", kind, Vec::new()).output(0).into())
            }
        })
    })
}

fn rows_of(y: Tensor) -> Result<Shape, OpError> {
    let shape = y.shape();
    let known = shape
        .known()
        .filter(|known| known.elements().is_some_and(|elements| elements <= MOST_ROWS));
    known.ok_or_else(|| {
        OpError::invalid(format!(
            "a Jacobian needs a known shape of at most {MOST_ROWS} elements, but the shape of `{}` \
             is {shape}",
            y.name()
        ))
    })
}

fn jacobian_of(y: Tensor, x: TensorRef, known: &Shape) -> Option<Tensor> {
    let elements = known.elements().unwrap_or(0);
    let Some(first) = row(y, x, known, 0) else {
        // Connectedness does not depend on the element.
        return gradients([y], [x]).pop().flatten().map(|grad| nothing(grad, known));
    };
    let rows = (1..elements).filter_map(|element| row(y, x, known, element));
    let rows: Vec<Tensor> = std::iter::once(first).chain(rows).collect();
    let whole = match Tensor::from(x).shape().known() {
        Some(of_x) => extents(&known.iter().chain(of_x.iter()).copied().collect(), first),
        None => concat([extents(known, first), shape(first)], 0),
    };
    Some(reshape(stack(rows, 0), whole))
}

/// A Jacobian without rows.
fn nothing(grad: Tensor, known: &Shape) -> Tensor {
    broadcast_to(zeros_like(grad), concat([extents(known, grad), shape(grad)], 0))
}

/// A shape as a constant of the graph of a tensor.
fn extents(known: &Shape, beside: Tensor) -> Tensor {
    let extents: Vec<i32> = known.iter().map(|&extent| extent as i32).collect();
    Operand::from(extents).to_tensor_like(beside, "shape")
}

/// The gradient of one element of `y`.
fn row(y: Tensor, x: TensorRef, known: &Shape, element: usize) -> Option<Tensor> {
    let incoming = match y.dtype() {
        Some(DType::F64) => one_at::<f64>(known, element),
        _ => one_at::<f32>(known, element),
    }?;
    let incoming = Operand::from(incoming).to_tensor_like(y, "grad_ys");
    let options = GradientOptions { grad_ys: vec![Some(incoming)], ..GradientOptions::default() };
    gradients_with([y], [x], options).pop().flatten()
}

/// Zeros with a one at a position in row-major order, if there is one.
fn one_at<T: tidemill_value::Element + From<u8>>(known: &Shape, element: usize) -> Option<Value> {
    let mut value = Value::zeros(T::DTYPE, known.clone()).ok()?;
    *value.as_mut_slice::<T>().ok()?.get_mut(element)? = T::from(1);
    Some(value)
}

/// The product of the Hessian (the matrix of second derivatives of the sum of `y` with respect to
/// `xs`) and `vectors`, which has one tensor for each of `xs`, of the same shape.
///
/// It is a gradient of a gradient and never builds the Hessian itself. A part is `None` if the
/// gradient does not depend on that `x`.
///
/// # Errors
/// As for [`gradients`].
#[track_caller]
pub fn hessian_vector_product<X: Into<TensorRef>>(
    y: impl Into<Tensor>,
    xs: impl IntoIterator<Item = X>,
    vectors: impl IntoIterator<Item = Tensor>,
) -> Vec<Option<Tensor>> {
    let y = y.into();
    let xs: Vec<TensorRef> = xs.into_iter().map(Into::into).collect();
    at_location(Location::caller(), || {
        let graph = y.graph().unwrap_or_else(default_graph);
        scoped(&graph, "hessian_vector_product", |_| {
            let grads = gradients([y], xs.iter().copied());
            let pairs = grads.into_iter().zip(vectors);
            let products: Vec<Tensor> =
                pairs.filter_map(|(grad, vector)| Some(grad? * stop_gradient(vector))).collect();
            gradients(products, xs)
        })
    })
}
