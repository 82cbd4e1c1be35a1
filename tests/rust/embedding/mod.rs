//! The three networks beside plain forwards of the same weights.

mod attention;
mod references;
mod refusals;
mod shared;
mod tiny_models;

use candle_core::{Device, Tensor};
use ndarray::{Array1, Array2, Axis};
use rand::Rng;
use safetensors::tensor::Dtype;
use vsr_core::Error;
use vsr_core::embedding::batch::Batch;
use vsr_core::embedding::networks::architecture;
use vsr_core::embedding::ops::{ProductDtype, WeightLayout};
use vsr_core::embedding::weights::Weights;
use vsr_core::embedding::{EncoderOptions, ModelConfig, TextEncoder, TokenizedTexts};
use vsr_core::stop::Stop;

use crate::data;
use tiny_models::{Folder, TinyModel, VOCABULARY};

/// Below and above every size at which the kernels change their way: 12 rows, windows of 16, blocks of 64 and 96.
const LENGTHS: [usize; 12] = [1, 2, 5, 11, 12, 13, 17, 31, 64, 65, 97, 200];

fn models() -> [(&'static str, TinyModel); 3] {
    [("bert", TinyModel::bert()), ("qwen3", TinyModel::qwen3()), ("gemma3", TinyModel::gemma3())]
}

fn texts(lengths: &[usize]) -> TokenizedTexts {
    let mut rng = data::rng(5);
    let ids: Vec<Vec<u32>> = lengths
        .iter()
        .map(|&n| (0..n).map(|_| rng.gen_range(0..u32::try_from(VOCABULARY).unwrap())).collect())
        .collect();
    TokenizedTexts { truncated: vec![false; ids.len()], ids }
}

fn load(folder: &Folder) -> TextEncoder {
    TextEncoder::load(folder.path(), &EncoderOptions::default(), &Device::Cpu).unwrap()
}

/// (rows, dim)
fn embed(encoder: &TextEncoder, texts: &TokenizedTexts, rows: &[usize]) -> Array2<f32> {
    let vectors = encoder.embed(texts, rows, &Stop::default()).unwrap();
    Array2::from_shape_vec((rows.len(), encoder.dim()), vectors).unwrap()
}

fn pooled(tokens: &Array2<f32>, pooling: &str) -> Array1<f32> {
    let vector = match pooling {
        "mean" => tokens.mean_axis(Axis(0)).unwrap(),
        "cls" => tokens.row(0).to_owned(),
        _ => tokens.row(tokens.nrows() - 1).to_owned(),
    };
    &vector / vector.dot(&vector).sqrt()
}

/// An encoder in bfloat16; none where the machine does not multiply it.
fn load_bfloat16(folder: &Folder) -> Option<TextEncoder> {
    let options = EncoderOptions { dtype: ProductDtype::Bfloat16, ..EncoderOptions::default() };
    match TextEncoder::load(folder.path(), &options, &Device::Cpu) {
        Ok(encoder) => Some(encoder),
        Err(error) => {
            assert!(WeightLayout::bfloat16(&Device::Cpu).is_none(), "{error}");
            let message = error.to_string();
            assert!(message.contains("the dtype 'bfloat16' needs a processor with avx512_bf16"), "{message}");
            eprintln!("skipped: {message}");
            None
        }
    }
}

fn largest_difference<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f32 {
    // Unlike `f32::max` this keeps what is no number.
    let largest = |a: f32, b: f32| if a.is_nan() || b <= a { a } else { b };
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, largest)
}

#[test]
fn vectors_are_those_of_the_references() {
    for (name, mut model) in models() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for pooling in ["mean", "cls", "lasttoken"] {
                model.dtype = dtype;
                model.pooling = pooling;
                let folder = model.write(&format!("{name}-{dtype:?}-{pooling}"));
                let (encoder, texts) = (load(&folder), texts(&LENGTHS));
                for (row, n_tokens) in LENGTHS.into_iter().enumerate() {
                    let found = embed(&encoder, &texts, &[row]);
                    let expected = pooled(&references::token_vectors(&model, folder.path(), &texts.ids[row]), pooling);
                    let difference = largest_difference(&found, &expected);
                    assert!(difference < 1e-5, "{name}, {dtype:?}, {pooling}, {n_tokens} tokens: {difference}");
                }
            }
        }
    }
}

