//! The distance that everything rests on, beside Linfa's own.

mod data;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use linfa_nn::distance::{Distance, L2Dist};
use vsr_core::distance::{Euclidean, squared_distances};

fn one_pair(criterion: &mut Criterion) {
    let rows = data::features(2, 0);
    let mut group = criterion.benchmark_group("distance of two rows of 782");
    group.bench_function("ours", |b| b.iter(|| Euclidean.rdistance(black_box(rows.row(0)), rows.row(1))));
    group.bench_function("Linfa's", |b| b.iter(|| L2Dist.rdistance(black_box(rows.row(0)), rows.row(1))));
    group.finish();
}

fn all_pairs(criterion: &mut Criterion) {
    let rows = data::features(2_000, 0);
    let mut group = criterion.benchmark_group("distances of all pairs");
    group.sample_size(10);
    group.bench_function("2,000 x 2,000", |b| b.iter(|| squared_distances(rows.view(), rows.view())));
    group.finish();
}

criterion_group!(benches, one_pair, all_pairs);
criterion_main!(benches);
