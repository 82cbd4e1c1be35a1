//! Arithmetic on rows of numbers, compiled for several instruction sets and chosen at run time.
//!
//! Every kernel is one plain loop in a generic function; [`for_each_cpu`] compiles it once per instruction set, so that a
//! plain wheel runs AVX2 or AVX-512 code where the machine has it. `FMA` says whether a fused multiply-add is one
//! instruction: without the hardware it is a slow function call.
#![expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]

use half::bf16;

use super::lines::{Bytes, Halves, TILE};
use crate::cpu::for_each_cpu;

/// Columns of a panel of weights.
pub(crate) const PANEL: usize = 16;

/// Partial sums that a reduction keeps: two AVX-512 or four AVX2 registers.
const LANES: usize = 32;

#[inline(always)]
fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `exp(x)` within 2 units in the last place, 0 below -87; Cody-Waite reduction and a polynomial of degree 6 (Cephes).
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer in the low bits
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FMA>(n, -0.693_359_4, x);
    let r = multiply_add::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    p = multiply_add::<FMA>(p, r, 1.398_199_9e-3);
    p = multiply_add::<FMA>(p, r, 8.333_452e-3);
    p = multiply_add::<FMA>(p, r, 4.166_579_6e-2);
    p = multiply_add::<FMA>(p, r, 0.166_666_66);
    p = multiply_add::<FMA>(p, r, 0.5);
    let y = multiply_add::<FMA>(p, r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    y * f32::from_bits(exponent)
}

/// The error function within 1.5e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn erf<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / multiply_add::<FMA>(0.327_591_1, a, 1.0);
    let mut p = 1.061_405_4;
    p = multiply_add::<FMA>(p, t, -1.453_152_1);
    p = multiply_add::<FMA>(p, t, 1.421_413_8);
    p = multiply_add::<FMA>(p, t, -0.284_496_72);
    p = multiply_add::<FMA>(p, t, 0.254_829_6);
    let y = 1.0 - p * t * exp::<FMA>(-a * a);
    y.copysign(x)
}

#[inline(always)]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let y = 1.0 - 2.0 / (exp::<FMA>(2.0 * a) + 1.0);
    y.copysign(x)
}

#[inline(always)]
fn sum_of_squares<const FMA: bool>(row: &[f32]) -> f32 {
    let mut partial = [0f32; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (p, &x) in partial.iter_mut().zip(chunk) {
            *p = multiply_add::<FMA>(x, x, *p);
        }
    }
    let rest: f32 = chunks.remainder().iter().map(|x| x * x).sum();
    partial.iter().sum::<f32>() + rest
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut partial = [0f32; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (p, &x) in partial.iter_mut().zip(chunk) {
            *p += x;
        }
    }
    partial.iter().sum::<f32>() + chunks.remainder().iter().sum::<f32>()
}

#[inline(always)]
fn rms_norm_body<const FMA: bool>(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let scale = 1.0 / (sum_of_squares::<FMA>(row) / row.len() as f32 + eps).sqrt();
    for ((o, &x), &w) in out.iter_mut().zip(row).zip(weight) {
        *o = x * scale * w;
    }
}

#[inline(always)]
fn rms_norm_add_body<const FMA: bool>(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let scale = 1.0 / (sum_of_squares::<FMA>(row) / row.len() as f32 + eps).sqrt();
    for ((o, &x), &w) in out.iter_mut().zip(row).zip(weight) {
        *o = multiply_add::<FMA>(x * scale, w, *o);
    }
}

#[inline(always)]
fn layer_norm_body<const FMA: bool>(row: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    let mean = sum(row) / row.len() as f32;
    for x in row.iter_mut() {
        *x -= mean;
    }
    let scale = 1.0 / (sum_of_squares::<FMA>(row) / row.len() as f32 + eps).sqrt();
    for ((x, &w), &b) in row.iter_mut().zip(weight).zip(bias) {
        *x = multiply_add::<FMA>(*x * scale, w, b);
    }
}

