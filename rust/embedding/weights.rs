//! The weights of a model: safetensors files mapped into memory, each tensor taken once and laid out for its use.
//!
//! What is mapped is given back page by page after its copy was made, so that a load never holds a file twice.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use memmap2::{Mmap, UncheckedAdvice};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors};

use super::files::{invalid, mismatch, missing, read_json, unreadable};
use super::layout::{Column, Source, convert, lay_out, n_bytes};
use super::ops::{Gate, GatedLinear, Linear, PANEL, Table, Weight, WeightLayout};
use crate::Result;
use crate::error::{EmbeddingError, ModelProblem, network_error};

/// Prefixes that exports put before every name.
const PREFIXES: [&str; 2] = ["model.", "bert."];

/// Heads for other tasks and tables that are computed: present in some files, needed by no embedding.
const NOT_NEEDED: [&str; 6] =
    ["pooler.", "cls.", "lm_head.", "embeddings.position_ids", "embeddings.token_type_ids", "rotary_emb.inv_freq"];

struct Mapped {
    path: PathBuf,
    map: Mmap,
}

#[derive(Debug, Clone)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    from: usize,
    to: usize,
}

/// Tensors of one model by name, without prefix.
pub struct Weights {
    files: Vec<Mapped>,
    places: BTreeMap<String, Place>,
    taken: RefCell<BTreeSet<String>>,
    device: Device,
    layout: WeightLayout,
}

