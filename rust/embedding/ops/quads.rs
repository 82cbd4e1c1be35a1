//! Products of bytes: weights of every column, and every row of x, by a scale of their own.
//!
//! A column of weights is `scale * bytes` with its largest number at 127; a row of x becomes `scale * (bytes - zero)` when it comes
//! in, all of its range in 256 steps: numbers after an activation are mostly of one sign, and `MiniLM`'s farthest vector is within
//! cosine 0.993 of that in float32 so, 0.986 with zero in the middle. Sums of products are whole numbers, so that every
//! instruction set gives the same ones.

use super::dots::Block;
use super::job::{Job, Range, stride};
use super::lanes::{self, PANEL};
use super::lines::{Bytes, Floats, Line, TILE, in_strips};
#[cfg(target_arch = "x86_64")]
use super::tiles::Tiles;
use crate::cpu::{Cpu, Tier};

/// Weights (in, out) in panels of 16 columns: four rows of a panel are a line, 16 lines a tile.
#[derive(Debug)]
pub struct Quads {
    /// (panels, tiles, 16 lines).
    pub(crate) lines: Vec<Bytes>,
    /// One a column.
    pub(crate) scales: Vec<f32>,
    /// Sums of the bytes of each column.
    pub(crate) sums: Vec<i32>,
}

impl Quads {
    /// How many panels there are.
    pub(super) fn n_panels(&self) -> usize {
        self.scales.len() / PANEL
    }
}

/// Rows of x as bytes.
struct Rows {
    /// In strips of 16, tile after tile.
    lines: Vec<Bytes>,
    /// Scale of each row, and its byte of zero.
    about: Vec<(f32, i32)>,
}

/// `job`'s product of x (m, k) with weights.
///
/// # Panics
/// Where lengths do not fit.
pub(super) fn multiply(x: &[f32], k: usize, weights: &Quads, job: &Job) {
    let tier = Cpu::current().tier();
    let panel = Bytes::n_tiles(k) * TILE;
    assert!(weights.lines.len() == job.n_panels * panel, "{} panels", job.n_panels);
    assert!(weights.scales.len() == job.n_panels * PANEL && weights.sums.len() == weights.scales.len(), "scales");
    // These instructions take x without a sign.
    let rows = quantise(x, k, if matches!(tier, Tier::Avx512Vnni | Tier::Avx512Bf16) { 128 } else { 0 });
    job.spread(k, |range, panels, sums| {
        match tier {
            #[cfg(target_arch = "x86_64")]
            Tier::Amx => Tiles::of_bytes(&rows.lines, &weights.lines, k).sum(range, panels, sums),
            _ => sum(&rows, weights, panel, tier, range, panels, sums),
        }
        let columns = panels.start * PANEL..panels.end * PANEL;
        for (about, sums) in rows.about[range.clone()].iter().zip(sums.chunks_exact_mut(stride(panels))) {
            let of_columns = &weights.sums[columns.clone()];
            lanes::scale_sums(Line::flatten_mut(sums), *about, &weights.scales[columns.clone()], of_columns);
        }
    });
}

fn quantise(x: &[f32], k: usize, offset: i32) -> Rows {
    let write = |row: &[f32], strip: &mut [Bytes], place| lanes::quantise_to_tiles(row, strip, place, offset);
    let (lines, about) = in_strips(x, k, Bytes::ZERO, Bytes::n_tiles(k) * TILE, write);
    Rows { lines, about }
}

/// Fills the sums of some rows and panels.
fn sum(rows: &Rows, weights: &Quads, panel: usize, tier: Tier, range: &Range, panels: &Range, sums: &mut [Floats]) {
    let stride = stride(panels);
    for (i, number) in panels.clone().enumerate() {
        let lines = &weights.lines[number * panel..(number + 1) * panel];
        for first in range.clone().step_by(TILE) {
            let n = TILE.min(range.end - first);
            let x = &rows.lines[first / TILE * panel..][..panel];
            let block = Block { n, x, weights: lines, stride };
            let sums = &mut sums[(first - range.start) * stride + i..];
            match tier {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the tier is the proof of the instructions.
                Tier::Avx512Vnni | Tier::Avx512Bf16 => unsafe { block.avx512(sums) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Tier::Avx2 | Tier::Avx512 => unsafe { block.avx2(sums) },
                _ => block.plain(sums),
            }
        }
    }
}