#[inline(always)]
fn softmax_body<const FMA: bool>(row: &mut [f32], scale: f32) {
    let mut partial = [f32::NEG_INFINITY; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (p, &x) in partial.iter_mut().zip(chunk) {
            *p = if x > *p { x } else { *p };
        }
    }
    let largest = partial.iter().chain(chunks.remainder()).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    for x in row.iter_mut() {
        *x = exp::<FMA>((*x - largest) * scale);
    }
    let factor = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= factor;
    }
}

#[inline(always)]
fn gelu_body<const FMA: bool>(row: &mut [f32]) {
    for x in row.iter_mut() {
        *x = 0.5 * *x * (1.0 + erf::<FMA>(*x * std::f32::consts::FRAC_1_SQRT_2));
    }
}

#[inline(always)]
fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    const ROOT_2_OVER_PI: f32 = 0.797_884_6;
    0.5 * x * (1.0 + tanh::<FMA>(ROOT_2_OVER_PI * multiply_add::<FMA>(0.044_715 * x * x, x, x)))
}

#[inline(always)]
fn gelu_tanh_body<const FMA: bool>(row: &mut [f32]) {
    for x in row.iter_mut() {
        *x = gelu_tanh::<FMA>(*x);
    }
}

#[inline(always)]
fn relu_body<const FMA: bool>(row: &mut [f32]) {
    for x in row.iter_mut() {
        *x = if *x > 0.0 { *x } else { 0.0 };
    }
}

#[inline(always)]
fn tanh_body<const FMA: bool>(row: &mut [f32]) {
    for x in row.iter_mut() {
        *x = tanh::<FMA>(*x);
    }
}

#[inline(always)]
fn silu_gate_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) {
        *o = g / (1.0 + exp::<FMA>(-g)) * u;
    }
}

#[inline(always)]
fn gelu_gate_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) {
        *o = gelu_tanh::<FMA>(g) * u;
    }
}

#[inline(always)]
fn silu_gate_panels_body<const FMA: bool>(panels: &[f32], out: &mut [f32]) {
    for (out, pair) in out.chunks_mut(PANEL).zip(panels.chunks_exact(2 * PANEL)) {
        let (gate, up) = pair.split_at(PANEL);
        silu_gate_body::<FMA>(gate, up, out);
    }
}

#[inline(always)]
fn gelu_gate_panels_body<const FMA: bool>(panels: &[f32], out: &mut [f32]) {
    for (out, pair) in out.chunks_mut(PANEL).zip(panels.chunks_exact(2 * PANEL)) {
        let (gate, up) = pair.split_at(PANEL);
        gelu_gate_body::<FMA>(gate, up, out);
    }
}

#[inline(always)]
fn rms_norm_rotate_body<const FMA: bool>(head: &mut [f32], weight: &[f32], eps: f32, cos: &[f32], sin: &[f32]) {
    let scale = 1.0 / (sum_of_squares::<FMA>(head) / head.len() as f32 + eps).sqrt();
    let (first, second) = head.split_at_mut(cos.len());
    let (first_weight, second_weight) = weight.split_at(cos.len());
    for (((((a, b), &c), &s), &v), &w) in
        first.iter_mut().zip(second).zip(cos).zip(sin).zip(first_weight).zip(second_weight)
    {
        let (x, y) = (*a * scale * v, *b * scale * w);
        *a = multiply_add::<FMA>(x, c, -y * s);
        *b = multiply_add::<FMA>(y, c, x * s);
    }
}

#[inline(always)]
fn round_to_bfloat16_body<const FMA: bool>(row: &[f32], out: &mut [bf16]) {
    for (o, &x) in out.iter_mut().zip(row) {
        *o = nearest_bfloat16(x);
    }
}

/// The nearest bfloat16 number, of two the even one.
#[inline(always)]
fn nearest_bfloat16(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    bf16::from_bits(if x.is_nan() { bf16::NAN.to_bits() } else { rounded as u16 })
}

