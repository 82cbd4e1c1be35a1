//! The weights of a model: safetensors files mapped into memory, each tensor taken once and laid out for its use.
//!
//! What is mapped is given back page by page after its copy was made, so that a load never holds a file twice.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use memmap2::{Mmap, UncheckedAdvice};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors};

use super::folder::{read_json, refuse, unreadable};
use super::network_error;
use super::ops::lanes::PANEL;
use super::ops::{Gate, GatedLinear, Linear, Weight, WeightLayout};
use crate::Result;

/// Prefixes that exports put before every name.
const PREFIXES: [&str; 2] = ["model.", "bert."];

/// Heads for other tasks and tables that are computed: present in some files, needed by no embedding.
const NOT_NEEDED: [&str; 6] =
    ["pooler.", "cls.", "lm_head.", "embeddings.position_ids", "embeddings.token_type_ids", "rotary_emb.inv_freq"];

/// Rows of weights that are laid out at a time: some lines of the cache.
const LINE: usize = 64;

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
            return Err(refuse(
                folder,
                "there is neither model.safetensors nor model.safetensors.index.json; only this format of weights is read",
            ));
        }
        let content = read_json(&index)?;
        let Some(weight_map) = content.get("weight_map").and_then(serde_json::Value::as_object) else {
            return Err(refuse(&index, "the object 'weight_map' is missing"));
        };
        let mut shards = BTreeSet::new();
        for (tensor, file) in weight_map {
            match file.as_str() {
                Some(name) if Path::new(name).file_name().is_some_and(|plain| plain == name) => shards.insert(name),
                _ => {
                    return Err(refuse(
                        &index,
                        &format!("tensor {tensor}: expected the name of a file beside it, found {file}"),
                    ));
                }
            };
        }
        let paths: Vec<PathBuf> = shards.into_iter().map(|name| folder.join(name)).collect();
        if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
            return Err(refuse(
                missing,
                "this shard is named by the index and is not there; the download is not complete",
            ));
        }
        let weights = Self::map(&paths, device)?;
        for (tensor, file) in weight_map {
            let place = weights.places.get(plain_name(tensor).as_str());
            let found = place.and_then(|place| weights.files[place.file].path.file_name());
            if found.is_none_or(|found| Some(found.to_string_lossy().as_ref()) != file.as_str()) {
                return Err(refuse(&index, &format!("tensor {tensor}: it is not in {file}")));
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
            return Err(refuse(path, "there is no such file; only safetensors are read"));
        }
        Self::map(&[path.to_path_buf()], device)
    }

    fn map(paths: &[PathBuf], device: &Device) -> Result<Self> {
        let mut files = Vec::new();
        let mut places = BTreeMap::new();
        for path in paths {
            let handle = File::open(path).map_err(|error| unreadable(path, &error))?;
            // SAFETY: the file is only read; whoever shortens a model file while it is loaded breaks this process.
            let map = unsafe { Mmap::map(&handle) }.map_err(|error| unreadable(path, &error))?;
            let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| {
                refuse(
                    path,
                    &format!("no complete safetensors file ({error}); it may have been cut off, load it again"),
                )
            })?;
            for (name, info) in metadata.tensors() {
                let place = Place {
                    file: files.len(),
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    from: 8 + header + info.data_offsets.0,
                    to: 8 + header + info.data_offsets.1,
                };
                if places.insert(plain_name(&name), place).is_some() {
                    return Err(refuse(path, &format!("tensor {name} is there twice")));
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
        Tensor::from_vec(self.values(name, shape)?, shape, &self.device).map_err(network_error)
    }

    /// Takes a float32 vector of the expected length.
    ///
    /// # Errors
    /// It is missing or has another shape or an unsupported type.
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        const PART: usize = 1 << 16;
        let (place, bytes) = self.take(name, shape)?;
        let size = n_bytes(place.dtype);
        let mut out = vec![0f32; bytes.len() / size];
        out.par_chunks_mut(PART).zip(bytes.par_chunks(PART * size)).for_each(|(out, bytes)| {
            convert(place.dtype, bytes, out);
        });
        give_back(&self.files[place.file].map, place.from, place.to);
        Ok(out)
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
        let n_out = bias.len();
        Ok(Linear::new(weight, Some(Tensor::from_vec(bias, n_out, &self.device).map_err(network_error)?)))
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

    /// Lays the rows of weights (out, in) out as columns; `columns` says which row of which layer, or none for zeros. It
    /// is asked after the shapes were checked: what a damaged configuration says may not fit into memory.
    fn weight(
        &self,
        layers: &[(String, usize)],
        n_in: usize,
        columns: impl FnOnce() -> Vec<Option<(usize, usize)>>,
    ) -> Result<Weight> {
        let mut sources = Vec::new();
        for (name, n) in layers {
            let (place, bytes) = self.take(&format!("{name}.weight"), &[*n, n_in])?;
            sources.push((place.dtype, bytes));
        }
        let columns = columns();
        let n_out = layers.iter().map(|(_, n)| n).sum();
        let values = if self.layout == WeightLayout::Matrix {
            let mut values = vec![0f32; n_in * n_out];
            fill_matrix(&mut values, &sources, n_in, &columns);
            Tensor::from_vec(values, (n_in, n_out), &self.device).map_err(network_error)?
        } else {
            let n_panels = columns.len().div_ceil(PANEL);
            let shape = (n_panels, n_in, PANEL);
            if self.layout == WeightLayout::Pairs {
                let n_pairs = n_in.div_ceil(2);
                let mut values = vec![bf16::ZERO; n_panels * n_pairs * PANEL * 2];
                let read = |dtype, bytes: &[u8], line: &mut [[bf16; 2]]| {
                    let mut wide = [0f32; 2 * LINE];
                    convert(dtype, bytes, &mut wide);
                    for (pair, numbers) in line.iter_mut().zip(wide.as_chunks().0) {
                        *pair = numbers.map(bf16::from_f32);
                    }
                };
                fill_panels(values.as_chunks_mut().0, &sources, n_in, 2, &columns, read);
                Tensor::from_vec(values, (n_panels, n_pairs, PANEL, 2), &self.device).map_err(network_error)?
            } else if sources.iter().all(|(dtype, _)| *dtype == Dtype::BF16) {
                let mut values = vec![bf16::ZERO; n_panels * n_in * PANEL];
                let read = |_, bytes: &[u8], line: &mut [bf16]| {
                    for (value, b) in line.iter_mut().zip(bytes.chunks_exact(2)) {
                        *value = bf16::from_le_bytes([b[0], b[1]]);
                    }
                };
                fill_panels(&mut values, &sources, n_in, 1, &columns, read);
                Tensor::from_vec(values, shape, &self.device).map_err(network_error)?
            } else {
                let mut values = vec![0f32; n_panels * n_in * PANEL];
                fill_panels(&mut values, &sources, n_in, 1, &columns, convert);
                Tensor::from_vec(values, shape, &self.device).map_err(network_error)?
            }
        };
        for (name, _) in layers {
            if let Some(place) = self.places.get(&format!("{name}.weight")) {
                give_back(&self.files[place.file].map, place.from, place.to);
            }
        }
        Ok(Weight::new(values, self.layout, n_in, n_out))
    }

    /// Takes a table whose rows are looked up; it keeps the type that it has in the file, which saves half of its memory.
    ///
    /// # Errors
    /// It is missing or has another shape or an unsupported type.
    pub fn table(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let (place, bytes) = self.take(name, shape)?;
        let dtype = match place.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            _ => DType::BF16,
        };
        let table = Tensor::from_raw_buffer(bytes, dtype, shape, &self.device).map_err(network_error)?;
        give_back(&self.files[place.file].map, place.from, place.to);
        Ok(table)
    }

    /// The shape of a tensor that may be there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.places.get(name).map(|place| place.shape.as_slice())
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
            Some((name, place)) => Err(refuse(
                &self.files[place.file].path,
                &format!(
                    "tensor {name} of shape {:?} has no place in this architecture; config.json and weights do not fit",
                    place.shape
                ),
            )),
        }
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<(&Place, &[u8])> {
        let Some(place) = self.places.get(name) else {
            let near = self
                .places
                .keys()
                .filter(|other| !self.taken.borrow().contains(*other))
                .min_by_key(|other| distance(name, other));
            let hint = near.map_or_else(String::new, |near| format!("; the nearest name is {near}"));
            return Err(refuse(&self.files[0].path, &format!("tensor {name} of shape {shape:?} is missing{hint}")));
        };
        let file = &self.files[place.file];
        if place.shape != shape || shape.contains(&0) {
            return Err(refuse(
                &file.path,
                &format!("tensor {name}: expected shape {shape:?} from config.json, found {:?}", place.shape),
            ));
        }
        if !matches!(place.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(refuse(
                &file.path,
                &format!("tensor {name}: type {:?} is not supported, expected F32, F16 or BF16", place.dtype),
            ));
        }
        self.taken.borrow_mut().insert(name.to_owned());
        Ok((place, &file.map[place.from..place.to]))
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

type Source<'a> = (Dtype, &'a [u8]);

