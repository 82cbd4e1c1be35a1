//! Sequential minimal optimisation with libsvm's second-order working set.
//!
//! The dual of the weighted C-SVM, `min 1/2 b'Kb - sum a`, is solved in pairs: the row that violates optimality most
//! upwards, and the row whose pairing with it reduces the objective most (Fan, Chen and Lin 2005, "Working set
//! selection using second order information", WSS 2, equations 10 and 11).
//!
//! A row has up to two examples, a positive one with bound `C q` and a negative one with bound `C (1 - q)`. They share
//! the kernel row and `f = K b`, so all that an iteration needs of them is one number per direction and row: the label
//! of the example that could move its coefficient up (or down) and violates most.

use super::SvmParams;
use crate::Result;
use crate::cpu::for_each_cpu;
use crate::stop::Stop;

/// Curvature used where two rows are the same (libsvm's TAU).
const LEAST_CURVATURE: f32 = 1e-12;
/// Vector lanes of the two passes.
const LANES: usize = 16;
/// How many iterations go by between two looks at the stop flag.
const ITERATIONS_A_CHECK: usize = 1024;
/// How often `f` may be computed afresh before the remaining violation is accepted.
const MOST_ROUNDS: usize = 20;

/// One machine to train.
pub(super) struct Problem<'a> {
    /// (r, r), symmetric.
    pub(super) kernel: &'a [f32],
    /// (r,)
    pub(super) diagonal: &'a [f32],
    /// (r,), in [0, 1]; NaN rows take no part.
    pub(super) quality: &'a [f64],
    pub(super) params: SvmParams,
}

/// Weights of the two examples of one row.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    positive: f64,
    negative: f64,
    positive_bound: f64,
    negative_bound: f64,
}

impl Pair {
    /// The label of the example that can raise the coefficient and would rather; -infinity for none.
    fn upward(&self) -> f32 {
        if self.positive < self.positive_bound {
            1.0
        } else if self.negative > 0.0 {
            -1.0
        } else {
            f32::NEG_INFINITY
        }
    }

    /// The label of the example that can lower the coefficient and would rather; infinity for none.
    fn downward(&self) -> f32 {
        if self.negative < self.negative_bound {
            -1.0
        } else if self.positive > 0.0 {
            1.0
        } else {
            f32::INFINITY
        }
    }

    fn room_upward(&self) -> f64 {
        if self.positive < self.positive_bound { self.positive_bound - self.positive } else { self.negative }
    }

    fn room_downward(&self) -> f64 {
        if self.negative < self.negative_bound { self.negative_bound - self.negative } else { self.positive }
    }

    /// Moves by `step` within the room; all of the room ends exactly on the bound.
    fn raise(&mut self, step: f64) {
        let all = step >= self.room_upward();
        if self.positive < self.positive_bound {
            self.positive = if all { self.positive_bound } else { self.positive + step };
        } else {
            self.negative = if all { 0.0 } else { self.negative - step };
        }
    }

    fn lower(&mut self, step: f64) {
        let all = step >= self.room_downward();
        if self.negative < self.negative_bound {
            self.negative = if all { self.negative_bound } else { self.negative + step };
        } else {
            self.positive = if all { 0.0 } else { self.positive - step };
        }
    }

    fn coefficient(&self) -> f64 {
        self.positive - self.negative
    }
}

/// Trains one machine: signed coefficients (r,) and the bias.
pub(super) fn solve(problem: &Problem<'_>, stop: &Stop) -> Result<(Vec<f64>, f64)> {
    let c = problem.params.c;
    let mut pairs: Vec<Pair> = problem
        .quality
        .iter()
        .map(|quality| {
            if quality.is_nan() {
                return Pair::default();
            }
            let (positive_bound, negative_bound) = (c * quality, c * (1.0 - quality));
            // Both examples of a graded row pull against each other at the same place: while the decision stays
            // within the margin, the lesser is at its bound in the solution, and such a start needs no steps.
            let both = positive_bound.min(negative_bound);
            Pair { positive: both, negative: both, positive_bound, negative_bound }
        })
        .collect();
    let mut decisions = vec![0.0; pairs.len()];
    let mut n_left = problem.params.max_iterations;
    for _ in 0..MOST_ROUNDS {
        // Rounding accumulates in float32 sums: `f` is computed afresh in float64 before its word is taken.
        let violation = violation(&pairs, &decisions);
        if violation < problem.params.tolerance || n_left == 0 {
            break;
        }
        n_left = improve(problem, &mut pairs, &decisions, n_left, stop)?;
        decisions = exact_decisions(problem, &pairs);
    }
    let bias = bias(&pairs, &decisions);
    Ok((pairs.iter().map(Pair::coefficient).collect(), bias))
}

