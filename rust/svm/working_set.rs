//! The two passes of an iteration over all rows: move `f` and find who wants up most, find the best partner.
//!
//! Both keep maxima by lanes and chunks and look for the row afterwards, inside the chunk that won: carrying row
//! numbers along with the maxima keeps compilers from using vector instructions (measured at 9,500 rows: 8 and 11 us
//! for the two passes instead of 2 and 3).

use crate::cpu::for_each_cpu;

/// Curvature used where two rows are the same (libsvm's TAU).
pub(super) const LEAST_CURVATURE: f32 = 1e-12;
/// Rows among which the winner is looked for.
const CHUNK: usize = 256;
/// Maxima side by side: as many as registers allow besides the rest of each pass.
const STEP_LANES: usize = 32;
const PARTNER_LANES: usize = 16;

/// A row that wants its coefficient raised, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Up {
    pub(super) row: usize,
    /// The largest `upward - f`; -infinity when no row can go up.
    pub(super) value: f32,
}

/// The partner of an [`Up`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Down {
    pub(super) row: usize,
    /// The largest violation of the optimality conditions by any pair with the [`Up`]; -infinity without a partner.
    pub(super) violation: f32,
}

for_each_cpu! {
    /// Adds `step * (raised - lowered)` to `f` and finds the first row with the largest `upward - f`.
    pub(super) fn move_and_find_up(step: f32, raised: &[f32], lowered: &[f32], upward: &[f32], f: &mut [f32]) -> Up =
        move_and_find_up_body
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn move_and_find_up_body(step: f32, raised: &[f32], lowered: &[f32], upward: &[f32], f: &mut [f32]) -> Up {
    let mut best = Up { row: 0, value: f32::NEG_INFINITY };
    let chunks = raised.chunks(CHUNK).zip(lowered.chunks(CHUNK)).zip(upward.chunks(CHUNK)).zip(f.chunks_mut(CHUNK));
    for (chunk, (((raised, lowered), upward), f)) in chunks.enumerate() {
        let mut lanes = [f32::NEG_INFINITY; STEP_LANES];
        let (raised, raised_rest) = raised.as_chunks::<STEP_LANES>();
        let (lowered, lowered_rest) = lowered.as_chunks::<STEP_LANES>();
        let (upward, upward_rest) = upward.as_chunks::<STEP_LANES>();
        let (f, f_rest) = f.as_chunks_mut::<STEP_LANES>();
        for (((raised, lowered), upward), f) in raised.iter().zip(lowered).zip(upward).zip(f) {
            for lane in 0..STEP_LANES {
                f[lane] += step * (raised[lane] - lowered[lane]);
                lanes[lane] = larger(upward[lane] - f[lane], lanes[lane]);
            }
        }
        for (((raised, lowered), upward), f) in raised_rest.iter().zip(lowered_rest).zip(upward_rest).zip(f_rest) {
            *f += step * (raised - lowered);
            lanes[0] = larger(upward - *f, lanes[0]);
        }
        let value = lanes.into_iter().fold(f32::NEG_INFINITY, larger);
        if value > best.value {
            best = Up { row: chunk * CHUNK, value };
        }
    }
    let is_best = |(upward, f): (&f32, &f32)| upward - f == best.value;
    best.row += upward[best.row..].iter().zip(&f[best.row..]).position(is_best).unwrap_or(0);
    best
}

for_each_cpu! {
    /// The first row whose pairing with `up` reduces the objective most: the largest `b^2 / a` over rows that can go
    /// down, `b` the violation of the pair and `a` its curvature.
    pub(super) fn find_partner(up: Up, kernel: &[f32], diagonal: &[f32], downward: &[f32], f: &[f32]) -> Down =
        find_partner_body
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn find_partner_body(up: Up, kernel: &[f32], diagonal: &[f32], downward: &[f32], f: &[f32]) -> Down {
    let own = diagonal[up.row];
    let violation = |downward: f32, f: f32| up.value - (downward - f);
    let gain = |violation: f32, kernel: f32, diagonal: f32| {
        let violation = larger(violation, 0.0);
        violation * violation / larger(own + diagonal - 2.0 * kernel, LEAST_CURVATURE)
    };
    let mut violations = [f32::NEG_INFINITY; PARTNER_LANES];
    let mut best = None;
    let mut best_gain = 0.0;
    let chunks = kernel.chunks(CHUNK).zip(diagonal.chunks(CHUNK)).zip(downward.chunks(CHUNK)).zip(f.chunks(CHUNK));
    for (chunk, (((kernel, diagonal), downward), f)) in chunks.enumerate() {
        let mut lanes = [0.0; PARTNER_LANES];
        let (kernel, kernel_rest) = kernel.as_chunks::<PARTNER_LANES>();
        let (diagonal, diagonal_rest) = diagonal.as_chunks::<PARTNER_LANES>();
        let (downward, downward_rest) = downward.as_chunks::<PARTNER_LANES>();
        let (f, f_rest) = f.as_chunks::<PARTNER_LANES>();
        for (((kernel, diagonal), downward), f) in kernel.iter().zip(diagonal).zip(downward).zip(f) {
            for lane in 0..PARTNER_LANES {
                let violation = violation(downward[lane], f[lane]);
                violations[lane] = larger(violation, violations[lane]);
                lanes[lane] = larger(gain(violation, kernel[lane], diagonal[lane]), lanes[lane]);
            }
        }
        for (((kernel, diagonal), downward), f) in kernel_rest.iter().zip(diagonal_rest).zip(downward_rest).zip(f_rest)
        {
            let violation = violation(*downward, *f);
            violations[0] = larger(violation, violations[0]);
            lanes[0] = larger(gain(violation, *kernel, *diagonal), lanes[0]);
        }
        let value = lanes.into_iter().fold(0.0, larger);
        if value > best_gain {
            best = Some(chunk * CHUNK);
            best_gain = value;
        }
    }
    let Some(start) = best else { return Down { row: 0, violation: f32::NEG_INFINITY } };
    let is_best = |row: &usize| gain(violation(downward[*row], f[*row]), kernel[*row], diagonal[*row]) == best_gain;
    let row = (start..kernel.len()).find(is_best).unwrap_or(start);
    Down { row, violation: violations.into_iter().fold(f32::NEG_INFINITY, larger) }
}

/// The larger of two numbers, as one instruction: `f32::max` also takes care of NaN.
#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
