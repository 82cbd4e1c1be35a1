//! What Qwen3 and Gemma 3 have in common: normalised heads, rotary positions, grouped keys and values, a gated
//! feed-forward, normalisation before each block.

use candle_core::{Result, Tensor};

use super::architecture::{Network, keep};
use crate::embedding::batch::Batch;
use crate::embedding::config::ModelConfig;
use crate::embedding::files::mismatch;
use crate::embedding::ops::{Activation, Attention, Gate, GatedLinear, HeadNorm, Linear, RmsNorm, Rotary, Table};
use crate::embedding::weights::Weights;

/// Sizes of a decoder, and where it differs from others.
pub(super) struct Decoder {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) n_layers: usize,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) has_bias: bool,
    pub(super) eps: f64,
    pub(super) gate: Gate,
    /// Factor of the tokens' vectors.
    pub(super) scale: f32,
    /// What is added to the weights of norms.
    pub(super) norm_offset: f32,
    /// Names of the norms after attention and after the feed-forward, if there are any, and of that between them.
    pub(super) norms: Norms,
}

/// Names of a layer's norms beside `input_layernorm`.
#[derive(Clone, Copy)]
pub(super) enum Norms {
    /// Before the feed-forward.
    Before(&'static str),
    /// After attention, before the feed-forward, after it.
    Around(&'static str, &'static str, &'static str),
}

/// Attention with its positions.
pub(super) type View = (Attention, Rotary);

struct Layer {
    /// Which of the views it looks through.
    view: usize,
    input_norm: RmsNorm,
    query_key_value: Linear,
    head_norm: HeadNorm,
    attention_output: Linear,
    after_attention: Option<RmsNorm>,
    before_feed_forward: RmsNorm,
    gate_up: GatedLinear,
    down: Linear,
    after_feed_forward: Option<RmsNorm>,
}

struct Loaded {
    tokens: Table,
    layers: Vec<Layer>,
    norm: RmsNorm,
    views: Vec<View>,
}

impl Decoder {
    /// Refuses heads that cannot be shared out.
    pub(super) fn check_heads(&self, config: &ModelConfig) -> crate::Result<()> {
        let &Self { n_heads, n_kv_heads, head_dim, .. } = self;
        let fits = n_heads != 0 && n_kv_heads != 0 && n_heads.is_multiple_of(n_kv_heads) && head_dim != 0;
        let width = n_heads.checked_mul(3).and_then(|slots| slots.checked_mul(head_dim));
        if fits && head_dim.is_multiple_of(2) && width.is_some() {
            return Ok(());
        }
        let what = format!(
            "{n_heads} attention heads, {n_kv_heads} heads of keys and values, each {head_dim} wide, do not fit together"
        );
        Err(mismatch(&config.path, what))
    }

    /// Loads the network; `view_of` says which of the views a layer looks through.
    pub(super) fn load(
        &self,
        weights: &Weights,
        views: Vec<View>,
        view_of: impl Fn(usize) -> usize,
    ) -> crate::Result<Box<dyn Network>> {
        let norm = |name: &str, width: usize| -> crate::Result<RmsNorm> {
            let mut weight = weights.values(&format!("{name}.weight"), &[width])?;
            weight.iter_mut().for_each(|value| *value += self.norm_offset);
            Ok(RmsNorm::new(weights.to_device(weight, &[width])?, self.eps))
        };
        let tokens = weights.table("embed_tokens.weight", &[self.vocab_size, self.hidden_size], self.scale)?;
        let layers =
            (0..self.n_layers).map(|i| self.layer(weights, &norm, i, view_of(i))).collect::<crate::Result<_>>()?;
        Ok(Box::new(Loaded { tokens, layers, norm: norm("norm", self.hidden_size)?, views }))
    }

    fn layer(
        &self,
        weights: &Weights,
        norm: &dyn Fn(&str, usize) -> crate::Result<RmsNorm>,
        i: usize,
        view: usize,
    ) -> crate::Result<Layer> {
        let (hidden, wide, bias) = (self.hidden_size, self.intermediate_size, self.has_bias);
        let (heads, kv_heads) = (self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim);
        let name = |part: &str| format!("layers.{i}.{part}");
        let projection = |part: &str, n_out: usize| (name(&format!("self_attn.{part}_proj")), n_out);
        let (after_attention, before_feed_forward, after_feed_forward) = match self.norms {
            Norms::Before(before) => (None, before, None),
            Norms::Around(after, before, end) => (Some(after), before, Some(end)),
        };
        let optional = |part: Option<&str>| part.map(|part| norm(&name(part), hidden)).transpose();
        let qkv = [projection("q", heads), projection("k", kv_heads), projection("v", kv_heads)];
        Ok(Layer {
            view,
            input_norm: norm(&name("input_layernorm"), hidden)?,
            query_key_value: weights.linear(&qkv, hidden, bias)?,
            head_norm: HeadNorm {
                query: norm(&name("self_attn.q_norm"), self.head_dim)?,
                key: norm(&name("self_attn.k_norm"), self.head_dim)?,
            },
            attention_output: weights.linear(&[projection("o", hidden)], heads, bias)?,
            after_attention: optional(after_attention)?,
            before_feed_forward: norm(&name(before_feed_forward), hidden)?,
            gate_up: weights.gated_linear(name("mlp.gate_proj"), name("mlp.up_proj"), hidden, wide, self.gate)?,
            down: weights.linear(&[(name("mlp.down_proj"), hidden)], wide, false)?,
            after_feed_forward: optional(after_feed_forward)?,
        })
    }
}

impl Network for Loaded {
    fn width(&self) -> usize {
        self.tokens.width()
    }

    fn vocabulary(&self) -> usize {
        self.tokens.n_rows()
    }

    fn forward(&self, batch: &Batch, rows: Option<&Tensor>, go_on: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let mut x = Table::look_up(&[(&self.tokens, batch.ids())])?;
        for (i, layer) in self.layers.iter().enumerate() {
            go_on()?;
            let (attention, rotary) = &self.views[layer.view];
            let qkv = layer.query_key_value.forward(&layer.input_norm.forward(&x)?, Activation::None)?;
            let qkv = layer.head_norm.forward(qkv, attention, rotary, batch.starts())?;
            let mut seen = attention.forward(&qkv, batch.starts())?;
            if i + 1 == self.layers.len() {
                (seen, x) = (keep(rows, seen)?, keep(rows, x)?);
            }
            x = add(x, &layer.attention_output, &seen, layer.after_attention.as_ref())?;
            let wide = layer.gate_up.forward(&layer.before_feed_forward.forward(&x)?)?;
            x = add(x, &layer.down, &wide, layer.after_feed_forward.as_ref())?;
        }
        self.norm.forward(&x)
    }
}

/// Adds the layer's output, normalised if there is a norm.
fn add(x: Tensor, layer: &Linear, input: &Tensor, norm: Option<&RmsNorm>) -> Result<Tensor> {
    match norm {
        None => layer.add_to(x, input),
        Some(norm) => norm.add_to(x, &layer.forward(input, Activation::None)?),
    }
}