/// Updates pairs until the violation is below the tolerance or no iteration is left; returns what is left.
fn improve(
    problem: &Problem<'_>,
    pairs: &mut [Pair],
    decisions: &[f64],
    mut n_left: usize,
    stop: &Stop,
) -> Result<usize> {
    let n_rows = pairs.len();
    // A little stricter than asked, for what the float32 sums hide.
    #[expect(clippy::cast_possible_truncation, reason = "a tolerance")]
    let tolerance = (0.9 * problem.params.tolerance) as f32;
    let padded = n_rows.next_multiple_of(LANES);
    let mut upward: Vec<f32> = pairs.iter().map(Pair::upward).collect();
    let mut downward: Vec<f32> = pairs.iter().map(Pair::downward).collect();
    upward.resize(padded, f32::NEG_INFINITY);
    downward.resize(padded, f32::INFINITY);
    #[expect(clippy::cast_possible_truncation, reason = "kept exactly by the caller")]
    let mut f: Vec<f32> = decisions.iter().map(|value| *value as f32).collect();
    f.resize(padded, 0.0);
    let row = |index: usize| &problem.kernel[index * n_rows..][..n_rows];
    let mut up = most_violating(&upward, &f);
    while n_left > 0 {
        if n_left.is_multiple_of(ITERATIONS_A_CHECK) {
            stop.check()?;
        }
        let down = best_partner(up, row(up.index), problem.diagonal, &downward, &f);
        if up.value == f32::NEG_INFINITY || down.violation < tolerance {
            break;
        }
        n_left -= 1;
        let curvature = problem.diagonal[up.index] + problem.diagonal[down.index] - 2.0 * row(up.index)[down.index];
        let wanted =
            f64::from(up.value - (downward[down.index] - f[down.index])) / f64::from(curvature.max(LEAST_CURVATURE));
        let step = wanted.min(pairs[up.index].room_upward()).min(pairs[down.index].room_downward());
        pairs[up.index].raise(step);
        pairs[down.index].lower(step);
        for index in [up.index, down.index] {
            upward[index] = pairs[index].upward();
            downward[index] = pairs[index].downward();
        }
        #[expect(clippy::cast_possible_truncation, reason = "the sums are float32")]
        let step = step as f32;
        up = step_and_most_violating(step, row(up.index), row(down.index), &upward, &mut f);
    }
    Ok(n_left)
}

/// A row that wants its coefficient raised, and how much.
#[derive(Debug, Clone, Copy)]
struct Up {
    index: usize,
    value: f32,
}

/// The partner of an [`Up`], and the largest violation of any pair with that row.
#[derive(Debug, Clone, Copy)]
struct Down {
    index: usize,
    violation: f32,
}

