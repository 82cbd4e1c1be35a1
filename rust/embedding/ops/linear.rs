//! Linear layers: a weight that was laid out for its products at load, and the bias.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Device, InplaceOp2, Layout, Result, Shape, Storage, Tensor, bail};
use gemm::Parallelism;

use super::job::Job;
use super::lines::Halves;
#[cfg(target_arch = "x86_64")]
use super::lines::{Line, TILE};
use super::quads::{self, Quads};
use super::{Activation, End, Gate};
#[cfg(target_arch = "x86_64")]
use super::{panels, tiles};
use crate::cpu::{Cpu, Tier};
use crate::product::{Matrix, multiply};

/// Multiplications below which a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 20;

/// What the products of a network multiply; sums of floats and everything else are float32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProductDtype {
    /// Numbers as they are.
    #[default]
    Float32,
    /// Weights and what they are multiplied with, rounded to bfloat16.
    Bfloat16,
    /// Both as bytes, with a scale for every column of weights and every row of what they are multiplied with.
    Int8,
}

/// How a weight matrix lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// Panels of 16 columns, in the type of the file.
    Panels,
    /// Panels of 16 columns, each number in parts of bfloat16 that add up to it: for products of float32 on tiles.
    Parts,
    /// Panels of 16 columns, rounded to bfloat16, two rows together: for sums of bfloat16 products.
    Pairs,
    /// Panels of 16 columns, as bytes with a scale for each, four rows together.
    Quads,
    /// (in, out), contiguous, float32: for the products of Candle's libraries, on other processors and devices.
    Matrix,
}

impl WeightLayout {
    /// The one for products of bfloat16 numbers; none where nothing multiplies them faster than float32.
    #[must_use]
    pub fn bfloat16(device: &Device) -> Option<Self> {
        (device.is_cpu() && Cpu::current().tier() >= Tier::Avx512Bf16).then_some(Self::Pairs)
    }

    /// The one for products of bytes; none on other devices.
    #[must_use]
    pub fn int8(device: &Device) -> Option<Self> {
        device.is_cpu().then_some(Self::Quads)
    }

    /// The fastest one for float32 on a device.
    #[must_use]
    pub fn best(device: &Device) -> Self {
        match Cpu::current().tier() {
            Tier::Amx if device.is_cpu() => Self::Parts,
            Tier::Baseline => Self::Matrix,
            _ if device.is_cpu() => Self::Panels,
            _ => Self::Matrix,
        }
    }
}

/// The numbers of a weight (in, out), laid out.
#[derive(Debug, Clone)]
pub enum Values {
    /// [`WeightLayout::Panels`]: (panels, in, 16), float32 or bfloat16.
    Panels(Tensor),
    /// [`WeightLayout::Pairs`] and [`WeightLayout::Parts`]: (panels, tiles, parts, 16 lines).
    Halves {
        /// The last tile of each panel is filled up with zeros.
        lines: Arc<[Halves]>,
        /// How many parts x and the weights have: one each for sums of bfloat16 products.
        n_parts: (usize, usize),
    },
    /// [`WeightLayout::Quads`].
    Quads(Arc<Quads>),
    /// [`WeightLayout::Matrix`]: (in, out), float32.
    Matrix(Tensor),
}

/// A weight (in, out) in one of the layouts.
#[derive(Debug, Clone)]
pub struct Weight {
    values: Values,
    n_in: usize,
    n_out: usize,
}

impl Weight {
    /// Takes values that were laid out.
    #[must_use]
    pub fn new(values: Values, n_in: usize, n_out: usize) -> Self {
        Self { values, n_in, n_out }
    }

