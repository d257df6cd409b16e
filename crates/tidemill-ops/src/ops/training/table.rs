//! The updates, one row each.

use tidemill_graph::{Access, Arg, AttrDef, Execution, Fallible, OpDef};
use tidemill_kernels::training::Rule;
use tidemill_value::DType;

use super::Update;
use super::kernel::{Limit, Limits, infer, kernel, samples};
use crate::operations::Operations;

/// An input that is not a variable.
macro_rules! arg {
    (indices) => {
        Arg::of("indices", "Tindices")
    };
    (global_step) => {
        Arg::is("global_step", DType::I64)
    };
    ($name:ident) => {
        Arg::of(stringify!($name), "T")
    };
}

/// The attributes, for updates of rows with the type of their numbers.
macro_rules! attrs {
    (@ [$($given:expr,)*] indices $($rest:ident)* $({ $choice:ident: $default:literal })?) => {
        attrs!(@ [$($given,)* AttrDef::types("Tindices", DType::INDICES),]
            $({ $choice: $default })?)
    };
    (@ [$($given:expr,)*] $other:ident $($rest:tt)*) => {
        attrs!(@ [$($given,)*] $($rest)*)
    };
    (@ [$($given:expr,)*] $({ $choice:ident: $default:literal })?) => {
        &[
            $($given,)*
            AttrDef::bool("use_locking", false),
            $(AttrDef::bool(stringify!($choice), $default),)?
        ]
    };
    ($($rest:tt)*) => {
        attrs!(@ [AttrDef::widened("T", DType::FLOATS),] $($rest)*)
    };
}

/// Declares an update: of variables (`of`) or of resource variables (`handle`).
macro_rules! update {
    ($op:ident $storage:ident $name:expr, $summary:literal,
        [$($state:ident)+] ($($input:ident)+) [$($choice:ident: $default:literal)?],
        $fallible:ident, $limits:ident, $rule:tt => $expected:tt [$($other:tt)?]) => {
        #[doc = $summary]
        pub static $op: OpDef = OpDef::new($name, $summary)
            .inputs(&[
                $(Arg::$storage(stringify!($state), "T").access(Access::Update),)+
                $(arg!($input),)+
            ])
            .outputs(update!(@ outputs $storage))
            .attrs(attrs!($($input)+ $({ $choice: $default })?))
            .execution(Execution::Write)
            .fallible(Fallible::$fallible)
            .infer(infer)
            .kernel(update!(@ kernel $limits $rule $($choice)?))
            .not_differentiable()
            .samples(|| {
                let other = update!(@ other $($choice $default $other)?);
                samples(&$op, &$expected, other, $limits)
            });
    };
    (@ outputs of) => { &[Arg::of("out", "T").access(Access::Update)] };
    (@ outputs handle) => { &[] };
    (@ kernel $limits:ident $rule:ident) => {
        |node| kernel(node, Rule::$rule, $limits)
    };
    (@ kernel $limits:ident [$rule:ident $field:ident] $choice:ident) => {
        |node| {
            let $field = node.bool_attr(stringify!($choice))?;
            kernel(node, Rule::$rule { $field }, $limits)
        }
    };
    (@ other) => { None };
    (@ other $choice:ident $default:literal $other:tt) => {
        Some((stringify!($choice), !$default, &$other[..]))
    };
}

/// Declares updates: of variables, in brackets, and of resource variables. A row names the variable
/// and its slots, the other inputs, a choice with its default, the ways it can fail, the
/// requirements on numbers, the arithmetic, and the result for the variable of a sample, without
/// and with the other choice.
macro_rules! updates {
    ($(
        $([$storage:ident])? $handle:ident = $name:literal, $summary:literal,
            $states:tt $inputs:tt $choice:tt, $fallible:ident, $limits:ident, $rule:tt
            => $expected:tt $other:tt;
    )+) => {$(
        $(update! { $storage of $name, $summary, $states $inputs $choice, $fallible, $limits,
            $rule => $expected $other })?
        update! { $handle handle concat!("Resource", $name), $summary, $states $inputs $choice,
            $fallible, $limits, $rule => $expected $other }
    )+

        pub(super) const OPS: Operations = Operations::These(&[$($(&$storage,)? &$handle),+]);
        pub(super) mod exports {}
    };
}

