//! Products with weights that were cut into panels at load: 16 columns of the matrix together, row after row.
//!
//! A panel is read from memory once and in order, whatever the number of tokens; the same matrix kept as (in, out) makes
//! short texts three times slower (each row of it lies on another page). Weights stay in the type of their file, bfloat16
//! or float32: widening one is exact and costs less than reading twice as many bytes.
#![expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]

use half::bf16;
use rayon::prelude::*;

use super::kernels::{Avx2, Avx512, Instructions, Rows, Sums, Weight, block};
use super::lanes::{self, PANEL};
use super::{Activation, Gate};

/// Rows of weights that are worked on at a time: their panel and the same part of x stay in the first cache.
const DEPTH: usize = 256;

/// Rows of x that are worked on at a time: their part stays in the second cache.
const HEIGHT: usize = 96;

/// Panels of one task at most.
const GROUP: usize = 16;

/// Blocks of rows from which on a bfloat16 panel is widened once for all of them.
const WIDEN_FROM: usize = 4;

/// Multiplications below which a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 17;

/// The instruction sets that products are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    Avx2,
    Avx512,
}

impl InstructionSet {
    /// The best one of this machine; none where it has neither.
    pub(crate) fn detect() -> Option<Self> {
        if crate::cpu::has_avx512() && crate::cpu::has_avx2() {
            Some(Self::Avx512)
        } else if crate::cpu::has_avx2() {
            Some(Self::Avx2)
        } else {
            None
        }
    }

    fn rows(self) -> usize {
        match self {
            Self::Avx2 => Avx2::ROWS,
            Self::Avx512 => Avx512::ROWS,
        }
    }
}

/// A weight matrix (in, out) in panels: (panels, in, 16), the last one filled up with zeros.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub values: Values<'a>,
    pub n_in: usize,
    pub n_panels: usize,
}

