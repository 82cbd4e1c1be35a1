//! What neighbours say of every model: sums over them, weighted by how alike they are to the query.

use ndarray::{Array2, ArrayView1, ArrayView2, Zip};
use rayon::prelude::*;

use super::Neighbours;
use crate::error::ValueError;
use crate::matrix::matrix;
use crate::{Result, threads};

/// Below this many values that are added up, a batch stays on the calling thread.
const WORTH_THREADS: usize = 1 << 18;
/// Queries of one task.
const QUERIES_A_TASK: usize = 16;
/// Squared lengths below this count as this.
const LEAST_NORM: f64 = 1e-12;

/// Sums over the neighbours of every query (m, models).
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedSums {
    /// Of weight x value.
    pub sums: Array2<f64>,
    /// Of the weights.
    pub masses: Array2<f64>,
}

/// Cosines of `queries` (m, d) with their neighbours, which are as long as they, to the power `sharpness`: (m, k).
///
/// `max(1 - squared distance / (2 squared length), 0)`: what lies farther than at a right angle weighs nothing.
#[must_use]
pub fn weights(queries: ArrayView2<'_, f32>, neighbours: &Neighbours, sharpness: f64) -> Array2<f64> {
    let mut weights = neighbours.squared_distances.mapv(f64::from);
    // A whole power by multiplication takes a tenth of the time.
    let whole = (sharpness.fract() == 0.0 && sharpness.abs() <= 64.0).then_some(sharpness as i32);
    Zip::from(weights.rows_mut()).and(queries.rows()).for_each(|mut weights, query| {
        let squared_norm: f64 = query.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
        let twice = 2.0 * squared_norm.max(LEAST_NORM);
        weights.mapv_inplace(|squared| {
            let cosine = (1.0 - squared / twice).max(0.0);
            whole.map_or_else(|| cosine.powf(sharpness), |power| cosine.powi(power))
        });
    });
    weights
}

/// Adds up the `values` (n, models; NaN where there is none) of the neighbours `rows` (m, k), times `weights` (m, k).
///
/// A query's sums do not depend on the queries beside it.
///
/// # Errors
/// [`Error::Value`](crate::Error::Value) for shapes that do not fit, and rows that there are not.
pub fn weighted_sums(
    rows: ArrayView2<'_, u32>,
    weights: ArrayView2<'_, f64>,
    values: ArrayView2<'_, f64>,
) -> Result<WeightedSums> {
    if weights.dim() != rows.dim() {
        let (name, others) = ("weights", "rows");
        return Err(ValueError::Shape { name, found: weights.dim(), expected: rows.dim(), others }.into());
    }
    if let Some(row) = rows.iter().find(|row| **row as usize >= values.nrows()) {
        let what = format!("row {row}, there are {}", values.nrows());
        return Err(ValueError::TooLarge { name: "rows", what }.into());
    }
    let shape = (rows.nrows(), values.ncols());
    let (mut sums, mut masses) = (vec![0.0; shape.0 * shape.1], vec![0.0; shape.0 * shape.1]);
    if shape.1 > 0 {
        let add = |(query, (sums, masses)): (usize, (&mut [f64], &mut [f64]))| {
            for (row, weight) in rows.row(query).iter().zip(weights.row(query)) {
                add_row(*weight, values.row(*row as usize), sums, masses);
            }
        };
        let queries = sums.chunks_exact_mut(shape.1).zip(masses.chunks_exact_mut(shape.1));
        if shape.0 <= 1 || rows.len() * shape.1 < WORTH_THREADS {
            queries.enumerate().for_each(add);
        } else {
            let queries: Vec<_> = queries.enumerate().collect();
            threads::install(|| queries.into_par_iter().with_min_len(QUERIES_A_TASK).for_each(add))?;
        }
    }
    Ok(WeightedSums { sums: matrix(shape, sums)?, masses: matrix(shape, masses)? })
}

/// Adds one neighbour.
fn add_row(weight: f64, values: ArrayView1<'_, f64>, sums: &mut [f64], masses: &mut [f64]) {
    for (column, value) in values.iter().enumerate() {
        if value.is_finite() {
            sums[column] += weight * value;
            masses[column] += weight;
        }
    }
}
