//! Writing and reading a KNN artefact of 5,000 rows.

mod data;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vsr_core::json_arrays::{Part, Precision, read, write};

fn artefact(criterion: &mut Criterion) {
    let features = data::features(5_000, 0);
    let mut parts = vec![Part::Text("{\"training_records\":[".to_owned())];
    for (index, row) in features.outer_iter().enumerate() {
        parts.push(Part::Text(format!("{}{{\"embedding\":", if index > 0 { "," } else { "" })));
        parts.push(Part::Float32(row.to_owned().into_dyn()));
        parts.push(Part::Text(",\"best_model\":\"a\",\"category\":\"law\"}".to_owned()));
    }
    parts.push(Part::Text("]}".to_owned()));
    let file = std::env::temp_dir().join(format!("vsr-bench-{}.json", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let mut group = criterion.benchmark_group("artefact of 5,000 x 782 numbers");
    group.sample_size(10).throughput(Throughput::Elements(features.len() as u64));
    group.bench_function("write", |b| b.iter(|| write(&path, &parts)));
    let patterns = [("training_records[].embedding".to_owned(), Precision::Float32)];
    group.bench_function("read", |b| b.iter(|| read(&path, &patterns)));
    group.finish();
    let _ = std::fs::remove_file(file);
}

criterion_group!(benches, artefact);
criterion_main!(benches);
