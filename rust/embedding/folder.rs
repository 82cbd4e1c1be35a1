//! What a model folder in the Sentence Transformers layout says about itself, in both published forms of its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::ops::Activation;
use super::pooling::Pooling;
use crate::{Error, Result};

/// The largest JSON file that is read: the biggest tokenizers have some 40 MB.
const MAX_JSON_BYTES: u64 = 1 << 28;

/// The networks that are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// BERT encoder.
    Bert,
    /// Qwen3 decoder, used as an encoder.
    Qwen3,
    /// Gemma 3 text model with attention to both sides (`EmbeddingGemma`).
    Gemma3,
}

impl Architecture {
    /// The name that callers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3",
        }
    }
}

/// A dense layer after pooling.
#[derive(Debug, Clone)]
pub struct DenseFolder {
    /// Where its weights are.
    pub path: PathBuf,
    /// Width of what it takes.
    pub n_in: usize,
    /// Width of what it gives.
    pub n_out: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// The function after it.
    pub activation: Activation,
}

/// Everything that the small files of a model folder say.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// The folder itself.
    pub path: PathBuf,
    /// Which network its weights belong to.
    pub architecture: Architecture,
    /// `config.json`, brought into its older, flat form.
    pub config: Map<String, Value>,
    /// How token vectors become one vector.
    pub pooling: Pooling,
    /// Whether a prompt's own tokens count in the mean.
    pub include_prompt: bool,
    /// Dense layers after pooling, in order.
    pub dense: Vec<DenseFolder>,
    /// The model's prompts by name.
    pub prompts: BTreeMap<String, String>,
    /// The longest text in tokens, special ones included.
    pub max_tokens: usize,
    /// Whether texts are lowered before they are cut into tokens.
    pub lower_case: bool,
}

impl ModelFolder {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file is missing or damaged, or says something that is not supported; the message names file and field.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Err(refuse(path, "there is no such folder; expected a model in the Sentence Transformers layout"));
        }
        let config_path = path.join("config.json");
        let config = flat_config(object(read_json(&config_path)?, &config_path)?);
        let architecture = architecture(&config, &config_path)?;
        let transformer = read_transformer(path)?;
        let mut folder = Self {
            path: path.to_path_buf(),
            architecture,
            max_tokens: max_tokens(path, &config, &transformer)?,
            lower_case: transformer.get("do_lower_case").and_then(Value::as_bool).unwrap_or(false),
            config,
            pooling: Pooling::Mean,
            include_prompt: true,
            dense: Vec::new(),
            prompts: read_prompts(path)?,
        };
        folder.read_modules()?;
        Ok(folder)
    }

    /// Refuses rotary positions that are stretched.
    ///
    /// # Errors
    /// The field `key` is there and not null.
    pub fn refuse_scaled_rotation(&self, key: &str) -> Result<()> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(scaling) => Err(refuse(
                &self.path.join("config.json"),
                &format!("rotary positions with scaling ('{key}': {scaling}) are not supported"),
            )),
        }
    }

    /// Refuses layers of other types than `known`, and lists of another length than there are layers.
    ///
    /// # Errors
    /// Naming the first such type.
    pub fn refuse_layer_types(&self, known: &[&str]) -> Result<()> {
        let path = self.path.join("config.json");
        let types = match self.config.get("layer_types") {
            None | Some(Value::Null) => return Ok(()),
            Some(types) => types.as_array().ok_or_else(|| refuse(&path, "'layer_types' must be a list"))?,
        };
        if self.config.get("num_hidden_layers").and_then(Value::as_u64) != Some(types.len() as u64) {
            return Err(refuse(&path, "'layer_types' and 'num_hidden_layers' do not fit"));
        }
        match types.iter().find(|kind| !kind.as_str().is_some_and(|kind| known.contains(&kind))) {
            None => Ok(()),
            Some(kind) => Err(refuse(
                &path,
                &format!("layers of the type {kind} are not supported; expected {}", known.join(" or ")),
            )),
        }
    }

    /// Whether layer `i` looks through a window: as listed, else all but every `pattern`-th.
    #[must_use]
    pub fn layer_is_sliding(&self, i: usize, pattern: usize) -> bool {
        match self.config.get("layer_types").and_then(|types| types.get(i)) {
            Some(kind) => kind.as_str() == Some("sliding_attention"),
            None => !(i + 1).is_multiple_of(pattern),
        }
    }

    fn read_modules(&mut self) -> Result<()> {
        let file = self.path.join("modules.json");
        let modules = read_json(&file)?;
        let Some(modules) = modules.as_array() else {
            return Err(refuse(&file, "expected a list of modules"));
        };
        let mut seen = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            let kind = text(module, "type")
                .ok_or_else(|| refuse(&file, &format!("module {index}: the field 'type' is missing")))?;
            let kind = kind.rsplit('.').next().unwrap_or(kind);
            let inside = text(module, "path").unwrap_or("");
            if Path::new(inside).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                return Err(refuse(
                    &file,
                    &format!("module {index}: 'path' must name a folder inside the model, found '{inside}'"),
                ));
            }
            let place = self.path.join(inside);
            let order = |expected: &[&str]| match seen.last() {
                Some(last) if expected.contains(last) => Ok(()),
                last => Err(refuse(
                    &file,
                    &format!("module {index}: {kind} after {} is not supported", last.copied().unwrap_or("nothing")),
                )),
            };
            match kind {
                "Transformer" if index == 0 => {
                    if !inside.is_empty() {
                        return Err(refuse(
                            &file,
                            &format!("module 0: a transformer in a folder of its own ('{inside}') is not supported"),
                        ));
                    }
                    seen.push("Transformer");
                }
                "Pooling" => {
                    order(&["Transformer"])?;
                    self.read_pooling(&place.join("config.json"))?;
                    seen.push("Pooling");
                }
                "Dense" => {
                    order(&["Pooling", "Dense"])?;
                    self.dense.push(read_dense(&place)?);
                    seen.push("Dense");
                }
                "Normalize" => {
                    order(&["Pooling", "Dense"])?;
                    seen.push("Normalize");
                }
                other => {
                    return Err(refuse(
                        &file,
                        &format!(
                            "module {index}: '{other}' is not supported here; expected Transformer, Pooling, then Dense and Normalize"
                        ),
                    ));
                }
            }
        }
        if !seen.contains(&"Pooling") {
            return Err(refuse(
                &file,
                "there is no Pooling module, so it is not known how token vectors become one vector",
            ));
        }
        Ok(())
    }

    fn read_pooling(&mut self, file: &Path) -> Result<()> {
        let content = object(read_json(file)?, file)?;
        let mut modes: Vec<String> = Vec::new();
        match content.get("pooling_mode") {
            Some(Value::String(mode)) => modes.push(mode.clone()),
            Some(other) => {
                return Err(refuse(file, &format!("pooling_mode {other} is not supported; expected one name")));
            }
            None => {
                for (key, value) in &content {
                    if let Some(mode) = key.strip_prefix("pooling_mode_")
                        && value.as_bool() == Some(true)
                    {
                        modes.push(mode.trim_end_matches("_token").trim_end_matches("_tokens").to_owned());
                    }
                }
            }
        }
        self.pooling = match modes.as_slice() {
            [mode] => Pooling::from_name(mode).ok_or_else(|| {
                refuse(file, &format!("pooling '{mode}' is not supported; expected mean, cls or lasttoken"))
            })?,
            [] => return Err(refuse(file, "no pooling mode is switched on; expected mean, cls or lasttoken")),
            several => {
                return Err(refuse(
                    file,
                    &format!("several pooling modes at once are not supported: {}", several.join(", ")),
                ));
            }
        };
        self.include_prompt = content.get("include_prompt").and_then(Value::as_bool).unwrap_or(true);
        Ok(())
    }
}