const FREE: Limits = &[];
const LIMITED: Limits = &[
    ("lr", Limit::Positive),
    ("l1", Limit::NotNegative),
    ("l2", Limit::NotNegative),
    ("l2_shrinkage", Limit::NotNegative),
    ("lr_power", Limit::NotPositive),
];

updates! {
    [APPLY_GRADIENT_DESCENT] RESOURCE_APPLY_GRADIENT_DESCENT = "ApplyGradientDescent", "A step of gradient descent.",
        [var] (alpha delta) [], Shapes, FREE, GradientDescent
        => [0.95, -1.9] [];
    [APPLY_MOMENTUM] RESOURCE_APPLY_MOMENTUM = "ApplyMomentum", "A step of gradient descent with momentum.",
        [var accum] (lr grad momentum) [use_nesterov: false], Shapes, FREE, [Momentum nesterov]
        => [0.905, -1.9225] [[0.8645, -1.83025]];
    [SPARSE_APPLY_MOMENTUM] RESOURCE_SPARSE_APPLY_MOMENTUM = "SparseApplyMomentum", "A step of gradient descent with momentum, of some rows.",
        [var accum] (lr grad indices momentum) [use_nesterov: false], Checked, FREE, [Momentum nesterov]
        => [1.055, -2.0, 2.8825] [[1.1495, -2.0, 2.84425]];
    RESOURCE_APPLY_KERAS_MOMENTUM = "ApplyKerasMomentum", "A step of gradient descent with momentum, as Keras has it.",
        [var accum] (lr grad momentum) [use_nesterov: false], Shapes, FREE, [KerasMomentum nesterov]
        => [1.4, -1.675] [[1.31, -1.6075]];
    RESOURCE_SPARSE_APPLY_KERAS_MOMENTUM = "SparseApplyKerasMomentum", "A step of gradient descent with momentum, as Keras has it, of some rows.",
        [var accum] (lr grad indices momentum) [use_nesterov: false], Checked, FREE, [KerasMomentum nesterov]
        => [1.55, -2.0, 3.625] [[1.595, -2.0, 3.5125]];
    [APPLY_ADAGRAD] RESOURCE_APPLY_ADAGRAD = "ApplyAdagrad", "A step of Adagrad.",
        [var accum] (lr grad) [update_slots: true], Shapes, FREE, [Adagrad update_slots]
        => [0.942265, -1.910557] [[0.9292893, -1.8]];
    [SPARSE_APPLY_ADAGRAD] RESOURCE_SPARSE_APPLY_ADAGRAD = "SparseApplyAdagrad", "A step of Adagrad, of some rows.",
        [var accum] (lr grad indices) [update_slots: true], Checked, FREE, [Adagrad update_slots]
        => [1.08165, -2.0, 2.95] [[1.141421, -2.0, 2.942265]];
    [APPLY_ADAGRAD_V2] RESOURCE_APPLY_ADAGRAD_V2 = "ApplyAdagradV2", "A step of Adagrad with a term against division by zero.",
        [var accum] (lr epsilon grad) [update_slots: true], Shapes, FREE, [AdagradV2 update_slots]
        => [0.942924, -1.91135] [[0.9302754, -1.803922]];
    [SPARSE_APPLY_ADAGRAD_V2] RESOURCE_SPARSE_APPLY_ADAGRAD_V2 = "SparseApplyAdagradV2", "A step of Adagrad with a term against division by zero, of some rows.",
        [var accum] (lr epsilon grad indices) [update_slots: true], Checked, FREE, [AdagradV2 update_slots]
        => [1.080988, -2.0, 2.950495] [[1.139449, -2.0, 2.942924]];
    [APPLY_ADAGRAD_DA] RESOURCE_APPLY_ADAGRAD_DA = "ApplyAdagradDA", "A step of Adagrad by dual averaging.",
        [var gradient_accumulator gradient_squared_accumulator] (grad lr l1 l2 global_step) [], Shapes, FREE, AdagradDa
        => [-0.1112353, 0.064055] [];
    [SPARSE_APPLY_ADAGRAD_DA] RESOURCE_SPARSE_APPLY_ADAGRAD_DA = "SparseApplyAdagradDA", "A step of Adagrad by dual averaging, of some rows.",
        [var gradient_accumulator gradient_squared_accumulator] (grad indices lr l1 l2 global_step) [], Checked, FREE, AdagradDa
        => [0.03818826, -2.0, -0.1212724] [];
    [APPLY_ADADELTA] RESOURCE_APPLY_ADADELTA = "ApplyAdadelta", "A step of Adadelta.",
        [var accum accum_update] (lr rho epsilon grad) [], Shapes, FREE, Adadelta
        => [0.9487275, -1.911902] [];
    [SPARSE_APPLY_ADADELTA] RESOURCE_SPARSE_APPLY_ADADELTA = "SparseApplyAdadelta", "A step of Adadelta, of some rows.",
        [var accum accum_update] (lr rho epsilon grad indices) [], Checked, FREE, Adadelta
        => [1.095431, -2.0, 2.948269] [];
    [APPLY_RMS_PROP] RESOURCE_APPLY_RMS_PROP = "ApplyRMSProp", "A step of RMSProp.",
        [var ms mom] (lr rho momentum epsilon grad) [], Shapes, FREE, RmsProp
        => [0.4782042, -2.052226] [];
    [SPARSE_APPLY_RMS_PROP] RESOURCE_SPARSE_APPLY_RMS_PROP = "SparseApplyRMSProp", "A step of RMSProp, of some rows.",
        [var ms mom] (lr rho momentum epsilon grad indices) [], Checked, FREE, RmsProp
        => [0.6836306, -2.0, 2.265661] [];
    [APPLY_CENTERED_RMS_PROP] RESOURCE_APPLY_CENTERED_RMS_PROP = "ApplyCenteredRMSProp", "A step of RMSProp by the variance of the gradient.",
        [var mg ms mom] (lr rho momentum epsilon grad) [], Shapes, FREE, CenteredRmsProp
        => [0.4767079, -2.050552] [];
    [SPARSE_APPLY_CENTERED_RMS_PROP] RESOURCE_SPARSE_APPLY_CENTERED_RMS_PROP = "SparseApplyCenteredRMSProp", "A step of RMSProp by the variance of the gradient, of some rows.",
        [var mg ms mom] (lr rho momentum epsilon grad indices) [], Checked, FREE, CenteredRmsProp
        => [0.6836426, -2.0, 2.260855] [];
    [APPLY_ADAM] RESOURCE_APPLY_ADAM = "ApplyAdam", "A step of Adam.",
        [var m v] (beta1_power beta2_power lr beta1 beta2 epsilon grad) [use_nesterov: false], Shapes, FREE, [Adam nesterov]
        => [0.9301029, -2.024157] [[0.9301029, -2.002416]];
    RESOURCE_APPLY_ADAM_WITH_AMSGRAD = "ApplyAdamWithAmsgrad", "A step of Adam by the largest second moment so far.",
        [var m v vhat] (beta1_power beta2_power lr beta1 beta2 epsilon grad) [], Shapes, FREE, AdamWithAmsgrad
        => [0.9302754, -2.024157] [];
    [APPLY_ADA_MAX] RESOURCE_APPLY_ADA_MAX = "ApplyAdaMax", "A step of AdaMax.",
        [var m v] (beta1_power lr beta1 beta2 epsilon grad) [], Shapes, FREE, AdaMax
        => [0.01960808, -2.123762] [];
    [APPLY_FTRL] RESOURCE_APPLY_FTRL = "ApplyFtrl", "A step of FTRL-Proximal.",
        [var accum linear] (grad lr l1 l2 lr_power) [multiply_linear_by_lr: false], Checked, LIMITED, [Ftrl multiply_linear_by_lr]
        => [0.06657118, -1.033897] [[-0.4483563, -1.234426]];
    [SPARSE_APPLY_FTRL] RESOURCE_SPARSE_APPLY_FTRL = "SparseApplyFtrl", "A step of FTRL-Proximal, of some rows.",
        [var accum linear] (grad indices lr l1 l2 lr_power) [multiply_linear_by_lr: false], Checked, LIMITED, [Ftrl multiply_linear_by_lr]
        => [0.461152, -2.0, 0.2748246] [[0.09492462, -2.0, -0.3954942]];
    [APPLY_FTRL_V2] RESOURCE_APPLY_FTRL_V2 = "ApplyFtrlV2", "A step of FTRL-Proximal with shrinkage.",
        [var accum linear] (grad lr l1 l2 l2_shrinkage lr_power) [multiply_linear_by_lr: false], Checked, LIMITED, [FtrlV2 multiply_linear_by_lr]
        => [0.04358335, -0.9982478] [[-0.4713441, -1.198776]];
    [SPARSE_APPLY_FTRL_V2] RESOURCE_SPARSE_APPLY_FTRL_V2 = "SparseApplyFtrlV2", "A step of FTRL-Proximal with shrinkage, of some rows.",
        [var accum linear] (grad indices lr l1 l2 l2_shrinkage lr_power) [multiply_linear_by_lr: false], Checked, LIMITED, [FtrlV2 multiply_linear_by_lr]
        => [0.4448752, -2.0, 0.2150636] [[0.07864787, -2.0, -0.4552552]];
    [APPLY_PROXIMAL_GRADIENT_DESCENT] RESOURCE_APPLY_PROXIMAL_GRADIENT_DESCENT = "ApplyProximalGradientDescent", "A step of gradient descent with regularization.",
        [var] (alpha l1 l2 delta) [], Shapes, FREE, ProximalGradientDescent
        => [0.9471058, -1.89521] [];
    [SPARSE_APPLY_PROXIMAL_GRADIENT_DESCENT] RESOURCE_SPARSE_APPLY_PROXIMAL_GRADIENT_DESCENT = "SparseApplyProximalGradientDescent", "A step of gradient descent with regularization, of some rows.",
        [var] (alpha l1 l2 grad indices) [], Checked, FREE, ProximalGradientDescent
        => [1.096806, -2.0, 2.943114] [];
    [APPLY_PROXIMAL_ADAGRAD] RESOURCE_APPLY_PROXIMAL_ADAGRAD = "ApplyProximalAdagrad", "A step of Adagrad with regularization.",
        [var accum] (lr l1 l2 grad) [], Checked, LIMITED, ProximalAdagrad
        => [0.9389418, -1.906253] [];
    [SPARSE_APPLY_PROXIMAL_ADAGRAD] RESOURCE_SPARSE_APPLY_PROXIMAL_ADAGRAD = "SparseApplyProximalAdagrad", "A step of Adagrad with regularization, of some rows.",
        [var accum] (lr l1 l2 grad indices) [], Checked, LIMITED, ProximalAdagrad
        => [1.079071, -2.0, 2.943114] [];
    [APPLY_ADD_SIGN] RESOURCE_APPLY_ADD_SIGN = "ApplyAddSign", "A step by the gradient, larger where the momentum agrees with it.",
        [var m] (lr alpha sign_decay beta grad) [], Shapes, FREE, AddSign
        => [0.97, -2.04] [];
    [APPLY_POWER_SIGN] RESOURCE_APPLY_POWER_SIGN = "ApplyPowerSign", "A step by the gradient, scaled by whether the momentum agrees with it.",
        [var m] (lr logbase sign_decay beta grad) [], Shapes, FREE, PowerSign
        => [0.9175639, -1.939347] [];
}