#[test]
fn a_text_has_the_same_vector_in_any_company() {
    for (name, mut model) in models() {
        for dtype in [Dtype::F32, Dtype::BF16] {
            model.dtype = dtype;
            let folder = model.write(&format!("company-{name}-{dtype:?}"));
            let (encoder, texts) = (load(&folder), texts(&LENGTHS));
            let mut order: Vec<usize> = (0..LENGTHS.len()).collect();
            let forwards = embed(&encoder, &texts, &order);
            order.reverse();
            let backwards = embed(&encoder, &texts, &order);
            for (row, n_tokens) in LENGTHS.into_iter().enumerate() {
                let alone = embed(&encoder, &texts, &[row]);
                for company in [forwards.row(row), backwards.row(LENGTHS.len() - 1 - row)] {
                    let difference = largest_difference(&alone, company);
                    assert!(difference < 1e-6, "{name}, {dtype:?}, {n_tokens} tokens: {difference}");
                    if WeightLayout::best(&Device::Cpu) != WeightLayout::Matrix {
                        assert_eq!(alone.row(0), company, "{name}, {dtype:?}, {n_tokens} tokens");
                    }
                }
            }
        }
    }
}

/// Asserts that vectors are those in float32 but for a cosine of `least`, not the same, and alone as in company.
fn assert_near_float32(kind: &str, least: f32, load_rounded: impl Fn(&Folder) -> Option<TextEncoder>) {
    for (name, mut model) in models() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            model.dtype = dtype;
            let folder = model.write(&format!("{kind}-{name}-{dtype:?}"));
            let (exact, texts) = (load(&folder), texts(&LENGTHS));
            let Some(encoder) = load_rounded(&folder) else { return };
            assert_eq!(encoder.digest(), exact.digest());
            let mut order: Vec<usize> = (0..LENGTHS.len()).collect();
            let expected = embed(&exact, &texts, &order);
            order.reverse();
            let backwards = embed(&encoder, &texts, &order);
            for (row, n_tokens) in LENGTHS.into_iter().enumerate() {
                let alone = embed(&encoder, &texts, &[row]);
                let cosine = alone.row(0).dot(&expected.row(row));
                assert!(cosine > least, "{name}, {dtype:?}, {n_tokens} tokens: {cosine}");
                assert_ne!(alone.row(0), expected.row(row), "{name}, {dtype:?}, {n_tokens} tokens");
                let place = LENGTHS.len() - 1 - row;
                assert_eq!(alone.row(0), backwards.row(place), "{name}, {dtype:?}, {n_tokens} tokens");
            }
        }
    }
}

#[test]
fn vectors_in_bfloat16_are_near_those_in_float32_in_any_company() {
    assert_near_float32("bfloat16", 0.999, load_bfloat16);
}

#[test]
fn vectors_in_int8_are_near_those_in_float32_in_any_company() {
    let options = EncoderOptions { dtype: ProductDtype::Int8, ..EncoderOptions::default() };
    assert_near_float32("int8", 0.99, |folder| Some(TextEncoder::load(folder.path(), &options, &Device::Cpu).unwrap()));
}

