//! What a model folder in the Sentence Transformers layout says beside the network's own configuration.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::config::ModelConfig;
use super::dense::DenseFolder;
use super::files::{invalid, missing, not_supported, read_json, read_object, read_optional_object};
use super::pooling::Pooling;
use crate::Result;

/// Everything that the small files of a model folder say.
#[derive(Debug, Clone)]
pub(super) struct ModelFolder {
    path: PathBuf,
    /// How token vectors become one vector.
    pub(super) pooling: Pooling,
    /// Whether a prompt's own tokens count in the mean.
    include_prompt: bool,
    /// Dense layers after pooling, in order.
    pub(super) dense: Vec<DenseFolder>,
    prompts: BTreeMap<String, String>,
    /// The longest text in tokens, special ones included.
    pub(super) max_tokens: usize,
    /// Whether texts are lowered before they are cut into tokens.
    pub(super) lower_case: bool,
}

impl ModelFolder {
    /// Reads the folder at `path`, whose network has the configuration `config`.
    pub(super) fn read(path: &Path, config: &ModelConfig) -> Result<Self> {
        let transformer = read_transformer(path)?;
        let mut folder = Self {
            path: path.to_path_buf(),
            max_tokens: max_tokens(path, config, &transformer)?,
            lower_case: transformer.get("do_lower_case").and_then(Value::as_bool).unwrap_or(false),
            pooling: Pooling::Mean,
            include_prompt: true,
            dense: Vec::new(),
            prompts: read_prompts(path)?,
        };
        folder.read_modules()?;
        Ok(folder)
    }

    /// The prompt of a name; none for no name.
    pub(super) fn prompt(&self, name: Option<&str>) -> Result<String> {
        let Some(name) = name else {
            return Ok(String::new());
        };
        let Some(prompt) = self.prompts.get(name) else {
            let names = self.prompts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if names.is_empty() { "it has none".to_owned() } else { format!("expected one of {names}") };
            return Err(missing(&self.path, format!("the model has no prompt '{name}'; {known}")));
        };
        if !self.include_prompt && !prompt.is_empty() && self.pooling == Pooling::Mean {
            let what = "a prompt whose own tokens do not count ('include_prompt': false) is not supported";
            return Err(not_supported(&self.path, what));
        }
        Ok(prompt.clone())
    }

    fn read_modules(&mut self) -> Result<()> {
        let file = self.path.join("modules.json");
        let modules = read_json(&file)?;
        let modules = modules.as_array().ok_or_else(|| invalid(&file, "expected a list of modules"))?;
        let mut last = "nothing";
        for (index, module) in modules.iter().enumerate() {
            let text = |key: &str| module.get(key).and_then(Value::as_str);
            let kind =
                text("type").ok_or_else(|| missing(&file, format!("module {index}: the field 'type' is missing")))?;
            let kind = kind.rsplit('.').next().unwrap_or(kind);
            let inside = text("path").unwrap_or("");
            if Path::new(inside).components().any(|part| !matches!(part, Component::Normal(_))) {
                let what = format!("module {index}: 'path' must name a folder inside the model, found '{inside}'");
                return Err(invalid(&file, what));
            }
            let place = self.path.join(inside);
            let expected: &[&str] = match kind {
                "Transformer" if index == 0 => &["nothing"],
                "Pooling" => &["Transformer"],
                "Dense" | "Normalize" => &["Pooling", "Dense"],
                other => {
                    return Err(not_supported(
                        &file,
                        format!(
                            "module {index}: '{other}' is not supported here; expected Transformer, Pooling, then Dense and \
                             Normalize"
                        ),
                    ));
                }
            };
            if !expected.contains(&last) {
                return Err(not_supported(&file, format!("module {index}: {kind} after {last} is not supported")));
            }
            match kind {
                "Transformer" if !inside.is_empty() => {
                    let what = format!("module 0: a transformer in a folder of its own ('{inside}') is not supported");
                    return Err(not_supported(&file, what));
                }
                "Pooling" => self.read_pooling(&place.join("config.json"))?,
                "Dense" => self.dense.push(DenseFolder::read(&place)?),
                _ => {}
            }
            last = kind;
        }
        if matches!(last, "nothing" | "Transformer") {
            let what = "there is no Pooling module, so it is not known how token vectors become one vector";
            return Err(missing(&file, what));
        }
        Ok(())
    }

    fn read_pooling(&mut self, file: &Path) -> Result<()> {
        let content = read_object(file)?;
        let modes: Vec<&str> = match content.get("pooling_mode") {
            Some(Value::String(mode)) => vec![mode],
            Some(other) => {
                let what = format!("pooling_mode {other} is not supported; expected one name");
                return Err(not_supported(file, what));
            }
            None => {
                let switched_on = content.iter().filter(|(_, value)| value.as_bool() == Some(true));
                let modes = switched_on.filter_map(|(key, _)| key.strip_prefix("pooling_mode_"));
                modes.map(|mode| mode.trim_end_matches("_token").trim_end_matches("_tokens")).collect()
            }
        };
        self.pooling = match modes.as_slice() {
            [mode] => Pooling::from_name(mode).ok_or_else(|| {
                not_supported(file, format!("pooling '{mode}' is not supported; expected mean, cls or lasttoken"))
            })?,
            [] => return Err(missing(file, "no pooling mode is switched on; expected mean, cls or lasttoken")),
            several => {
                let what = format!("several pooling modes at once are not supported: {}", several.join(", "));
                return Err(not_supported(file, what));
            }
        };
        self.include_prompt = content.get("include_prompt").and_then(Value::as_bool).unwrap_or(true);
        Ok(())
    }
}

fn read_transformer(folder: &Path) -> Result<Map<String, Value>> {
    let file = folder.join("sentence_bert_config.json");
    let content = read_optional_object(&file)?;
    for (key, expected) in [("transformer_task", "feature-extraction"), ("module_output_name", "token_embeddings")] {
        if let Some(found) = content.get(key)
            && found.as_str() != Some(expected)
        {
            return Err(not_supported(&file, format!("'{key}' {found} is not supported; expected \"{expected}\"")));
        }
    }
    Ok(content)
}

/// The rule of Sentence Transformers: its own limit, else the smaller of the network's and the tokenizer's.
fn max_tokens(folder: &Path, config: &ModelConfig, transformer: &Map<String, Value>) -> Result<usize> {
    let whole = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|&limit| limit >= 1.0);
    let positions = whole(config.get("max_position_embeddings"))
        .ok_or_else(|| invalid(&config.path, "'max_position_embeddings' is missing or no positive number"))?;
    let limit = match transformer.get("max_seq_length") {
        None | Some(Value::Null) => {
            let file = folder.join("tokenizer_config.json");
            let own = if file.is_file() { whole(read_json(&file)?.get("model_max_length")) } else { None };
            own.unwrap_or(f64::INFINITY)
        }
        given => whole(given).ok_or_else(|| {
            invalid(&folder.join("sentence_bert_config.json"), "'max_seq_length' must be a positive number")
        })?,
    };
    Ok(limit.min(positions) as usize)
}

fn read_prompts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let file = folder.join("config_sentence_transformers.json");
    match read_optional_object(&file)?.remove("prompts") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(prompts) => serde_json::from_value(prompts)
            .map_err(|error| invalid(&file, format!("'prompts' must map names to texts: {error}"))),
    }
}
