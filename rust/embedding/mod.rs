//! Texts to unit vectors: model folders in the Sentence Transformers layout, run by networks of our own on Candle.
//!
//! Tokens of several texts are packed one after the other, without padding; every layer works on all of them at once
//! and attention on each text alone, so that a text's vector does not depend on its company.

pub mod batch;
pub mod bert;
pub mod encoder;
pub mod folder;
pub mod gemma3;
pub mod hash;
pub mod ops;
pub mod pooling;
pub mod qwen3;
pub mod text;
pub mod weights;

pub use encoder::{EncoderOptions, TextEncoder};
pub use text::TokenizedTexts;

/// An operation of a network that failed. No `From`: it would make every `?` of the crate ambiguous.
pub(crate) fn network_error(error: candle_core::Error) -> crate::Error {
    crate::Error::Embedding(format!("the network failed: {error}"))
}
