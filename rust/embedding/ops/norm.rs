//! Normalisation of rows.

use candle_core::{CpuStorage, CustomOp1, D, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor, bail};

use super::{cpu_slice, for_each_row, lanes, slice, slice_mut};

/// Division by the root mean square, then a weight per column.
#[derive(Debug, Clone)]
pub struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    /// Takes a float32 weight of shape (width).
    #[must_use]
    pub fn new(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps: eps as f32 }
    }

    pub(super) fn eps(&self) -> f32 {
        self.eps
    }

    /// A copy of the weight, for operations that fuse this one.
    pub(super) fn weights(&self) -> Result<Vec<f32>> {
        self.weight.to_vec1()
    }

    /// Normalises the rows of x (n, width).
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return x.apply_op1_no_bwd(self);
        }
        self.composed(x)
    }

    /// The same from the device's own operations.
    pub(super) fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(mean + f64::from(self.eps))?.sqrt()?)?.broadcast_mul(&self.weight)
    }

    /// `sum + norm(x)`, both (n, width); the sum is overwritten where the device allows.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn add_to(&self, sum: Tensor, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            sum.inplace_op2(x, self)?;
            return Ok(sum);
        }
        sum + self.forward(x)?
    }
}

impl InplaceOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm-sum"
    }

    fn cpu_fwd(&self, sum: &mut CpuStorage, sum_layout: &Layout, x: &CpuStorage, x_layout: &Layout) -> Result<()> {
        let x = slice(x, x_layout)?;
        let (storage, weight_layout) = self.weight.storage_and_layout();
        let weight = cpu_slice(&storage, weight_layout)?;
        let width = weight.len();
        if x_layout.shape() != sum_layout.shape() || x.len() % width != 0 {
            bail!("a sum of {:?} and a norm of {:?}", sum_layout.shape(), x_layout.shape());
        }
        for_each_row(slice_mut(sum, sum_layout)?, width, |i, row| {
            lanes::rms_norm_add(&x[i * width..(i + 1) * width], weight, self.eps, row);
        });
        Ok(())
    }
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        let (storage, weight_layout) = self.weight.storage_and_layout();
        let weight = cpu_slice(&storage, weight_layout)?;
        let width = weight.len();
        let mut out = vec![0f32; x.len()];
        for_each_row(&mut out, width, |i, row| lanes::rms_norm(&x[i * width..(i + 1) * width], weight, self.eps, row));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Subtraction of the mean and division by the deviation, then a weight and a bias per column.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Takes a float32 weight and bias of shape (width).
    #[must_use]
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Self {
        Self { weight, bias, eps: eps as f32 }
    }

    /// Normalises the rows of x (n, width); x itself is overwritten where the device allows.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, x: Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            x.inplace_op1(self)?;
            return Ok(x);
        }
        self.composed(&x)
    }

    /// The same from the device's own operations.
    pub(super) fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
        let x = x.broadcast_div(&(variance + f64::from(self.eps))?.sqrt()?)?;
        x.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

impl InplaceOp1 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (weights, weight_layout) = self.weight.storage_and_layout();
        let (biases, bias_layout) = self.bias.storage_and_layout();
        let (weight, bias) = (cpu_slice(&weights, weight_layout)?, cpu_slice(&biases, bias_layout)?);
        for_each_row(slice_mut(storage, layout)?, weight.len(), |_, row| {
            lanes::layer_norm(row, weight, bias, self.eps);
        });
        Ok(())
    }
}
