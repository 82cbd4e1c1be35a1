//! The small files of a model: reading them, and saying what is wrong with them.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{EmbeddingError, ModelProblem};
use crate::{Error, Result};

/// The largest file that is read: the biggest tokenizers have some 40 MB.
const MAX_BYTES: u64 = 1 << 28;

/// What was looked for is not there.
pub(super) fn missing(path: &Path, what: impl Into<String>) -> Error {
    EmbeddingError::model(path, ModelProblem::Missing(what.into()))
}

/// What is there is not what its place asks for.
pub(super) fn invalid(path: &Path, what: impl Into<String>) -> Error {
    EmbeddingError::model(path, ModelProblem::Invalid(what.into()))
}

/// What is there is right, and nothing here can run it.
pub(super) fn not_supported(path: &Path, what: impl Into<String>) -> Error {
    EmbeddingError::model(path, ModelProblem::NotSupported(what.into()))
}

/// Two parts do not fit together.
pub(super) fn mismatch(path: &Path, what: impl Into<String>) -> Error {
    EmbeddingError::model(path, ModelProblem::Mismatch(what.into()))
}

/// The operating system does not give a file.
pub(super) fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    // A name from a damaged file may be of any length, and hold what no terminal should see.
    let name = path.to_string_lossy().chars().take(300).flat_map(char::escape_default).collect();
    EmbeddingError::Unreadable { name, cause }.into()
}

/// Reads one JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read_small(path)?).map_err(|error| EmbeddingError::model(path, ModelProblem::Json(error)))
}

/// Reads one JSON file that holds an object.
pub(super) fn read_object(path: &Path) -> Result<Map<String, Value>> {
    match read_json(path)? {
        Value::Object(map) => Ok(map),
        _ => Err(invalid(path, "expected a JSON object")),
    }
}

/// Reads one JSON file that may not be there.
pub(super) fn read_optional_object(path: &Path) -> Result<Map<String, Value>> {
    if path.is_file() { read_object(path) } else { Ok(Map::new()) }
}

/// Reads a file that is expected to be small.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>> {
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(invalid(path, "this is no file")),
        Ok(about) if about.len() > MAX_BYTES => {
            Err(invalid(path, format!("{} bytes are more than such a file can have", about.len())))
        }
        Ok(_) => std::fs::read(path).map_err(|error| unreadable(path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing(
            path,
            "this file is missing; a model folder has config.json, tokenizer.json, modules.json and weights",
        )),
        Err(error) => Err(unreadable(path, error)),
    }
}
