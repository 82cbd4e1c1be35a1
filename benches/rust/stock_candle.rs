//! Times candle-transformers' stock model of a folder for `benches/python/embedding.py`, which starts it and asks by lines.
//!
//! Takes the folder as its argument, then lines `N_TEXTS N_TOKENS N_RUNS`; answers each with the seconds that all runs
//! took together.

mod stock_models;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use stock_models::StockModel;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("expected the folder of a model")?);
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    // SAFETY: nobody writes the file while this runs.
    let weights =
        unsafe { VarBuilder::from_mmaped_safetensors(&[folder.join("model.safetensors")], DType::F32, &Device::Cpu)? };
    let weights = weights.rename_f(|name: &str| name.trim_start_matches("model.").to_owned());
    let model = StockModel::new(&config, weights)?;
    let vocabulary = u32::try_from(config["vocab_size"].as_u64().unwrap_or(1))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let numbers = line?.split_whitespace().map(str::parse).collect::<Result<Vec<usize>, _>>()?;
        let [n_texts, n_tokens, n_runs] = numbers[..] else { return Err("expected N_TEXTS N_TOKENS N_RUNS".into()) };
        let ids = stock_models::ids(n_texts, n_tokens, vocabulary)?;
        let start = Instant::now();
        for _ in 0..n_runs {
            model.forward(&ids)?;
        }
        writeln!(out, "{}", start.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}
