//! The rules, and the arithmetic of each.

use super::work::{Step, Work};
use crate::NumericError;
use crate::float::Float;
use crate::vector::is_single;

/// The update rule of a variable. Each names the numbers it takes, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// `alpha`.
    GradientDescent,
    /// `lr`, `momentum`.
    Momentum {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `lr`, `momentum`; the accumulator holds steps instead of gradients.
    KerasMomentum {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `lr`.
    Adagrad {
        /// True if the accumulator takes in the gradient.
        update_slots: bool,
    },
    /// `lr`, `epsilon`.
    AdagradV2 {
        /// True if the accumulator takes in the gradient.
        update_slots: bool,
    },
    /// `lr`, `l1`, `l2`, `global_step`.
    AdagradDa,
    /// `lr`, `rho`, `epsilon`.
    Adadelta,
    /// `lr`, `rho`, `momentum`, `epsilon`.
    RmsProp,
    /// `lr`, `rho`, `momentum`, `epsilon`.
    CenteredRmsProp,
    /// `beta1_power`, `beta2_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    Adam {
        /// True if the step looks ahead (Nesterov).
        nesterov: bool,
    },
    /// `beta1_power`, `beta2_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    AdamWithAmsgrad,
    /// `beta1_power`, `lr`, `beta1`, `beta2`, `epsilon`.
    AdaMax,
    /// `lr`, `l1`, `l2`, `lr_power`.
    Ftrl {
        /// True if the linear term is kept multiplied by the learning rate.
        multiply_linear_by_lr: bool,
    },
    /// `lr`, `l1`, `l2`, `l2_shrinkage`, `lr_power`.
    FtrlV2 {
        /// True if the linear term is kept multiplied by the learning rate.
        multiply_linear_by_lr: bool,
    },
    /// `alpha`, `l1`, `l2`.
    ProximalGradientDescent,
    /// `lr`, `l1`, `l2`.
    ProximalAdagrad,
    /// `lr`, `alpha`, `sign_decay`, `beta`.
    AddSign,
    /// `lr`, `logbase`, `sign_decay`, `beta`.
    PowerSign,
}

