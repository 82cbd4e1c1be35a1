//! A dense layer after pooling: its configuration, its weights, its forward.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::files::{invalid, mismatch, missing, not_supported, read_object};
use super::ops::{Activation, Linear};
use super::weights::Weights;
use crate::Result;

/// What the folder of a dense layer says about it.
#[derive(Debug, Clone)]
pub struct DenseFolder {
    path: PathBuf,
    n_in: usize,
    n_out: usize,
    bias: bool,
    activation: Activation,
}

impl DenseFolder {
    /// Reads the configuration in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("config.json");
        let content = read_object(&file)?;
        for key in ["module_input_name", "module_output_name"] {
            if let Some(name) =
                content.get(key).filter(|name| !name.is_null() && name.as_str() != Some("sentence_embedding"))
            {
                let what = format!("'{key}' {name} is not supported; expected \"sentence_embedding\"");
                return Err(not_supported(&file, what));
            }
        }
        let width = |key: &str| {
            let whole = content.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            whole.filter(|&n| n > 0).ok_or_else(|| invalid(&file, format!("'{key}' is missing or no positive integer")))
        };
        let Some(name) = content.get("activation_function").and_then(Value::as_str) else {
            return Err(missing(&file, "'activation_function' is missing"));
        };
        let activation = match name.rsplit('.').next().unwrap_or(name) {
            "Identity" => Activation::None,
            "Tanh" => Activation::Tanh,
            "ReLU" => Activation::Relu,
            "GELU" => Activation::Gelu,
            _ => {
                let what = format!("activation '{name}' is not supported; expected Identity, Tanh, ReLU or GELU");
                return Err(not_supported(&file, what));
            }
        };
        Ok(Self {
            n_in: width("in_features")?,
            n_out: width("out_features")?,
            bias: content.get("bias").and_then(Value::as_bool).unwrap_or(true),
            activation,
            path: folder.to_path_buf(),
        })
    }
}

/// A dense layer after pooling.
pub(super) struct Dense {
    layer: Linear,
    activation: Activation,
    pub(super) n_out: usize,
}

impl Dense {
    /// Loads the layer of a folder, which comes after vectors of `width`, and feeds `hasher` all that it consists of.
    pub(super) fn load(
        folder: &DenseFolder,
        width: usize,
        device: &Device,
        hasher: &mut blake3::Hasher,
    ) -> Result<Self> {
        let &DenseFolder { n_in, n_out, activation, .. } = folder;
        if n_in != width {
            let what = format!("'in_features' is {n_in}, but what comes before is {width} wide");
            return Err(mismatch(&folder.path, what));
        }
        // Few rows and little work: float32 whatever the dtype.
        let weights = Weights::open_file(&folder.path.join("model.safetensors"), device)?;
        weights.digest(hasher);
        hasher.update(format!("{activation:?}").as_bytes());
        let layer = weights.linear(&[("linear".to_owned(), n_out)], n_in, folder.bias)?;
        weights.finish()?;
        Ok(Self { layer, activation, n_out })
    }

    /// Applies the layer to (n, in).
    pub(super) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.layer.forward(x, self.activation)
    }
}
