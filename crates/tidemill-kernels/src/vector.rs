//! Functions compiled for several instruction sets.
//!
//! Copies cost compile time, so only loops over the most common types have them. All copies compute
//! the same bits: each step is one IEEE operation.

use std::sync::atomic::{AtomicU8, Ordering};

use tidemill_value::DType;

/// An instruction set that functions are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// The baseline instructions of the architecture.
    Baseline,
    /// AVX2 and FMA: x86-64-v3.
    #[cfg(target_arch = "x86_64")]
    V3,
    /// AVX-512 of Ice Lake and later; earlier processors lower their clock for it.
    #[cfg(target_arch = "x86_64")]
    V4,
}

/// Whether loops over this type have copies: floats and the integers of indices do.
pub(crate) const fn is_vector(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64 | DType::I32 | DType::I64)
}

/// Whether loops over this type have all copies: one for AVX-512 too, and those of longer loops. Most other
/// types wait for memory anyway.
pub(crate) const fn is_single(dtype: DType) -> bool {
    matches!(dtype, DType::F32)
}

/// The level of this machine and 1, once it is known.
#[cfg(target_arch = "x86_64")]
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level of this machine.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Baseline,
        2 => Level::V3,
        3 => Level::V4,
        _ => {
            let level = detect();
            LEVEL.store(level as u8 + 1, Ordering::Relaxed);
            level
        }
    }
}

/// Makes the machine pass for one without AVX-512, from now on. There must be
/// neither operands that were packed before nor work in progress.
#[cfg(target_arch = "x86_64")]
pub fn forget_v4() {
    LEVEL.store(detect().min(Level::V3) as u8 + 1, Ordering::Relaxed);
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn level() -> Level {
    Level::Baseline
}

/// Asks for the line of this element to be brought into the caches. There need not be one.
#[inline(always)]
pub(crate) fn prefetch<T>(elements: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        // SAFETY: A prefetch reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(elements.as_ptr().wrapping_add(index).cast()) };
    }
}

/// Whether the machine has all of these features.
#[cfg(target_arch = "x86_64")]
macro_rules! has {
    ($($feature:tt)*) => {
        true $(&& std::arch::is_x86_feature_detected!($feature))*
    };
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> Level {
    if !has!("avx" "avx2" "bmi1" "bmi2" "f16c" "fma" "lzcnt" "movbe" "popcnt") {
        Level::Baseline
    } else if has!("avx512bitalg" "avx512bw" "avx512cd" "avx512dq" "avx512f" "avx512ifma" "avx512vbmi")
        && has!("avx512vbmi2" "avx512vl" "avx512vnni" "avx512vpopcntdq")
    {
        Level::V4
    } else {
        Level::V3
    }
}

/// Declares a function with a copy for each [`Level`]. `if CONDITION;` comes first, a constant of
/// the type parameters; if it is false, there is only the baseline copy. If that of `, wide if` is,
/// there is none for AVX-512. Bounds are in brackets after `where`.
///
/// In the body, `FUSED` says whether the level has fused multiply-add. Functions that the body
/// calls are compiled for the level only if they are inlined.
macro_rules! vectorized {
    (
        if $condition:expr $(, wide if $wide:expr)?;
        $(#[$meta:meta])*
        fn $name:ident<$($generic:ident),* $(; const $length:ident)?>(
            $($argument:ident: $type:ty),* $(,)?
        ) $(-> $output:ty)?
        where [$($bounds:tt)*]
        $body:block
    ) => {
        $(#[$meta])*
        fn $name<$($generic,)* $(const $length: usize)?>(
            $($argument: $type),*
        ) $(-> $output)?
        where $($bounds)*
        {
            #[inline(always)]
            fn baseline<$($generic,)* $(const $length: usize)?>(
                $($argument: $type),*
            ) $(-> $output)?
            where $($bounds)*
            {
                #[allow(dead_code)]
                const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
                $body
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx,avx2,bmi1,bmi2,f16c,fma,lzcnt,movbe,popcnt")]
            fn v3<$($generic,)* $(const $length: usize)?>(
                $($argument: $type),*
            ) $(-> $output)?
            where $($bounds)*
            {
                #[allow(dead_code)]
                const FUSED: bool = true;
                $body
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx,avx2,bmi1,bmi2,f16c,fma,lzcnt,movbe,popcnt")]
            #[target_feature(enable = "avx512bitalg,avx512bw,avx512cd,avx512dq,avx512f,avx512ifma")]
            #[target_feature(enable = "avx512vbmi,avx512vbmi2,avx512vl,avx512vnni,avx512vpopcntdq")]
            fn v4<$($generic,)* $(const $length: usize)?>(
                $($argument: $type),*
            ) $(-> $output)?
            where $($bounds)*
            {
                #[allow(dead_code)]
                const FUSED: bool = true;
                $body
            }

            #[cfg(target_arch = "x86_64")]
            if $condition {
                let level = $crate::vector::level();
                if true $(&& $wide)? {
                    if level == $crate::vector::Level::V4 {
                        // SAFETY: the machine has the instructions of its level.
                        return unsafe { v4::<$($generic,)* $($length)?>($($argument),*) };
                    }
                }
                if level != $crate::vector::Level::Baseline {
                    // SAFETY: the machine has the instructions of its level, and of those below.
                    return unsafe { v3::<$($generic,)* $($length)?>($($argument),*) };
                }
            }
            baseline::<$($generic,)* $($length)?>($($argument),*)
        }
    };
}
