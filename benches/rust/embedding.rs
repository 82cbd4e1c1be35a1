//! Forwards of `MiniLM`'s size and of four layers of Qwen3-0.6B's beside candle-transformers' stock models with the same
//! random weights. `benches/python/embedding.py` compares whole models, with torch too.

mod stock_models;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use candle_nn::{VarBuilder, VarMap};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use stock_models::StockModel;
use vsr_core::embedding::{EncoderOptions, TextEncoder, TokenizedTexts};
use vsr_core::stop::Stop;
use vsr_core::threads;

const VOCABULARY: u32 = 1_000;
const SHAPES: [(usize, usize); 4] = [(1, 16), (1, 64), (32, 64), (1, 512)];

type BoxedResult<T> = Result<T, Box<dyn std::error::Error>>;

fn minilm() -> Value {
    json!({
        "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": 384, "num_hidden_layers": 6,
        "num_attention_heads": 12, "intermediate_size": 1536, "hidden_act": "gelu", "max_position_embeddings": 512,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
        "pad_token_id": 0,
    })
}

fn qwen3() -> Value {
    json!({
        "model_type": "qwen3", "vocab_size": VOCABULARY, "hidden_size": 1024, "num_hidden_layers": 4,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072,
        "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "attention_bias": false, "tie_word_embeddings": true, "use_sliding_window": false, "sliding_window": null,
        "max_window_layers": 4,
    })
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes the stock model with random weights, and an encoder of ours with the same.
fn models(name: &str, config: &Value) -> BoxedResult<(StockModel, TextEncoder)> {
    let folder = Folder(std::env::temp_dir().join(format!("vsr-bench-{}-{name}", std::process::id())));
    let weights = VarMap::new();
    let stock = StockModel::new(config, VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu))?;
    std::fs::create_dir_all(folder.0.join("1_Pooling"))?;
    weights.save(folder.0.join("model.safetensors"))?;
    write_small_files(&folder.0, config)?;
    Ok((stock, TextEncoder::load(&folder.0, &EncoderOptions::default(), &Device::Cpu)?))
}

fn write_small_files(folder: &Path, config: &Value) -> std::io::Result<()> {
    let module = |kind: &str, path: &str| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path});
    let modules = json!([module("Transformer", ""), module("Pooling", "1_Pooling")]);
    let tokenizer = json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
                           "model": {"type": "WordLevel", "vocab": {"w0": 0}, "unk_token": "w0"}});
    let pooling = json!({"pooling_mode": "mean"}); // every token is needed to the end, as in the stock forward
    for (file, content) in [
        ("config.json", config),
        ("modules.json", &modules),
        ("tokenizer.json", &tokenizer),
        ("1_Pooling/config.json", &pooling),
    ] {
        std::fs::write(folder.join(file), content.to_string())?;
    }
    Ok(())
}

fn forwards(criterion: &mut Criterion) {
    for (name, config) in [("MiniLM", minilm()), ("Qwen3-0.6B, 4 layers", qwen3())] {
        let (stock, encoder) = match models(name, &config) {
            Ok(models) => models,
            Err(error) => return eprintln!("{name}: {error}"),
        };
        let mut group = criterion.benchmark_group(format!("embedding, {name}"));
        group.sample_size(10);
        for (n_texts, n_tokens) in SHAPES {
            let Ok(ids) = stock_models::ids(n_texts, n_tokens, VOCABULARY) else { return };
            let texts = TokenizedTexts { ids: ids.to_vec2().unwrap_or_default(), truncated: vec![false; n_texts] };
            let rows: Vec<usize> = (0..n_texts).collect();
            let stop = Stop::default();
            let shape = format!("{n_texts}x{n_tokens}");
            group.throughput(Throughput::Elements((n_texts * n_tokens) as u64));
            group.bench_function(BenchmarkId::new("ours", &shape), |b| {
                b.iter(|| threads::install(|| encoder.embed(&texts, &rows, &stop)));
            });
            group.bench_function(BenchmarkId::new("candle-transformers", &shape), |b| {
                b.iter(|| threads::install(|| stock.forward(&ids)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, forwards);
criterion_main!(benches);
