//! BERT encoder (Devlin et al., 2019, arXiv:1810.04805): attention to both sides, normalisation after each block.

use candle_core::{DType, Result, Tensor};
use candle_transformers::models::bert::{Config, HiddenAct};
use serde_json::{Value, json};

use super::batch::Batch;
use super::folder::{ModelFolder, refuse};
use super::network_error;
use super::ops::{Activation, Attention, LayerNorm, Linear, Mask};
use super::weights::Weights;

struct Layer {
    query_key_value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

/// The network.
pub struct Bert {
    word_embeddings: Tensor,
    position_embeddings: Tensor,
    embeddings_norm: LayerNorm,
    layers: Vec<Layer>,
    attention: Attention,
    activation: Activation,
    hidden_size: usize,
}

impl Bert {
    /// Loads the network of a folder.
    ///
    /// # Errors
    /// The configuration is not supported, or the weights do not fit it.
    pub fn load(folder: &ModelFolder, weights: &Weights) -> crate::Result<Self> {
        let config = read_config(folder)?;
        let hidden = config.hidden_size;
        let norm = |name: &str| -> crate::Result<LayerNorm> {
            let weight = weights.tensor(&format!("{name}.weight"), &[hidden])?;
            Ok(LayerNorm::new(weight, weights.tensor(&format!("{name}.bias"), &[hidden])?, config.layer_norm_eps))
        };
        let word_embeddings = weights.table("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        // Every token has type 0, so its vector is a part of every position's.
        let types = weights.tensor("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let positions =
            weights.tensor("embeddings.position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let position_embeddings =
            types.narrow(0, 0, 1).and_then(|first| positions.broadcast_add(&first)).map_err(network_error)?;
        let embeddings_norm = norm("embeddings.LayerNorm")?;
        let head_dim = hidden / config.num_attention_heads;
        let attention = Attention {
            n_heads: config.num_attention_heads,
            n_kv_heads: config.num_attention_heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            mask: Mask::Full,
        };
        let mut layers = Vec::new();
        for i in 0..config.num_hidden_layers {
            let name = |part: &str| format!("encoder.layer.{i}.{part}");
            let projections = ["query", "key", "value"].map(|part| (name(&format!("attention.self.{part}")), hidden));
            let wide = config.intermediate_size;
            layers.push(Layer {
                query_key_value: weights.linear(&projections, hidden, true)?,
                attention_output: weights.linear(&[(name("attention.output.dense"), hidden)], hidden, true)?,
                attention_norm: norm(&name("attention.output.LayerNorm"))?,
                intermediate: weights.linear(&[(name("intermediate.dense"), wide)], hidden, true)?,
                output: weights.linear(&[(name("output.dense"), hidden)], wide, true)?,
                output_norm: norm(&name("output.LayerNorm"))?,
            });
        }
        let activation = match config.hidden_act {
            HiddenAct::Gelu => Activation::Gelu,
            HiddenAct::GeluApproximate => Activation::GeluTanh,
            HiddenAct::Relu => Activation::Relu,
        };
        Ok(Self {
            word_embeddings,
            position_embeddings,
            embeddings_norm,
            layers,
            attention,
            activation,
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
        self.word_embeddings.dims().first().copied().unwrap_or(0)
    }

    /// Vectors (rows, width) of the tokens at `rows` of a packed batch, of all if none. `go_on` is asked before every
    /// layer.
    ///
    /// # Errors
    /// Shapes that do not fit, or `go_on` said no.
    pub fn forward(&self, batch: &Batch, rows: Option<&Tensor>, go_on: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.index_select(&batch.ids(device)?, 0)?.to_dtype(DType::F32)?;
        let mut x = self
            .embeddings_norm
            .forward((words + self.position_embeddings.index_select(&batch.positions(device)?, 0)?)?)?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let qkv = layer.query_key_value.forward(&x, Activation::None)?;
            let mut seen = self.attention.forward(&qkv, batch.starts())?;
            if let Some(rows) = rows
                && i + 1 == self.layers.len()
            {
                // Nothing looks at the other tokens any more.
                seen = seen.index_select(rows, 0)?;
                x = x.index_select(rows, 0)?;
            }
            x = layer.attention_norm.forward(layer.attention_output.add_to(x, &seen)?)?;
            let wide = layer.intermediate.forward(&x, self.activation)?;
            x = layer.output_norm.forward(layer.output.add_to(x, &wide)?)?;
        }
        Ok(x)
    }
}

fn read_config(folder: &ModelFolder) -> crate::Result<Config> {
    let path = folder.path.join("config.json");
    let mut content = folder.config.clone();
    // Training alone needs these; some published files leave them out.
    for (key, value) in
        [("hidden_dropout_prob", json!(0.0)), ("initializer_range", json!(0.02)), ("pad_token_id", json!(0))]
    {
        content
            .entry(key)
            .and_modify(|found| {
                if found.is_null() {
                    *found = value.clone();
                }
            })
            .or_insert(value);
    }
    let config: Config =
        serde_json::from_value(Value::Object(content)).map_err(|error| refuse(&path, &error.to_string()))?;
    if config.num_attention_heads == 0
        || config.hidden_size == 0
        || !config.hidden_size.is_multiple_of(config.num_attention_heads)
    {
        return Err(refuse(
            &path,
            &format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                config.hidden_size, config.num_attention_heads
            ),
        ));
    }
    if config.type_vocab_size == 0 {
        return Err(refuse(&path, "type_vocab_size must be at least 1"));
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if folder.config.get(key).and_then(Value::as_bool) == Some(true) {
            return Err(refuse(&path, &format!("'{key}': true is not supported")));
        }
    }
    Ok(config)
}
