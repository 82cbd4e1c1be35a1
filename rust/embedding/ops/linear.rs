//! Multiplication by a weight matrix that was laid out for it at load.

use candle_core::{CpuStorage, CustomOp1, InplaceOp2, Layout, Result, Shape, Tensor, bail};
use gemm::Parallelism;

use super::Activation;

/// Below this many multiplications a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 20;

/// A linear layer: weight (in, out), contiguous, so that a product reads it in order, and the bias (out).
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes a contiguous float32 weight of shape (in, out) and a bias of shape (out).
    #[must_use]
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
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
        let y = x.matmul(&self.weight)?;
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

    fn dims(&self) -> Result<(usize, usize)> {
        self.weight.dims2()
    }

    /// Adds x W (+ b) to `out`, or writes it there.
    fn multiply(&self, x: &[f32], n: usize, out: &mut [f32], accumulate: bool) -> Result<()> {
        let (n_in, n_out) = self.dims()?;
        if let Some(bias) = &self.bias {
            let (storage, layout) = bias.storage_and_layout();
            let bias = super::cpu_slice(&storage, layout)?;
            super::for_each_row(out, n_out, |_, row| if accumulate { super::lanes::add(row, bias) } else { row.copy_from_slice(bias) });
        }
        let (storage, layout) = self.weight.storage_and_layout();
        let weight = super::cpu_slice(&storage, layout)?;
        let parallelism =
            if n * n_in * n_out < PARALLEL_FROM { Parallelism::None } else { Parallelism::Rayon(rayon::current_num_threads()) };
        let read = accumulate || self.bias.is_some();
        // SAFETY: the three slices have the shapes (n, n_out), (n, n_in) and (n_in, n_out), row after row.
        unsafe {
            gemm::gemm(
                n,
                n_out,
                n_in,
                out.as_mut_ptr(),
                1,
                n_out.cast_signed(),
                read,
                x.as_ptr(),
                1,
                n_in.cast_signed(),
                weight.as_ptr(),
                1,
                n_out.cast_signed(),
                1.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
        Ok(())
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
        let (n_in, n_out) = self.layer.dims()?;
        if width != n_in {
            bail!("a linear layer for {n_in} columns was given {width}");
        }
        let mut out = vec![0f32; n * n_out];
        self.layer.multiply(x, n, &mut out, false)?;
        super::for_each_row(&mut out, n_out, |_, row| self.activation.apply(row));
        Ok((CpuStorage::F32(out), Shape::from((n, n_out))))
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
        let (n_in, n_out) = self.layer.dims()?;
        if width != n_in || sum_layout.shape().dims2()? != (n, n_out) {
            bail!("a linear layer ({n_in}, {n_out}) was given {:?} and {:?}", x_layout.shape(), sum_layout.shape());
        }
        self.layer.multiply(super::slice(x, x_layout)?, n, super::slice_mut(sum, sum_layout)?, true)
    }
}
