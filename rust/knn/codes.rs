//! Rows as bytes, with lower bounds of distances that hold whatever the rounding did.
//!
//! A row `x` is kept as `mean + scale * code`, with bytes as code, and with the exact length `error` of what that
//! leaves out; a query likewise, with wider integers. By the triangle inequality
//! `|x - q| >= |decoded(x) - decoded(q)| - error(x) - error(q)`, and the distance of the decoded two is an exact
//! integer product away. A scan then reads a quarter of the memory, and only rows that the bound cannot rule out are
//! looked at in float32.

use ndarray::{ArrayView2, Axis};

use super::products::{BLOCK, QUERIES, products};
use crate::cpu::for_each_cpu;

/// Rows whose codes stay in the second-level cache while all queries of a batch go over them.
const ROWS_A_TILE: usize = 128;
/// The largest byte used; -128 stays unused so that the range is symmetric.
const LARGEST_CODE: f32 = 127.0;
/// Covers the rounding of a handful of float32 operations on numbers of the same sign, generously.
const SLACK: f32 = 2e-6;

/// The point that codes are relative to: shared by all groups of an index, so that a query is encoded once.
#[derive(Debug)]
pub(super) struct Origin(Vec<f32>);

impl Origin {
    /// How many columns are encoded.
    pub(super) fn width(&self) -> usize {
        self.0.len()
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
        Self(sums.iter().map(|sum| (sum / count) as f32).collect())
    }
}

/// What the codes of one row mean.
#[derive(Debug, Clone, Copy)]
struct Scaling {
    scale: f32,
    squared_norm: f32,
    error: f32,
}

/// Writes the integers nearest to `(row - origin) / scale`, the largest of them `largest`, through `store`.
#[expect(clippy::cast_possible_truncation, reason = "integers within `largest`; lengths rounded up by SLACK")]
fn encode(row: &[f32], origin: &Origin, largest: f32, mut store: impl FnMut(usize, f32)) -> Scaling {
    let extreme = row.iter().zip(&origin.0).map(|(x, m)| (x - m).abs()).fold(0.0_f32, f32::max);
    let scale = extreme / largest;
    // A range too small for a scale is left to `error`; so is one too large for float32.
    let inverse = if scale.is_normal() { scale.recip() } else { 0.0 };
    let scale = if inverse.is_normal() { scale } else { 0.0 };
    let (mut squared_norm, mut squared_error) = (0.0_f64, 0.0_f64);
    for (index, (x, m)) in row.iter().zip(&origin.0).enumerate() {
        let code = ((x - m) * inverse).round().clamp(-largest, largest);
        let code = if scale == 0.0 { 0.0 } else { code };
        store(index, code);
        let decoded = f64::from(scale) * f64::from(code);
        squared_norm += decoded * decoded;
        let missed = f64::from(*x) - f64::from(*m) - decoded;
        squared_error += missed * missed;
    }
    Scaling { scale, squared_norm: squared_norm as f32, error: squared_error.sqrt() as f32 * (1.0 + SLACK) }
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
        let mut codes = vec![0; query.len().next_multiple_of(BLOCK)];
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rounded down below")]
        let fits = (f64::from(i32::MAX) / (f64::from(LARGEST_CODE) * query.len().max(1) as f64)) as f32;
        let largest = (fits * 0.99).floor().clamp(1.0, f32::from(i16::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "at most i16::MAX")]
        let scaling = encode(query, origin, largest, |index, code| codes[index] = code as i16);
        Self { codes, scale: scaling.scale, squared_norm: scaling.squared_norm, error: scaling.error }
    }
}

/// Codes of the rows of one group.
#[derive(Debug)]
pub(super) struct Codes {
    width: usize,
    codes: Vec<i8>,
    scale: Vec<f32>,
    squared_norm: Vec<f32>,
    error: Vec<f32>,
}

impl Codes {
    /// Encodes all rows (n, width).
    pub(super) fn of(rows: ArrayView2<'_, f32>, origin: &Origin) -> Self {
        let width = rows.ncols().next_multiple_of(BLOCK);
        let mut codes = vec![0_i8; rows.nrows() * width];
        let scalings: Vec<Scaling> = rows
            .axis_iter(Axis(0))
            .zip(codes.chunks_exact_mut(width.max(1)))
            .map(|(row, codes)| {
                let row = row.to_slice().unwrap_or_default();
                #[expect(clippy::cast_possible_truncation, reason = "at most 127")]
                encode(row, origin, LARGEST_CODE, |index, code| codes[index] = code as i8)
            })
            .collect();
        Self {
            width,
            codes,
            scale: scalings.iter().map(|s| s.scale).collect(),
            squared_norm: scalings.iter().map(|s| s.squared_norm).collect(),
            error: scalings.iter().map(|s| s.error).collect(),
        }
    }

    /// Fills `lower` of every query with a lower bound of every row's distance (not squared) to it.
    pub(super) fn lower_bounds(&self, queries: &mut [(&QueryCodes, &mut Vec<f32>)]) {
        let n_rows = self.scale.len();
        for (_, lower) in &mut *queries {
            lower.clear();
            lower.resize(n_rows, 0.0);
        }
        if self.width == 0 {
            return;
        }
        let mut sums = [[0; ROWS_A_TILE]; QUERIES];
        for first in (0..n_rows).step_by(ROWS_A_TILE) {
            let rows = first..n_rows.min(first + ROWS_A_TILE);
            let codes = &self.codes[rows.start * self.width..rows.end * self.width];
            for queries in queries.chunks_mut(QUERIES) {
                match queries {
                    [(a, _), (b, _), (c, _), (d, _)] => {
                        let [to_a, to_b, to_c, to_d] = &mut sums;
                        products(codes, [&a.codes, &b.codes, &c.codes, &d.codes], [to_a, to_b, to_c, to_d]);
                    }
                    _ => {
                        for ((query, _), to) in queries.iter().zip(&mut sums) {
                            products(codes, [&query.codes], [to]);
                        }
                    }
                }
                for ((query, lower), sums) in queries.iter_mut().zip(&sums) {
                    bounds_of_products(&sums[..rows.len()], self, rows.start, query, &mut lower[rows.clone()]);
                }
            }
        }
    }
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "the rounding of a product is within SLACK")]
fn bounds_of_products_body(products: &[i32], rows: &Codes, first: usize, query: &QueryCodes, lower: &mut [f32]) {
    let n_rows = lower.len();
    let (products, scale) = (&products[..n_rows], &rows.scale[first..][..n_rows]);
    let (squared_norm, error) = (&rows.squared_norm[first..][..n_rows], &rows.error[first..][..n_rows]);
    let twice = 2.0 * query.scale;
    for row in 0..n_rows {
        let norms = (squared_norm[row] + query.squared_norm) * (1.0 - SLACK);
        let squared = norms - twice * scale[row] * products[row] as f32;
        // `max` also turns what overflowed (inf - inf) into 0, which rules nothing out.
        lower[row] = (squared.max(0.0).sqrt() * (1.0 - SLACK) - error[row] - query.error).max(0.0);
    }
}

for_each_cpu! {
    /// Distances of the query and of the decoded rows from `first` on, less both errors, less float32's rounding.
    fn bounds_of_products(products: &[i32], rows: &Codes, first: usize, query: &QueryCodes, lower: &mut [f32]) = bounds_of_products_body
}