/// Declares steps: the numbers and choices of each, and the update of its states by a gradient. The
/// loops over `f32` of those marked with `vector` are compiled for several sets of vector
/// instructions.
macro_rules! steps {
    (@) => { false };
    (@ vector) => { true };
    ($(
        $(#[$doc:meta])*
        $name:ident[$count:literal $(, $vector:ident)?] { $($number:ident),* $(; $flag:ident)? }
            |$states:pat_param, $gradient:ident| $body:block
    )+) => {$(
        $(#[$doc])*
        struct $name<T> {
            $($number: T,)*
            $($flag: bool,)?
        }

        impl<T: Float> Step<T, $count> for $name<T> {
            const VECTOR: bool = steps!(@ $($vector)?) && is_single(T::DTYPE);

            #[inline(always)]
            fn step(&self, $states: [T; $count], $gradient: T) -> [T; $count] {
                let $name { $($number,)* $($flag,)? } = *self;
                $body
            }
        }
    )+};
}

steps! {
    GradientDescent[1, vector] { alpha } |[var], g| {
        let var = var - g * alpha;
        [var]
    }

    Momentum[2, vector] { lr, momentum; nesterov } |[var, accum], g| {
        let accum = accum * momentum + g;
        let var = var - if nesterov { g * lr + accum * momentum * lr } else { accum * lr };
        [var, accum]
    }

    KerasMomentum[2, vector] { lr, momentum; nesterov } |[var, accum], g| {
        let accum = accum * momentum - g * lr;
        let var = var + if nesterov { accum * momentum - g * lr } else { accum };
        [var, accum]
    }

    Adagrad[2, vector] { lr; update_slots } |[var, accum], g| {
        let accum = if update_slots { accum + g * g } else { accum };
        let var = var - g * lr * reciprocal_root(accum);
        [var, accum]
    }

    AdagradV2[2] { lr, epsilon; update_slots } |[var, accum], g| {
        let accum = if update_slots { accum + g * g } else { accum };
        let var = var - g * lr / (accum.sqrt() + epsilon);
        [var, accum]
    }

    /// `threshold` is the least accumulated gradient that moves the variable.
    AdagradDa[3] { lr, threshold, decay; regularized } |[_, sum, squares], g| {
        let sum = sum + g;
        let squares = squares + g * g;
        let moved = match regularized {
            true => lr * -T::ONE * sign(sum) * (sum.abs() - threshold).larger(T::ZERO),
            false => lr * sum * -T::ONE,
        };
        let var = moved / (decay + squares.sqrt());
        [var, sum, squares]
    }

    AdagradDaRows[3] { l1, l2, step, step_by_lr; regularized } |[_, sum, squares], g| {
        let sum = sum + g;
        let squares = squares + g * g;
        let moved = match regularized {
            true => -sign(sum) * (sum.abs() / step - l1).larger(T::ZERO),
            false => -(sum / step),
        };
        let var = moved / (l2 + squares.sqrt() / step_by_lr);
        [var, sum, squares]
    }

    Adadelta[3] { lr, rho, epsilon } |[var, accum, accum_update], g| {
        let accum = accum * rho + g * g * (T::ONE - rho);
        let update =
            (accum_update + epsilon).sqrt() * reciprocal_root(accum + epsilon) * g;
        let var = var - update * lr;
        let accum_update = accum_update * rho + update * update * (T::ONE - rho);
        [var, accum, accum_update]
    }

    RmsProp[3, vector] { lr, rho, momentum, epsilon } |[var, ms, mom], g| {
        let ms = ms + (g * g - ms) * (T::ONE - rho);
        let mom = mom * momentum + g * lr / (ms + epsilon).sqrt();
        let var = var - mom;
        [var, ms, mom]
    }

    RmsPropRows[3] { lr, rho, momentum, epsilon } |[var, ms, mom], g| {
        let ms = ms * rho + g * g * (T::ONE - rho);
        let mom = mom * momentum + reciprocal_root(ms + epsilon) * lr * g;
        let var = var - mom;
        [var, ms, mom]
    }

    CenteredRmsProp[4] { lr, rho, momentum, epsilon } |[var, mg, ms, mom], g| {
        let ms = ms + (g * g - ms) * (T::ONE - rho);
        let mg = mg + (g - mg) * (T::ONE - rho);
        let mom = mom * momentum + g * lr / (ms - mg * mg + epsilon).sqrt();
        let var = var - mom;
        [var, mg, ms, mom]
    }

    CenteredRmsPropRows[4] { lr, rho, momentum, epsilon } |[var, mg, ms, mom], g| {
        let ms = ms * rho + g * g * (T::ONE - rho);
        let mg = mg * rho + g * (T::ONE - rho);
        let mom = mom * momentum + reciprocal_root(ms + epsilon - mg * mg) * lr * g;
        let var = var - mom;
        [var, mg, ms, mom]
    }

    Adam[3, vector] { alpha, beta1, beta2, epsilon; nesterov } |[var, m, v], g| {
        let m = m + (g - m) * (T::ONE - beta1);
        let v = v + (g * g - v) * (T::ONE - beta2);
        let ahead = if nesterov { g * (T::ONE - beta1) + beta1 * m } else { m };
        let var = var - ahead * alpha / (v.sqrt() + epsilon);
        [var, m, v]
    }

    AdamWithAmsgrad[4] { alpha, beta1, beta2, epsilon } |[var, m, v, vhat], g| {
        let m = m + (g - m) * (T::ONE - beta1);
        let v = v + (g * g - v) * (T::ONE - beta2);
        let vhat = vhat.larger(v);
        let var = var - m * alpha / (vhat.sqrt() + epsilon);
        [var, m, v, vhat]
    }

    AdaMax[3] { alpha, beta1, beta2, epsilon } |[var, m, v], g| {
        let m = m + (g - m) * (T::ONE - beta1);
        let v = (beta2 * v).larger(g.abs());
        let var = var - alpha * (m / (v + epsilon));
        [var, m, v]
    }

    Ftrl[3] { lr, l1, l2, l2_shrinkage, lr_power; multiply } |[var, accum, linear], g| {
        let shrunk = g + T::TWO * l2_shrinkage * var;
        let next = accum + g * g;
        let (root, next_root) = (ftrl_power(accum, lr_power), ftrl_power(next, lr_power));
        let (change, threshold, denominator) = if multiply {
            let change = shrunk * lr - (next_root - root) * var;
            (change, l1 * lr, next_root + T::TWO * l2 * lr)
        } else {
            (shrunk - (next_root - root) / lr * var, l1, next_root / lr + T::TWO * l2)
        };
        let linear = linear + change;
        let pulled = (threshold * sign(linear) - linear) / denominator;
        let var = if linear.abs() > threshold { pulled } else { T::ZERO };
        [var, next, linear]
    }

    ProximalGradientDescent[1] { alpha, l1, l2 } |[var], g| {
        let var = shrink(var - g * alpha, alpha, l1, l2);
        [var]
    }

    ProximalAdagrad[2] { lr, l1, l2 } |[var, accum], g| {
        let accum = accum + g * g;
        let rate = lr * reciprocal_root(accum);
        let var = shrink(var - g * rate, rate, l1, l2);
        [var, accum]
    }

    AddSign[2] { lr, alpha, sign_decay, beta } |[var, m], g| {
        let m = m * beta + g * (T::ONE - beta);
        let var = var - lr * (alpha + sign_decay * (sign(g) * sign(m))) * g;
        [var, m]
    }

    PowerSign[2] { lr, logbase, sign_decay, beta } |[var, m], g| {
        let m = m * beta + g * (T::ONE - beta);
        let var = var - lr * (logbase * sign_decay * (sign(g) * sign(m))).exp() * g;
        [var, m]
    }
}

#[inline(always)]
fn reciprocal_root<T: Float>(x: T) -> T {
    T::ONE / x.sqrt()
}

/// -1, 0 or 1; NaN of NaN.
#[inline(always)]
fn sign<T: Float>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x
    }
}

