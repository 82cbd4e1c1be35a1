//! The networks: one file each, its `mod` line, and one entry in [`ARCHITECTURES`].

use super::config::ModelConfig;
use super::files::{missing, not_supported};

mod architecture;
mod bert;
mod decoder;
mod gemma3;
mod qwen3;

pub use architecture::{Architecture, Network};

/// All networks that are built in.
const ARCHITECTURES: &[Architecture] = &[bert::ARCHITECTURE, qwen3::ARCHITECTURE, gemma3::ARCHITECTURE];

/// The architecture of a model.
///
/// # Errors
/// The configuration names none of those here.
pub fn architecture(config: &ModelConfig) -> crate::Result<&'static Architecture> {
    let Some(found) = config.text("model_type") else {
        let what = "the field 'model_type' is missing, so the architecture is not known";
        return Err(missing(&config.path, what));
    };
    ARCHITECTURES.iter().find(|known| known.model_type == found).ok_or_else(|| {
        let mut known = ARCHITECTURES.iter().map(|known| known.model_type).collect::<Vec<_>>();
        let last = known.pop().unwrap_or_default();
        let known = known.join(", ");
        let what = format!("the architecture '{found}' is not supported; expected {known} or {last}");
        not_supported(&config.path, what)
    })
}
