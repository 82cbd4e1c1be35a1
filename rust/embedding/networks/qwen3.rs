//! Qwen3 decoder used as an encoder (Yang et al., 2025, arXiv:2505.09388): causal attention.

use candle_nn::Activation as HiddenAct;
use candle_transformers::models::qwen3::Config;
use serde_json::json;

use super::architecture::{Architecture, Network};
use super::decoder::{Decoder, Norms};
use crate::embedding::config::ModelConfig;
use crate::embedding::files::not_supported;
use crate::embedding::ops::{Attention, Gate, Mask, Rotary};
use crate::embedding::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "qwen3", model_type: "qwen3", load };

fn load(about: &ModelConfig, weights: &Weights) -> crate::Result<Box<dyn Network>> {
    about.refuse_scaled_rotation("rope_scaling")?;
    about.refuse_layer_types(&["full_attention"])?;
    let config: Config = about.parse([
        ("head_dim", json!(128)),
        ("attention_bias", json!(false)),
        ("max_window_layers", json!(0)),
        ("tie_word_embeddings", json!(true)),
        ("rope_theta", json!(1e6)),
        ("use_sliding_window", json!(false)),
    ])?;
    if config.use_sliding_window {
        return Err(not_supported(&about.path, "'use_sliding_window': true is not supported"));
    }
    if !matches!(config.hidden_act, HiddenAct::Silu | HiddenAct::Swish) {
        let what = format!("'hidden_act' {:?} is not supported; expected silu", config.hidden_act);
        return Err(not_supported(&about.path, what));
    }
    let decoder = Decoder {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        n_layers: config.num_hidden_layers,
        n_heads: config.num_attention_heads,
        n_kv_heads: config.num_key_value_heads,
        head_dim: config.head_dim,
        has_bias: config.attention_bias,
        eps: config.rms_norm_eps,
        gate: Gate::Silu,
        scale: 1.0,
        norm_offset: 0.0,
        norms: Norms::Before("post_attention_layernorm"),
    };
    decoder.check_heads(about)?;
    let attention = Attention {
        n_heads: config.num_attention_heads,
        n_kv_heads: config.num_key_value_heads,
        head_dim: config.head_dim,
        scale: 1.0 / (config.head_dim as f32).sqrt(),
        mask: Mask::Causal,
    };
    decoder.load(weights, vec![(attention, Rotary::new(config.head_dim, config.rope_theta))], |_| 0)
}