/// A step of gradient descent.
pub const GRADIENT_DESCENT: Update = Update {
    dense: [Some(&APPLY_GRADIENT_DESCENT), Some(&RESOURCE_APPLY_GRADIENT_DESCENT)],
    sparse: [None, None],
};

/// A step of gradient descent with momentum.
pub const MOMENTUM: Update = Update {
    dense: [Some(&APPLY_MOMENTUM), Some(&RESOURCE_APPLY_MOMENTUM)],
    sparse: [Some(&SPARSE_APPLY_MOMENTUM), Some(&RESOURCE_SPARSE_APPLY_MOMENTUM)],
};

/// A step of gradient descent with momentum, as Keras has it.
pub const KERAS_MOMENTUM: Update = Update {
    dense: [None, Some(&RESOURCE_APPLY_KERAS_MOMENTUM)],
    sparse: [None, Some(&RESOURCE_SPARSE_APPLY_KERAS_MOMENTUM)],
};

/// A step of Adagrad.
pub const ADAGRAD: Update = Update {
    dense: [Some(&APPLY_ADAGRAD), Some(&RESOURCE_APPLY_ADAGRAD)],
    sparse: [Some(&SPARSE_APPLY_ADAGRAD), Some(&RESOURCE_SPARSE_APPLY_ADAGRAD)],
};

