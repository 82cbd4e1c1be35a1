//! The whole way from texts to unit vectors, for any of the networks.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::batch::Batch;
use super::config::ModelConfig;
use super::dense::Dense;
use super::files::mismatch;
use super::folder::ModelFolder;
use super::networks::{self, Network};
use super::ops::{ProductDtype, WeightLayout};
use super::pooling::{Pooling, cut_and_normalise};
use super::text::{TextTokenizer, TokenizedTexts};
use super::weights::Weights;
use crate::error::{EmbeddingError, ValueError, network_error};
use crate::stop::Stop;
use crate::{Error, Result};

/// The width of vectors when the caller names none and the model is wider.
const DEFAULT_DIM: usize = 768;

/// How a model is to be used.
#[derive(Debug, Clone, Default)]
pub struct EncoderOptions {
    /// Width of the vectors; none for the smaller of 768 and the model's own.
    pub dim: Option<usize>,
    /// Name of one of the model's prompts.
    pub prompt: Option<String>,
    /// Longest text in tokens, where the model could take more.
    pub max_tokens: Option<usize>,
    /// Which architecture the model must have.
    pub architecture: Option<String>,
    /// What the products of the network's layers multiply.
    pub dtype: ProductDtype,
}

/// A loaded embedding model.
pub struct TextEncoder {
    network: Box<dyn Network>,
    tokenizer: TextTokenizer,
    pooling: Pooling,
    dense: Vec<Dense>,
    dim: usize,
    native_dim: usize,
    prompt: String,
    digest: String,
    device: Device,
}

impl TextEncoder {
    /// Loads a model folder in the Sentence Transformers layout.
    ///
    /// # Errors
    /// Something is missing, damaged, not supported, or does not fit `options`; the message names it.
    pub fn load(path: &Path, options: &EncoderOptions, device: &Device) -> Result<Self> {
        let config = ModelConfig::read(path)?;
        let architecture = networks::architecture(&config)?;
        let folder = ModelFolder::read(path, &config)?;
        if let Some(expected) = options.architecture.as_deref().filter(|expected| *expected != architecture.name) {
            let what = format!("expected a model of the architecture {expected}, found {}", architecture.name);
            return Err(mismatch(path, what));
        }
        let layout = layout(options.dtype, device)?;
        let prompt = folder.prompt(options.prompt.as_deref())?;
        let mut hasher = blake3::Hasher::new();
        let weights = Weights::open(path, device)?.with_layout(layout);
        weights.digest(&mut hasher);
        let network = architecture.load(&config, &weights)?;
        weights.finish()?;
        let limit = options.max_tokens.map_or(folder.max_tokens, |limit| limit.min(folder.max_tokens));
        let (tokenizer, tokenizer_file) =
            TextTokenizer::read(path, &prompt, folder.lower_case, limit, network.vocabulary())?;
        hasher.update_rayon(&tokenizer_file);
        hasher.update(serde_json::Value::Object(config.fields).to_string().as_bytes());
        let mut native_dim = network.width();
        let mut dense = Vec::new();
        for layer in &folder.dense {
            let layer = Dense::load(layer, native_dim, device, &mut hasher)?;
            native_dim = layer.n_out;
            dense.push(layer);
        }
        let dim = options.dim.unwrap_or(DEFAULT_DIM.min(native_dim));
        if dim == 0 || dim > native_dim {
            let what = format!("vectors of width {dim} were asked for; this model gives {native_dim} at most");
            return Err(mismatch(path, what));
        }
        let digest = hasher.finalize().to_hex()[..32].to_owned();
        Ok(Self {
            network,
            tokenizer,
            pooling: folder.pooling,
            dense,
            dim,
            native_dim,
            prompt,
            digest,
            device: device.clone(),
        })
    }

    /// Cuts texts into tokens.
    ///
    /// # Errors
    /// The tokenizer fails on a text; the message gives its number.
    pub fn tokenize<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<TokenizedTexts> {
        self.tokenizer.tokenize(texts)
    }

    /// Embeds some of the tokenized texts: rows of unit length and `dim` columns, one after the other.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when a stop was requested; a result that is no number, as from damaged weights.
    pub fn embed(&self, texts: &TokenizedTexts, rows: &[usize], stop: &Stop) -> Result<Vec<f32>> {
        let mut out = vec![0f32; rows.len() * self.dim];
        let mut filled = Vec::with_capacity(rows.len());
        for (place, &row) in rows.iter().enumerate() {
            match texts.ids.get(row) {
                None => return Err(ValueError::NoSuchText { row, n_texts: texts.ids.len() }.into()),
                // A text without any token points nowhere: a fixed direction.
                Some(ids) if ids.is_empty() => out[place * self.dim] = 1.0,
                Some(_) => filled.push(place),
            }
        }
        if filled.is_empty() {
            return Ok(out);
        }
        let batch = Batch::pack(filled.iter().map(|&place| texts.ids[rows[place]].as_slice()));
        let go_on = || if stop.requested() { Err(candle_core::Error::Msg("interrupted".to_owned())) } else { Ok(()) };
        let vectors = self
            .pooled(&batch, &go_on)
            .map_err(|error| if stop.requested() { Error::Interrupted } else { network_error(error) })?;
        let vectors = cut_and_normalise(&vectors, self.dim).map_err(network_error)?;
        let vectors = vectors.map_err(|number| EmbeddingError::NotFinite { text: rows[filled[number]] })?;
        for (&place, vector) in filled.iter().zip(vectors.chunks_exact(self.dim)) {
            out[place * self.dim..(place + 1) * self.dim].copy_from_slice(vector);
        }
        Ok(out)
    }

    fn pooled(&self, batch: &Batch, go_on: &dyn Fn() -> candle_core::Result<()>) -> candle_core::Result<Tensor> {
        let rows = self.pooling.rows(batch.starts()).map(|rows| Tensor::new(rows, &self.device)).transpose()?;
        let tokens = self.network.forward(batch, rows.as_ref(), go_on)?;
        let mut vectors = self.pooling.forward(tokens, batch.starts())?;
        for layer in &self.dense {
            vectors = layer.forward(&vectors)?;
        }
        Ok(vectors)
    }

    /// Width of the vectors.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Width of the model's own vectors.
    #[must_use]
    pub fn native_dim(&self) -> usize {
        self.native_dim
    }

    /// Longest text in tokens, special ones included.
    #[must_use]
    pub fn token_limit(&self) -> usize {
        self.tokenizer.limit()
    }

    /// How token vectors become one vector.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The text before every text.
    #[must_use]
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// Digest of configuration, tokenizer, weights and dense layers.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn layout(dtype: ProductDtype, device: &Device) -> Result<WeightLayout> {
    match dtype {
        ProductDtype::Float32 => Ok(WeightLayout::best(device)),
        ProductDtype::Bfloat16 => Ok(WeightLayout::bfloat16(device).ok_or(EmbeddingError::NoBfloat16)?),
        ProductDtype::Int8 => Ok(WeightLayout::int8(device).ok_or(EmbeddingError::NoInt8)?),
    }
}
