//! One product with weights in panels, cut into tasks for all threads, and what becomes of its sums.

use rayon::prelude::*;

use super::lanes::{self, PANEL};
use super::lines::{Floats, Line};
use super::{End, Gate};

/// Rows of x that are worked on at a time: their part stays in the second cache.
pub(super) const HEIGHT: usize = 96;

/// Panels of one task at most.
const GROUP: usize = 16;

/// Multiplications below which a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 17;

pub(super) type Range = std::ops::Range<usize>;

/// The output, shared by tasks that write rows and columns of their own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: every task writes other numbers.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// The product of m rows and some panels.
pub(super) struct Job<'a> {
    pub m: usize,
    pub n_panels: usize,
    out: Shared,
    width: usize,
    end: End<'a>,
}

impl<'a> Job<'a> {
    /// Takes an output (m, width).
    ///
    /// # Panics
    /// Where lengths do not fit.
    pub(super) fn new(m: usize, n_panels: usize, out: &'a mut [f32], width: usize, end: End<'a>) -> Self {
        let (bias, per_panel) = match end {
            End::Store { bias, .. } | End::Add { bias } => (bias, PANEL),
            End::Gate(_) => (None, PANEL / 2),
        };
        assert!(out.len() == m * width, "{m} rows");
        assert!(width <= n_panels * per_panel && bias.is_none_or(|bias| bias.len() == width), "{width} columns");
        assert!(per_panel == PANEL || n_panels.is_multiple_of(2), "a gate and what it opens");
        Self { m, n_panels, out: Shared(out.as_mut_ptr()), width, end }
    }

    /// Cuts a product of `depth` columns of x into tasks. `sum` fills the sums of some rows and panels, one row of all panels
    /// after the other; there is room for an even number of panels and for [`HEIGHT`] rows.
    pub(super) fn spread(&self, depth: usize, sum: impl Fn(&Range, &Range, &mut [Floats]) + Sync) {
        thread_local! {
            static SUMS: std::cell::RefCell<Vec<Floats>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        let &Self { m, n_panels, .. } = self;
        // An even number of panels, so that a gate and what it opens are together.
        let n_threads = rayon::current_num_threads();
        let group = n_panels.div_ceil(2 * n_threads).next_multiple_of(2).min(GROUP);
        let heights = m.div_ceil(HEIGHT);
        let tasks = heights * n_panels.div_ceil(group);
        let task = |i: usize| {
            let (height, first) = (i % heights * HEIGHT, i / heights * group);
            let (rows, panels) = (height..m.min(height + HEIGHT), first..n_panels.min(first + group));
            SUMS.with_borrow_mut(|sums| {
                sums.resize(HEIGHT * GROUP, Floats::ZERO);
                sum(&rows, &panels, sums);
                self.finish(&rows, &panels, sums);
            });
        };
        if n_threads == 1 || m * depth * n_panels * PANEL < PARALLEL_FROM {
            (0..tasks).for_each(task);
        } else {
            (0..tasks).into_par_iter().for_each(task);
        }
    }

    /// Writes the finished sums where they belong.
    fn finish(&self, rows: &Range, panels: &Range, sums: &mut [Floats]) {
        let per_panel = if matches!(self.end, End::Gate(_)) { PANEL / 2 } else { PANEL };
        let (from, to) = (panels.start * per_panel, (panels.end * per_panel).min(self.width));
        for (row, sums) in rows.clone().zip(sums.chunks_exact_mut(stride(panels))) {
            let sums = &mut Line::flatten_mut(sums)[..panels.len() * PANEL];
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

/// Lines from one row of sums to the next: an even number.
pub(super) fn stride(panels: &Range) -> usize {
    panels.len().next_multiple_of(2)
}
