//! Support vector machines: the shared matrix, the fit of four models by both solvers, decisions.

mod data;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::s;
use vsr_core::stop::Stop;
use vsr_core::svm::{Kernel, KernelMatrix, Machines, SupportVectors, SvmParams, fit_linfa};

const RBF: Kernel = Kernel::Rbf { gamma: 1.0 };
const PARAMS: SvmParams = SvmParams { c: 1.0, tolerance: 1e-3, max_iterations: 10_000_000 };

fn training(criterion: &mut Criterion) {
    let stop = Stop::default();
    for n_rows in [500, 5_000] {
        let features = data::features(n_rows, 0);
        let quality = data::outcomes(&features, 4);
        let rows = data::all_rows(&features);
        let mut group = criterion.benchmark_group(format!("SVM, {n_rows} rows, 4 models"));
        group.sample_size(10);
        group.bench_function("kernel matrix", |b| b.iter(|| KernelMatrix::new(features.view(), RBF, &stop)));
        let Ok(matrix) = KernelMatrix::new(features.view(), RBF, &stop) else { return };
        group.bench_function("shared-gram", |b| {
            b.iter(|| matrix.fit(rows.view(), quality.view(), None, &PARAMS, &stop));
        });
        if n_rows == 500 {
            group.bench_function("linfa", |b| {
                b.iter(|| fit_linfa(features.view(), quality.view(), RBF, &PARAMS, &stop));
            });
        }
        group.finish();
    }
}

fn decisions(criterion: &mut Criterion) {
    let features = data::features(10_000, 0);
    let queries = data::features(256, 1);
    let quality = data::outcomes(&features, 4);
    // Any coefficients take the same time.
    let machines = Machines { coefficients: quality, biases: [0.0; 4].into_iter().collect() };
    let Ok(vectors) = SupportVectors::new(features.view(), &machines, RBF) else { return };
    let mut group = criterion.benchmark_group("SVM, 10,000 vectors, 4 models");
    group.sample_size(20);
    group.bench_function("1 query", |b| b.iter(|| vectors.decisions(queries.slice(s![..1, ..]))));
    group.bench_function("256 queries", |b| b.iter(|| vectors.decisions(queries.view())));
    group.finish();
}

criterion_group!(benches, training, decisions);
criterion_main!(benches);
