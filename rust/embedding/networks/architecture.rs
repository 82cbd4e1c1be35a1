//! What every network is to the rest.

use candle_core::{Result, Tensor};

use crate::embedding::batch::Batch;
use crate::embedding::config::ModelConfig;
use crate::embedding::weights::Weights;

/// A kind of network.
pub struct Architecture {
    /// The name that callers use.
    pub name: &'static str,
    /// `model_type` in its `config.json`.
    pub(super) model_type: &'static str,
    /// Builds the network of a model.
    pub(super) load: fn(&ModelConfig, &Weights) -> crate::Result<Box<dyn Network>>,
}

/// A loaded network.
pub trait Network: Send + Sync {
    /// Width of the token vectors.
    fn width(&self) -> usize;

    /// Rows of the table of tokens.
    fn vocabulary(&self) -> usize;

    /// Vectors (rows, width) of the tokens at `rows` of a packed batch, of all if none. `go_on` is asked before every
    /// layer.
    ///
    /// # Errors
    /// Shapes that do not fit, or `go_on` said no.
    fn forward(&self, batch: &Batch, rows: Option<&Tensor>, go_on: &dyn Fn() -> Result<()>) -> Result<Tensor>;
}

impl Architecture {
    /// Builds the network of a model.
    ///
    /// # Errors
    /// The configuration is not supported, or the weights do not fit it.
    pub fn load(&self, config: &ModelConfig, weights: &Weights) -> crate::Result<Box<dyn Network>> {
        (self.load)(config, weights)
    }
}

/// Keeps the rows that are asked for, once nothing looks at the others any more.
pub(super) fn keep(rows: Option<&Tensor>, x: Tensor) -> Result<Tensor> {
    match rows {
        None => Ok(x),
        Some(rows) => x.index_select(rows, 0),
    }
}