#[test]
fn both_layouts_of_weights_give_the_same() {
    for (name, model) in models() {
        let folder = model.write(&format!("layouts-{name}"));
        let config = ModelConfig::read(folder.path()).unwrap();
        let texts = texts(&[7, 30, 100]);
        let batch = Batch::pack(texts.ids.iter().map(Vec::as_slice));
        let rows = Tensor::new(&[0_u32, 6, 36, 136], &Device::Cpu).unwrap();
        let forward = |layout, rows: Option<&Tensor>| -> Vec<f32> {
            let weights = Weights::open(folder.path(), &Device::Cpu).unwrap().with_layout(layout);
            let network = architecture(&config).unwrap().load(&config, &weights).unwrap();
            network.forward(&batch, rows, &|| Ok(())).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let (best, matrix) = (forward(WeightLayout::best(&Device::Cpu), None), forward(WeightLayout::Matrix, None));
        let width = best.len() / batch.n_tokens();
        assert!(largest_difference(&best, &matrix) < 2e-5, "{name}: {}", largest_difference(&best, &matrix));
        let some = forward(WeightLayout::best(&Device::Cpu), Some(&rows));
        for (place, row) in [0, 6, 36, 136].into_iter().enumerate() {
            let expected = &best[row * width..(row + 1) * width];
            assert!(largest_difference(&some[place * width..(place + 1) * width], expected) < 2e-5, "{name}, {row}");
        }
    }
}

#[test]
fn texts_are_packed_without_padding() {
    let batch = Batch::pack([&[3_u32, 4, 5][..], &[6], &[7, 8]].into_iter());
    assert_eq!((batch.n_tokens(), batch.starts()), (6, &[0, 3, 4, 6][..]));
    assert_eq!(batch.ids(), [3, 4, 5, 6, 7, 8]);
    assert_eq!(batch.positions(), [0, 1, 2, 0, 0, 1]);
}

#[test]
fn words_are_looked_up_and_cut_at_the_limit() {
    let folder = TinyModel::qwen3().write("limit");
    let options = EncoderOptions { max_tokens: Some(3), ..EncoderOptions::default() };
    let encoder = TextEncoder::load(folder.path(), &options, &Device::Cpu).unwrap();
    let texts = encoder.tokenize(&["w5 w6", "w1 w2 w3 w4 w5", "", "unknown w9"]).unwrap();
    assert_eq!(texts.ids, [vec![5, 6], vec![1, 2, 3], vec![], vec![0, 9]]);
    assert_eq!(texts.truncated, [false, true, false, false]);
    assert_eq!((encoder.token_limit(), load(&folder).token_limit()), (3, 512));
}

#[test]
fn a_text_without_tokens_points_in_a_fixed_direction() {
    let folder = TinyModel::bert().write("empty");
    let encoder = load(&folder);
    let found = embed(&encoder, &texts(&[3, 0]), &[1, 0, 1]);
    for row in [0, 2] {
        assert_eq!(found[(row, 0)], 1.0);
        assert!(found.row(row).iter().skip(1).all(|&x| x == 0.0));
    }
    assert!(largest_difference(found.row(1), &embed(&encoder, &texts(&[3, 0]), &[0])) < 1e-6);
}

#[test]
fn fewer_columns_are_a_prefix_of_unit_length() {
    let folder = TinyModel::gemma3().write("prefix");
    let whole = embed(&load(&folder), &texts(&[9]), &[0]);
    let options = EncoderOptions { dim: Some(10), ..EncoderOptions::default() };
    let encoder = TextEncoder::load(folder.path(), &options, &Device::Cpu).unwrap();
    assert_eq!((encoder.dim(), encoder.native_dim(), load(&folder).dim()), (10, 28, 28));
    let prefix: Array1<f32> = whole.iter().take(10).copied().collect();
    let expected = &prefix / prefix.dot(&prefix).sqrt();
    assert!(largest_difference(&embed(&encoder, &texts(&[9]), &[0]), &expected) < 1e-6);
}

#[test]
fn shards_with_prefixed_names_are_the_same_model() {
    let model = TinyModel::qwen3();
    let whole = model.write("whole");
    let mut prefixed = TinyModel::qwen3();
    prefixed.tensors = model.tensors.iter().map(|(name, values)| (format!("model.{name}"), values.clone())).collect();
    let shards = prefixed.write("shards");
    std::fs::remove_file(shards.file("model.safetensors")).unwrap();
    let first = |name: &str| name.contains("layers.0");
    prefixed.write_tensors(&shards.file("a.safetensors"), first);
    prefixed.write_tensors(&shards.file("b.safetensors"), |name| !first(name));
    let file = |name: &String| if first(name) { "a.safetensors" } else { "b.safetensors" };
    let map: serde_json::Map<String, serde_json::Value> =
        prefixed.tensors.keys().map(|name| (name.clone(), file(name).into())).collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map});
    std::fs::write(shards.file("model.safetensors.index.json"), index.to_string()).unwrap();
    let texts = texts(&[20]);
    assert_eq!(embed(&load(&whole), &texts, &[0]), embed(&load(&shards), &texts, &[0]));
}

#[test]
fn the_digest_follows_every_weight() {
    let mut model = TinyModel::bert();
    let (a, b) = (model.write("digest-a"), model.write("digest-b"));
    assert_eq!(load(&a).digest(), load(&b).digest());
    model.tensors.get_mut("encoder.layer.1.output.dense.bias").unwrap()[3] += 1e-3;
    assert_ne!(load(&a).digest(), load(&model.write("digest-c")).digest());
}

#[test]
fn a_request_to_stop_ends_between_two_layers() {
    let folder = TinyModel::qwen3().write("stop");
    let stop = Stop::default();
    stop.request();
    assert!(matches!(load(&folder).embed(&texts(&[4]), &[0], &stop), Err(Error::Interrupted)));
}

#[test]
fn rows_must_be_texts() {
    let folder = TinyModel::bert().write("rows");
    let error = load(&folder).embed(&texts(&[4]), &[0, 1], &Stop::default()).unwrap_err();
    assert_eq!(error.to_string(), "row 1: there are 1 texts");
}
