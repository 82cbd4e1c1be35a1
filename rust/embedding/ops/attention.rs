//! Attention over packed sequences: no padding, every sequence looks at itself alone.

use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor, bail};
use gemm::Parallelism;
use rayon::prelude::*;

use super::lanes;
use crate::product::{Matrix, multiply};

/// Rows of queries that one task handles: the scores of a block stay in the cache.
const BLOCK: usize = 64;

/// Which tokens of its own sequence a token sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    Full,
    /// Itself and those before it.
    Causal,
    /// Those less than this many places away, on either side.
    Window(usize),
}

impl Mask {
    /// The tokens that the query at `position` sees in a sequence of `length`.
    fn range(self, position: usize, length: usize) -> (usize, usize) {
        match self {
            Self::Full => (0, length),
            Self::Causal => (0, position + 1),
            Self::Window(width) => ((position + 1).saturating_sub(width), (position + width).min(length)),
        }
    }
}

/// The shape of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads of queries.
    pub n_heads: usize,
    /// Heads of keys and of values; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Factor of the scores before the softmax.
    pub scale: f32,
    /// Who sees whom.
    pub mask: Mask,
}

impl Attention {
    /// Columns of the fused queries, keys and values.
    #[must_use]
    pub fn fused_width(&self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
    }

    /// Gives (n, heads x head) from the fused projection (n, `fused_width`) of packed sequences that begin at `starts`
    /// (one more than there are sequences; the last is n).
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(&self, qkv: &Tensor, starts: &[usize]) -> Result<Tensor> {
        if qkv.device().is_cpu() {
            return qkv.apply_op1_no_bwd(&Packed { shape: self, starts });
        }
        self.composed(qkv, starts)
    }

    /// The same from the device's own operations, one sequence after the other.
    pub(super) fn composed(&self, qkv: &Tensor, starts: &[usize]) -> Result<Tensor> {
        let (heads, kv_heads, width) = (self.n_heads, self.n_kv_heads, self.head_dim);
        let mut parts = Vec::with_capacity(starts.len());
        for pair in starts.windows(2) {
            let (begin, length) = (pair[0], pair[1] - pair[0]);
            let part = qkv.narrow(0, begin, length)?;
            let take = |first: usize, n: usize| {
                part.narrow(1, first * width, n * width)?.reshape((length, n, width))?.transpose(0, 1)?.contiguous()
            };
            let group = heads / kv_heads;
            let spread =
                |x: Tensor| x.unsqueeze(1)?.expand((kv_heads, group, length, width))?.reshape((heads, length, width));
            let q = take(0, heads)?;
            let k = spread(take(heads, kv_heads)?)?;
            let v = spread(take(heads + kv_heads, kv_heads)?)?;
            let scores = (q.matmul(&k.t()?)? * f64::from(self.scale))?;
            let scores =
                if self.mask == Mask::Full { scores } else { scores.broadcast_add(&self.bias(length, &scores)?)? };
            let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
            parts.push(weights.matmul(&v)?.transpose(0, 1)?.reshape((length, heads * width))?);
        }
        Tensor::cat(&parts, 0)
    }

    /// 0 where a token is seen and minus infinity where not, (length, length).
    fn bias(&self, length: usize, like: &Tensor) -> Result<Tensor> {
        let mut bias = vec![f32::NEG_INFINITY; length * length];
        for (position, row) in bias.chunks_exact_mut(length).enumerate() {
            let (from, to) = self.mask.range(position, length);
            row[from..to].fill(0.0);
        }
        Tensor::from_vec(bias, (length, length), like.device())?.to_dtype(DType::F32)
    }

    /// One block of queries of one head: `out` gets rows `first..first + n` of the sequence at `begin`.
    #[expect(clippy::too_many_arguments, reason = "the place of a block in the batch takes four numbers")]
    fn block(
        &self,
        qkv: &[f32],
        begin: usize,
        length: usize,
        head: usize,
        first: usize,
        out: &mut Columns,
        scores: &mut Vec<f32>,
    ) {
        let (width, fused) = (self.head_dim, self.fused_width());
        let n = BLOCK.min(length - first);
        let (from, _) = self.mask.range(first, length);
        let (_, to) = self.mask.range(first + n - 1, length);
        let seen = to - from;
        let kv_head = self.n_heads + head / (self.n_heads / self.n_kv_heads);
        let at = |token: usize, slot: usize| &qkv[(begin + token) * fused + slot * width..];
        let (q, k, v) = (at(first, head), at(from, kv_head), at(from, kv_head + self.n_kv_heads));
        scores.clear();
        scores.resize(n * seen, 0.0);
        let queries = Matrix::rows(q, n, width, fused);
        let keys = Matrix::rows(k, seen, width, fused).transposed();
        // SAFETY: `scores` has n rows of `seen` numbers.
        unsafe { multiply(scores.as_mut_ptr(), seen, queries, keys, false, Parallelism::None) };
        for (row, line) in scores.chunks_exact_mut(seen).enumerate() {
            let (low, high) = self.mask.range(first + row, length);
            let (low, high) = (low - from, high - from);
            line[..low].fill(0.0);
            line[high..].fill(0.0);
            lanes::softmax(&mut line[low..high], self.scale);
        }
        let (scores, values) = (Matrix::rows(scores, n, seen, seen), Matrix::rows(v, seen, width, fused));
        // SAFETY: the place lies inside the output, and this task alone has these rows and columns.
        unsafe { multiply(out.at(begin + first, head * width), out.stride, scores, values, false, Parallelism::None) };
    }
}

/// The output, shared by tasks that each write columns of their own.
#[derive(Clone, Copy)]
struct Columns {
    first: *mut f32,
    stride: usize,
}

// SAFETY: tasks write disjoint rows and columns.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    /// # Safety
    /// The row and the column must lie inside the matrix.
    unsafe fn at(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.first.add(row * self.stride + column) }
    }
}

struct Packed<'a> {
    shape: &'a Attention,
    starts: &'a [usize],
}

impl CustomOp1 for Packed<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = super::slice(storage, layout)?;
        let (n, fused) = layout.shape().dims2()?;
        let shape = self.shape;
        let has_heads = shape.n_kv_heads > 0 && shape.n_heads.is_multiple_of(shape.n_kv_heads);
        let has_starts = self.starts.last() == Some(&n) && self.starts.is_sorted();
        if fused != shape.fused_width() || !has_heads || !has_starts {
            bail!("attention over {} columns was given {fused}, {n} rows", shape.fused_width());
        }
        let width = shape.n_heads * shape.head_dim;
        let mut out = vec![0f32; n * width];
        let columns = Columns { first: out.as_mut_ptr(), stride: width };
        let mut tasks = Vec::new();
        for pair in self.starts.windows(2) {
            let length = pair[1] - pair[0];
            for first in (0..length).step_by(BLOCK) {
                tasks.extend((0..shape.n_heads).map(|head| (pair[0], length, head, first)));
            }
        }
        tasks.into_par_iter().for_each_init(Vec::new, |scores, (begin, length, head, first)| {
            shape.block(qkv, begin, length, head, first, &mut { columns }, scores);
        });
        Ok((CpuStorage::F32(out), Shape::from((n, width))))
    }
}
