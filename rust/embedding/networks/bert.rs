//! BERT encoder (Devlin et al., 2019, arXiv:1810.04805): attention to both sides, normalisation after each block.

use candle_core::{Result, Tensor};
use candle_transformers::models::bert::{Config, HiddenAct};
use serde_json::json;

use super::architecture::{Architecture, Network, keep};
use crate::embedding::batch::Batch;
use crate::embedding::config::ModelConfig;
use crate::embedding::files::{invalid, mismatch, not_supported};
use crate::embedding::ops::{Activation, Attention, LayerNorm, Linear, Mask, Table};
use crate::embedding::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "bert", model_type: "bert", load };

struct Layer {
    query_key_value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

struct Bert {
    words: Table,
    positions: Table,
    embeddings_norm: LayerNorm,
    layers: Vec<Layer>,
    attention: Attention,
    activation: Activation,
}

fn load(about: &ModelConfig, weights: &Weights) -> crate::Result<Box<dyn Network>> {
    let config = read_config(about)?;
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let norm = |name: &str| -> crate::Result<LayerNorm> {
        let weight = weights.tensor(&format!("{name}.weight"), &[hidden])?;
        Ok(LayerNorm::new(weight, weights.tensor(&format!("{name}.bias"), &[hidden])?, config.layer_norm_eps))
    };
    let words = weights.table("embeddings.word_embeddings.weight", &[config.vocab_size, hidden], 1.0)?;
    // Every token has type 0, so its vector is a part of every position's.
    let types = weights.values("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
    let shape = [config.max_position_embeddings, hidden];
    let mut positions = weights.values("embeddings.position_embeddings.weight", &shape)?;
    for row in positions.chunks_exact_mut(hidden) {
        row.iter_mut().zip(&types).for_each(|(value, first)| *value += first);
    }
    let positions = Table::new(weights.to_device(positions, &shape)?, 1.0);
    let embeddings_norm = norm("embeddings.LayerNorm")?;
    let mut layers = Vec::new();
    for i in 0..config.num_hidden_layers {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        let projections = ["query", "key", "value"].map(|part| (name(&format!("attention.self.{part}")), hidden));
        layers.push(Layer {
            query_key_value: weights.linear(&projections, hidden, true)?,
            attention_output: weights.linear(&[(name("attention.output.dense"), hidden)], hidden, true)?,
            attention_norm: norm(&name("attention.output.LayerNorm"))?,
            intermediate: weights.linear(&[(name("intermediate.dense"), wide)], hidden, true)?,
            output: weights.linear(&[(name("output.dense"), hidden)], wide, true)?,
            output_norm: norm(&name("output.LayerNorm"))?,
        });
    }
    let head_dim = hidden / config.num_attention_heads;
    let attention = Attention {
        n_heads: config.num_attention_heads,
        n_kv_heads: config.num_attention_heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
        mask: Mask::Full,
    };
    let activation = match config.hidden_act {
        HiddenAct::Gelu => Activation::Gelu,
        HiddenAct::GeluApproximate => Activation::GeluTanh,
        HiddenAct::Relu => Activation::Relu,
    };
    Ok(Box::new(Bert { words, positions, embeddings_norm, layers, attention, activation }))
}

impl Network for Bert {
    fn width(&self) -> usize {
        self.words.width()
    }

    fn vocabulary(&self) -> usize {
        self.words.n_rows()
    }

    fn forward(&self, batch: &Batch, rows: Option<&Tensor>, go_on: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let sum = Table::look_up(&[(&self.words, batch.ids()), (&self.positions, &batch.positions())])?;
        let mut x = self.embeddings_norm.forward(sum)?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let qkv = layer.query_key_value.forward(&x, Activation::None)?;
            let mut seen = self.attention.forward(&qkv, batch.starts())?;
            if i + 1 == self.layers.len() {
                (seen, x) = (keep(rows, seen)?, keep(rows, x)?);
            }
            x = layer.attention_norm.forward(layer.attention_output.add_to(x, &seen)?)?;
            let wide = layer.intermediate.forward(&x, self.activation)?;
            x = layer.output_norm.forward(layer.output.add_to(x, &wide)?)?;
        }
        Ok(x)
    }
}

fn read_config(about: &ModelConfig) -> crate::Result<Config> {
    // Training alone needs these; some published files leave them out.
    let config: Config = about.parse([
        ("hidden_dropout_prob", json!(0.0)),
        ("initializer_range", json!(0.02)),
        ("pad_token_id", json!(0)),
    ])?;
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
        let what = format!("hidden_size {hidden} is no multiple of num_attention_heads {heads}");
        return Err(mismatch(&about.path, what));
    }
    if config.type_vocab_size == 0 {
        return Err(invalid(&about.path, "type_vocab_size must be at least 1"));
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if about.is_true(key) {
            return Err(not_supported(&about.path, format!("'{key}': true is not supported")));
        }
    }
    Ok(config)
}
