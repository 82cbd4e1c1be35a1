//! candle-transformers' own models, as the peers of the encoders. Gemma 3 is missing: the stock one only looks back and
//! ends in the scores of the next token.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, qwen3};
use serde_json::Value;

/// A stock model of one of the architectures.
pub enum StockModel {
    Bert(Box<bert::BertModel>),
    /// Its cache of keys and values is filled by a forward, so every forward begins with a copy.
    Qwen3(Box<qwen3::Model>),
}

impl StockModel {
    /// Takes the weights that `config` asks for.
    pub fn new(config: &Value, weights: VarBuilder<'_>) -> Result<Self> {
        let kind = config["model_type"].as_str();
        let config = config.clone();
        let read = |error: serde_json::Error| candle_core::Error::Msg(error.to_string());
        match kind {
            Some("bert") => {
                let config: bert::Config = serde_json::from_value(config).map_err(read)?;
                Ok(Self::Bert(Box::new(bert::BertModel::load(weights, &config)?)))
            }
            Some("qwen3") => {
                let config: qwen3::Config = serde_json::from_value(config).map_err(read)?;
                Ok(Self::Qwen3(Box::new(qwen3::Model::new(&config, weights)?)))
            }
            other => candle_core::bail!("candle-transformers has no encoder for {other:?}"),
        }
    }

    /// Vectors (texts, tokens, width) for token numbers (texts, tokens).
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Bert(model) => model.forward(ids, &ids.zeros_like()?, None),
            Self::Qwen3(model) => model.as_ref().clone().forward(ids, 0),
        }
    }
}

/// Token numbers below `vocabulary`, (texts, tokens).
pub fn ids(n_texts: usize, n_tokens: usize, vocabulary: u32) -> Result<Tensor> {
    let ids = (0..n_texts * n_tokens).map(|i| u32::try_from(i * 7).unwrap_or_default() % vocabulary);
    Tensor::from_iter(ids, &Device::Cpu)?.reshape((n_texts, n_tokens))
}
