//! `config.json` of a model, in both published forms, and what several networks check in it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::files::{invalid, mismatch, missing, not_supported, read_object};
use crate::Result;
use crate::error::{EmbeddingError, ModelProblem};

/// What a network is built from.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The file.
    pub(super) path: PathBuf,
    /// Its content, brought into the older, flat form.
    pub(super) fields: Map<String, Value>,
}

impl ModelConfig {
    /// Reads the configuration of a model folder.
    ///
    /// # Errors
    /// There is no such folder, or the file is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(missing(
                folder,
                "there is no such folder; expected a model in the Sentence Transformers layout",
            ));
        }
        let path = folder.join("config.json");
        let fields = flat(read_object(&path)?);
        Ok(Self { path, fields })
    }

    /// A field, if it is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// The configuration as a network's own type, with `defaults` for fields that are missing or null.
    pub(super) fn parse<T: DeserializeOwned, const N: usize>(&self, defaults: [(&str, Value); N]) -> Result<T> {
        let mut fields = self.fields.clone();
        for (key, default) in defaults {
            if self.get(key).is_none() {
                fields.insert(key.to_owned(), default);
            }
        }
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| EmbeddingError::model(&self.path, ModelProblem::Config(error)))
    }

    /// Refuses rotary positions that are stretched: the field `key` is there.
    pub(super) fn refuse_scaled_rotation(&self, key: &str) -> Result<()> {
        self.get(key).map_or(Ok(()), |scaling| {
            let what = format!("rotary positions with scaling ('{key}': {scaling}) are not supported");
            Err(not_supported(&self.path, what))
        })
    }

    /// Refuses layers of other types than `known`, and lists of another length than there are layers.
    pub(super) fn refuse_layer_types(&self, known: &[&str]) -> Result<()> {
        let Some(types) = self.get("layer_types") else { return Ok(()) };
        let types = types.as_array().ok_or_else(|| invalid(&self.path, "'layer_types' must be a list"))?;
        if self.get("num_hidden_layers").and_then(Value::as_u64) != Some(types.len() as u64) {
            return Err(mismatch(&self.path, "'layer_types' and 'num_hidden_layers' do not fit"));
        }
        match types.iter().find(|kind| !kind.as_str().is_some_and(|kind| known.contains(&kind))) {
            None => Ok(()),
            Some(kind) => {
                let known = known.join(" or ");
                Err(not_supported(&self.path, format!("layers of the type {kind} are not supported; expected {known}")))
            }
        }
    }

    /// Whether layer `i` looks through a window: as listed, else all but every `pattern`-th.
    pub(super) fn layer_is_sliding(&self, i: usize, pattern: usize) -> bool {
        match self.get("layer_types").and_then(|types| types.get(i)) {
            Some(kind) => kind.as_str() == Some("sliding_attention"),
            None => !(i + 1).is_multiple_of(pattern),
        }
    }
}

/// Lifts what transformers 5 keeps in `rope_parameters` to where the older form has it.
fn flat(mut fields: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(rope)) = fields.remove("rope_parameters") {
        let nested =
            ["full_attention", "sliding_attention"].map(|kind| rope.get(kind).and_then(Value::as_object).cloned());
        if let [full, sliding] = nested
            && (full.is_some() || sliding.is_some())
        {
            lift(&mut fields, full.unwrap_or_default(), "rope_theta", "rope_scaling");
            lift(&mut fields, sliding.unwrap_or_default(), "rope_local_base_freq", "rope_local_scaling");
        } else {
            lift(&mut fields, rope, "rope_theta", "rope_scaling");
        }
    }
    fields
}

fn lift(fields: &mut Map<String, Value>, rope: Map<String, Value>, theta: &str, scaling: &str) {
    if let Some(value) = rope.get("rope_theta") {
        fields.insert(theta.to_owned(), value.clone());
    }
    if rope.get("rope_type").and_then(Value::as_str).is_some_and(|kind| kind != "default") {
        fields.insert(scaling.to_owned(), Value::Object(rope));
    }
}
