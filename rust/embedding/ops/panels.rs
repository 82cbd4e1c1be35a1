//! Products with weights that were cut into panels at load: 16 columns of the matrix together, row after row.
//!
//! A panel is read from memory once and in order, whatever the number of tokens; the same matrix kept as (in, out) makes
//! short texts three times slower (each row of it lies on another page). Weights stay in the type of their file, bfloat16
//! or float32: widening one is exact and costs less than reading twice as many bytes. For sums of bfloat16 products both
//! sides are rounded to pairs instead, and a pair takes the place of a number.
#![expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]

use half::bf16;

use super::job::{Job, Range, stride};
use super::kernels::{Avx2, Avx512, Avx512Bf16, Instructions, Pair, Rows, Sums, Weight, block};
use super::lanes::{self, PANEL};
use super::lines::Line;
use crate::cpu::{Cpu, Tier, for_each_cpu};

/// Rows of weights that are worked on at a time: their panel and the same part of x stay in the first cache.
const DEPTH: usize = 256;

/// Blocks of rows from which on a bfloat16 panel is widened once for all of them.
const WIDEN_FROM: usize = 4;

/// The numbers of a weight matrix (in, out) in panels: (panels, in, 16), the last one filled up with zeros; half as many rows of pairs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// In the type of their file.
    Single(&'a [f32]),
    /// In the type of their file.
    Half(&'a [bf16]),
    /// Rounded to pairs along the depth, an odd row filled up with zeros; only where the processor multiplies these.
    Pairs(&'a [Pair]),
}

/// `job`'s product of x (m, in).
///
/// # Panics
/// Where lengths do not fit, or the processor lacks the instructions for panels or for pairs.
pub(super) fn multiply(x: &[f32], k: usize, values: Values, job: &Job) {
    let tier = Cpu::current().tier();
    assert!(tier >= Tier::Avx2, "panels need AVX2");
    let strips = || in_strips(x, k, if tier == Tier::Avx2 { Avx2::ROWS } else { Avx512::ROWS });
    match values {
        Values::Single(values) => Strips { x: &strips(), m: job.m, k }.spread(job, values, sum),
        Values::Half(values) => Strips { x: &strips(), m: job.m, k }.spread(job, values, sum),
        Values::Pairs(values) => {
            assert!(tier >= Tier::Avx512Bf16, "pairs need AVX-512 with bfloat16");
            let n_pairs = values.len() / (job.n_panels * PANEL);
            let pairs = in_strips(&in_pairs(x, k, n_pairs), n_pairs, Avx512Bf16::ROWS);
            let strips = Strips { x: &pairs, m: job.m, k: n_pairs };
            // SAFETY: the processor was just seen to have the instructions.
            strips.spread(job, values, |strips, values, rows, panels, sums| unsafe {
                sum_pairs(strips, values, rows, panels, sums);
            });
        }
    }
}

for_each_cpu! {
    /// Fills the sums of some rows and panels, one row of all panels after the other.
    fn sum[W: Weight<Avx2> + Weight<Avx512>](
        strips: &Strips<f32>, values: &[W], rows: &Range, panels: &Range, sums: &mut [f32],
    ) = avx512 Strips::sum::<Avx512, W>, avx2 Strips::sum::<Avx2, W>, baseline nothing
}

/// The baseline has no panels: [`multiply`] has refused them.
fn nothing<W>(_: &Strips<f32>, _: &[W], _: &Range, _: &Range, _: &mut [f32]) {}

/// As [`sum`], of pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")]
fn sum_pairs(strips: &Strips<Pair>, values: &[Pair], rows: &Range, panels: &Range, sums: &mut [f32]) {
    strips.sum::<Avx512Bf16, Pair>(values, rows, panels, sums);
}

/// Rounds every row of x to `n` pairs; they are filled up with zeros.
fn in_pairs(x: &[f32], k: usize, n: usize) -> Vec<Pair> {
    let mut pairs = vec![Pair::default(); x.len() / k * n];
    super::for_each_row(&mut pairs, n, |i, row| {
        lanes::round_to_bfloat16(&x[i * k..(i + 1) * k], row.as_flattened_mut());
    });
    pairs
}

/// Puts `rows` rows of x at a time side by side, column after column, as the kernels read them.
fn in_strips<X: Copy + Default + Send + Sync>(x: &[X], k: usize, rows: usize) -> Vec<X> {
    let mut strips = vec![X::default(); x.len()];
    super::for_each_row(&mut strips, rows * k, |i, strip| interleave(&x[i * rows * k..], strip, k, rows));
    let whole = x.len() / (rows * k) * rows * k;
    let rest = &mut strips[whole..];
    let n = rest.len() / k;
    interleave(&x[whole..], rest, k, n);
    strips
}

fn interleave<X: Copy>(x: &[X], strip: &mut [X], k: usize, rows: usize) {
    for (i, row) in x.chunks_exact(k).take(rows).enumerate() {
        for (to, value) in strip[i..].iter_mut().step_by(rows).zip(row) {
            *to = *value;
        }
    }
}

/// Rows of x, in strips as high as the kernel.
struct Strips<'a, X> {
    x: &'a [X],
    m: usize,
    /// Columns of x: numbers, or pairs of them.
    k: usize,
}

impl<X: Copy + Sync> Strips<'_, X> {
    fn spread<W: Sync>(&self, job: &Job, values: &[W], sum: impl Fn(&Self, &[W], &Range, &Range, &mut [f32]) + Sync) {
        assert_eq!(values.len(), job.n_panels * self.k * PANEL, "panels");
        job.spread(self.k, |rows, panels, sums| sum(self, values, rows, panels, Line::flatten_mut(sums)));
    }

    /// Fills `sums`, one row of all panels after the other.
    #[inline(always)]
    fn sum<I, W>(&self, values: &[W], rows: &Range, panels: &Range, sums: &mut [f32])
    where
        I: Instructions<Number = X>,
        W: Weight<I>,
    {
        let k = self.k;
        let stride = stride(panels) * PANEL;
        let mut widened = [W::Wide::default(); DEPTH * PANEL];
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            for (column, panel) in panels.clone().enumerate() {
                let start = (panel * k + from) * PANEL;
                let w = &values[start..start + depth * PANEL];
                if size_of::<W>() < size_of::<W::Wide>() && rows.len() >= WIDEN_FROM * I::ROWS {
                    for (wide, value) in widened.iter_mut().zip(w) {
                        *wide = value.widen();
                    }
                    self.column::<I, W::Wide>(&widened, rows, from, depth, &mut sums[column * PANEL..], stride);
                } else {
                    self.column::<I, W>(w, rows, from, depth, &mut sums[column * PANEL..], stride);
                }
            }
        }
    }

    /// Adds the product of some rows of x and a part of one panel.
    #[inline(always)]
    fn column<I, W>(&self, w: &[W], rows: &Range, from: usize, depth: usize, sums: &mut [f32], stride: usize)
    where
        I: Instructions<Number = X>,
        W: Weight<I>,
    {
        let k = self.k;
        for first in rows.clone().step_by(I::ROWS) {
            let n = I::ROWS.min(rows.end - first);
            // A strip is as high as the kernel, the last of x as high as there are rows left; HEIGHT is a multiple of both.
            let height = I::ROWS.min(self.m - first);
            let x = &self.x[first * k + from * height..first * k + (from + depth) * height];
            let sums = &mut sums[(first - rows.start) * stride..(first - rows.start + n - 1) * stride + PANEL];
            let x = Rows { first: x.as_ptr(), row: 1, column: height };
            let sums = Sums { first: sums.as_mut_ptr(), stride };
            // SAFETY: the slices above were checked to hold what the kernel reads and writes.
            unsafe { block::<I, W>(n, depth, x, w.as_ptr(), PANEL, sums, from > 0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, End};
    use super::*;
    use crate::cpu::forced::{bits, numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_sums() -> Result<(), rayon::ThreadPoolBuildError> {
        // A tier is forced for one thread.
        rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(|| {
            for (m, k, n_out) in [(1_usize, 5_usize, 16_usize), (7, 40, 3), (13, 300, 40), (100, 260, 70)] {
                let n_panels = n_out.div_ceil(PANEL);
                let (x, bias, single) = (numbers(m * k, 37), numbers(n_out, 7), numbers(n_panels * k * PANEL, 101));
                let half: Vec<bf16> = single.iter().map(|value| bf16::from_f32(*value)).collect();
                for values in [Values::Single(&single), Values::Half(&half)] {
                    same_on_every_tier(Tier::Avx2, || {
                        let mut out = vec![0.0; m * n_out];
                        let end = End::Store { bias: Some(&bias), activation: Activation::Gelu };
                        multiply(&x, k, values, &Job::new(m, n_panels, &mut out, n_out, end));
                        bits(&out)
                    });
                }
            }
        });
        Ok(())
    }

    #[test]
    #[should_panic(expected = "3 columns")]
    fn a_bias_of_another_length_is_refused_at_the_door() {
        let end = End::Store { bias: Some(&[1.0; 2]), activation: Activation::None };
        Job::new(2, 1, &mut [0.0; 6], 3, end);
    }
}
