//! Linear layers: a weight that was laid out for its products at load, and the bias.

use candle_core::{CpuStorage, CustomOp1, Device, InplaceOp2, Layout, Result, Shape, Storage, Tensor, bail};
use gemm::Parallelism;

#[cfg(target_arch = "x86_64")]
use super::panels::{self, Panels, Values};
use super::{Activation, End, Gate};
use crate::cpu::{Cpu, Tier};
use crate::product::{Matrix, multiply};

/// Multiplications below which a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 20;

/// What the products of a network multiply; sums and everything else are float32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProductDtype {
    /// Numbers as they are.
    #[default]
    Float32,
    /// Weights and what they are multiplied with, rounded to bfloat16.
    Bfloat16,
}

/// How a weight matrix lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// Panels of 16 columns, in the type of the file: for the products of our own.
    Panels,
    /// Panels of 16 columns, rounded to bfloat16, two rows together: for sums of bfloat16 products.
    Pairs,
    /// (in, out), contiguous, float32: for the products of Candle's libraries, on other processors and devices.
    Matrix,
}

impl WeightLayout {
    /// The one for products of bfloat16 numbers; none where nothing multiplies them faster than float32.
    #[must_use]
    pub fn bfloat16(device: &Device) -> Option<Self> {
        (device.is_cpu() && Cpu::current().tier() == Tier::Avx512Bf16).then_some(Self::Pairs)
    }

    /// The fastest one for float32 on a device.
    #[must_use]
    pub fn best(device: &Device) -> Self {
        if device.is_cpu() && Cpu::current().tier() >= Tier::Avx2 { Self::Panels } else { Self::Matrix }
    }
}

/// A weight (in, out) in one of the layouts.
#[derive(Debug, Clone)]
pub struct Weight {
    /// `Panels`: (panels, in, 16), float32 or bfloat16. `Pairs`: (panels, in / 2, 16, 2), bfloat16. `Matrix`: (in, out),
    /// float32.
    values: Tensor,
    layout: WeightLayout,
    n_in: usize,
    n_out: usize,
}

impl Weight {
    /// Takes values that were laid out as `layout` says.
    #[must_use]
    pub fn new(values: Tensor, layout: WeightLayout, n_in: usize, n_out: usize) -> Self {
        Self { values, layout, n_in, n_out }
    }

    /// `out (+)= x w (+ bias)` by Candle's library for products, on the CPU.
    fn multiply_matrix(&self, x: &[f32], out: &mut [f32], bias: Option<&[f32]>, accumulate: bool) -> Result<()> {
        let (n_in, n_out) = (self.n_in, self.n_out);
        let n = x.len() / n_in;
        if let Some(bias) = bias {
            super::for_each_row(out, n_out, |_, row| {
                if accumulate { super::lanes::add(row, bias) } else { row.copy_from_slice(bias) }
            });
        }
        let (storage, layout) = self.values.storage_and_layout();
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
        unsafe { multiply(out.as_mut_ptr(), n_out, x, weight, accumulate || bias.is_some(), parallelism) };
        Ok(())
    }

    /// `out = end(x w)` by the products of our own, for panels and pairs.
    #[cfg(target_arch = "x86_64")]
    fn multiply_panels(&self, x: &[f32], out: &mut [f32], width: usize, end: End) -> Result<()> {
        let n_panels = self.values.dim(0)?;
        let (storage, _) = self.values.storage_and_layout();
        let values = match &*storage {
            Storage::Cpu(CpuStorage::F32(values)) => Values::Single(values),
            Storage::Cpu(CpuStorage::BF16(values)) if self.layout == WeightLayout::Pairs => {
                Values::Pairs(values.as_chunks().0)
            }
            Storage::Cpu(CpuStorage::BF16(values)) => Values::Half(values),
            _ => bail!("panels of weights are float32 or bfloat16, on the CPU"),
        };
        panels::multiply(x, Panels { values, n_in: self.n_in, n_panels }, out, width, end);
        Ok(())
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn multiply_panels(&self, _: &[f32], _: &mut [f32], _: usize, _: End) -> Result<()> {
        bail!("panels of weights need AVX2")
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
        let y = x.matmul(&self.weight.values)?;
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
            if weight.layout != WeightLayout::Matrix {
                let end = End::Store { bias, activation: self.activation };
                return weight.multiply_panels(x, &mut out, weight.n_out, end);
            }
            weight.multiply_matrix(x, &mut out, bias, false)?;
            super::for_each_row(&mut out, weight.n_out, |_, row| self.activation.apply(row));
            Ok(())
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
        self.layer.with_bias(|bias| {
            if weight.layout != WeightLayout::Matrix {
                return weight.multiply_panels(x, out, weight.n_out, End::Add { bias });
            }
            weight.multiply_matrix(x, out, bias, true)
        })
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
            return self.gate.forward(&x.matmul(&self.weight.values)?);
        }
        if self.weight.layout == WeightLayout::Matrix {
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
        self.weight.multiply_panels(x, &mut out, n_out, End::Gate(self.gate))?;
        Ok((CpuStorage::F32(out), Shape::from((n, n_out))))
    }
}
