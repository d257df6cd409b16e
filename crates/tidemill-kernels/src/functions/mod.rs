//! Exponentials, logarithms and their relatives, of `f32` and `f64`.
//!
//! There are no branches, so loops over them are vectorised; and each step is one IEEE operation, so
//! the bits are the same with any instruction set. Polynomials are minimax ones with errors well
//! below half of the last digit of the result.

/// Defines the functions of a type, beside the constants that they need:
///
/// - `EXPONENTIAL`, the polynomial `(exp r - 1 - r) / r²` for `|r|` up to half of `ln 2`;
/// - `LOGARITHM`, that of `(ln(1 + r) / s - 2) / t` where `s = r / (2 + r)` and `t = s²`, for `1 + r`
///   between `√½` and `√2`;
/// - `TANH`, that of `(tanh √t / √t - 1) / t` for `√t` up to `NEAR_TANH`;
/// - `ERF`, that of `erf √t / √t - 1` for `√t` up to `NEAR_ERF`;
/// - `ERF_COMPLEMENT`, that of `-ln(1 - erf x)` from there to `END_ERF`;
/// - `LN_2`, the logarithm of 2 in two parts, the upper with so few digits that its products with
///   exponents are exact;
/// - `ENDS`, between which `exp` is neither 0 nor infinite.
macro_rules! functions {
    ($float:ident $bits:ident) => {
        const MANTISSA_BITS: u32 = $float::MANTISSA_DIGITS - 1;
        const MANTISSA: $bits = (1 << MANTISSA_BITS) - 1;
        /// The bits of the exponent of 1.
        const BIAS: $bits = $float::to_bits(1.0);
        const SQRT_HALF: $bits = (std::$float::consts::SQRT_2 / 2.0).to_bits();
        /// Adding this to a number and subtracting it again leaves the nearest whole number. In
        /// between, the lowest bits hold that as an integer.
        const ROUND: $float = 1.5 * (1_u64 << MANTISSA_BITS) as $float;

        /// The value at `x` of a polynomial with these coefficients, from the lowest power up.
        #[inline(always)]
        fn polynomial<const N: usize>(x: $float, coefficients: [$float; N]) -> $float {
            let mut value = coefficients[N - 1];
            for coefficient in coefficients[..N - 1].iter().rev() {
                value = value * x + coefficient;
            }
            value
        }

        /// `x` between two numbers; NaN stays NaN.
        #[inline(always)]
        fn between(low: $float, high: $float, x: $float) -> $float {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }

        /// `exp x = 2ⁿ · (1 + (rest + more))`, where `more` is much smaller than `rest`. The exponent
        /// `n` is in the lowest bits of `rounded`.
        struct Exponential {
            rounded: $float,
            rest: $float,
            more: $float,
        }

        impl Exponential {
            #[inline(always)]
            fn of(x: $float) -> Self {
                let rounded = x * std::$float::consts::LOG2_E + ROUND;
                let exponent = rounded - ROUND;
                let rest = (x - exponent * LN_2[0]) - exponent * LN_2[1];
                Exponential { rounded, rest, more: rest * rest * polynomial(rest, EXPONENTIAL) }
            }

            /// The bits of a number, its exponent increased by `n`.
            #[inline(always)]
            fn raise(&self, bits: $bits) -> $bits {
                (self.rounded.to_bits() << MANTISSA_BITS).wrapping_add(bits)
            }

            /// `exp x`, if `2ⁿ` is a normal number.
            #[inline(always)]
            fn value(&self) -> $float {
                let power = $float::from_bits(self.raise(BIAS));
                power + power * (self.rest + self.more)
            }
        }

        /// `e` to the power of `x`.
        #[inline(always)]
        pub(crate) fn exp(x: $float) -> $float {
            /// Exponents are brought closer to 0 by this, so that only the last multiplication
            /// overflows, underflows, or rounds to a subnormal number.
            const NEARER: $bits = 64;
            const SCALE: $float = (1_u128 << NEARER) as $float;
            let parts = Exponential::of(between(ENDS[0], ENDS[1], x));
            let mantissa = 1.0 + (parts.rest + parts.more);
            let nearer = if x < 0.0 { NEARER } else { NEARER.wrapping_neg() };
            let scale = if x < 0.0 { 1.0 / SCALE } else { SCALE };
            let bits = parts.raise(mantissa.to_bits()).wrapping_add(nearer << MANTISSA_BITS);
            let value = $float::from_bits(bits) * scale;
            if x.is_nan() { x } else { value }
        }

        /// `exp x - 1`.
        #[inline(always)]
        pub(crate) fn exp_m1(x: $float) -> $float {
            // Below, the result is -1. The power of 2 may overflow where the result does not.
            let parts = Exponential::of(between(-40.0, ENDS[1], x));
            let half = $float::from_bits(parts.raise($float::to_bits(0.5)));
            let less_one = (((half - 0.5) + half * parts.rest) + half * parts.more) * 2.0;
            if x.abs() < $float::EPSILON * $float::EPSILON { x } else { less_one }
        }

        /// The hyperbolic tangent: `1 - 2 / (exp 2x + 1)`, and a polynomial near 0.
        #[inline(always)]
        pub(crate) fn tanh(x: $float) -> $float {
            let size = x.abs();
            // Above, the result is 1.
            let power = Exponential::of(between(0.0, 40.0, size + size)).value();
            let far = 1.0 - 2.0 / (power + 1.0);
            let square = size * size;
            let near = size + size * (square * polynomial(square, TANH));
            (if size < NEAR_TANH { near } else { far }).copysign(x)
        }

        /// The error function: 1 less an exponential, and a polynomial near 0.
        #[inline(always)]
        pub(crate) fn erf(x: $float) -> $float {
            let size = x.abs();
            // Above, the result is 1.
            let complement = polynomial(between(0.0, END_ERF, size), ERF_COMPLEMENT);
            let far = 1.0 - Exponential::of(-complement).value();
            let near = size + size * polynomial(size * size, ERF);
            (if size < NEAR_ERF { near } else { far }).copysign(x)
        }

        /// A positive number, `2ⁿ · mantissa` with a mantissa between `√½` and `√2`.
        struct Logarithm {
            /// The bits of the mantissa, less those of `√½`; above, `n` and its bias.
            bits: $bits,
        }

        impl Logarithm {
            /// Of a normal number.
            #[inline(always)]
            fn of(number: $float) -> Self {
                Logarithm { bits: number.to_bits().wrapping_sub(SQRT_HALF).wrapping_add(BIAS) }
            }

            #[inline(always)]
            fn mantissa(&self) -> $float {
                $float::from_bits((self.bits & MANTISSA) + SQRT_HALF)
            }

            #[inline(always)]
            fn exponent(&self) -> $float {
                let biased = $float::from_bits((self.bits >> MANTISSA_BITS) + ROUND.to_bits());
                biased - (ROUND + (BIAS >> MANTISSA_BITS) as $float)
            }

            /// `2⁻ⁿ`, if that is a normal number.
            #[inline(always)]
            fn inverse_power(&self) -> $float {
                $float::from_bits((2 * BIAS).wrapping_sub(self.bits & !MANTISSA))
            }

            /// `exponent · ln 2 + ln(1 + rest)`, for a `1 + rest` between `√½` and `√2`.
            #[inline(always)]
            fn sum(exponent: $float, rest: $float) -> $float {
                let (half_square, ratio) = (0.5 * rest * rest, rest / (2.0 + rest));
                let square = ratio * ratio;
                let more = ratio * (half_square + square * polynomial(square, LOGARITHM));
                let upper = exponent * LN_2[0];
                upper - ((half_square - (more + exponent * LN_2[1])) - rest)
            }
        }

        /// The logarithm where `x` is above a `pole`, at which it is -∞.
        #[inline(always)]
        fn above(pole: $float, x: $float, logarithm: $float) -> $float {
            let of_rest = if x < pole { $float::NAN } else { x };
            let of_others = if x == pole { $float::NEG_INFINITY } else { of_rest };
            if x > pole && x < $float::INFINITY { logarithm } else { of_others }
        }

        /// The natural logarithm of `x`.
        #[inline(always)]
        pub(crate) fn ln(x: $float) -> $float {
            const TO_NORMAL: $float = (1_u64 << MANTISSA_BITS) as $float;
            let is_subnormal = x < $float::MIN_POSITIVE;
            let parts = Logarithm::of(if is_subnormal { x * TO_NORMAL } else { x });
            let lowered = if is_subnormal { MANTISSA_BITS as $float } else { 0.0 };
            above(0.0, x, Logarithm::sum(parts.exponent() - lowered, parts.mantissa() - 1.0))
        }

        /// The natural logarithm of `1 + x`.
        #[inline(always)]
        pub(crate) fn ln_1p(x: $float) -> $float {
            /// From here on, the error of `1 + x` is lost in the result.
            const LARGE: $float = 4.0 / ($float::EPSILON * $float::EPSILON);
            let one_more = 1.0 + x;
            let parts = Logarithm::of(one_more);
            let error = if x > 1.0 { 1.0 - (one_more - x) } else { x - (one_more - 1.0) };
            let rest = parts.mantissa() - 1.0;
            let rest = if x < LARGE { rest + error * parts.inverse_power() } else { rest };
            let logarithm = above(-1.0, x, Logarithm::sum(parts.exponent(), rest));
            // A zero keeps its sign.
            if x == 0.0 { x } else { logarithm }
        }
    };
}

pub(crate) mod double;
pub(crate) mod single;
