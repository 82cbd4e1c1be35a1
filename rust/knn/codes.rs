//! Rows as bytes, with lower bounds of distances that hold whatever the rounding did.
//!
//! A row `x` is kept as `mean + scale * unit * code`, with bytes as code, a unit for each column and the exact length
//! `error` of what that leaves out; a query likewise, with wider integers and inverse units, so that the units leave the
//! products. By the triangle inequality
//! `|x - q| >= |decoded(x) - decoded(q)| - error(x) - error(q)`, and the distance of the decoded two is an exact
//! integer product away. A scan then reads a quarter of the memory, and only rows that the bound cannot rule out are
//! looked at in float32.

use std::sync::OnceLock;

use ndarray::{ArrayView2, Axis};

use super::bounds::{Bounds, LANES, ROWS_A_TILE, Reach, SLACK};
use super::products::{BLOCK, QUERIES, products};
use super::stored::Stored;
use crate::cpu::for_each_cpu;

/// The largest byte used; -128 stays unused so that the range is symmetric.
const LARGEST_CODE: f32 = 127.0;
/// Columns of smaller numbers than this, beside the largest, are as good as 0 in a distance.
const LEAST_UNIT: f32 = 1e-3;

/// What codes are relative to: shared by all groups of an index, so that a query is encoded once.
#[derive(Debug)]
pub(super) struct Origin {
    point: Vec<f32>,
    /// How far the rows go from the point in each column, as a share of the farthest: columns of large numbers beside
    /// those of small ones, a category's beside an embedding's, do not make the codes of these coarse.
    units: Vec<f32>,
    inverse_units: Vec<f32>,
}

impl Origin {
    /// How many columns are encoded.
    pub(super) fn width(&self) -> usize {
        self.point.len()
    }

    /// A point that was the mean of rows and their units, which codes are relative to.
    pub(super) fn at(point: &[f32], units: &[f32]) -> Self {
        let inverse_units = units.iter().map(|unit| unit.recip()).collect();
        Self { point: point.to_vec(), units: units.to_vec(), inverse_units }
    }

    /// The point itself.
    pub(super) fn point(&self) -> &[f32] {
        &self.point
    }

    /// The units of the columns.
    pub(super) fn units(&self) -> &[f32] {
        &self.units
    }

    /// The mean of the rows (n, width), n > 0: removing it makes the codes of real embeddings finer.
    pub(super) fn mean_of(rows: ArrayView2<'_, f32>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of rows; the mean need not be exact")]
        let count = rows.nrows() as f64;
        let mut sums = vec![0.0_f64; rows.ncols()];
        for row in rows.axis_iter(Axis(0)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "any nearby point will do")]
        let point: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        let mut reach = vec![0.0_f32; rows.ncols()];
        for row in rows.axis_iter(Axis(0)) {
            for ((reach, value), point) in reach.iter_mut().zip(row).zip(&point) {
                *reach = reach.max((value - point).abs());
            }
        }
        let farthest = reach.iter().copied().fold(0.0, f32::max);
        let unit = |reach: &f32| Some(reach / farthest).filter(|unit| *unit >= LEAST_UNIT).unwrap_or(LEAST_UNIT);
        Self::at(&point, &reach.iter().map(unit).collect::<Vec<_>>())
    }
}

/// What the codes of one row mean.
#[derive(Debug, Clone, Copy)]
struct Scaling {
    scale: f32,
    squared_norm: f32,
    error: f32,
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "lengths, rounded up by SLACK")]
fn encode_body(row: &[f32], origin: &[f32], units: &[f32], largest: f32, codes: &mut [f32]) -> Scaling {
    // Adding and subtracting 1.5 * 2^23 rounds to an integer.
    const ROUNDING: f32 = 12_582_912.0;
    let width = row.len().min(origin.len()).min(units.len()).min(codes.len());
    let mut extremes = [0.0_f32; LANES];
    for start in (0..width).step_by(LANES) {
        for (lane, index) in (start..width.min(start + LANES)).enumerate() {
            let magnitude = ((row[index] - origin[index]) / units[index]).abs();
            extremes[lane] = if magnitude > extremes[lane] { magnitude } else { extremes[lane] };
        }
    }
    let scale = extremes.into_iter().fold(0.0, f32::max) / largest;
    // A range too small for a scale is left to the error; so is one too large for float32.
    let inverse = scale.recip();
    let (scale, inverse) = if scale.is_normal() && inverse.is_normal() { (scale, inverse) } else { (0.0, 0.0) };
    let mut squared_norms = [0.0_f64; LANES];
    let mut squared_errors = [0.0_f64; LANES];
    for start in (0..width).step_by(LANES) {
        for (lane, index) in (start..width.min(start + LANES)).enumerate() {
            let code = ((row[index] - origin[index]) / units[index] * inverse + ROUNDING) - ROUNDING;
            let code = if code.abs() <= largest { code } else { 0.0 };
            codes[index] = code;
            let decoded = f64::from(scale) * f64::from(units[index]) * f64::from(code);
            squared_norms[lane] += decoded * decoded;
            let missed = f64::from(row[index]) - f64::from(origin[index]) - decoded;
            squared_errors[lane] += missed * missed;
        }
    }
    Scaling {
        scale,
        squared_norm: squared_norms.iter().sum::<f64>() as f32,
        error: squared_errors.iter().sum::<f64>().sqrt() as f32 * (1.0 + SLACK),
    }
}

