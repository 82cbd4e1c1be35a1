//! K-means on 10,000 rows, one start.

mod data;

use criterion::{Criterion, criterion_group, criterion_main};
use vsr_core::kmeans::{KMeansParams, fit};
use vsr_core::stop::Stop;

fn one_start(criterion: &mut Criterion) {
    let features = data::features(10_000, 0);
    let mut group = criterion.benchmark_group("k-means, 10,000 rows, one start");
    group.sample_size(10);
    for n_clusters in [8, 64] {
        let params = KMeansParams { n_clusters, n_starts: 1, max_iterations: 300, tolerance: 1e-4, seed: 0 };
        group.bench_function(format!("{n_clusters} clusters"), |b| {
            b.iter(|| fit(features.view(), &params, &Stop::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, one_start);
criterion_main!(benches);
