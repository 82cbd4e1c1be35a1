//! The whole way from texts to unit vectors, for any of the networks.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::batch::Batch;
use super::bert::Bert;
use super::folder::{Architecture, ModelFolder, refuse};
use super::gemma3::Gemma3;
use super::network_error;
use super::ops::{ProductDtype, WeightLayout};
use super::pooling::{Dense, Pooling, cut_and_normalise};
use super::qwen3::Qwen3;
use super::text::{TextTokenizer, TokenizedTexts};
use super::weights::Weights;
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

/// One of the networks.
enum Network {
    Bert(Bert),
    Qwen3(Qwen3),
    Gemma3(Gemma3),
}

impl Network {
    fn load(folder: &ModelFolder, weights: &Weights) -> Result<Self> {
        match folder.architecture {
            Architecture::Bert => Ok(Self::Bert(Bert::load(folder, weights)?)),
            Architecture::Qwen3 => Ok(Self::Qwen3(Qwen3::load(folder, weights)?)),
            Architecture::Gemma3 => Ok(Self::Gemma3(Gemma3::load(folder, weights)?)),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Bert(network) => network.width(),
            Self::Qwen3(network) => network.width(),
            Self::Gemma3(network) => network.width(),
        }
    }

    fn vocabulary(&self) -> usize {
        match self {
            Self::Bert(network) => network.vocabulary(),
            Self::Qwen3(network) => network.vocabulary(),
            Self::Gemma3(network) => network.vocabulary(),
        }
    }

    fn forward(
        &self,
        batch: &Batch,
        rows: Option<&Tensor>,
        go_on: &dyn Fn() -> candle_core::Result<()>,
    ) -> candle_core::Result<Tensor> {
        match self {
            Self::Bert(network) => network.forward(batch, rows, go_on),
            Self::Qwen3(network) => network.forward(batch, rows, go_on),
            Self::Gemma3(network) => network.forward(batch, rows, go_on),
        }
    }
}

/// A loaded embedding model.
pub struct TextEncoder {
    network: Network,
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
        let folder = ModelFolder::read(path)?;
        if let Some(expected) = &options.architecture
            && expected != folder.architecture.name()
        {
            return Err(refuse(
                path,
                &format!("expected a model of the architecture {expected}, found {}", folder.architecture.name()),
            ));
        }
        let layout = layout(options.dtype, device)?;
        let prompt = prompt(&folder, options.prompt.as_deref())?;
        let mut hasher = blake3::Hasher::new();
        let weights = Weights::open(path, device)?.with_layout(layout);
        weights.digest(&mut hasher);
        let network = Network::load(&folder, &weights)?;
        weights.finish()?;
        let limit = options.max_tokens.map_or(folder.max_tokens, |limit| limit.min(folder.max_tokens));
        let (tokenizer, tokenizer_file) =
            TextTokenizer::read(path, &prompt, folder.lower_case, limit, network.vocabulary())?;
        hasher.update_rayon(&tokenizer_file);
        hasher.update(serde_json::Value::Object(folder.config.clone()).to_string().as_bytes());
        let mut native_dim = network.width();
        let mut dense = Vec::new();
        for layer in &folder.dense {
            if layer.n_in != native_dim {
                return Err(refuse(
                    &layer.path,
                    &format!("'in_features' is {}, but what comes before is {native_dim} wide", layer.n_in),
                ));
            }
            // Few rows and little work: float32 whatever the dtype.
            let weights = Weights::open_file(&layer.path.join("model.safetensors"), device)?;
            weights.digest(&mut hasher);
            hasher.update(format!("{:?}", layer.activation).as_bytes());
            dense.push(Dense::load(layer, weights)?);
            native_dim = layer.n_out;
        }
        let dim = options.dim.unwrap_or(DEFAULT_DIM.min(native_dim));
        if dim == 0 || dim > native_dim {
            return Err(refuse(
                path,
                &format!("vectors of width {dim} were asked for; this model gives {native_dim} at most"),
            ));
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
                None => return Err(Error::Value(format!("row {row}: there are {} texts", texts.ids.len()))),
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
        let vectors = cut_and_normalise(&vectors, self.dim).map_err(network_error)?.map_err(|number| {
            Error::Embedding(format!(
                "the vector of text {} is not finite; the model's weights are damaged",
                rows[filled[number]]
            ))
        })?;
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
        ProductDtype::Bfloat16 => WeightLayout::bfloat16(device).ok_or_else(|| {
            Error::Embedding(
                "the dtype 'bfloat16' needs a processor with avx512_bf16, which this machine has not; use 'float32', and \
                 train again with it what was trained in bfloat16"
                    .to_owned(),
            )
        }),
    }
}

fn prompt(folder: &ModelFolder, name: Option<&str>) -> Result<String> {
    let Some(name) = name else {
        return Ok(String::new());
    };
    let Some(prompt) = folder.prompts.get(name) else {
        let known: Vec<&str> = folder.prompts.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "it has none".to_owned() } else { format!("expected one of {}", known.join(", ")) };
        return Err(refuse(&folder.path, &format!("the model has no prompt '{name}'; {known}")));
    };
    if !folder.include_prompt && !prompt.is_empty() && folder.pooling == Pooling::Mean {
        return Err(refuse(
            &folder.path,
            "a prompt whose own tokens do not count ('include_prompt': false) is not supported",
        ));
    }
    Ok(prompt.clone())
}