/// The numbers of the panels, in the type of their file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    Single(&'a [f32]),
    Half(&'a [bf16]),
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End<'a> {
    /// `out = activation(sums + bias)`.
    Store { bias: Option<&'a [f32]>, activation: Activation },
    /// `out += sums + bias`.
    Add { bias: Option<&'a [f32]> },
    /// `out = gate(even panels) * odd panels`.
    Gate(Gate),
}

/// `out = end(x w)` for x (m, in) and out (m, width), both row after row.
pub(crate) fn multiply(set: InstructionSet, x: &[f32], panels: Panels, out: &mut [f32], width: usize, end: End) {
    let (k, n_panels) = (panels.n_in, panels.n_panels);
    if k == 0 || width == 0 {
        return;
    }
    let m = x.len() / k;
    let x = in_strips(x, k, set.rows());
    let job = Job { x: &x, m, panels, out: Shared(out.as_mut_ptr()), width, end };
    // An even number of panels, so that a gate and what it opens are together.
    let n_threads = rayon::current_num_threads();
    let group = n_panels.div_ceil(2 * n_threads).next_multiple_of(2).min(GROUP);
    let heights = m.div_ceil(HEIGHT);
    let tasks = heights * n_panels.div_ceil(group);
    let task = |i: usize| {
        let (height, first) = (i % heights * HEIGHT, i / heights * group);
        job.run(set, height..m.min(height + HEIGHT), first..n_panels.min(first + group));
    };
    if n_threads == 1 || m * k * n_panels * PANEL < PARALLEL_FROM {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().for_each(task);
    }
}

/// Puts `rows` rows of x at a time side by side, column after column, as the kernels read them.
fn in_strips(x: &[f32], k: usize, rows: usize) -> Vec<f32> {
    let mut strips = vec![0f32; x.len()];
    super::for_each_row(&mut strips, rows * k, |i, strip| interleave(&x[i * rows * k..], strip, k, rows));
    let whole = x.len() / (rows * k) * rows * k;
    let rest = &mut strips[whole..];
    let n = rest.len() / k;
    interleave(&x[whole..], rest, k, n);
    strips
}

fn interleave(x: &[f32], strip: &mut [f32], k: usize, rows: usize) {
    for (i, row) in x.chunks_exact(k).take(rows).enumerate() {
        for (to, value) in strip[i..].iter_mut().step_by(rows).zip(row) {
            *to = *value;
        }
    }
}

/// The output, shared by tasks that write rows and columns of their own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: every task writes other numbers.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

struct Job<'a> {
    x: &'a [f32],
    m: usize,
    panels: Panels<'a>,
    out: Shared,
    width: usize,
    end: End<'a>,
}

type Range = std::ops::Range<usize>;

impl Job<'_> {
    fn run(&self, set: InstructionSet, rows: Range, panels: Range) {
        thread_local! {
            static SUMS: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        SUMS.with_borrow_mut(|sums| {
            sums.resize(HEIGHT * GROUP * PANEL, 0.0);
            // SAFETY: the instruction set was detected.
            match (set, self.panels.values) {
                (InstructionSet::Avx2, Values::Single(values)) => unsafe {
                    self.sum_avx2(values, &rows, &panels, sums);
                },
                (InstructionSet::Avx2, Values::Half(values)) => unsafe {
                    self.sum_avx2(values, &rows, &panels, sums);
                },
                (InstructionSet::Avx512, Values::Single(values)) => unsafe {
                    self.sum_avx512(values, &rows, &panels, sums);
                },
                (InstructionSet::Avx512, Values::Half(values)) => unsafe {
                    self.sum_avx512(values, &rows, &panels, sums);
                },
            }
            self.finish(&rows, &panels, sums);
        });
    }

    #[target_feature(enable = "avx2,fma")]
    fn sum_avx2<W: Weight>(&self, values: &[W], rows: &Range, panels: &Range, sums: &mut [f32]) {
        self.sum::<Avx2, W>(values, rows, panels, sums);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    fn sum_avx512<W: Weight>(&self, values: &[W], rows: &Range, panels: &Range, sums: &mut [f32]) {
        self.sum::<Avx512, W>(values, rows, panels, sums);
    }

    /// Fills `sums`, one row of all panels after the other.
    #[inline(always)]
    fn sum<I: Instructions, W: Weight>(&self, values: &[W], rows: &Range, panels: &Range, sums: &mut [f32]) {
        let k = self.panels.n_in;
        let stride = panels.len() * PANEL;
        let mut widened = [0f32; DEPTH * PANEL];
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            for (column, panel) in panels.clone().enumerate() {
                let start = (panel * k + from) * PANEL;
                let w = &values[start..start + depth * PANEL];
                if size_of::<W>() < size_of::<f32>() && rows.len() >= WIDEN_FROM * I::ROWS {
                    for (wide, value) in widened.iter_mut().zip(w) {
                        *wide = value.widen();
                    }
                    self.column::<I, f32>(&widened, rows, from, depth, &mut sums[column * PANEL..], stride);
                } else {
                    self.column::<I, W>(w, rows, from, depth, &mut sums[column * PANEL..], stride);
                }
            }
        }
    }

    /// Adds the product of some rows of x and a part of one panel.
    #[inline(always)]
    fn column<I: Instructions, W: Weight>(
        &self,
        w: &[W],
        rows: &Range,
        from: usize,
        depth: usize,
        sums: &mut [f32],
        stride: usize,
    ) {
        let k = self.panels.n_in;
        for first in rows.clone().step_by(I::ROWS) {
            let n = I::ROWS.min(rows.end - first);
            // A strip is as high as the kernel, the last of x as high as there are rows left; HEIGHT is a multiple of both.
            let height = I::ROWS.min(self.m - first);
            let x = &self.x[first * k + from * height..first * k + (from + depth) * height];
            let sums = &mut sums[(first - rows.start) * stride..(first - rows.start + n - 1) * stride + PANEL];
            let x = Rows { first: x.as_ptr(), row: 1, column: height };
            let sums = Sums { first: sums.as_mut_ptr(), stride };
            // SAFETY: the slices above were checked to hold what the kernel reads and writes.
            unsafe { block::<I, W>(n, depth, x, w.as_ptr(), PANEL, sums, from > 0) };
        }
    }

    /// Writes the finished sums where they belong.
    fn finish(&self, rows: &Range, panels: &Range, sums: &mut [f32]) {
        let stride = panels.len() * PANEL;
        let per_panel = if matches!(self.end, End::Gate(_)) { PANEL / 2 } else { PANEL };
        let (from, to) = (panels.start * per_panel, (panels.end * per_panel).min(self.width));
        for (row, sums) in rows.clone().zip(sums.chunks_exact_mut(stride)) {
            // SAFETY: this task alone has these rows and columns, and they lie inside the output.
            let out = unsafe { std::slice::from_raw_parts_mut(self.out.0.add(row * self.width + from), to - from) };
            match self.end {
                End::Store { bias, activation } => {
                    let sums = &mut sums[..out.len()];
                    if let Some(bias) = bias {
                        lanes::add(sums, &bias[from..to]);
                    }
                    activation.apply(sums);
                    out.copy_from_slice(sums);
                }
                End::Add { bias } => {
                    if let Some(bias) = bias {
                        lanes::add(out, &bias[from..to]);
                    }
                    lanes::add(out, &sums[..out.len()]);
                }
                End::Gate(Gate::Silu) => lanes::silu_gate_panels(sums, out),
                End::Gate(Gate::GeluTanh) => lanes::gelu_gate_panels(sums, out),
            }
        }
    }
}
