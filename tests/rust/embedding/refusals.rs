//! Models that are damaged or are not what they say: every message names file, tensor, what was expected and what was
//! found.

use candle_core::Device;
use ndarray::ArrayD;
use safetensors::tensor::Dtype;
use serde_json::json;
use vsr_core::embedding::{EncoderOptions, TextEncoder};

use super::tiny_models::{Folder, TinyModel};

/// The message after the path of the folder.
fn refusal(folder: &Folder) -> String {
    match TextEncoder::load(folder.path(), &EncoderOptions::default(), &Device::Cpu) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
    }
}

#[test]
fn a_missing_tensor_is_named_with_the_nearest_that_is_there() {
    let mut model = TinyModel::bert();
    let moved = model.tensors.remove("encoder.layer.1.output.dense.weight").unwrap();
    model.tensors.insert("encoder.layer.1.output.dense.wieght".to_owned(), moved);
    assert_eq!(
        refusal(&model.write("renamed")),
        "model.safetensors: tensor encoder.layer.1.output.dense.weight of shape [36, 72] is missing; \
         the nearest name is encoder.layer.1.output.dense.wieght"
    );
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let mut model = TinyModel::qwen3();
    model.tensors.insert("layers.2.self_attn.k_proj.weight".to_owned(), ArrayD::zeros(vec![36, 41]));
    assert_eq!(
        refusal(&model.write("shape")),
        "model.safetensors: tensor layers.2.self_attn.k_proj.weight: expected shape [36, 40] from config.json, found [36, 41]"
    );
}

#[test]
fn every_tensor_is_missed_and_every_shape_is_checked() {
    for (name, mut model) in super::models() {
        for tensor in model.tensors.keys().cloned().collect::<Vec<_>>() {
            let Some(values) = model.tensors.remove(&tensor) else { continue };
            let missing = refusal(&model.write(&format!("missing-{name}")));
            assert!(missing.starts_with(&format!("model.safetensors: tensor {tensor} of shape ")), "{missing}");
            let mut shape = values.shape().to_vec();
            shape[0] += 1;
            model.tensors.insert(tensor.clone(), ArrayD::zeros(shape.clone()));
            let wrong = refusal(&model.write(&format!("wrong-{name}")));
            let expected =
                format!("tensor {tensor}: expected shape {:?} from config.json, found {shape:?}", values.shape());
            assert_eq!(wrong, format!("model.safetensors: {expected}"));
            model.tensors.insert(tensor, values);
        }
    }
}

#[test]
fn a_foreign_tensor_belongs_to_another_architecture() {
    let mut model = TinyModel::gemma3();
    model.tensors.insert("layers.1.self_attn.q_proj.bias".to_owned(), ArrayD::zeros(vec![36]));
    assert_eq!(
        refusal(&model.write("foreign")),
        "model.safetensors: tensor layers.1.self_attn.q_proj.bias of shape [36] has no place in this architecture; \
         config.json and weights do not fit"
    );
}

#[test]
fn types_other_than_floats_are_refused() {
    let mut model = TinyModel::bert();
    model.dtype = Dtype::I32;
    assert_eq!(
        refusal(&model.write("integers")),
        "model.safetensors: tensor embeddings.word_embeddings.weight: type I32 is not supported, expected F32, F16 or BF16"
    );
}

#[test]
fn a_file_that_ends_too_early_is_refused_at_every_length() {
    let folder = TinyModel::qwen3().write("truncated");
    let file = folder.file("model.safetensors");
    let whole = std::fs::read(&file).unwrap();
    for n in [0, 1, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..n]).unwrap();
        let message = refusal(&folder);
        assert!(message.starts_with("model.safetensors: no complete safetensors file ("), "{n} bytes: {message}");
        assert!(message.ends_with("it may have been cut off, load it again"), "{n} bytes: {message}");
    }
}

