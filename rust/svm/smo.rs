//! Sequential minimal optimisation with libsvm's second-order working set.
//!
//! The dual of the weighted C-SVM, `min 1/2 b'Kb - sum a`, is solved in pairs: the row that violates optimality most
//! upwards, and the row whose pairing with it reduces the objective most (Fan, Chen and Lin 2005, "Working set
//! selection using second order information", WSS 2, equations 10 and 11).
//!
//! A row has up to two examples, a positive one with bound `C q` and a negative one with bound `C (1 - q)`, both times
//! the row's weight where rows have one. They share
//! the kernel row and `f = K b`, so all that an iteration needs of them is one number per direction and row: the label
//! of the example that could move its coefficient up (or down) and violates most.

use super::SvmParams;
use super::working_set::{LEAST_CURVATURE, find_partner, move_and_find_up};
use crate::Result;
use crate::cpu::for_each_cpu;
use crate::stop::Stop;

/// Partial sums of a product in float64.
const LANES: usize = 16;
/// How many iterations go by between two looks at the stop flag.
const ITERATIONS_A_CHECK: usize = 1024;

/// One machine to train.
pub(super) struct Problem<'a> {
    /// (r, r), symmetric.
    pub(super) kernel: &'a [f32],
    /// (r,)
    pub(super) diagonal: &'a [f32],
    /// (r,), in [0, 1]; NaN rows take no part.
    pub(super) quality: &'a [f64],
    /// (r,), what each row's bounds are multiplied by; without it all count alike.
    pub(super) weights: Option<&'a [f64]>,
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
        .enumerate()
        .map(|(row, quality)| {
            if quality.is_nan() {
                return Pair::default();
            }
            let c = problem.weights.map_or(c, |weights| c * weights[row]);
            let (positive_bound, negative_bound) = (c * quality, c * (1.0 - quality));
            // Both examples of a graded row pull against each other at the same place: while the decision stays
            // within the margin, the lesser is at its bound in the solution, and such a start needs no steps.
            let both = positive_bound.min(negative_bound);
            Pair { positive: both, negative: both, positive_bound, negative_bound }
        })
        .collect();
    // Coefficients start at 0.
    let mut decisions = vec![0.0; pairs.len()];
    let mut n_left = problem.params.max_iterations;
    let mut least = None;
    while n_left > 0 && violation(&pairs, &decisions) >= problem.params.tolerance {
        // Every step lowers the objective. A round that did not has met the limits of float32.
        let objective = objective(&pairs, &decisions);
        if least.is_some_and(|least| objective >= least - 1e-12 * f64::abs(least)) {
            break;
        }
        least = Some(objective);
        let n_round = n_left.min(10_000 + 10 * pairs.len());
        n_left -= n_round - improve(problem, &mut pairs, &decisions, n_round, stop)?;
        // Rounding adds up in float32: `f` is computed afresh in float64 before its word is taken.
        decisions = exact_decisions(problem, &pairs);
    }
    let bias = bias(&pairs, &decisions);
    Ok((pairs.iter().map(Pair::coefficient).collect(), bias))
}

/// Updates pairs until the violation is below the tolerance or no iteration is left; says how many are left.
fn improve(problem: &Problem<'_>, pairs: &mut [Pair], decisions: &[f64], n_left: usize, stop: &Stop) -> Result<usize> {
    let n_rows = pairs.len();
    // A little stricter than asked, for what the float32 sums hide.
    #[expect(clippy::cast_possible_truncation, reason = "a tolerance")]
    let tolerance = (0.9 * problem.params.tolerance) as f32;
    let mut upward: Vec<f32> = pairs.iter().map(Pair::upward).collect();
    let mut downward: Vec<f32> = pairs.iter().map(Pair::downward).collect();
    #[expect(clippy::cast_possible_truncation, reason = "kept exactly by the caller")]
    let mut f: Vec<f32> = decisions.iter().map(|value| *value as f32).collect();
    let kernel = |row: usize| &problem.kernel[row * n_rows..][..n_rows];
    let mut up = move_and_find_up(0.0, kernel(0), kernel(0), &upward, &mut f);
    for iteration in 0..n_left {
        if iteration.is_multiple_of(ITERATIONS_A_CHECK) {
            stop.check()?;
        }
        let raised = kernel(up.row);
        let down = find_partner(up, raised, problem.diagonal, &downward, &f);
        if down.violation < tolerance {
            return Ok(n_left - iteration);
        }
        let curvature = problem.diagonal[up.row] + problem.diagonal[down.row] - 2.0 * raised[down.row];
        let violation = up.value - (downward[down.row] - f[down.row]);
        let wanted = f64::from(violation) / f64::from(curvature.max(LEAST_CURVATURE));
        let step = wanted.min(pairs[up.row].room_upward()).min(pairs[down.row].room_downward());
        pairs[up.row].raise(step);
        pairs[down.row].lower(step);
        for row in [up.row, down.row] {
            upward[row] = pairs[row].upward();
            downward[row] = pairs[row].downward();
        }
        #[expect(clippy::cast_possible_truncation, reason = "the sums are float32")]
        let step = step as f32;
        up = move_and_find_up(step, raised, kernel(down.row), &upward, &mut f);
    }
    Ok(0)
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
    pub(super) fn product(row: &[f32], coefficients: &[f64]) -> f64 = product_body
}

/// The largest `upward - f` and the least `downward - f`.
fn extremes(pairs: &[Pair], decisions: &[f64]) -> (f64, f64) {
    let up = pairs.iter().zip(decisions).map(|(pair, f)| f64::from(pair.upward()) - f);
    let down = pairs.iter().zip(decisions).map(|(pair, f)| f64::from(pair.downward()) - f);
    (up.fold(f64::NEG_INFINITY, f64::max), down.fold(f64::INFINITY, f64::min))
}

/// What is minimised: half of `b'Kb`, less the sum of all weights.
fn objective(pairs: &[Pair], decisions: &[f64]) -> f64 {
    let terms =
        pairs.iter().zip(decisions).map(|(pair, f)| 0.5 * pair.coefficient() * f - pair.positive - pair.negative);
    terms.sum()
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
