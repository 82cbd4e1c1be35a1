//! Text to vectors.

pub mod hash;
