//! Complete model folders with a few random weights, so that no test needs files from elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ndarray::ArrayD;
use rand::Rng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::data;

/// Token numbers that a tiny model knows; the last ones are the tokenizer's own.
pub const VOCABULARY: usize = 70;

/// What a folder is written from; change it before [`TinyModel::write`] to get a folder that is wrong somewhere.
pub struct TinyModel {
    pub config: Value,
    pub tensors: BTreeMap<String, ArrayD<f32>>,
    pub dtype: Dtype,
    pub pooling: &'static str,
    seed: u64,
}

/// A folder of its own, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TinyModel {
    fn new(config: Value, pooling: &'static str) -> Self {
        Self { config, tensors: BTreeMap::new(), dtype: Dtype::F32, pooling, seed: 0 }
    }

    /// Two layers; no width is a multiple of 16.
    pub fn bert() -> Self {
        let (hidden, wide) = (36, 72);
        let config = json!({
            "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": hidden, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": wide, "hidden_act": "gelu", "max_position_embeddings": 260,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12, "position_embedding_type": "absolute", "pad_token_id": 0,
            "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
        });
        let mut model = Self::new(config, "mean");
        model.table("embeddings.word_embeddings.weight", VOCABULARY, hidden);
        model.table("embeddings.position_embeddings.weight", 260, hidden);
        model.table("embeddings.token_type_embeddings.weight", 2, hidden);
        model.layer_norm("embeddings.LayerNorm", hidden);
        for layer in 0..2 {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
            {
                model.linear(&name(part), hidden, hidden, true);
            }
            model.layer_norm(&name("attention.output.LayerNorm"), hidden);
            model.linear(&name("intermediate.dense"), wide, hidden, true);
            model.linear(&name("output.dense"), hidden, wide, true);
            model.layer_norm(&name("output.LayerNorm"), hidden);
        }
        model
    }

    /// Three layers with two heads of queries for each of keys; the feed-forward width is no multiple of 16.
    pub fn qwen3() -> Self {
        let config = json!({
            "model_type": "qwen3", "vocab_size": VOCABULARY, "hidden_size": 40, "num_hidden_layers": 3,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 18, "intermediate_size": 88,
            "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
            "attention_bias": false, "tie_word_embeddings": true, "use_sliding_window": false, "sliding_window": null,
            "max_window_layers": 3,
        });
        let mut model = Self::new(config, "lasttoken");
        model.decoder(1.0, &["input_layernorm", "post_attention_layernorm"]);
        model
    }

    /// Four layers, every third without a window of 16 tokens.
    pub fn gemma3() -> Self {
        let config = json!({
            "model_type": "gemma3_text", "vocab_size": VOCABULARY, "hidden_size": 28, "num_hidden_layers": 4,
            "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 12, "intermediate_size": 56,
            "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
            "rope_theta": 1e6, "rope_local_base_freq": 1e4, "attention_bias": false, "query_pre_attn_scalar": 20,
            "sliding_window": 16, "sliding_window_pattern": 3, "use_bidirectional_attention": true,
            "final_logit_softcapping": null, "attn_logit_softcapping": null,
        });
        let mut model = Self::new(config, "mean");
        let norms =
            ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"];
        model.decoder(0.0, &norms);
        model
    }

    fn decoder(&mut self, norm: f32, layer_norms: &[&str]) {
        let get = |name: &str| self.number(name);
        let (hidden, wide, head_dim) = (get("hidden_size"), get("intermediate_size"), get("head_dim"));
        let (heads, kv_heads) = (get("num_attention_heads") * head_dim, get("num_key_value_heads") * head_dim);
        let n_layers = get("num_hidden_layers");
        self.table("embed_tokens.weight", VOCABULARY, hidden);
        for layer in 0..n_layers {
            let name = |part: &str| format!("layers.{layer}.{part}");
            for part in layer_norms {
                self.random(&format!("{}.weight", name(part)), &[hidden], norm, 0.2);
            }
            for part in ["self_attn.q_norm", "self_attn.k_norm"] {
                self.random(&format!("{}.weight", name(part)), &[head_dim], norm, 0.2);
            }
            self.linear(&name("self_attn.q_proj"), heads, hidden, false);
            self.linear(&name("self_attn.k_proj"), kv_heads, hidden, false);
            self.linear(&name("self_attn.v_proj"), kv_heads, hidden, false);
            self.linear(&name("self_attn.o_proj"), hidden, heads, false);
            self.linear(&name("mlp.gate_proj"), wide, hidden, false);
            self.linear(&name("mlp.up_proj"), wide, hidden, false);
            self.linear(&name("mlp.down_proj"), hidden, wide, false);
        }
        self.random("norm.weight", &[hidden], norm, 0.2);
    }

    pub fn number(&self, name: &str) -> usize {
        self.config[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap()
    }

    fn random(&mut self, name: &str, shape: &[usize], base: f32, scale: f32) {
        self.seed += 1;
        let mut rng = data::rng(self.seed);
        let values = ArrayD::from_shape_simple_fn(shape, || base + scale * rng.gen_range(-1.7_f32..1.7));
        self.tensors.insert(name.to_owned(), values);
    }

    fn table(&mut self, name: &str, n: usize, width: usize) {
        self.random(name, &[n, width], 0.0, 0.5);
    }

    fn linear(&mut self, name: &str, n_out: usize, n_in: usize, has_bias: bool) {
        self.random(&format!("{name}.weight"), &[n_out, n_in], 0.0, 1.2 / (n_in as f32).sqrt());
        if has_bias {
            self.random(&format!("{name}.bias"), &[n_out], 0.0, 0.2);
        }
    }

    fn layer_norm(&mut self, name: &str, width: usize) {
        self.random(&format!("{name}.weight"), &[width], 1.0, 0.2);
        self.random(&format!("{name}.bias"), &[width], 0.0, 0.2);
    }

    /// Writes a folder in the Sentence Transformers layout. Its tokenizer knows the words `w0`, `w1`, ... and puts
    /// nothing around them.
    pub fn write(&self, name: &str) -> Folder {
        let folder = Folder(std::env::temp_dir().join(format!("vsr-embedding-{}-{name}", std::process::id())));
        let write = |file: &str, content: &Value| std::fs::write(folder.file(file), content.to_string()).unwrap();
        std::fs::create_dir_all(folder.file("1_Pooling")).unwrap();
        write("config.json", &self.config);
        write(
            "modules.json",
            &json!([{"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""},
                    {"idx": 1, "type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]),
        );
        write("1_Pooling/config.json", &json!({"pooling_mode": self.pooling}));
        let words: BTreeMap<String, usize> = (0..VOCABULARY).map(|i| (format!("w{i}"), i)).collect();
        write(
            "tokenizer.json",
            &json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                    "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
                    "model": {"type": "WordLevel", "vocab": words, "unk_token": "w0"}}),
        );
        self.write_tensors(&folder.file("model.safetensors"), |_| true);
        folder
    }

    /// Writes the tensors whose names are wanted into one file.
    pub fn write_tensors(&self, path: &Path, wanted: impl Fn(&str) -> bool) {
        let bytes: Vec<(&String, &[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, values)| (name, values.shape(), self.bytes(values)))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(self.dtype, shape.to_vec(), bytes).unwrap()));
        safetensors::serialize_to_file(views, None, path).unwrap();
    }

    fn bytes(&self, values: &ArrayD<f32>) -> Vec<u8> {
        match self.dtype {
            Dtype::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
            // Any type of four bytes.
            _ => values.iter().flat_map(|&x| x.to_le_bytes()).collect(),
        }
    }
}
