//! Feature hashing of a typical question.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vsr_core::embedding::hash::embed;

const QUESTION: &str = "A car accelerates uniformly from rest to 27 metres per second in 8.5 seconds. How far does it \
                        travel in that time, and what is its acceleration?";

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash embedding, 768 buckets");
    group.bench_function("1 text", |b| b.iter(|| embed(black_box(&[QUESTION]), 768)));
    let many = vec![QUESTION; 1_000];
    group.sample_size(20).bench_function("1,000 texts", |b| b.iter(|| embed(black_box(&many), 768)));
    group.finish();
}

criterion_group!(benches, texts);
criterion_main!(benches);
