//! Texts to unit vectors: model folders in the Sentence Transformers layout, run by networks of our own on Candle.
//!
//! Tokens of several texts are packed one after the other, without padding; every layer works on all of them at once
//! and attention on each text alone, so that a text's vector does not depend on its company.

mod config;
mod dense;
mod encoder;
mod files;
mod folder;
mod layout;
mod text;

pub mod batch;
pub mod hash;
pub mod networks;
pub mod ops;
pub mod pooling;
pub mod weights;

pub use config::ModelConfig;
pub use encoder::{EncoderOptions, TextEncoder};
pub use text::TokenizedTexts;