    /// `out = end(x w)`, on the CPU; the columns of a gate must lie in panels.
    fn multiply(&self, x: &[f32], out: &mut [f32], width: usize, end: End) -> Result<()> {
        if self.n_in == 0 || width == 0 || x.is_empty() {
            return Ok(());
        }
        let (m, k) = (x.len() / self.n_in, self.n_in);
        match &self.values {
            Values::Matrix(values) => return self.multiply_matrix(values, x, out, end),
            Values::Quads(quads) => quads::multiply(x, k, quads, &Job::new(m, quads.n_panels(), out, width, end)),
            #[cfg(target_arch = "x86_64")]
            Values::Panels(values) => {
                let job = Job::new(m, values.dim(0)?, out, width, end);
                let (storage, _) = values.storage_and_layout();
                match &*storage {
                    Storage::Cpu(CpuStorage::F32(values)) => {
                        panels::multiply(x, k, panels::Values::Single(values), &job);
                    }
                    Storage::Cpu(CpuStorage::BF16(values)) => {
                        panels::multiply(x, k, panels::Values::Half(values), &job);
                    }
                    _ => bail!("panels of weights are float32 or bfloat16, on the CPU"),
                }
            }
            #[cfg(target_arch = "x86_64")]
            Values::Halves { lines, n_parts } => {
                let n_panels = lines.len() / (Halves::n_tiles(k) * n_parts.1 * TILE);
                let job = Job::new(m, n_panels, out, width, end);
                if Cpu::current().tier() >= Tier::Amx {
                    tiles::multiply(x, k, lines, *n_parts, &job);
                } else if *n_parts != (1, 1) {
                    bail!("weights in parts need tiles")
                } else {
                    panels::multiply(x, k, panels::Values::Pairs(Line::flatten(lines).as_chunks().0), &job);
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => bail!("these layouts are for processors of another kind"),
        }
        Ok(())
    }

    /// The same by Candle's library for products.
    fn multiply_matrix(&self, weight: &Tensor, x: &[f32], out: &mut [f32], end: End) -> Result<()> {
        let (n_in, n_out) = (self.n_in, self.n_out);
        let n = x.len() / n_in;
        let (bias, activation, is_sum) = match end {
            End::Store { bias, activation } => (bias, activation, false),
            End::Add { bias } => (bias, Activation::None, true),
            End::Gate(_) => bail!("a gate and what it opens lie in panels"),
        };
        if let Some(bias) = bias {
            super::for_each_row(out, n_out, |_, row| {
                if is_sum { super::lanes::add(row, bias) } else { row.copy_from_slice(bias) }
            });
        }
        let (storage, layout) = weight.storage_and_layout();
        let weight = super::cpu_slice(&storage, layout)?;
        let threads = rayon::current_num_threads();
        let parallelism = if threads == 1 || n * n_in * n_out < PARALLEL_FROM {
            Parallelism::None
        } else {
            Parallelism::Rayon(threads)
        };
        assert_eq!(out.len(), n * n_out, "{n} rows of {n_out}");
        let (x, weight) = (Matrix::rows(x, n, n_in, n_in), Matrix::rows(weight, n_in, n_out, n_out));
        // SAFETY: the output was checked to have n rows of n_out numbers.
        unsafe { multiply(out.as_mut_ptr(), n_out, x, weight, is_sum || bias.is_some(), parallelism) };
        super::for_each_row(out, n_out, |_, row| activation.apply(row));
        Ok(())
    }

    /// The numbers as a matrix, for the device's own operations.
    fn matrix(&self) -> Result<&Tensor> {
        match &self.values {
            Values::Matrix(values) => Ok(values),
            _ => bail!("this layout of weights is for the CPU"),
        }
    }
}

/// A linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes a weight and a float32 bias of shape (out).
    #[must_use]
    pub fn new(weight: Weight, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `activation(x W + b)` for x of shape (n, in).
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        if x.device().is_cpu() {
            return x.apply_op1_no_bwd(&Product { layer: self, activation });
        }
        self.composed(x, activation)
    }

    /// The same from the device's own operations, for weights that lie as a matrix.
    pub(super) fn composed(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let y = x.matmul(self.weight.matrix()?)?;
        let y = match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        activation.composed(&y)
    }

    /// `sum + x W + b` for x of shape (n, in) and a sum of shape (n, out), which is overwritten where the device allows.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn add_to(&self, sum: Tensor, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            sum.inplace_op2(x, &ProductSum { layer: self })?;
            return Ok(sum);
        }
        sum + self.forward(x, Activation::None)?
    }

    /// Calls `work` with the bias.
    fn with_bias<T>(&self, work: impl FnOnce(Option<&[f32]>) -> Result<T>) -> Result<T> {
        let Some(bias) = &self.bias else { return work(None) };
        let (storage, layout) = bias.storage_and_layout();
        work(Some(super::cpu_slice(&storage, layout)?))
    }
}

struct Product<'a> {
    layer: &'a Linear,
    activation: Activation,
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = super::slice(storage, layout)?;
        let (n, width) = layout.shape().dims2()?;
        let weight = &self.layer.weight;
        if width != weight.n_in {
            bail!("a linear layer for {} columns was given {width}", weight.n_in);
        }
        let mut out = vec![0f32; n * weight.n_out];
        self.layer.with_bias(|bias| {
            weight.multiply(x, &mut out, weight.n_out, End::Store { bias, activation: self.activation })
        })?;
        Ok((CpuStorage::F32(out), Shape::from((n, weight.n_out))))
    }
}

struct ProductSum<'a> {
    layer: &'a Linear,
}

impl InplaceOp2 for ProductSum<'_> {
    fn name(&self) -> &'static str {
        "linear-sum"
    }

    fn cpu_fwd(&self, sum: &mut CpuStorage, sum_layout: &Layout, x: &CpuStorage, x_layout: &Layout) -> Result<()> {
        let (n, width) = x_layout.shape().dims2()?;
        let weight = &self.layer.weight;
        if width != weight.n_in || sum_layout.shape().dims2()? != (n, weight.n_out) {
            bail!("a linear layer ({}, {}) was given {:?}, {:?}", weight.n_in, weight.n_out, x_layout, sum_layout);
        }
        let x = super::slice(x, x_layout)?;
        let out = super::slice_mut(sum, sum_layout)?;
        self.layer.with_bias(|bias| weight.multiply(x, out, weight.n_out, End::Add { bias }))
    }
}

/// The two first layers of a gated feed-forward block, which share their input: `gate(x A) * (x B)`.
#[derive(Debug, Clone)]
pub struct GatedLinear {
    /// Panels: those of A and B take turns. `Matrix`: A and B side by side.
    weight: Weight,
    gate: Gate,
}

impl GatedLinear {
    /// Takes both weights as one of (in, 2 out).
    #[must_use]
    pub fn new(weight: Weight, gate: Gate) -> Self {
        Self { weight, gate }
    }

    /// Gives (n, out) for x of shape (n, in).
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !x.device().is_cpu() {
            return self.gate.forward(&x.matmul(self.weight.matrix()?)?);
        }
        if matches!(self.weight.values, Values::Matrix(_)) {
            let both = Linear::new(self.weight.clone(), None);
            return self.gate.forward(&both.forward(x, Activation::None)?);
        }
        x.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for GatedLinear {
    fn name(&self) -> &'static str {
        "gated-linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = super::slice(storage, layout)?;
        let (n, width) = layout.shape().dims2()?;
        if width != self.weight.n_in {
            bail!("a gated layer for {} columns was given {width}", self.weight.n_in);
        }
        let n_out = self.weight.n_out / 2;
        let mut out = vec![0f32; n * n_out];
        self.weight.multiply(x, &mut out, n_out, End::Gate(self.gate))?;
        Ok((CpuStorage::F32(out), Shape::from((n, n_out))))
    }
}
