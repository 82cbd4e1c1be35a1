//! Fused operations on Candle tensors: parallel over rows and compiled for the machine on the CPU, composed of the
//! device's own operations elsewhere.
//!
//! Everything fused here is for the CPU. On a GPU the same networks run on Candle's kernels in float32, weights included,
//! with attention text after text: right, as `composed.rs` shows, but not tuned, and many short texts wait for one another.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};
use rayon::prelude::*;

pub mod attention;
#[cfg(test)]
mod composed;
mod dots;
mod job;
#[cfg(target_arch = "x86_64")]
mod kernels;
pub(crate) mod lanes;
#[cfg(test)]
mod layouts;
pub mod linear;
pub(crate) mod lines;
pub mod norm;
#[cfg(target_arch = "x86_64")]
mod panels;
pub mod quads;
pub mod rotary;
pub mod table;
#[cfg(target_arch = "x86_64")]
mod tiles;

pub use attention::{Attention, Mask};
pub(crate) use lanes::PANEL;
pub use linear::{GatedLinear, Linear, ProductDtype, Values, Weight, WeightLayout};
pub use norm::{LayerNorm, RmsNorm};
pub use quads::Quads;
pub use rotary::{HeadNorm, Rotary};
pub use table::Table;

/// Numbers below which rows are not spread over threads: waking one costs as much.
const PARALLEL_FROM: usize = 1 << 14;

/// A function applied to every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The number itself.
    None,
    /// Gaussian error linear unit, exact.
    Gelu,
    /// Gaussian error linear unit by tanh.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    fn apply(self, row: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Gelu => lanes::gelu(row),
            Self::GeluTanh => lanes::gelu_approximate(row),
            Self::Relu => lanes::relu(row),
            Self::Tanh => lanes::hyperbolic_tangent(row),
        }
    }

    fn composed(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(x.clone()),
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Relu => x.relu(),
            Self::Tanh => x.tanh(),
        }
    }
}

/// The function inside a gated linear unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Qwen's.
    Silu,
    /// Gemma's.
    GeluTanh,
}

impl Gate {
    /// `gate(a) * b` for x = (a, b) side by side: (n, 2 width) to (n, width).
    ///
    /// # Errors
    /// A width that is odd.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        let (n, both) = x.dims2()?;
        let width = both / 2;
        if x.device().is_cpu() {
            let (storage, layout) = x.storage_and_layout();
            let x = cpu_slice(&storage, layout)?;
            let mut out = vec![0f32; n * width];
            for_each_row(&mut out, width, |i, row| {
                let (a, b) = x[i * both..(i + 1) * both].split_at(width);
                match self {
                    Self::Silu => lanes::silu_gate(a, b, row),
                    Self::GeluTanh => lanes::gelu_gate(a, b, row),
                }
            });
            return Tensor::from_vec(out, (n, width), &candle_core::Device::Cpu);
        }
        self.composed(x)
    }

    /// The same from the device's own operations.
    fn composed(self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(1)? / 2;
        let (a, b) = (x.narrow(1, 0, width)?, x.narrow(1, width, width)?);
        match self {
            Self::Silu => a.silu()? * b,
            Self::GeluTanh => a.gelu()? * b,
        }
    }
}

/// What becomes of the sums of a product.
#[derive(Debug, Clone, Copy)]
enum End<'a> {
    /// `out = activation(sums + bias)`.
    Store { bias: Option<&'a [f32]>, activation: Activation },
    /// `out += sums + bias`.
    Add { bias: Option<&'a [f32]> },
    /// `out = gate(even panels) * odd panels`.
    Gate(Gate),
}

/// Calls `work(i, row i)` for every row of `width`, in parallel where it pays.
pub(crate) fn for_each_row<T: Send>(out: &mut [T], width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    if width == 0 {
        return;
    }
    if out.len() < PARALLEL_FROM {
        out.chunks_exact_mut(width).enumerate().for_each(|(i, row)| work(i, row));
        return;
    }
    let rows = (PARALLEL_FROM / 4 / width).max(1);
    out.par_chunks_mut(width * rows).enumerate().for_each(|(block, part)| {
        for (i, row) in part.chunks_exact_mut(width).enumerate() {
            work(block * rows + i, row);
        }
    });
}

/// The contiguous float32 numbers of a CPU tensor.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((from, to)), CpuStorage::F32(values)) => Ok(&values[from..to]),
        _ => bail!("expected a contiguous float32 tensor"),
    }
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((from, to)), CpuStorage::F32(values)) => Ok(&mut values[from..to]),
        _ => bail!("expected a contiguous float32 tensor"),
    }
}

pub(crate) fn cpu_slice<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => slice(storage, layout),
        _ => bail!("expected a tensor on the CPU"),
    }
}