#[test]
fn weights_that_are_no_numbers_show_in_the_vector() {
    let mut model = TinyModel::bert();
    model.tensors.get_mut("encoder.layer.0.output.dense.weight").unwrap()[[0, 0]] = f32::NAN;
    let folder = model.write("nan");
    let encoder = TextEncoder::load(folder.path(), &EncoderOptions::default(), &Device::Cpu).unwrap();
    let error = encoder.embed(&super::texts(&[4, 4]), &[1], &vsr_core::stop::Stop::default()).unwrap_err();
    assert_eq!(error.to_string(), "the vector of text 1 is not finite; the model's weights are damaged");
}

#[test]
fn an_index_must_fit_its_shards() {
    let model = TinyModel::bert();
    let folder = model.write("index");
    std::fs::rename(folder.file("model.safetensors"), folder.file("a.safetensors")).unwrap();
    let index = |content: serde_json::Value| {
        std::fs::write(folder.file("model.safetensors.index.json"), content.to_string()).unwrap();
        refusal(&folder)
    };
    let name = "model.safetensors.index.json";
    assert_eq!(index(json!({})), format!("{name}: the object 'weight_map' is missing"));
    assert_eq!(
        index(json!({"weight_map": {"x": "../a.safetensors"}})),
        format!("{name}: tensor x: expected the name of a file beside it, found \"../a.safetensors\"")
    );
    assert_eq!(
        index(json!({"weight_map": {"x": "b.safetensors"}})),
        "b.safetensors: this shard is named by the index and is not there; the download is not complete"
    );
    assert_eq!(
        index(json!({"weight_map": {"x": "a.safetensors"}})),
        format!("{name}: tensor x: it is not in \"a.safetensors\"")
    );
}

#[test]
fn options_that_the_model_cannot_meet_are_refused() {
    let folder = TinyModel::bert().write("options");
    let load = |options| match TextEncoder::load(folder.path(), &options, &Device::Cpu) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string().replace(&folder.path().display().to_string(), "FOLDER"),
    };
    let options = EncoderOptions::default;
    assert_eq!(
        load(EncoderOptions { dim: Some(37), ..options() }),
        "FOLDER: vectors of width 37 were asked for; this model gives 36 at most"
    );
    assert_eq!(
        load(EncoderOptions { architecture: Some("qwen3".to_owned()), ..options() }),
        "FOLDER: expected a model of the architecture qwen3, found bert"
    );
    assert_eq!(
        load(EncoderOptions { prompt: Some("query".to_owned()), ..options() }),
        "FOLDER: the model has no prompt 'query'; it has none"
    );
    assert_eq!(
        load(EncoderOptions { max_tokens: Some(0), ..options() }),
        "a limit of 0 tokens leaves no room for text: the tokenizer adds 0 tokens of its own; raise --embedding-max-tokens"
    );
}

#[test]
fn widths_that_no_memory_holds_are_refused_by_the_shapes() {
    let mut model = TinyModel::qwen3();
    model.config["intermediate_size"] = json!(1_u64 << 40);
    assert_eq!(
        refusal(&model.write("wide")),
        "model.safetensors: tensor layers.0.mlp.gate_proj.weight: expected shape [1099511627776, 40] from config.json, \
         found [88, 40]"
    );
    model = TinyModel::qwen3();
    model.config["num_attention_heads"] = json!(1_u64 << 61);
    assert!(refusal(&model.write("heads")).ends_with("do not fit together"));
}

#[test]
fn names_that_the_system_does_not_take_are_refused() {
    let folder = TinyModel::bert().write("names");
    for (path, found) in [("a\0b".to_owned(), "a\\u{0}b"), ("x".repeat(5_000), "xxx")] {
        let modules = json!([{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": path}]);
        std::fs::write(folder.file("modules.json"), modules.to_string()).unwrap();
        let message = refusal(&folder);
        assert!(message.starts_with(found) && message.contains("cannot be read"), "{message}");
        assert!(message.len() < 500, "{message}");
    }
}