#[inline(always)]
fn to_tiles_body<const PARTS: usize>(row: &[f32], strip: &mut [Halves], place: usize) {
    for (numbers, tile) in row.chunks(32).zip(strip.chunks_exact_mut(TILE * PARTS)) {
        let mut rest = [0f32; 32];
        rest[..numbers.len()].copy_from_slice(numbers);
        for part in tile.chunks_exact_mut(TILE) {
            for (rounded, rest) in part[place].0.iter_mut().zip(&mut rest) {
                *rounded = nearest_bfloat16(*rest);
                *rest -= f32::from_bits(u32::from(rounded.to_bits()) << 16);
            }
        }
    }
}

/// The least number of a row and zero, the largest one and zero, and zero: no number where one of the row is none.
#[inline(always)]
pub(crate) fn range(row: &[f32]) -> (f32, f32, f32) {
    let (mut least, mut most, mut nothing) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
    for chunk in row.chunks(LANES) {
        for (((least, most), nothing), &x) in least.iter_mut().zip(&mut most).zip(&mut nothing).zip(chunk) {
            *least = if x < *least { x } else { *least };
            *most = if x > *most { x } else { *most };
            *nothing += x * 0.0;
        }
    }
    let least = least.iter().fold(0f32, |a, &b| if b < a { b } else { a });
    let most = most.iter().fold(0f32, |a, &b| if b > a { b } else { a });
    (least, most, nothing.iter().sum())
}

#[inline(always)]
fn quantise_to_tiles_body<const FMA: bool>(row: &[f32], strip: &mut [Bytes], place: usize, offset: i32) -> (f32, i32) {
    let (least, most, nothing) = range(row);
    let range = most - least;
    // Below this its reciprocal is not finite.
    let (scale, factor) = if range < 1e-36 { (0.0, 0.0) } else { (range / 255.0, 255.0 / range) };
    let zero = nearest(-least * factor) - 128;
    for (numbers, tile) in row.chunks(64).zip(strip.chunks_exact_mut(TILE)) {
        for (byte, &x) in tile[place].0.iter_mut().zip(numbers) {
            *byte = (nearest(x * factor) + zero).clamp(-128, 127).wrapping_add(offset) as i8;
        }
    }
    (scale + nothing, zero + offset)
}

/// The whole number next to one that is small, of two the even one.
#[inline(always)]
pub(crate) fn nearest(x: f32) -> i32 {
    const ROUND: f32 = 12_582_912.0; // as in `exp`
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed()
}

#[inline(always)]
fn scale_sums_body<const FMA: bool>(sums: &mut [f32], (scale, zero): (f32, i32), columns: &[f32], of_columns: &[i32]) {
    for ((sum, &column), &of_column) in sums.iter_mut().zip(columns).zip(of_columns) {
        let whole = sum.to_bits().cast_signed().wrapping_sub(zero.wrapping_mul(of_column));
        *sum = whole as f32 * (scale * column);
    }
}

#[inline(always)]
fn add_body<const FMA: bool>(out: &mut [f32], other: &[f32]) {
    for (o, &x) in out.iter_mut().zip(other) {
        *o += x;
    }
}