/// The first row with the largest `upward - f`.
fn most_violating(upward: &[f32], f: &[f32]) -> Up {
    let values = upward.iter().zip(f).map(|(label, f)| label - f).enumerate();
    let first = Up { index: 0, value: f32::NEG_INFINITY };
    values.fold(first, |best, (index, value)| if value > best.value { Up { index, value } } else { best })
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "blocks of a vector in memory")]
fn step_and_most_violating_body(step: f32, raised: &[f32], lowered: &[f32], upward: &[f32], f: &mut [f32]) -> Up {
    let mut best = [f32::NEG_INFINITY; LANES];
    let mut best_block = [0_u32; LANES];
    let (raised_blocks, raised_rest) = raised.as_chunks::<LANES>();
    let (lowered_blocks, lowered_rest) = lowered.as_chunks::<LANES>();
    let (upward_blocks, _) = upward.as_chunks::<LANES>();
    let (f_blocks, _) = f.as_chunks_mut::<LANES>();
    let n_blocks = raised_blocks.len().min(lowered_blocks.len()).min(upward_blocks.len()).min(f_blocks.len());
    for block in 0..n_blocks {
        let (raised, lowered) = (&raised_blocks[block], &lowered_blocks[block]);
        let (upward, f) = (&upward_blocks[block], &mut f_blocks[block]);
        for lane in 0..LANES {
            f[lane] += step * (raised[lane] - lowered[lane]);
            let value = upward[lane] - f[lane];
            let better = value > best[lane];
            best[lane] = if better { value } else { best[lane] };
            best_block[lane] = if better { block as u32 } else { best_block[lane] };
        }
    }
    let start = n_blocks * LANES;
    for (lane, (raised, lowered)) in raised_rest.iter().zip(lowered_rest).enumerate() {
        f[start + lane] += step * (raised - lowered);
        let value = upward[start + lane] - f[start + lane];
        if value > best[lane] {
            best[lane] = value;
            best_block[lane] = n_blocks as u32;
        }
    }
    let mut up = Up { index: usize::MAX, value: f32::NEG_INFINITY };
    for lane in 0..LANES {
        let index = best_block[lane] as usize * LANES + lane;
        if best[lane] > up.value || (best[lane] == up.value && index < up.index) {
            up = Up { index, value: best[lane] };
        }
    }
    up
}

for_each_cpu! {
    /// Adds `step * (raised - lowered)` to `f` and finds the first row with the largest `upward - f`.
    fn step_and_most_violating(step: f32, raised: &[f32], lowered: &[f32], upward: &[f32], f: &mut [f32]) -> Up = step_and_most_violating_body
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "blocks of a vector in memory")]
fn best_partner_body(up: Up, kernel: &[f32], diagonal: &[f32], downward: &[f32], f: &[f32]) -> Down {
    let own = diagonal[up.index];
    let mut violation = [f32::NEG_INFINITY; LANES];
    // Gains are fractions b^2 / a; the best of each lane is kept as numerator and denominator to compare by
    // multiplication, since a division would cost more than all the rest.
    let mut best_numerator = [0.0_f32; LANES];
    let mut best_denominator = [1.0_f32; LANES];
    let mut best_block = [u32::MAX; LANES];
    let (kernel_blocks, kernel_rest) = kernel.as_chunks::<LANES>();
    let (diagonal_blocks, diagonal_rest) = diagonal.as_chunks::<LANES>();
    let (downward_blocks, _) = downward.as_chunks::<LANES>();
    let (f_blocks, _) = f.as_chunks::<LANES>();
    let n_blocks = kernel_blocks.len().min(diagonal_blocks.len()).min(downward_blocks.len()).min(f_blocks.len());
    for block in 0..n_blocks {
        let (kernel, diagonal) = (&kernel_blocks[block], &diagonal_blocks[block]);
        let (downward, f) = (&downward_blocks[block], &f_blocks[block]);
        for lane in 0..LANES {
            let difference = up.value - (downward[lane] - f[lane]);
            violation[lane] = if difference > violation[lane] { difference } else { violation[lane] };
            let positive = if difference > 0.0 { difference } else { 0.0 };
            let numerator = positive * positive;
            let curvature = own + diagonal[lane] - 2.0 * kernel[lane];
            let denominator = if curvature > LEAST_CURVATURE { curvature } else { LEAST_CURVATURE };
            let better = numerator * best_denominator[lane] > best_numerator[lane] * denominator;
            best_numerator[lane] = if better { numerator } else { best_numerator[lane] };
            best_denominator[lane] = if better { denominator } else { best_denominator[lane] };
            best_block[lane] = if better { block as u32 } else { best_block[lane] };
        }
    }
    let start = n_blocks * LANES;
    for (lane, (kernel, diagonal)) in kernel_rest.iter().zip(diagonal_rest).enumerate() {
        let difference = up.value - (downward[start + lane] - f[start + lane]);
        violation[lane] = violation[lane].max(difference);
        let numerator = difference.max(0.0).powi(2);
        let denominator = (own + diagonal - 2.0 * kernel).max(LEAST_CURVATURE);
        if numerator * best_denominator[lane] > best_numerator[lane] * denominator {
            best_numerator[lane] = numerator;
            best_denominator[lane] = denominator;
            best_block[lane] = n_blocks as u32;
        }
    }
    let mut down = Down { index: 0, violation: f32::NEG_INFINITY };
    let (mut numerator, mut denominator, mut index) = (0.0_f32, 1.0_f32, usize::MAX);
    for lane in 0..LANES {
        down.violation = down.violation.max(violation[lane]);
        if best_block[lane] == u32::MAX {
            continue;
        }
        let candidate = best_block[lane] as usize * LANES + lane;
        let (left, right) = (best_numerator[lane] * denominator, numerator * best_denominator[lane]);
        if left > right || (left == right && candidate < index) {
            (numerator, denominator, index) = (best_numerator[lane], best_denominator[lane], candidate);
        }
    }
    if index == usize::MAX {
        down.violation = f32::NEG_INFINITY;
    } else {
        down.index = index;
    }
    down
}

