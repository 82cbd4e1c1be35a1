//! Qwen3 decoder used as an encoder (Yang et al., 2025, arXiv:2505.09388): causal attention with normalised heads, rotary
//! positions, grouped keys and values, gated feed-forward, normalisation before each block.

use candle_core::{DType, Result, Tensor};
use candle_nn::Activation as HiddenAct;
use candle_transformers::models::qwen3::Config;
use serde_json::{Value, json};

use super::batch::Batch;
use super::folder::{ModelFolder, refuse};
use super::ops::{Activation, Attention, Gate, GatedLinear, HeadNorm, Linear, Mask, RmsNorm, Rotary};
use super::weights::Weights;

struct Layer {
    input_norm: RmsNorm,
    query_key_value: Linear,
    head_norm: HeadNorm,
    attention_output: Linear,
    feed_forward_norm: RmsNorm,
    gate_up: GatedLinear,
    down: Linear,
}

/// The network.
pub struct Qwen3 {
    embed_tokens: Tensor,
    layers: Vec<Layer>,
    norm: RmsNorm,
    attention: Attention,
    rotary: Rotary,
    hidden_size: usize,
}

impl Qwen3 {
    /// Loads the network of a folder.
    ///
    /// # Errors
    /// The configuration is not supported, or the weights do not fit it.
    pub fn load(folder: &ModelFolder, weights: &Weights) -> crate::Result<Self> {
        let config = read_config(folder)?;
        let (hidden, head_dim) = (config.hidden_size, config.head_dim);
        let (heads, kv_heads) = (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        let norm = |name: &str, width: usize| -> crate::Result<RmsNorm> {
            Ok(RmsNorm::new(weights.tensor(&format!("{name}.weight"), &[width])?, config.rms_norm_eps))
        };
        let embed_tokens = weights.table("embed_tokens.weight", &[config.vocab_size, hidden])?;
        let mut layers = Vec::new();
        for i in 0..config.num_hidden_layers {
            let name = |part: &str| format!("layers.{i}.{part}");
            let projection = |part: &str, n_out: usize| (name(&format!("self_attn.{part}_proj")), n_out);
            let wide = config.intermediate_size;
            let bias = config.attention_bias;
            layers.push(Layer {
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
                feed_forward_norm: norm(&name("post_attention_layernorm"), hidden)?,
                gate_up: weights.gated_linear(name("mlp.gate_proj"), name("mlp.up_proj"), hidden, wide, Gate::Silu)?,
                down: weights.linear(&[(name("mlp.down_proj"), hidden)], wide, false)?,
            });
        }
        let attention = Attention {
            n_heads: config.num_attention_heads,
            n_kv_heads: config.num_key_value_heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            mask: Mask::Causal,
        };
        let rotary = Rotary::new(head_dim, config.rope_theta);
        Ok(Self { embed_tokens, layers, norm: norm("norm", hidden)?, attention, rotary, hidden_size: hidden })
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
        let mut x = self.embed_tokens.index_select(&batch.ids(device)?, 0)?.to_dtype(DType::F32)?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let qkv = layer.query_key_value.forward(&layer.input_norm.forward(&x)?, Activation::None)?;
            let qkv = layer.head_norm.forward(qkv, &self.attention, &self.rotary, batch.starts())?;
            let mut seen = self.attention.forward(&qkv, batch.starts())?;
            if let Some(rows) = rows
                && i + 1 == self.layers.len()
            {
                // Nothing looks at the other tokens any more.
                seen = seen.index_select(rows, 0)?;
                x = x.index_select(rows, 0)?;
            }
            x = layer.attention_output.add_to(x, &seen)?;
            let wide = layer.gate_up.forward(&layer.feed_forward_norm.forward(&x)?)?;
            x = layer.down.add_to(x, &wide)?;
        }
        self.norm.forward(&x)
    }
}

fn read_config(folder: &ModelFolder) -> crate::Result<Config> {
    let path = folder.path.join("config.json");
    let mut content = folder.config.clone();
    for (key, default) in [
        ("head_dim", json!(128)),
        ("attention_bias", json!(false)),
        ("max_window_layers", json!(0)),
        ("tie_word_embeddings", json!(true)),
        ("rope_theta", json!(1e6)),
        ("use_sliding_window", json!(false)),
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
    folder.refuse_scaled_rotation("rope_scaling")?;
    folder.refuse_layer_types(&["full_attention"])?;
    let config: Config =
        serde_json::from_value(Value::Object(content)).map_err(|error| refuse(&path, &error.to_string()))?;
    if config.use_sliding_window {
        return Err(refuse(&path, "'use_sliding_window': true is not supported"));
    }
    if !matches!(config.hidden_act, HiddenAct::Silu | HiddenAct::Swish) {
        return Err(refuse(&path, &format!("'hidden_act' {:?} is not supported; expected silu", config.hidden_act)));
    }
    super::folder::check_heads(&path, config.num_attention_heads, config.num_key_value_heads, config.head_dim)?;
    Ok(config)
}
