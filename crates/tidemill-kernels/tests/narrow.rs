//! The order of sums on a machine that passes for one with shorter vectors. That concerns the whole
//! process, so these tests have their own.

#[path = "suite/conv_order.rs"]
mod conv_order;

fn prepare() {
    #[cfg(target_arch = "x86_64")]
    {
        static FORGET: std::sync::Once = std::sync::Once::new();
        FORGET.call_once(tidemill_kernels::internals::forget_v4);
    }
}