/// A step of Adagrad with a term against division by zero.
pub const ADAGRAD_V2: Update = Update {
    dense: [Some(&APPLY_ADAGRAD_V2), Some(&RESOURCE_APPLY_ADAGRAD_V2)],
    sparse: [Some(&SPARSE_APPLY_ADAGRAD_V2), Some(&RESOURCE_SPARSE_APPLY_ADAGRAD_V2)],
};

/// A step of Adagrad by dual averaging.
pub const ADAGRAD_DA: Update = Update {
    dense: [Some(&APPLY_ADAGRAD_DA), Some(&RESOURCE_APPLY_ADAGRAD_DA)],
    sparse: [Some(&SPARSE_APPLY_ADAGRAD_DA), Some(&RESOURCE_SPARSE_APPLY_ADAGRAD_DA)],
};

/// A step of Adadelta.
pub const ADADELTA: Update = Update {
    dense: [Some(&APPLY_ADADELTA), Some(&RESOURCE_APPLY_ADADELTA)],
    sparse: [Some(&SPARSE_APPLY_ADADELTA), Some(&RESOURCE_SPARSE_APPLY_ADADELTA)],
};

/// A step of RMSProp.
pub const RMS_PROP: Update = Update {
    dense: [Some(&APPLY_RMS_PROP), Some(&RESOURCE_APPLY_RMS_PROP)],
    sparse: [Some(&SPARSE_APPLY_RMS_PROP), Some(&RESOURCE_SPARSE_APPLY_RMS_PROP)],
};

