//! The peak of fused multiply-adds.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::hint::black_box;

/// Repetitions of a loop whose accumulators are independent.
const REPETITIONS: u32 = 400_000;
/// Enough to hide the latency of multiply-adds: on processors to date, at most two start in a cycle
/// and each takes at most five.
#[cfg(target_arch = "x86_64")]
const ACCUMULATORS: usize = 12;

/// Instructions that the processor has.
#[derive(Clone, Copy)]
pub enum Unit {
    Avx512,
    Avx2,
}

impl Unit {
    /// The widest that the processor has; None on architectures that are not measured.
    pub fn widest() -> Option<Unit> {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Some(Unit::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Some(Unit::Avx2);
            }
        }
        None
    }

    pub fn name(self) -> &'static str {
        match self {
            Unit::Avx512 => "AVX-512",
            Unit::Avx2 => "AVX2",
        }
    }

    /// Runs multiply-adds from registers; the number of floating-point operations.
    #[cfg(target_arch = "x86_64")]
    pub fn multiply_add(self) -> f64 {
        // SAFETY: `widest` gives only units that the processor has.
        let lanes = unsafe {
            match self {
                Unit::Avx512 => multiply_add_avx512(),
                Unit::Avx2 => multiply_add_avx2(),
            }
        };
        2.0 * f64::from(REPETITIONS) * (ACCUMULATORS * lanes) as f64
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn multiply_add(self) -> f64 {
        f64::from(black_box(REPETITIONS)) * 0.0
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_add_avx512() -> usize {
    let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    let mut sums = [_mm512_setzero_ps(); ACCUMULATORS];
    for _ in 0..REPETITIONS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, term);
        }
    }
    black_box(sums);
    16
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_add_avx2() -> usize {
    let (factor, term) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
    let mut sums = [_mm256_setzero_ps(); ACCUMULATORS];
    for _ in 0..REPETITIONS {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, term);
        }
    }
    black_box(sums);
    8
}