for_each_cpu! {
    /// `out = row / rms(row) * weight`, all of one length.
    pub(crate) fn rms_norm(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = fused rms_norm_body
}
for_each_cpu! {
    /// `out += row / rms(row) * weight`, all of one length.
    pub(crate) fn rms_norm_add(row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = fused rms_norm_add_body
}
for_each_cpu! {
    /// `row = (row - mean) / deviation * weight + bias`, all of one length.
    pub(crate) fn layer_norm(row: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) = fused layer_norm_body
}
for_each_cpu! {
    /// `row = softmax(scale * row)`, for a positive scale.
    pub(crate) fn softmax(row: &mut [f32], scale: f32) = fused softmax_body
}
for_each_cpu! {
    /// The exact Gaussian error linear unit, in place.
    pub(crate) fn gelu(row: &mut [f32]) = fused gelu_body
}
for_each_cpu! {
    /// The Gaussian error linear unit in its approximation by tanh, in place.
    pub(crate) fn gelu_approximate(row: &mut [f32]) = fused gelu_tanh_body
}
for_each_cpu! {
    /// `max(x, 0)`, in place.
    pub(crate) fn relu(row: &mut [f32]) = fused relu_body
}
for_each_cpu! {
    /// The hyperbolic tangent, in place.
    pub(crate) fn hyperbolic_tangent(row: &mut [f32]) = fused tanh_body
}
for_each_cpu! {
    /// `out = silu(gate) * up`, all of one length.
    pub(crate) fn silu_gate(gate: &[f32], up: &[f32], out: &mut [f32]) = fused silu_gate_body
}
for_each_cpu! {
    /// `out = gelu_approximate(gate) * up`, all of one length.
    pub(crate) fn gelu_gate(gate: &[f32], up: &[f32], out: &mut [f32]) = fused gelu_gate_body
}
for_each_cpu! {
    /// `out = silu(a) * b` for `a` and `b` in alternating panels of 16.
    pub(crate) fn silu_gate_panels(panels: &[f32], out: &mut [f32]) = fused silu_gate_panels_body
}
for_each_cpu! {
    /// `out = gelu_approximate(a) * b` for `a` and `b` in alternating panels of 16.
    pub(crate) fn gelu_gate_panels(panels: &[f32], out: &mut [f32]) = fused gelu_gate_panels_body
}
for_each_cpu! {
    /// Normalises one head of width d, then rotates its pairs (i, i + d/2) by the angles whose cosines and sines are
    /// given (d/2 each).
    pub(crate) fn rms_norm_rotate(head: &mut [f32], weight: &[f32], eps: f32, cos: &[f32], sin: &[f32]) = fused rms_norm_rotate_body
}
for_each_cpu! {
    /// `out = row`, rounded to the nearest number of the type, of two the even one.
    pub(crate) fn round_to_bfloat16(row: &[f32], out: &mut [bf16]) = fused round_to_bfloat16_body
}
for_each_cpu! {
    /// Rounds a row of x to its place in a strip of tiles.
    pub(crate) fn round_to_tiles(row: &[f32], strip: &mut [Halves], place: usize) =
        avx512 to_tiles_body::<1>, avx2 to_tiles_body::<1>, baseline to_tiles_body::<1>
}
for_each_cpu! {
    /// Splits a row of x into three parts that add up to it.
    pub(crate) fn split_to_tiles(row: &[f32], strip: &mut [Halves], place: usize) =
        avx512 to_tiles_body::<3>, avx2 to_tiles_body::<3>, baseline to_tiles_body::<3>
}
for_each_cpu! {
    /// Rounds a row of x to bytes, plus `offset`, at its place in a strip of tiles; gives their scale, and the byte of zero.
    pub(crate) fn quantise_to_tiles(row: &[f32], strip: &mut [Bytes], place: usize, offset: i32) -> (f32, i32) =
        fused quantise_to_tiles_body
}
for_each_cpu! {
    /// Makes numbers of whole ones, given by their bits: for a row's scale and zero, columns' scales and the sums of their
    /// bytes.
    pub(crate) fn scale_sums(sums: &mut [f32], row: (f32, i32), columns: &[f32], of_columns: &[i32]) =
        fused scale_sums_body
}
for_each_cpu! {
    /// `out += other`.
    pub(crate) fn add(out: &mut [f32], other: &[f32]) = fused add_body
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Tier;
    use crate::cpu::forced::{bits, numbers, same_on_every_tier};

    fn range(low: f32, high: f32) -> Vec<f32> {
        (0..=4000).map(|i| low + (high - low) * i as f32 / 4000.0).collect()
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in range(-86.0, 88.0) {
            let exact = f64::from(x).exp();
            for y in [exp::<false>(x), exp::<true>(x)] {
                assert!((f64::from(y) - exact).abs() <= 2.4e-7 * exact, "exp({x}) = {y}, not {exact}");
            }
        }
        // Below -87 the argument is cut: exp(-87) is 1.65e-38.
        assert!(exp::<true>(-1e9) < 1.7e-38);
        assert!(exp::<true>(f32::NEG_INFINITY) < 1.7e-38);
    }

    #[test]
    fn activations_agree_with_double_precision() {
        for x in range(-12.0, 12.0) {
            let wide = f64::from(x);
            let mut y = [x];
            gelu_approximate(&mut y);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            assert!((f64::from(y[0]) - 0.5 * wide * (1.0 + inner.tanh())).abs() < 2e-6, "gelu_approximate({x})");
            let mut y = [x];
            hyperbolic_tangent(&mut y);
            assert!((f64::from(y[0]) - wide.tanh()).abs() < 3e-7, "tanh({x})");
            let mut y = [0.0];
            silu_gate(&[x], &[1.0], &mut y);
            assert!((f64::from(y[0]) - wide / (1.0 + (-wide).exp())).abs() < 2e-6, "silu({x})");
        }
        // erf at points of the published tables
        for (x, exact) in [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (-1.5, -0.966_105_1)]
        {
            assert!((erf::<true>(x) - exact).abs() < 3e-7, "erf({x})");
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_bfloat16() {
        let patterns = (0..=u16::MAX).flat_map(|high| [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| (high, low)));
        let row: Vec<f32> = patterns.map(|(high, low)| f32::from_bits(u32::from(high) << 16 | low)).collect();
        let mut rounded = vec![bf16::ZERO; row.len()];
        round_to_bfloat16(&row, &mut rounded);
        for (&x, &y) in row.iter().zip(&rounded) {
            let same = if x.is_nan() { y.is_nan() } else { y.to_bits() == bf16::from_f32(x).to_bits() };
            assert!(same, "{x}: {y}");
        }
    }

    type InPlace<'a> = &'a dyn Fn(&mut [f32]);

    /// AVX2 and AVX-512 do; the baseline has no fused multiplication.
    #[test]
    fn every_tier_with_fused_multiplication_gives_the_same_bits() {
        for n in [2, 16, 32, 34, 64, 130] {
            let (a, b, c) = (numbers(n, 37), numbers(n, 101), numbers(n, 7));
            let kernels: [InPlace; 15] = [
                &|out| rms_norm(&a, &b, 1e-6, out),
                &|out| rms_norm_add(&a, &b, 1e-6, out),
                &|out| layer_norm(out, &a, &b, 1e-6),
                &|out| softmax(out, 0.7),
                &gelu,
                &gelu_approximate,
                &relu,
                &hyperbolic_tangent,
                &|out| silu_gate(&a, &b, out),
                &|out| gelu_gate(&a, &b, out),
                &|out| silu_gate_panels(&a, &mut out[..n / 2]),
                &|out| gelu_gate_panels(&a, &mut out[..n / 2]),
                &|out| rms_norm_rotate(out, &a, 1e-6, &b[..n / 2], &c[..n / 2]),
                &|out| add(out, &a),
                &|out| {
                    let mut rounded = vec![bf16::ZERO; out.len()];
                    round_to_bfloat16(&a, &mut rounded);
                    out.iter_mut().zip(rounded).for_each(|(out, value)| *out = value.to_f32());
                },
            ];
            for kernel in kernels {
                same_on_every_tier(Tier::Avx2, || {
                    let mut out = c.clone();
                    kernel(&mut out);
                    bits(&out)
                });
            }
        }
    }

    #[test]
    fn softmax_of_any_length_sums_to_one() {
        for n in [1, 2, 31, 32, 33, 100] {
            let mut row: Vec<f32> = (0..n).map(|i| (i * 37 % 11) as f32 - 5.0).collect();
            let exact: Vec<f64> = row.iter().map(|&x| (0.5 * f64::from(x)).exp()).collect();
            let total: f64 = exact.iter().sum();
            softmax(&mut row, 0.5);
            for (x, e) in row.iter().zip(&exact) {
                assert!((f64::from(*x) - e / total).abs() < 1e-6);
            }
        }
    }
}
