//! Gemma 3 text model with attention to both sides, as `EmbeddingGemma` uses it (Vera et al., 2025, arXiv:2509.20354):
//! normalised heads, rotary positions, a window in most layers, normalisation before and after each block.

use candle_core::{DType, Result, Tensor};
use candle_nn::Activation as HiddenAct;
use candle_transformers::models::gemma3::Config;
use serde_json::{Value, json};

use super::batch::Batch;
use super::folder::{ModelFolder, refuse};
use super::network_error;
use super::ops::{Activation, Attention, Gate, GatedLinear, HeadNorm, Linear, Mask, RmsNorm, Rotary};
use super::weights::Weights;

struct Layer {
    is_sliding: bool,
    input_norm: RmsNorm,
    query_key_value: Linear,
    head_norm: HeadNorm,
    attention_output: Linear,
    post_attention_norm: RmsNorm,
    pre_feed_forward_norm: RmsNorm,
    gate_up: GatedLinear,
    down: Linear,
    post_feed_forward_norm: RmsNorm,
}

/// The network.
pub struct Gemma3 {
    embed_tokens: Tensor,
    embed_scale: f64,
    layers: Vec<Layer>,
    norm: RmsNorm,
    full: (Attention, Rotary),
    sliding: (Attention, Rotary),
    hidden_size: usize,
}

impl Gemma3 {
    /// Loads the network of a folder.
    ///
    /// # Errors
    /// The configuration is not supported, or the weights do not fit it.
    pub fn load(folder: &ModelFolder, weights: &Weights) -> crate::Result<Self> {
        let config = read_config(folder)?;
        let (hidden, head_dim) = (config.hidden_size, config.head_dim);
        let (heads, kv_heads) = (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        let norm = |name: &str, width: usize| -> crate::Result<RmsNorm> {
            // The file has the difference to 1.
            let weight = (weights.tensor(&format!("{name}.weight"), &[width])? + 1.0).map_err(network_error)?;
            Ok(RmsNorm::new(weight, config.rms_norm_eps))
        };
        let embed_tokens = weights.table("embed_tokens.weight", &[config.vocab_size, hidden])?;
        let mut layers = Vec::new();
        for i in 0..config.num_hidden_layers {
            let name = |part: &str| format!("layers.{i}.{part}");
            let projection = |part: &str, n_out: usize| (name(&format!("self_attn.{part}_proj")), n_out);
            let wide = config.intermediate_size;
            let bias = config.attention_bias;
            layers.push(Layer {
                is_sliding: folder.layer_is_sliding(i, config.sliding_window_pattern),
                input_norm: norm(&name("input_layernorm"), hidden)?,
                query_key_value: weights.linear(
                    &[projection("q", heads), projection("k", kv_heads), projection("v", kv_heads)],
                    hidden,
                    bias,
                )?,
                head_norm: HeadNorm {
                    query: norm(&name("self_attn.q_norm"), head_dim)?,
                    key: norm(&name("self_attn.k_norm"), head_dim)?,
                },
                attention_output: weights.linear(&[projection("o", hidden)], heads, bias)?,
                post_attention_norm: norm(&name("post_attention_layernorm"), hidden)?,
                pre_feed_forward_norm: norm(&name("pre_feedforward_layernorm"), hidden)?,
                gate_up: weights.gated_linear(
                    name("mlp.gate_proj"),
                    name("mlp.up_proj"),
                    hidden,
                    wide,
                    Gate::GeluTanh,
                )?,
                down: weights.linear(&[(name("mlp.down_proj"), hidden)], wide, false)?,
                post_feed_forward_norm: norm(&name("post_feedforward_layernorm"), hidden)?,
            });
        }
        let (scale, embed_scale) =
            (1.0 / (config.query_pre_attn_scalar as f32).sqrt(), f64::from((hidden as f64).sqrt() as f32));
        let attention = |mask| Attention {
            n_heads: config.num_attention_heads,
            n_kv_heads: config.num_key_value_heads,
            head_dim,
            scale,
            mask,
        };
        // The file says how many tokens a window spans in all; half of them are on either side.
        let window = config.sliding_window / 2 + 1;
        Ok(Self {
            embed_tokens,
            embed_scale,
            layers,
            norm: norm("norm", hidden)?,
            full: (attention(Mask::Full), Rotary::new(head_dim, config.rope_theta)),
            sliding: (attention(Mask::Window(window)), Rotary::new(head_dim, config.rope_local_base_freq)),
            hidden_size: hidden,
        })
    }

    /// Width of the token vectors.
    #[must_use]
    pub fn width(&self) -> usize {
        self.hidden_size
    }

    /// Rows of the table of tokens.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.embed_tokens.dims().first().copied().unwrap_or(0)
    }

