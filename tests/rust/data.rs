//! Made-up data, the same in every run.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

pub fn rng(seed: u64) -> Xoshiro256Plus {
    Xoshiro256Plus::seed_from_u64(seed)
}

/// Roughly normal numbers, (n, d).
pub fn normal(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut rng = rng(seed);
    Array2::from_shape_simple_fn((n, d), || (0..4).map(|_| rng.gen_range(-1.0_f32..1.0)).sum::<f32>() * 0.87)
}

/// Rows of length 1.
pub fn unit(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut rows = normal(n, d, seed);
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    rows
}

/// Unit rows with a one-hot of `n_categories` columns behind them.
pub fn features(n: usize, d: usize, n_categories: usize, seed: u64) -> Array2<f32> {
    let mut rng = rng(seed + 1);
    let mut one_hot = Array2::zeros((n, n_categories));
    for mut row in one_hot.axis_iter_mut(Axis(0)) {
        row[rng.gen_range(0..n_categories)] = 1.0;
    }
    concatenate(Axis(1), &[unit(n, d, seed).view(), one_hot.view()]).unwrap()
}

/// Rows around `n_blobs` far centres, blob after blob in turn.
pub fn blobs(n: usize, d: usize, n_blobs: usize, seed: u64) -> Array2<f32> {
    let centres = normal(n_blobs, d, seed) * 10.0;
    let mut rows = normal(n, d, seed + 1) * 0.1;
    for (index, mut row) in rows.axis_iter_mut(Axis(0)).enumerate() {
        row += &centres.row(index % n_blobs);
    }
    rows
}

/// Zeros and ones (n, m) that follow a random direction of the features, with noise.
pub fn outcomes(features: &Array2<f32>, n_models: usize, seed: u64) -> Array2<f64> {
    let directions = normal(features.ncols(), n_models, seed);
    let mut rng = rng(seed + 1);
    features.dot(&directions).mapv(|value| f64::from(f64::from(value) + rng.gen_range(-1.0..1.0) > 0.0))
}

pub fn numbers_to(n: usize) -> Array1<u32> {
    (0..u32::try_from(n).unwrap()).collect()
}
