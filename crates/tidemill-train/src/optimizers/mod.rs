//! The optimizers, one file each. They match those of `tf.compat.v1.train`.

mod adadelta;
mod adagrad;
mod adagrad_da;
mod adam;
mod adam_w;
mod ams_grad;
mod ftrl;
mod gradient_descent;
mod momentum;
mod proximal_adagrad;
mod proximal_gradient_descent;
mod rms_prop;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adagrad_da::AdagradDa;
pub use adam::Adam;
pub use adam_w::AdamW;
pub use ams_grad::AmsGrad;
pub use ftrl::Ftrl;
pub use gradient_descent::GradientDescent;
pub use momentum::Momentum;
pub use proximal_adagrad::ProximalAdagrad;
pub use proximal_gradient_descent::ProximalGradientDescent;
pub use rms_prop::RmsProp;

use crate::TrainError;

/// Access to the common part of all optimizers.
macro_rules! base {
    () => {
        fn base(&self) -> &crate::OptimizerBase {
            &self.base
        }

        fn base_mut(&mut self) -> &mut crate::OptimizerBase {
            &mut self.base
        }
    };
}

/// Methods that set hyperparameters.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $given:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $field(mut self, $field: $given) -> Self {
            self.$field = $field.into();
            self
        }
    )*};
}

use {base, setters};

/// Checks that a hyperparameter is above 0.
fn positive(name: &'static str, value: f64) -> Result<(), TrainError> {
    let wanted = "above 0";
    if value > 0.0 { Ok(()) } else { Err(TrainError::Hyperparameter { name, value, wanted }) }
}

/// Checks that a hyperparameter is not negative.
fn not_negative(name: &'static str, value: f64) -> Result<(), TrainError> {
    let wanted = "at least 0";
    if value >= 0.0 { Ok(()) } else { Err(TrainError::Hyperparameter { name, value, wanted }) }
}
