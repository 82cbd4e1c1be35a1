//! Made-up features like real ones: unit embeddings of 768 columns and a one-hot of 14 categories behind them.

use ndarray::{Array1, Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

pub const N_CATEGORIES: usize = 14;
const DIM: usize = 768;

/// (n, 782). Rows scatter around 40 topics, so that neighbours and clusters mean something.
pub fn features(n: usize, seed: u64) -> Array2<f32> {
    let mut topics = Xoshiro256Plus::seed_from_u64(0);
    let normal = |rng: &mut Xoshiro256Plus| (0..4).map(|_| rng.gen_range(-1.0_f32..1.0)).sum::<f32>();
    let centres = Array2::from_shape_simple_fn((40, DIM), || normal(&mut topics));
    let mut rng = Xoshiro256Plus::seed_from_u64(seed + 1);
    let mut features = Array2::zeros((n, DIM + N_CATEGORIES));
    for mut row in features.axis_iter_mut(Axis(0)) {
        let topic = rng.gen_range(0..centres.nrows());
        for (value, centre) in row.iter_mut().zip(centres.row(topic)) {
            *value = centre + 1.2 * normal(&mut rng);
        }
        let norm = row.dot(&row).sqrt();
        row /= norm;
        row[DIM + topic % N_CATEGORIES] = 1.0;
    }
    features
}

/// Zeros and ones (n, m) that follow a random direction of the features, with noise.
#[allow(dead_code, reason = "each bench is a crate of its own")]
pub fn outcomes(features: &Array2<f32>, n_models: usize) -> Array2<f64> {
    let mut rng = Xoshiro256Plus::seed_from_u64(99);
    let directions = Array2::from_shape_simple_fn((features.ncols(), n_models), || rng.gen_range(-1.0_f32..1.0));
    features.dot(&directions).mapv(|value| f64::from(f64::from(value) + rng.gen_range(-1.0..1.0) > 0.0))
}

/// 0, 1, ... as row numbers.
#[allow(dead_code, reason = "each bench is a crate of its own")]
pub fn all_rows(features: &Array2<f32>) -> Array1<u32> {
    (0..).take(features.nrows()).collect()
}
