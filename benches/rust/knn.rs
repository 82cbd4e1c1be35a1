//! Queries against an index: with and without categories, alone and in a batch, by both engines.

mod data;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::s;
use vsr_core::knn::{Engine, KnnIndex};

const K: usize = 100;

fn queries(criterion: &mut Criterion) {
    let queries = data::features(256, 1);
    for n_rows in [1_000, 10_000, 100_000] {
        let features = data::features(n_rows, 0);
        let mut group = criterion.benchmark_group(format!("KNN, {n_rows} rows, k = {K}"));
        group.sample_size(20).measurement_time(Duration::from_secs(2));
        for engine in [Engine::Flat, Engine::BallTree] {
            if engine == Engine::BallTree && n_rows > 10_000 {
                continue; // slower than the scan at every smaller size
            }
            for n_category_columns in [data::N_CATEGORIES, 0] {
                let Ok(index) = KnnIndex::new(features.view(), n_category_columns, engine) else { return };
                let name = format!("{}, {n_category_columns} category columns", engine.name());
                let mut next = (0..queries.nrows()).cycle();
                group.bench_function(BenchmarkId::new(&name, "1 query"), |b| {
                    b.iter_batched(
                        || next.next().unwrap_or_default(),
                        |query| index.search(queries.slice(s![query..=query, ..]), K),
                        criterion::BatchSize::SmallInput,
                    );
                });
                if engine == Engine::Flat {
                    group.bench_function(BenchmarkId::new(&name, "256 queries"), |b| {
                        b.iter(|| index.search(queries.view(), K));
                    });
                }
            }
        }
        group.finish();
    }
}

fn building(criterion: &mut Criterion) {
    let features = data::features(10_000, 0);
    let mut group = criterion.benchmark_group("KNN, building an index of 10,000 rows");
    group.sample_size(10);
    for engine in [Engine::Flat, Engine::BallTree] {
        group.bench_function(engine.name(), |b| {
            b.iter(|| KnnIndex::new(features.view(), data::N_CATEGORIES, engine));
        });
    }
    group.finish();
}

criterion_group!(benches, queries, building);
criterion_main!(benches);