/// `x` to the power of `-lr_power`, which is most often the root.
#[inline(always)]
fn ftrl_power<T: Float>(x: T, lr_power: T) -> T {
    if lr_power == -T::ONE / T::TWO { x.sqrt() } else { x.powf(-lr_power) }
}

/// Pulls a number towards 0: by a threshold, and by a factor.
#[inline(always)]
fn shrink<T: Float>(x: T, rate: T, l1: T, l2: T) -> T {
    let numerator = if l1 > T::ZERO { sign(x) * (x.abs() - rate * l1).larger(T::ZERO) } else { x };
    numerator / (T::ONE + l2 * rate)
}

/// The learning rate of `Adam`, without the bias of moments that start at 0.
fn unbiased<T: Float>(lr: T, beta1_power: T, beta2_power: T) -> T {
    lr * (T::ONE - beta2_power).sqrt() / (T::ONE - beta1_power)
}

/// Updates states as a rule says.
pub(super) fn apply<T: Float>(rule: Rule, work: Work<'_, T>) -> Result<(), NumericError> {
    match rule {
        Rule::GradientDescent => {
            let [alpha] = work.numbers()?;
            work.run(&GradientDescent { alpha })
        }
        Rule::Momentum { nesterov } => {
            let [lr, momentum] = work.numbers()?;
            work.run(&Momentum { lr, momentum, nesterov })
        }
        Rule::KerasMomentum { nesterov } => {
            let [lr, momentum] = work.numbers()?;
            work.run(&KerasMomentum { lr, momentum, nesterov })
        }
        Rule::Adagrad { update_slots } => {
            let [lr] = work.numbers()?;
            work.run(&Adagrad { lr, update_slots })
        }
        Rule::AdagradV2 { update_slots } => {
            let [lr, epsilon] = work.numbers()?;
            work.run(&AdagradV2 { lr, epsilon, update_slots })
        }
        Rule::AdagradDa => {
            let [lr, l1, l2, step] = work.numbers()?;
            let (regularized, step_by_lr) = (l1 > T::ZERO, step * lr);
            if work.is_sparse() {
                return work.run(&AdagradDaRows { l1, l2, step, step_by_lr, regularized });
            }
            let (threshold, decay) = (step * l1, l2 * step_by_lr);
            work.run(&AdagradDa { lr, threshold, decay, regularized })
        }
        Rule::Adadelta => {
            let [lr, rho, epsilon] = work.numbers()?;
            work.run(&Adadelta { lr, rho, epsilon })
        }
        Rule::RmsProp => {
            let [lr, rho, momentum, epsilon] = work.numbers()?;
            match work.is_sparse() {
                true => work.run(&RmsPropRows { lr, rho, momentum, epsilon }),
                false => work.run(&RmsProp { lr, rho, momentum, epsilon }),
            }
        }
        Rule::CenteredRmsProp => {
            let [lr, rho, momentum, epsilon] = work.numbers()?;
            match work.is_sparse() {
                true => work.run(&CenteredRmsPropRows { lr, rho, momentum, epsilon }),
                false => work.run(&CenteredRmsProp { lr, rho, momentum, epsilon }),
            }
        }
        Rule::Adam { nesterov } => {
            let [beta1_power, beta2_power, lr, beta1, beta2, epsilon] = work.numbers()?;
            let alpha = unbiased(lr, beta1_power, beta2_power);
            work.run(&Adam { alpha, beta1, beta2, epsilon, nesterov })
        }
        Rule::AdamWithAmsgrad => {
            let [beta1_power, beta2_power, lr, beta1, beta2, epsilon] = work.numbers()?;
            let alpha = unbiased(lr, beta1_power, beta2_power);
            work.run(&AdamWithAmsgrad { alpha, beta1, beta2, epsilon })
        }
        Rule::AdaMax => {
            let [beta1_power, lr, beta1, beta2, epsilon] = work.numbers()?;
            let alpha = lr / (T::ONE - beta1_power);
            work.run(&AdaMax { alpha, beta1, beta2, epsilon })
        }
        Rule::Ftrl { multiply_linear_by_lr: multiply } => {
            let ([lr, l1, l2, lr_power], l2_shrinkage) = (work.numbers()?, T::ZERO);
            work.run(&Ftrl { lr, l1, l2, l2_shrinkage, lr_power, multiply })
        }
        Rule::FtrlV2 { multiply_linear_by_lr: multiply } => {
            let [lr, l1, l2, l2_shrinkage, lr_power] = work.numbers()?;
            work.run(&Ftrl { lr, l1, l2, l2_shrinkage, lr_power, multiply })
        }
        Rule::ProximalGradientDescent => {
            let [alpha, l1, l2] = work.numbers()?;
            work.run(&ProximalGradientDescent { alpha, l1, l2 })
        }
        Rule::ProximalAdagrad => {
            let [lr, l1, l2] = work.numbers()?;
            work.run(&ProximalAdagrad { lr, l1, l2 })
        }
        Rule::AddSign => {
            let [lr, alpha, sign_decay, beta] = work.numbers()?;
            work.run(&AddSign { lr, alpha, sign_decay, beta })
        }
        Rule::PowerSign => {
            let [lr, logbase, sign_decay, beta] = work.numbers()?;
            work.run(&PowerSign { lr, logbase, sign_decay, beta })
        }
    }
}