/// An error about a file or folder of the model.
#[must_use]
pub fn refuse(path: &Path, what: &str) -> Error {
    Error::Embedding(format!("{}: {what}", path.display()))
}

/// Reads one JSON file of a model.
///
/// # Errors
/// It is missing, larger than any such file, or no JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read_small(path)?).map_err(|error| refuse(path, &format!("no valid JSON: {error}")))
}

/// Reads a file that is expected to be small.
///
/// # Errors
/// It is missing or larger than any such file.
pub fn read_small(path: &Path) -> Result<Vec<u8>> {
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(refuse(path, "this is no file")),
        Ok(about) if about.len() > MAX_JSON_BYTES => {
            Err(refuse(path, &format!("{} bytes are more than such a file can have", about.len())))
        }
        Ok(_) => std::fs::read(path).map_err(|error| unreadable(path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(refuse(
            path,
            "this file is missing; a model folder has config.json, tokenizer.json, modules.json and weights",
        )),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// An error about a file that the operating system does not give.
#[must_use]
pub fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    // A name from a damaged file may be of any length, and hold what no terminal should see.
    let name: String = path.to_string_lossy().chars().take(300).flat_map(char::escape_default).collect();
    Error::Embedding(format!("{name}: this file cannot be read: {error}"))
}

/// Refuses heads that cannot be shared out.
///
/// # Errors
/// Naming the numbers.
pub fn check_heads(path: &Path, heads: usize, kv_heads: usize, head_dim: usize) -> Result<()> {
    let fits = heads != 0 && kv_heads != 0 && heads.is_multiple_of(kv_heads) && head_dim != 0;
    let width = heads.checked_mul(3).and_then(|slots| slots.checked_mul(head_dim));
    if !fits || !head_dim.is_multiple_of(2) || width.is_none() {
        return Err(refuse(
            path,
            &format!(
                "{heads} attention heads, {kv_heads} heads of keys and values, each {head_dim} wide, do not fit together"
            ),
        ));
    }
    Ok(())
}

fn object(value: Value, path: &Path) -> Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(refuse(path, "expected a JSON object")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// Lifts what transformers 5 keeps in `rope_parameters` to where the older form has it.
fn flat_config(mut config: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(rope)) = config.remove("rope_parameters") {
        let nested =
            ["full_attention", "sliding_attention"].map(|kind| rope.get(kind).and_then(Value::as_object).cloned());
        if let [full, sliding] = nested
            && (full.is_some() || sliding.is_some())
        {
            lift(&mut config, full.unwrap_or_default(), "rope_theta", "rope_scaling");
            lift(&mut config, sliding.unwrap_or_default(), "rope_local_base_freq", "rope_local_scaling");
        } else {
            lift(&mut config, rope, "rope_theta", "rope_scaling");
        }
    }
    config
}

fn lift(config: &mut Map<String, Value>, rope: Map<String, Value>, theta: &str, scaling: &str) {
    if let Some(value) = rope.get("rope_theta") {
        config.insert(theta.to_owned(), value.clone());
    }
    if rope.get("rope_type").and_then(Value::as_str).is_some_and(|kind| kind != "default") {
        config.insert(scaling.to_owned(), Value::Object(rope));
    }
}

fn architecture(config: &Map<String, Value>, path: &Path) -> Result<Architecture> {
    match config.get("model_type").and_then(Value::as_str) {
        Some("bert") => Ok(Architecture::Bert),
        Some("qwen3") => Ok(Architecture::Qwen3),
        Some("gemma3_text") => Ok(Architecture::Gemma3),
        Some(other) => Err(refuse(
            path,
            &format!("the architecture '{other}' is not supported; expected bert, qwen3 or gemma3_text"),
        )),
        None => Err(refuse(path, "the field 'model_type' is missing, so the architecture is not known")),
    }
}

fn read_transformer(folder: &Path) -> Result<Map<String, Value>> {
    let file = folder.join("sentence_bert_config.json");
    if !file.is_file() {
        return Ok(Map::new());
    }
    let content = object(read_json(&file)?, &file)?;
    for (key, expected) in [("transformer_task", "feature-extraction"), ("module_output_name", "token_embeddings")] {
        if let Some(found) = content.get(key)
            && found.as_str() != Some(expected)
        {
            return Err(refuse(&file, &format!("'{key}' {found} is not supported; expected \"{expected}\"")));
        }
    }
    Ok(content)
}

/// The rule of Sentence Transformers: its own limit, else the smaller of the network's and the tokenizer's.
fn max_tokens(folder: &Path, config: &Map<String, Value>, transformer: &Map<String, Value>) -> Result<usize> {
    let whole = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|&limit| limit >= 1.0);
    let positions = whole(config.get("max_position_embeddings")).ok_or_else(|| {
        refuse(&folder.join("config.json"), "'max_position_embeddings' is missing or no positive number")
    })?;
    let limit = match transformer.get("max_seq_length") {
        None | Some(Value::Null) => {
            let file = folder.join("tokenizer_config.json");
            let own = if file.is_file() { whole(read_json(&file)?.get("model_max_length")) } else { None };
            own.unwrap_or(f64::INFINITY)
        }
        given => whole(given).ok_or_else(|| {
            refuse(&folder.join("sentence_bert_config.json"), "'max_seq_length' must be a positive number")
        })?,
    };
    Ok(limit.min(positions) as usize)
}

fn read_prompts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let file = folder.join("config_sentence_transformers.json");
    if !file.is_file() {
        return Ok(BTreeMap::new());
    }
    let content = object(read_json(&file)?, &file)?;
    match content.get("prompts") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(prompts) => serde_json::from_value(prompts.clone())
            .map_err(|error| refuse(&file, &format!("'prompts' must map names to texts: {error}"))),
    }
}