/// Columns in panels of 16: (panels, in / `size`, 16) where each value is made of `size` numbers, the last perhaps of fewer.
fn fill_panels<T: Copy + Default + Send>(
    values: &mut [T],
    sources: &[Source],
    n_in: usize,
    size: usize,
    columns: &[Option<(usize, usize)>],
    read: impl Fn(Dtype, &[u8], &mut [T]) + Sync,
) {
    let depth = n_in.div_ceil(size);
    values.par_chunks_mut(depth * PANEL).zip(columns.par_chunks(PANEL)).for_each(|(panel, columns)| {
        let mut line = [T::default(); LINE];
        for (first, part) in (0..n_in).step_by(LINE * size).zip(panel.chunks_mut(LINE * PANEL)) {
            let n = part.len() / PANEL;
            let n_numbers = (n * size).min(n_in - first);
            for (j, column) in columns.iter().enumerate() {
                let Some((source, row)) = *column else { continue };
                let (dtype, bytes) = sources[source];
                let at = (row * n_in + first) * n_bytes(dtype);
                read(dtype, &bytes[at..at + n_numbers * n_bytes(dtype)], &mut line[..n]);
                for (to, value) in part[j..].iter_mut().step_by(PANEL).zip(&line[..n]) {
                    *to = *value;
                }
            }
        }
    });
}

/// Columns one beside the other: (in, out).
fn fill_matrix(values: &mut [f32], sources: &[Source], n_in: usize, columns: &[Option<(usize, usize)>]) {
    let n_out = columns.len();
    values.par_chunks_mut(LINE * n_out).enumerate().for_each(|(block, rows)| {
        let mut line = [0f32; LINE];
        let n = rows.len() / n_out;
        for (j, column) in columns.iter().enumerate() {
            let Some((source, row)) = *column else { continue };
            let (dtype, bytes) = sources[source];
            let at = (row * n_in + block * LINE) * n_bytes(dtype);
            convert(dtype, &bytes[at..at + n * n_bytes(dtype)], &mut line[..n]);
            for (to, value) in rows[j..].iter_mut().step_by(n_out).zip(&line[..n]) {
                *to = *value;
            }
        }
    });
}

/// Bytes of one number of the types that [`Weights::take`] lets through.
fn n_bytes(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

fn convert(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => {
            for (o, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        Dtype::F16 => {
            for (o, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *o = f16::from_le_bytes([b[0], b[1]]).to_f32();
            }
        }
        _ => {
            for (o, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *o = bf16::from_le_bytes([b[0], b[1]]).to_f32();
            }
        }
    }
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
