//! Squared Euclidean distance: the one arithmetic that all engines share, so that they agree to the last bit.

use linfa_nn::distance::Distance;
use ndarray::{Array2, ArrayView, ArrayView2, ArrayViewMut2, Axis, Dimension};
use rayon::prelude::*;

use crate::cpu::for_each_cpu;
use crate::matrix::{check_finite, check_width, with_padded_rows};
use crate::{Result, threads};

/// How many partial sums run side by side: four AVX2 registers, two AVX-512 registers.
const LANES: usize = 32;
/// Rows that stay in the second-level cache while others are measured against them.
const TILE: usize = 64;
/// Below this many differences, about a millisecond, waking other threads costs more than it saves.
const WORTH_THREADS: usize = 1 << 23;

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn squared_l2_body(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a_block, b_block) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            let difference = a_block[lane] - b_block[lane];
            sums[lane] += difference * difference;
        }
    }
    // The rest in eights: rows that are padded to a multiple of eight never reach the last loop.
    let (a_eights, a_last) = a_rest.as_chunks::<8>();
    let (b_eights, b_last) = b_rest.as_chunks::<8>();
    let mut base = 0;
    for (a_block, b_block) in a_eights.iter().zip(b_eights) {
        for lane in 0..8 {
            let difference = a_block[lane] - b_block[lane];
            sums[base + lane] += difference * difference;
        }
        base += 8;
    }
    for (lane, (x, y)) in a_last.iter().zip(b_last).enumerate() {
        let difference = x - y;
        sums[base + lane] += difference * difference;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

for_each_cpu! {
    /// Squared Euclidean distance of two slices of equal length, in 32 partial sums.
    ///
    /// The same bits on every processor, and for slices that are both filled up with zeros. Elements beyond the
    /// shorter slice are not looked at.
    #[must_use]
    pub fn squared_l2(a: &[f32], b: &[f32]) -> f32 = squared_l2_body
}

/// An upper bound of the relative rounding error of [`squared_l2`] in `width` dimensions.
///
/// All terms are non-negative, so the error is at most one unit of roundoff for each operation that a term goes
/// through: 3 for the difference and its square, `width / 32` additions in its lane, 5 between lanes. Doubled.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a width is far below 2^24")]
pub fn relative_error(width: usize) -> f32 {
    ((width / LANES + 1) as f32 + 8.0) * f32::EPSILON
}

/// Euclidean distance for Linfa's algorithms, which accept any [`Distance`].
///
/// Linfa's own `L2Dist` is one sequential sum; this one is several times faster on contiguous rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Euclidean;

impl Distance<f32> for Euclidean {
    #[inline]
    fn distance<D: Dimension>(&self, a: ArrayView<f32, D>, b: ArrayView<f32, D>) -> f32 {
        self.rdistance(a, b).sqrt()
    }

    #[inline]
    fn rdistance<D: Dimension>(&self, a: ArrayView<f32, D>, b: ArrayView<f32, D>) -> f32 {
        match (a.as_slice(), b.as_slice()) {
            (Some(a), Some(b)) => squared_l2(a, b),
            _ => a.iter().zip(b.iter()).map(|(x, y)| (x - y) * (x - y)).sum(),
        }
    }

    #[inline]
    fn rdist_to_dist(&self, rdist: f32) -> f32 {
        rdist.sqrt()
    }

    #[inline]
    fn dist_to_rdist(&self, dist: f32) -> f32 {
        dist * dist
    }
}

/// Squared distances between all rows of `a` (n, d) and of `b` (m, d): (n, m).
///
/// By differences and not by a matrix product: never negative, exact zeros for equal rows, and a row's values do not
/// depend on the rows beside it.
///
/// # Errors
/// [`crate::Error::Value`] for different widths or values that are not finite.
pub fn squared_distances(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
    check_width("b", b.ncols(), a.ncols())?;
    check_finite("a", a)?;
    check_finite("b", b)?;
    let (a, b) = (with_padded_rows(a), with_padded_rows(b));
    let mut distances = Array2::zeros((a.nrows(), b.nrows()));
    let fill = |(a, mut out): (ArrayView2<'_, f32>, ArrayViewMut2<'_, f32>)| {
        for (b, mut out) in b.axis_chunks_iter(Axis(0), TILE).zip(out.axis_chunks_iter_mut(Axis(1), TILE)) {
            for (row, mut out) in a.outer_iter().zip(out.outer_iter_mut()) {
                for (other, out) in b.outer_iter().zip(&mut out) {
                    *out = Euclidean.rdistance(row, other);
                }
            }
        }
    };
    let tasks = a.axis_chunks_iter(Axis(0), TILE).zip(distances.axis_chunks_iter_mut(Axis(0), TILE));
    if a.len().saturating_mul(b.nrows()) < WORTH_THREADS {
        tasks.for_each(fill);
    } else {
        let tasks: Vec<_> = tasks.collect();
        threads::install(|| tasks.into_par_iter().for_each(fill))?;
    }
    Ok(distances)
}

#[cfg(test)]
mod tests {
    use crate::cpu::Tier;
    use crate::cpu::forced::{numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_bits() {
        for width in [0, 1, 7, 8, 31, 32, 40, 77, 782, 784] {
            let (a, b) = (numbers(width, 37), numbers(width, 101));
            same_on_every_tier(Tier::Baseline, || super::squared_l2(&a, &b).to_bits());
        }
    }
}