fn read_dense(folder: &Path) -> Result<DenseFolder> {
    let file = folder.join("config.json");
    let content = object(read_json(&file)?, &file)?;
    for key in ["module_input_name", "module_output_name"] {
        if let Some(name) =
            content.get(key).filter(|name| !name.is_null() && name.as_str() != Some("sentence_embedding"))
        {
            return Err(refuse(&file, &format!("'{key}' {name} is not supported; expected \"sentence_embedding\"")));
        }
    }
    let width = |key: &str| {
        content
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
            .filter(|&n| n > 0)
            .ok_or_else(|| refuse(&file, &format!("'{key}' is missing or no positive integer")))
    };
    let activation = match content.get("activation_function").and_then(Value::as_str) {
        None => return Err(refuse(&file, "'activation_function' is missing")),
        Some(name) => match name.rsplit('.').next().unwrap_or(name) {
            "Identity" => Activation::None,
            "Tanh" => Activation::Tanh,
            "ReLU" => Activation::Relu,
            "GELU" => Activation::Gelu,
            _ => {
                return Err(refuse(
                    &file,
                    &format!("activation '{name}' is not supported; expected Identity, Tanh, ReLU or GELU"),
                ));
            }
        },
    };
    Ok(DenseFolder {
        n_in: width("in_features")?,
        n_out: width("out_features")?,
        bias: content.get("bias").and_then(Value::as_bool).unwrap_or(true),
        activation,
        path: folder.to_path_buf(),
    })
}