for_each_cpu! {
    /// Fills `codes` with the integers nearest to `(row - origin) / (scale * units)`, none beyond `largest` (below 2^22).
    ///
    /// Whatever a code is, `error` is the length of what it leaves out.
    fn encode(row: &[f32], origin: &[f32], units: &[f32], largest: f32, codes: &mut [f32]) -> Scaling = encode_body
}

/// A query as integers.
#[derive(Debug, Default)]
pub(super) struct QueryCodes {
    codes: Vec<i16>,
    scale: f32,
    squared_norm: f32,
    error: f32,
}

impl QueryCodes {
    /// Encodes `query`, as wide as the origin, as finely as sums of products fit into 32 bits.
    pub(super) fn of(query: &[f32], origin: &Origin) -> Self {
        let mut codes = vec![0.0; query.len().next_multiple_of(BLOCK)];
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rounded down below")]
        let fits = (f64::from(i32::MAX) / (f64::from(LARGEST_CODE) * query.len().max(1) as f64)) as f32;
        let largest = (fits * 0.99).floor().clamp(1.0, f32::from(i16::MAX));
        let scaling = encode(query, &origin.point, &origin.inverse_units, largest, &mut codes);
        #[expect(clippy::cast_possible_truncation, reason = "integers up to i16::MAX")]
        let codes = codes.iter().map(|code| *code as i16).collect();
        Self { codes, scale: scaling.scale, squared_norm: scaling.squared_norm, error: scaling.error }
    }
}

/// Codes of the rows of one group.
#[derive(Debug)]
pub(super) struct Codes {
    width: usize,
    pub(super) codes: Stored<i8>,
    pub(super) scale: Stored<f32>,
    pub(super) squared_norm: Stored<f32>,
    pub(super) error: Stored<f32>,
    /// The largest error and the largest squared norm, once they were asked for.
    reach: OnceLock<Reach>,
}

impl Codes {
    /// How many bytes a row of so many encoded columns takes.
    pub(super) fn width_of(n_columns: usize) -> usize {
        n_columns.next_multiple_of(BLOCK)
    }

    /// Takes codes of `n_columns` columns that were computed before.
    pub(super) fn stored(n_columns: usize, codes: Stored<i8>, [scale, squared_norm, error]: [Stored<f32>; 3]) -> Self {
        Self { width: Self::width_of(n_columns), codes, scale, squared_norm, error, reach: OnceLock::new() }
    }

    /// Encodes the given `rows` of `heads` (n, width).
    pub(super) fn of(heads: ArrayView2<'_, f32>, rows: &[u32], origin: &Origin) -> Self {
        let width = Self::width_of(heads.ncols());
        let mut codes = Vec::with_capacity(rows.len() * width);
        let mut scalings = Vec::with_capacity(rows.len());
        let mut row_codes = vec![0.0; width];
        for row in rows {
            let head = heads.row(*row as usize).to_slice().unwrap_or_default();
            scalings.push(encode(head, &origin.point, &origin.units, LARGEST_CODE, &mut row_codes));
            #[expect(clippy::cast_possible_truncation, reason = "integers up to 127")]
            codes.extend(row_codes.iter().map(|code| *code as i8));
        }
        let column = |get: fn(&Scaling) -> f32| scalings.iter().map(get).collect::<Vec<_>>().into();
        Self {
            width,
            codes: codes.into(),
            scale: column(|scaling| scaling.scale),
            squared_norm: column(|scaling| scaling.squared_norm),
            error: column(|scaling| scaling.error),
            reach: OnceLock::new(),
        }
    }

    /// How far rows can be beyond their bounds for a query.
    fn reach(&self, query: &QueryCodes) -> Reach {
        let largest = |numbers: &[f32]| numbers.iter().copied().fold(0.0, f32::max);
        let of_rows = || Reach { error: largest(&self.error), squared_norms: largest(&self.squared_norm) };
        let Reach { error, squared_norms } = *self.reach.get_or_init(of_rows);
        Reach { error: error + query.error, squared_norms: squared_norms + query.squared_norm }
    }