    /// Vectors (rows, width) of the tokens at `rows` of a packed batch, of all if none. `go_on` is asked before every
    /// layer.
    ///
    /// # Errors
    /// Shapes that do not fit, or `go_on` said no.
    pub fn forward(&self, batch: &Batch, rows: Option<&Tensor>, go_on: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let device = self.embed_tokens.device();
        let mut x = (self.embed_tokens.index_select(&batch.ids(device)?, 0)?.to_dtype(DType::F32)? * self.embed_scale)?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let (attention, rotary) = if layer.is_sliding { &self.sliding } else { &self.full };
            let qkv = layer.query_key_value.forward(&layer.input_norm.forward(&x)?, Activation::None)?;
            let qkv = layer.head_norm.forward(qkv, attention, rotary, batch.starts())?;
            let mut seen = attention.forward(&qkv, batch.starts())?;
            if let Some(rows) = rows
                && i + 1 == self.layers.len()
            {
                // Nothing looks at the other tokens any more.
                seen = seen.index_select(rows, 0)?;
                x = x.index_select(rows, 0)?;
            }
            x = layer.post_attention_norm.add_to(x, &layer.attention_output.forward(&seen, Activation::None)?)?;
            let wide = layer.gate_up.forward(&layer.pre_feed_forward_norm.forward(&x)?)?;
            x = layer.post_feed_forward_norm.add_to(x, &layer.down.forward(&wide, Activation::None)?)?;
        }
        self.norm.forward(&x)
    }
}

fn read_config(folder: &ModelFolder) -> crate::Result<Config> {
    let path = folder.path.join("config.json");
    let mut content = folder.config.clone();
    let pattern = content.get("_sliding_window_pattern").cloned().filter(|value| !value.is_null()).unwrap_or(json!(6));
    for (key, default) in [
        ("attention_bias", json!(false)),
        ("rope_theta", json!(1e6)),
        ("rope_local_base_freq", json!(1e4)),
        ("sliding_window_pattern", pattern),
    ] {
        content
            .entry(key)
            .and_modify(|found| {
                if found.is_null() {
                    *found = default.clone();
                }
            })
            .or_insert(default);
    }
    if content.get("use_bidirectional_attention").and_then(Value::as_bool) != Some(true) {
        return Err(refuse(
            &path,
            "'use_bidirectional_attention' is not true: a Gemma 3 that only looks back is no embedding model; expected EmbeddingGemma",
        ));
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if content.get(key).is_some_and(|value| !value.is_null()) {
            return Err(refuse(&path, &format!("'{key}' is not supported; expected null")));
        }
    }
    for key in ["rope_scaling", "rope_local_scaling"] {
        folder.refuse_scaled_rotation(key)?;
    }
    folder.refuse_layer_types(&["sliding_attention", "full_attention"])?;
    let config: Config =
        serde_json::from_value(Value::Object(content)).map_err(|error| refuse(&path, &error.to_string()))?;
    if config.hidden_activation != HiddenAct::GeluPytorchTanh {
        return Err(refuse(
            &path,
            &format!("'hidden_activation' {:?} is not supported; expected gelu_pytorch_tanh", config.hidden_activation),
        ));
    }
    if config.sliding_window == 0 || config.sliding_window_pattern == 0 || config.query_pre_attn_scalar == 0 {
        return Err(refuse(&path, "'sliding_window', its pattern and 'query_pre_attn_scalar' must be positive"));
    }
    super::folder::check_heads(&path, config.num_attention_heads, config.num_key_value_heads, config.head_dim)?;
    Ok(config)
}
