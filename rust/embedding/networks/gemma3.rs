//! Gemma 3 text model with attention to both sides, as `EmbeddingGemma` uses it (Vera et al., 2025, arXiv:2509.20354):
//! a window in most layers, normalisation before and after each block.

use candle_nn::Activation as HiddenAct;
use candle_transformers::models::gemma3::Config;
use serde_json::json;

use super::architecture::{Architecture, Network};
use super::decoder::{Decoder, Norms};
use crate::embedding::config::ModelConfig;
use crate::embedding::files::{invalid, not_supported};
use crate::embedding::ops::{Attention, Gate, Mask, Rotary};
use crate::embedding::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "gemma3", model_type: "gemma3_text", load };

fn load(about: &ModelConfig, weights: &Weights) -> crate::Result<Box<dyn Network>> {
    let config = read_config(about)?;
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
        gate: Gate::GeluTanh,
        scale: (config.hidden_size as f64).sqrt() as f32,
        norm_offset: 1.0, // the file has the difference to 1
        norms: Norms::Around("post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
    };
    decoder.check_heads(about)?;
    let view = |mask, theta| {
        let attention = Attention {
            n_heads: config.num_attention_heads,
            n_kv_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            scale: 1.0 / (config.query_pre_attn_scalar as f32).sqrt(),
            mask,
        };
        (attention, Rotary::new(config.head_dim, theta))
    };
    // The file says how many tokens a window spans in all; half of them are on either side.
    let window = Mask::Window(config.sliding_window / 2 + 1);
    let views = vec![view(Mask::Full, config.rope_theta), view(window, config.rope_local_base_freq)];
    decoder.load(weights, views, |i| usize::from(about.layer_is_sliding(i, config.sliding_window_pattern)))
}

fn read_config(about: &ModelConfig) -> crate::Result<Config> {
    if !about.is_true("use_bidirectional_attention") {
        let what = "'use_bidirectional_attention' is not true: a Gemma 3 that only looks back is no embedding model; \
                    expected EmbeddingGemma";
        return Err(not_supported(&about.path, what));
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if about.get(key).is_some() {
            return Err(not_supported(&about.path, format!("'{key}' is not supported; expected null")));
        }
    }
    for key in ["rope_scaling", "rope_local_scaling"] {
        about.refuse_scaled_rotation(key)?;
    }
    about.refuse_layer_types(&["sliding_attention", "full_attention"])?;
    let config: Config = about.parse([
        ("attention_bias", json!(false)),
        ("rope_theta", json!(1e6)),
        ("rope_local_base_freq", json!(1e4)),
        ("sliding_window_pattern", about.get("_sliding_window_pattern").cloned().unwrap_or(json!(6))),
    ])?;
    if config.hidden_activation != HiddenAct::GeluPytorchTanh {
        let what =
            format!("'hidden_activation' {:?} is not supported; expected gelu_pytorch_tanh", config.hidden_activation);
        return Err(not_supported(&about.path, what));
    }
    if config.sliding_window == 0 || config.sliding_window_pattern == 0 || config.query_pre_attn_scalar == 0 {
        let what = "'sliding_window', its pattern and 'query_pre_attn_scalar' must be positive";
        return Err(invalid(&about.path, what));
    }
    Ok(config)
}