for_each_cpu! {
    /// The row whose pairing with `up` reduces the objective most: the largest `b^2 / a` over rows that can go down.
    fn best_partner(up: Up, kernel: &[f32], diagonal: &[f32], downward: &[f32], f: &[f32]) -> Down = best_partner_body
}

/// `f = K b` in float64.
fn exact_decisions(problem: &Problem<'_>, pairs: &[Pair]) -> Vec<f64> {
    let coefficients: Vec<f64> = pairs.iter().map(Pair::coefficient).collect();
    problem.kernel.chunks_exact(pairs.len()).map(|row| product(row, &coefficients)).collect()
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn product_body(row: &[f32], coefficients: &[f64]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    let (row_blocks, row_rest) = row.as_chunks::<LANES>();
    let (coefficient_blocks, coefficient_rest) = coefficients.as_chunks::<LANES>();
    for (row, coefficients) in row_blocks.iter().zip(coefficient_blocks) {
        for lane in 0..LANES {
            sums[lane] += f64::from(row[lane]) * coefficients[lane];
        }
    }
    for (lane, (value, coefficient)) in row_rest.iter().zip(coefficient_rest).enumerate() {
        sums[lane] += f64::from(*value) * coefficient;
    }
    sums.iter().sum()
}

for_each_cpu! {
    /// Scalar product in float64, 16 partial sums.
    fn product(row: &[f32], coefficients: &[f64]) -> f64 = product_body
}

/// The largest `upward - f` and the least `downward - f`.
fn extremes(pairs: &[Pair], decisions: &[f64]) -> (f64, f64) {
    let up = pairs.iter().zip(decisions).map(|(pair, f)| f64::from(pair.upward()) - f);
    let down = pairs.iter().zip(decisions).map(|(pair, f)| f64::from(pair.downward()) - f);
    (up.fold(f64::NEG_INFINITY, f64::max), down.fold(f64::INFINITY, f64::min))
}

/// How far the most violating pair is from optimal (libsvm's stopping criterion).
fn violation(pairs: &[Pair], decisions: &[f64]) -> f64 {
    let (up, down) = extremes(pairs, decisions);
    up - down
}

/// The bias that free examples ask for, their mean; without any, the middle of what the others allow.
fn bias(pairs: &[Pair], decisions: &[f64]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (pair, f) in pairs.iter().zip(decisions) {
        if pair.positive > 0.0 && pair.positive < pair.positive_bound {
            sum += 1.0 - f;
            count += 1.0;
        }
        if pair.negative > 0.0 && pair.negative < pair.negative_bound {
            sum += -1.0 - f;
            count += 1.0;
        }
    }
    if count > 0.0 {
        return sum / count;
    }
    let (up, down) = extremes(pairs, decisions);
    match (up.is_finite(), down.is_finite()) {
        (true, true) => f64::midpoint(up, down),
        (true, false) => up,
        (false, true) => down,
        (false, false) => 0.0,
    }
}
