//! The reference models with the vectors that transformers and sentence-transformers compute for them.

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde_json::Value;
use vsr_core::embedding::{EncoderOptions, TextEncoder};

/// The folder beside the checkout, or where `VSR_SHARED` points; none where it is missing.
fn reference_folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("VSR_SHARED").map_or_else(beside, PathBuf::from).join("reference");
    folder.is_dir().then_some(folder)
}

#[test]
fn every_vector_is_that_of_transformers() {
    let Some(reference) = reference_folder() else {
        println!("skipped: set VSR_SHARED to the folder that holds the reference models");
        return;
    };
    let mut n_checked = 0;
    for name in ["bert-tiny", "qwen3-tiny", "qwen3-tiny-bf16", "embeddinggemma-tiny"] {
        let folder = reference.join(name);
        let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        for case in expected["cases"].as_array().unwrap() {
            let options =
                EncoderOptions { prompt: case["prompt_name"].as_str().map(str::to_owned), ..EncoderOptions::default() };
            let encoder = TextEncoder::load(&folder, &options, &Device::Cpu).unwrap();
            let texts = encoder.tokenize(&[case["text"].as_str().unwrap()]).unwrap();
            assert_eq!(texts.ids[0].len() as u64, case["tokens"].as_u64().unwrap(), "{name}: {case}");
            let found = encoder.embed(&texts, &[0], &vsr_core::stop::Stop::default()).unwrap();
            for (a, b) in found.iter().zip(case["embedding"].as_array().unwrap()) {
                assert!((f64::from(*a) - b.as_f64().unwrap()).abs() < 1e-5, "{name}: {case}");
            }
            n_checked += found.len();
        }
    }
    assert!(n_checked > 1000);
}
