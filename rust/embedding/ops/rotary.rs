//! Rotary positions, and the normalisation of heads that Qwen3 and Gemma 3 do before them.

use std::sync::RwLock;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, bail};

use super::{Attention, RmsNorm, for_each_row, lanes, slice_mut};

/// Cosines and sines of every position and frequency; grown as longer texts come.
#[derive(Debug)]
pub struct Rotary {
    inverse_frequencies: Vec<f64>,
    table: RwLock<Angles>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Angles {
    cos: std::sync::Arc<Vec<f32>>,
    sin: std::sync::Arc<Vec<f32>>,
}

impl Rotary {
    /// Frequencies of a head of `head_dim` (even) columns with the given base.
    #[must_use]
    pub fn new(head_dim: usize, theta: f64) -> Self {
        let inverse_frequencies =
            (0..head_dim / 2).map(|i| f64::from((1.0 / theta.powf((2 * i) as f64 / head_dim as f64)) as f32)).collect();
        Self { inverse_frequencies, table: RwLock::new(Angles::default()) }
    }

    /// The tables for at least `n` positions, (positions, `head_dim` / 2) each.
    pub(super) fn angles(&self, n: usize) -> Angles {
        let half = self.inverse_frequencies.len();
        {
            let table = self.table.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            if table.cos.len() >= n * half {
                return table.clone();
            }
        }
        let n = n.next_power_of_two();
        let mut cos = Vec::with_capacity(n * half);
        let mut sin = Vec::with_capacity(n * half);
        for position in 0..n {
            for frequency in &self.inverse_frequencies {
                // As the reference does: the angle is rounded to float32 first.
                let angle = (position as f32) * (*frequency as f32);
                cos.push(angle.cos());
                sin.push(angle.sin());
            }
        }
        let angles = Angles { cos: cos.into(), sin: sin.into() };
        let mut table = self.table.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *table = angles.clone();
        angles
    }
}

/// Normalises every head of queries and keys and turns it by its position.
#[derive(Debug)]
pub struct HeadNorm {
    /// Weight of the queries' normalisation.
    pub query: RmsNorm,
    /// Weight of the keys' normalisation.
    pub key: RmsNorm,
}

impl HeadNorm {
    /// Works on the fused projection (n, `fused_width`) of packed sequences that begin at `starts`; overwrites it where
    /// the device allows.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, qkv: Tensor, shape: &Attention, rotary: &Rotary, starts: &[usize]) -> Result<Tensor> {
        let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let angles = rotary.angles(longest);
        if qkv.device().is_cpu() {
            qkv.inplace_op1(&Turn { norm: self, shape, angles: &angles, starts })?;
            return Ok(qkv);
        }
        self.composed(&qkv, shape, &angles, starts)
    }

    /// The same from the device's own operations.
    pub(super) fn composed(
        &self,
        qkv: &Tensor,
        shape: &Attention,
        angles: &Angles,
        starts: &[usize],
    ) -> Result<Tensor> {
        let device = qkv.device();
        let (n, width) = (qkv.dim(0)?, shape.head_dim);
        let half = width / 2;
        let rows = positions(starts);
        let pick = |table: &[f32]| {
            let values: Vec<f32> = rows.iter().flat_map(|&p| &table[p * half..(p + 1) * half]).copied().collect();
            Tensor::from_vec(values, (n, 1, half), device)
        };
        let (cos, sin) = (pick(&angles.cos)?, pick(&angles.sin)?);
        let turn = |first: usize, heads: usize, norm: &RmsNorm| {
            let x = norm.forward(&qkv.narrow(1, first * width, heads * width)?.reshape((n * heads, width))?)?;
            let x = x.reshape((n, heads, width))?;
            let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
            let left = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
            let right = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
            Tensor::cat(&[left, right], 2)?.reshape((n, heads * width))
        };
        let q = turn(0, shape.n_heads, &self.query)?;
        let k = turn(shape.n_heads, shape.n_kv_heads, &self.key)?;
        let v = qkv.narrow(1, (shape.n_heads + shape.n_kv_heads) * width, shape.n_kv_heads * width)?;
        Tensor::cat(&[q, k, v], 1)
    }
}

/// The position of every packed token in its own sequence.
fn positions(starts: &[usize]) -> Vec<usize> {
    starts.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect()
}

struct Turn<'a> {
    norm: &'a HeadNorm,
    shape: &'a Attention,
    angles: &'a Angles,
    starts: &'a [usize],
}

impl InplaceOp1 for Turn<'_> {
    fn name(&self) -> &'static str {
        "head-norm-rotary"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (width, fused) = (self.shape.head_dim, self.shape.fused_width());
        let half = width / 2;
        let positions = positions(self.starts);
        let (n, columns) = layout.shape().dims2()?;
        if n != positions.len() || columns != fused || 2 * half != width {
            bail!("head normalisation for {} tokens of {fused} columns was given {n} of {columns}", positions.len());
        }
        let turned = (self.shape.n_heads + self.shape.n_kv_heads) * width;
        let query = self.norm.query.weights()?;
        let key = self.norm.key.weights()?;
        for_each_row(slice_mut(storage, layout)?, fused, |token, row| {
            let at = positions[token] * half;
            let (cos, sin) = (&self.angles.cos[at..at + half], &self.angles.sin[at..at + half]);
            for (head, values) in row[..turned].chunks_exact_mut(width).enumerate() {
                let (weight, norm) =
                    if head < self.shape.n_heads { (&query, &self.norm.query) } else { (&key, &self.norm.key) };
                lanes::rms_norm_rotate(values, weight, norm.eps(), cos, sin);
            }
        });
        Ok(())
    }
}
