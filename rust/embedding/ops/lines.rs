//! Numbers in lines of 64 bytes: a line of the cache, a register of AVX-512, a row of a tile.
//!
//! Tiles are 16 lines. A tile of weights has 16 columns, and 32 rows of bfloat16 numbers (two of each column together) or 64
//! rows of bytes (four together); a tile of x has 16 rows of as many columns. All are filled up with zeros.

use half::bf16;
use rayon::prelude::*;

/// Lines of a tile, columns of one of weights, rows of one of x.
pub(crate) const TILE: usize = 16;

/// One line, at an address that is a multiple of its size.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line<T, const N: usize>(pub(crate) [T; N]);

/// A line of bfloat16 numbers.
pub type Halves = Line<bf16, 32>;
/// A line of bytes.
pub type Bytes = Line<i8, 64>;
/// A line of float32 numbers, or of sums of bytes.
pub(crate) type Floats = Line<f32, 16>;

impl Halves {
    pub(crate) const ZERO: Self = Self([bf16::ZERO; 32]);
}

impl Bytes {
    pub(crate) const ZERO: Self = Self([0; 64]);
}

impl Floats {
    pub(crate) const ZERO: Self = Self([0.0; 16]);
}

impl<T, const N: usize> Line<T, N> {
    /// Tiles that `depth` rows of weights, or columns of x, need.
    pub(crate) fn n_tiles(depth: usize) -> usize {
        // A line holds one row of x.
        depth.div_ceil(N)
    }

    /// The numbers of lines, one after the other.
    pub(crate) fn flatten(lines: &[Self]) -> &[T] {
        // SAFETY: a line is as large as its numbers and holds nothing else.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * N) }
    }

    /// The same, to be written.
    pub(crate) fn flatten_mut(lines: &mut [Self]) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * N) }
    }
}

/// Calls `write(row of x, strip, place in it)` for every row of x (m, k), in parallel where it pays: strips have 16 rows and
/// `strip` lines. Gives the lines, and what `write` gave for each row.
pub(super) fn in_strips<L: Copy + Send, E: Copy + Default + Send>(
    x: &[f32],
    k: usize,
    zero: L,
    strip: usize,
    write: impl Fn(&[f32], &mut [L], usize) -> E + Sync,
) -> (Vec<L>, Vec<E>) {
    let m = x.len() / k;
    let (mut lines, mut about) = (vec![zero; m.div_ceil(TILE) * strip], vec![E::default(); m]);
    let work = |((rows, strip), about): ((&[f32], &mut [L]), &mut [E])| {
        for (place, (row, about)) in rows.chunks_exact(k).zip(about).enumerate() {
            *about = write(row, strip, place);
        }
    };
    if x.len() < super::PARALLEL_FROM {
        x.chunks(TILE * k).zip(lines.chunks_mut(strip)).zip(about.chunks_mut(TILE)).for_each(work);
    } else {
        x.par_chunks(TILE * k).zip(lines.par_chunks_mut(strip)).zip(about.par_chunks_mut(TILE)).for_each(work);
    }
    (lines, about)
}