impl Weights {
    /// Maps `model.safetensors` of a folder, or the shards that its index names.
    ///
    /// # Errors
    /// Neither is there, or one is damaged; the message names the file.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        if single.is_file() {
            return Self::map(&[single], device);
        }
        if !index.is_file() {
            let what = "there is neither model.safetensors nor model.safetensors.index.json; only this format of weights \
                        is read";
            return Err(missing(folder, what));
        }
        let content = read_json(&index)?;
        let Some(weight_map) = content.get("weight_map").and_then(serde_json::Value::as_object) else {
            return Err(missing(&index, "the object 'weight_map' is missing"));
        };
        let mut shards = BTreeSet::new();
        for (tensor, file) in weight_map {
            match file.as_str() {
                Some(name) if Path::new(name).file_name().is_some_and(|plain| plain == name) => shards.insert(name),
                _ => {
                    let what = format!("tensor {tensor}: expected the name of a file beside it, found {file}");
                    return Err(invalid(&index, what));
                }
            };
        }
        let paths: Vec<PathBuf> = shards.into_iter().map(|name| folder.join(name)).collect();
        if let Some(path) = paths.iter().find(|path| !path.is_file()) {
            let what = "this shard is named by the index and is not there; the download is not complete";
            return Err(missing(path, what));
        }
        let weights = Self::map(&paths, device)?;
        for (tensor, file) in weight_map {
            let place = weights.places.get(plain_name(tensor).as_str());
            let found = place.and_then(|place| weights.files[place.file].path.file_name());
            if found.is_none_or(|found| Some(found.to_string_lossy().as_ref()) != file.as_str()) {
                return Err(mismatch(&index, format!("tensor {tensor}: it is not in {file}")));
            }
        }
        Ok(weights)
    }

    /// Maps one file of weights.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn open_file(path: &Path, device: &Device) -> Result<Self> {
        if !path.is_file() {
            return Err(missing(path, "there is no such file; only safetensors are read"));
        }
        Self::map(&[path.to_path_buf()], device)
    }

    fn map(paths: &[PathBuf], device: &Device) -> Result<Self> {
        let mut files = Vec::new();
        let mut places = BTreeMap::new();
        for path in paths {
            let handle = File::open(path).map_err(|error| unreadable(path, error))?;
            // SAFETY: the file is only read; whoever shortens a model file while it is loaded breaks this process.
            let map = unsafe { Mmap::map(&handle) }.map_err(|error| unreadable(path, error))?;
            let (header, metadata) = SafeTensors::read_metadata(&map)
                .map_err(|error| EmbeddingError::model(path, ModelProblem::CutOff(error)))?;
            for (name, info) in metadata.tensors() {
                let place = Place {
                    file: files.len(),
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    from: 8 + header + info.data_offsets.0,
                    to: 8 + header + info.data_offsets.1,
                };
                if places.insert(plain_name(&name), place).is_some() {
                    return Err(invalid(path, format!("tensor {name} is there twice")));
                }
            }
            files.push(Mapped { path: path.clone(), map });
        }
        Ok(Self {
            files,
            places,
            taken: RefCell::new(BTreeSet::new()),
            device: device.clone(),
            layout: WeightLayout::best(device),
        })
    }

    /// Lays linear weights out in another way than the best for the device.
    #[must_use]
    pub fn with_layout(self, layout: WeightLayout) -> Self {
        Self { layout, ..self }
    }

    /// Feeds every file into a digest.
    pub fn digest(&self, hasher: &mut blake3::Hasher) {
        for file in &self.files {
            hasher.update_rayon(&file.map);
            give_back(&file.map, 0, file.map.len());
        }
    }

    /// Takes a float32 tensor of the expected shape.
    ///
    /// # Errors
    /// It is missing or has another shape or an unsupported type.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.to_device(self.values(name, shape)?, shape)
    }

    /// Takes the numbers of a tensor of the expected shape, as float32.
    ///
    /// # Errors
    /// It is missing or has another shape or an unsupported type.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        const PART: usize = 1 << 16;
        let (place, bytes) = self.take(name, shape)?;
        let size = n_bytes(place.dtype);
        let mut out = vec![0f32; bytes.len() / size];
        out.par_chunks_mut(PART).zip(bytes.par_chunks(PART * size)).for_each(|(out, bytes)| {
            convert(place.dtype, bytes, out);
        });
        self.give_back(place);
        Ok(out)
    }

    /// Makes a tensor on the model's device.
    ///
    /// # Errors
    /// The device refuses.
    pub fn to_device(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_vec(values, shape, &self.device).map_err(network_error)
    }

    /// Takes linear layers that share their input, by name without `.weight`, as one layer side by side.
    ///
    /// # Errors
    /// A weight or bias is missing or has another shape or an unsupported type.
    pub fn linear(&self, layers: &[(String, usize)], n_in: usize, has_bias: bool) -> Result<Linear> {
        let columns =
            || layers.iter().enumerate().flat_map(|(layer, &(_, n))| (0..n).map(move |i| Some((layer, i)))).collect();
        let weight = self.weight(layers, n_in, columns)?;
        if !has_bias {
            return Ok(Linear::new(weight, None));
        }
        let mut bias = Vec::new();
        for (name, n) in layers {
            bias.extend(self.values(&format!("{name}.bias"), &[*n])?);
        }
        let shape = [bias.len()];
        Ok(Linear::new(weight, Some(self.to_device(bias, &shape)?)))
    }

    /// Takes the two first layers of a gated block, by name without `.weight`; each has `n_out` columns.
    ///
    /// # Errors
    /// A weight is missing or has another shape or an unsupported type.
    pub fn gated_linear(
        &self,
        opening: String,
        value: String,
        n_in: usize,
        n_out: usize,
        gate: Gate,
    ) -> Result<GatedLinear> {
        let panel = |first: usize, layer| (first..first + PANEL).map(move |i| (i < n_out).then_some((layer, i)));
        let columns = || {
            if self.layout == WeightLayout::Matrix {
                (0..2).flat_map(|layer| (0..n_out).map(move |i| Some((layer, i)))).collect()
            } else {
                (0..n_out).step_by(PANEL).flat_map(|first| panel(first, 0).chain(panel(first, 1))).collect()
            }
        };
        Ok(GatedLinear::new(self.weight(&[(opening, n_out), (value, n_out)], n_in, columns)?, gate))
    }

    /// Lays the rows of weights (out, in) out as columns. `columns` is asked after the shapes were checked: what a damaged
    /// configuration says may not fit into memory.
    fn weight(&self, layers: &[(String, usize)], n_in: usize, columns: impl FnOnce() -> Vec<Column>) -> Result<Weight> {
        let taken = layers.iter().map(|(name, n)| self.take(&format!("{name}.weight"), &[*n, n_in]));
        let taken = taken.collect::<Result<Vec<_>>>()?;
        let sources: Vec<Source> = taken.iter().map(|(place, bytes)| (place.dtype, *bytes)).collect();
        let values = lay_out(&sources, &columns(), n_in, self.layout, &self.device).map_err(network_error)?;
        taken.iter().for_each(|(place, _)| self.give_back(place));
        Ok(Weight::new(values, n_in, layers.iter().map(|(_, n)| n).sum()))
    }

    /// Takes a table whose rows are looked up and multiplied by `scale`; it keeps the type that it has in the file.
    ///
    /// # Errors
    /// It is missing or has another shape or an unsupported type.
    pub fn table(&self, name: &str, shape: &[usize], scale: f32) -> Result<Table> {
        let (place, bytes) = self.take(name, shape)?;
        let dtype = match place.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            _ => DType::BF16,
        };
        let table = Tensor::from_raw_buffer(bytes, dtype, shape, &self.device).map_err(network_error)?;
        self.give_back(place);
        Ok(Table::new(table, scale))
    }

    fn give_back(&self, place: &Place) {
        give_back(&self.files[place.file].map, place.from, place.to);
    }

    /// Refuses a model with tensors that nothing has taken: they belong to an architecture that is not this one.
    ///
    /// # Errors
    /// Naming the first such tensor.
    pub fn finish(self) -> Result<()> {
        let taken = self.taken.borrow();
        let foreign = self
            .places
            .iter()
            .find(|(name, _)| !taken.contains(*name) && !NOT_NEEDED.iter().any(|part| name.contains(part)));
        match foreign {
            None => Ok(()),
            Some((name, place)) => {
                let problem = ModelProblem::TensorForeign { name: name.clone(), shape: place.shape.clone() };
                Err(EmbeddingError::model(&self.files[place.file].path, problem))
            }
        }
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<(&Place, &[u8])> {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        let Some(place) = self.places.get(&name) else {
            let not_taken = self.places.keys().filter(|other| !self.taken.borrow().contains(*other));
            let near = not_taken.min_by_key(|other| distance(&name, other));
            let hint = near.map_or_else(String::new, |near| format!("; the nearest name is {near}"));
            let problem = ModelProblem::TensorMissing { name, shape, hint };
            return Err(EmbeddingError::model(&self.files[0].path, problem));
        };
        let file = &self.files[place.file];
        let problem = if place.shape != shape || shape.contains(&0) {
            ModelProblem::TensorShape { name, found: place.shape.clone(), expected: shape }
        } else if !matches!(place.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            ModelProblem::TensorType { name, found: place.dtype }
        } else {
            self.taken.borrow_mut().insert(name);
            return Ok((place, &file.map[place.from..place.to]));
        };
        Err(EmbeddingError::model(&file.path, problem))
    }
}

/// The name without what exports put before it, in the spelling of today.
fn plain_name(name: &str) -> String {
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
}

/// How many characters two names do not share at their ends.
fn distance(a: &str, b: &str) -> usize {
    let front = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let room = a.len().min(b.len()) - front;
    let back = a.bytes().rev().zip(b.bytes().rev()).take(room).take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - front - back
}

/// Lets the system drop the pages of a part of the map that was read; they come back from the file if needed.
fn give_back(map: &Mmap, from: usize, to: usize) {
    const PAGE: usize = 4096;
    let (from, to) = (from.next_multiple_of(PAGE), to / PAGE * PAGE);
    if from < to {
        // SAFETY: the map is shared with the file and never written, so a dropped page holds nothing of its own.
        // A refusal of the system costs memory and nothing else.
        let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
    }
}
