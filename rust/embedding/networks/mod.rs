//! The networks: one file each, and one entry in [`ARCHITECTURES`].

use candle_core::{Result, Tensor};

use super::batch::Batch;
use super::config::ModelConfig;
use super::files::{missing, not_supported};
use super::weights::Weights;

mod bert;
mod decoder;
mod gemma3;
mod qwen3;

/// All networks that are built in.
const ARCHITECTURES: [Architecture; 3] = [bert::ARCHITECTURE, qwen3::ARCHITECTURE, gemma3::ARCHITECTURE];

/// A kind of network.
pub struct Architecture {
    /// The name that callers use.
    pub name: &'static str,
    /// `model_type` in its `config.json`.
    model_type: &'static str,
    /// Builds the network of a model.
    load: fn(&ModelConfig, &Weights) -> crate::Result<Box<dyn Network>>,
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
    /// The architecture of a model.
    ///
    /// # Errors
    /// The configuration names none of those here.
    pub fn of(config: &ModelConfig) -> crate::Result<&'static Self> {
        let Some(found) = config.text("model_type") else {
            let what = "the field 'model_type' is missing, so the architecture is not known";
            return Err(missing(&config.path, what));
        };
        ARCHITECTURES.iter().find(|known| known.model_type == found).ok_or_else(|| {
            let [known @ .., last] = ARCHITECTURES.each_ref().map(|known| known.model_type);
            let known = known.join(", ");
            let what = format!("the architecture '{found}' is not supported; expected {known} or {last}");
            not_supported(&config.path, what)
        })
    }

    /// Builds the network of a model.
    ///
    /// # Errors
    /// The configuration is not supported, or the weights do not fit it.
    pub fn load(&self, config: &ModelConfig, weights: &Weights) -> crate::Result<Box<dyn Network>> {
        (self.load)(config, weights)
    }
}

/// Keeps the rows that are asked for, once nothing looks at the others any more.
fn keep(rows: Option<&Tensor>, x: Tensor) -> Result<Tensor> {
    match rows {
        None => Ok(x),
        Some(rows) => x.index_select(rows, 0),
    }
}
