//! The two kernels.

use crate::Result;
use crate::cpu::for_each_cpu;
use crate::error::ValueError;

/// How alike two rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `exp(-gamma |a - b|^2)`
    Rbf {
        /// Inverse squared width, above 0.
        gamma: f32,
    },
    /// `a . b`
    Linear,
}

impl Kernel {
    /// The kernel called `rbf` or `linear`; `gamma` is ignored by the latter.
    ///
    /// # Errors
    /// [`Error::Value`] for another name, or a `gamma` that is not a finite number above 0.
    pub fn named(name: &str, gamma: f64) -> Result<Self> {
        match name {
            "linear" => Ok(Self::Linear),
            "rbf" => {
                #[expect(clippy::cast_possible_truncation, reason = "kernels are float32; checked next")]
                let narrow = gamma as f32;
                if narrow > 0.0 && narrow.is_finite() {
                    Ok(Self::Rbf { gamma: narrow })
                } else {
                    Err(ValueError::not_above_zero("gamma", gamma).into())
                }
            }
            _ => Err(ValueError::Unknown { name: "kernel", found: name.to_owned(), known: "rbf, linear" }.into()),
        }
    }
}

/// `exp(x)` for x <= 0, within 2 units in the last place; 0 below -87.
///
/// Cody and Waite's reduction and the polynomial of Cephes' `expf`, without branches or calls, so that a loop over it
/// becomes vector instructions.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to an integer.
    const ROUNDING: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 0.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUNDING;
    let whole = shifted - ROUNDING;
    let rest = clamped - whole * LN2_HIGH - whole * LN2_LOW;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + coefficient;
    }
    let mantissa = sum * rest * rest + rest + 1.0;
    // The low bits of `shifted` hold the integer: it goes straight into the exponent.
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { mantissa * power }
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn rbf_of_products_body(gamma: f32, norm: f32, norms: &[f32], values: &mut [f32]) {
    for (value, other) in values.iter_mut().zip(norms) {
        *value = exp_of_negative(-gamma * (norm + other - 2.0 * *value).max(0.0));
    }
}

for_each_cpu! {
    /// Turns products of one row with others into values of the RBF kernel, given all squared norms.
    pub(super) fn rbf_of_products(gamma: f32, norm: f32, norms: &[f32], values: &mut [f32]) = rbf_of_products_body
}

#[cfg(test)]
mod tests {
    use super::exp_of_negative;

    #[test]
    fn exponential_is_accurate_and_exact_at_zero() {
        assert_eq!(exp_of_negative(0.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(exp_of_negative(-100.0).to_bits(), 0);
        for step in 0..u16::MAX {
            let x = -f32::from(step) / 753.0;
            let exact = f64::from(x).exp();
            let relative = (f64::from(exp_of_negative(x)) - exact).abs() / exact;
            assert!(x < -87.0 || relative < 3e-7, "exp({x}) is off by {relative}");
        }
    }
}