    /// Adds to the bounds of every query those for all rows, which are `numbers` in the index.
    pub(super) fn bound(&self, numbers: &[u32], queries: &mut [(&QueryCodes, &mut Bounds)]) {
        let n_rows = self.scale.len();
        let all_codes: &[i8] = &self.codes;
        let (mut lower, mut minima) = ([0.0; ROWS_A_TILE], [0.0; ROWS_A_TILE / LANES]);
        let mut sums = [[0; ROWS_A_TILE]; QUERIES];
        for first in (0..n_rows).step_by(ROWS_A_TILE) {
            let rows = first..n_rows.min(first + ROWS_A_TILE);
            let codes = &all_codes[rows.start * self.width..rows.end * self.width];
            for queries in queries.chunks_mut(QUERIES) {
                let [to_a, to_b, to_c, to_d] = &mut sums;
                match queries {
                    _ if self.width == 0 => {} // nothing is encoded, and nothing ruled out
                    [(query, _)] => products(codes, [&query.codes], [to_a]),
                    _ => {
                        // Fewer than four are filled up by the last one: two alone would take as long.
                        let together = std::array::from_fn(|query| &*queries[query.min(queries.len() - 1)].0.codes);
                        products(codes, together, [to_a, to_b, to_c, to_d]);
                    }
                }
                for ((query, bounds), sums) in queries.iter_mut().zip(&sums) {
                    let lower = &mut lower[..rows.len()];
                    if self.width > 0 {
                        bound_tile(&sums[..rows.len()], self, first, query, lower, &mut minima);
                    }
                    bounds.add(&numbers[rows.clone()], lower, &minima, self.reach(query));
                }
            }
        }
    }
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "the rounding of a product is within SLACK")]
fn bound_tile_body(
    products: &[i32],
    rows: &Codes,
    first: usize,
    query: &QueryCodes,
    lower: &mut [f32],
    minima: &mut [f32],
) {
    let n_rows = lower.len();
    let (products, scale) = (&products[..n_rows], &rows.scale[first..][..n_rows]);
    let (squared_norm, error) = (&rows.squared_norm[first..][..n_rows], &rows.error[first..][..n_rows]);
    let twice = 2.0 * query.scale;
    for (start, least) in (0..n_rows).step_by(LANES).zip(minima) {
        // Numbers of 0 or more are in the order of their bits, and the least integer takes one instruction for all lanes.
        let mut bits = [f32::INFINITY.to_bits(); LANES];
        for (lane, row) in (start..n_rows.min(start + LANES)).enumerate() {
            let norms = (squared_norm[row] + query.squared_norm) * (1.0 - SLACK);
            let squared = norms - twice * scale[row] * products[row] as f32;
            // The comparisons also turn what overflowed (inf - inf) into 0, which rules nothing out.
            let squared = if squared > 0.0 { squared } else { 0.0 };
            let bound = squared.sqrt() * (1.0 - SLACK) - error[row] - query.error;
            let bound = if bound > 0.0 { bound } else { 0.0 };
            lower[row] = bound;
            bits[lane] = bound.to_bits();
        }
        *least = f32::from_bits(bits.into_iter().fold(u32::MAX, u32::min));
    }
}

for_each_cpu! {
    /// Distances of the query and of the decoded rows from `first` on, less both errors, less float32's rounding; and
    /// the least of every [`LANES`] of them.
    fn bound_tile(
        products: &[i32],
        rows: &Codes,
        first: usize,
        query: &QueryCodes,
        lower: &mut [f32],
        minima: &mut [f32],
    ) = bound_tile_body
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView2;

    use super::super::bounds::Measure;
    use super::*;
    use crate::cpu::Tier;
    use crate::cpu::forced::{numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_bounds() -> Result<(), ndarray::ShapeError> {
        for (n_rows, width) in [(1, 1), (5, 33), (600, 96)] {
            let (rows, query) = (numbers(n_rows * width, 37), numbers(width, 101));
            let heads = ArrayView2::from_shape((n_rows, width), &rows)?;
            same_on_every_tier(Tier::Baseline, || {
                let origin = Origin::mean_of(heads);
                let numbers = (0..n_rows as u32).collect::<Vec<_>>();
                let codes = Codes::of(heads, &numbers, &origin);
                let (query, mut bounds) = (QueryCodes::of(&query, &origin), Bounds::default());
                bounds.restart(n_rows, f32::INFINITY, Measure { width, tail: 0.0 });
                codes.bound(&numbers, &mut [(&query, &mut bounds)]);
                format!("{codes:?} {query:?} {bounds:?}")
            });
        }
        Ok(())
    }
}