/// A step of RMSProp by the variance of the gradient.
pub const CENTERED_RMS_PROP: Update = Update {
    dense: [Some(&APPLY_CENTERED_RMS_PROP), Some(&RESOURCE_APPLY_CENTERED_RMS_PROP)],
    sparse: [Some(&SPARSE_APPLY_CENTERED_RMS_PROP), Some(&RESOURCE_SPARSE_APPLY_CENTERED_RMS_PROP)],
};

/// A step of Adam.
pub const ADAM: Update =
    Update { dense: [Some(&APPLY_ADAM), Some(&RESOURCE_APPLY_ADAM)], sparse: [None, None] };

/// A step of Adam by the largest second moment so far.
pub const ADAM_WITH_AMSGRAD: Update =
    Update { dense: [None, Some(&RESOURCE_APPLY_ADAM_WITH_AMSGRAD)], sparse: [None, None] };

/// A step of AdaMax.
pub const ADA_MAX: Update =
    Update { dense: [Some(&APPLY_ADA_MAX), Some(&RESOURCE_APPLY_ADA_MAX)], sparse: [None, None] };

/// A step of FTRL-Proximal.
pub const FTRL: Update = Update {
    dense: [Some(&APPLY_FTRL), Some(&RESOURCE_APPLY_FTRL)],
    sparse: [Some(&SPARSE_APPLY_FTRL), Some(&RESOURCE_SPARSE_APPLY_FTRL)],
};

/// A step of FTRL-Proximal with shrinkage.
pub const FTRL_V2: Update = Update {
    dense: [Some(&APPLY_FTRL_V2), Some(&RESOURCE_APPLY_FTRL_V2)],
    sparse: [Some(&SPARSE_APPLY_FTRL_V2), Some(&RESOURCE_SPARSE_APPLY_FTRL_V2)],
};

/// A step of gradient descent with regularization.
pub const PROXIMAL_GRADIENT_DESCENT: Update = Update {
    dense: [
        Some(&APPLY_PROXIMAL_GRADIENT_DESCENT),
        Some(&RESOURCE_APPLY_PROXIMAL_GRADIENT_DESCENT),
    ],
    sparse: [
        Some(&SPARSE_APPLY_PROXIMAL_GRADIENT_DESCENT),
        Some(&RESOURCE_SPARSE_APPLY_PROXIMAL_GRADIENT_DESCENT),
    ],
};

/// A step of Adagrad with regularization.
pub const PROXIMAL_ADAGRAD: Update = Update {
    dense: [Some(&APPLY_PROXIMAL_ADAGRAD), Some(&RESOURCE_APPLY_PROXIMAL_ADAGRAD)],
    sparse: [Some(&SPARSE_APPLY_PROXIMAL_ADAGRAD), Some(&RESOURCE_SPARSE_APPLY_PROXIMAL_ADAGRAD)],
};

/// A step by the gradient, larger where the momentum agrees with it.
pub const ADD_SIGN: Update =
    Update { dense: [Some(&APPLY_ADD_SIGN), Some(&RESOURCE_APPLY_ADD_SIGN)], sparse: [None, None] };

/// A step by the gradient, scaled by whether the momentum agrees with it.
pub const POWER_SIGN: Update = Update {
    dense: [Some(&APPLY_POWER_SIGN), Some(&RESOURCE_APPLY_POWER_SIGN)],
    sparse: [None, None],
};
