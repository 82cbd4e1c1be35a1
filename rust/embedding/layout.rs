//! Weights as they lie in files, (out, in), brought into the layouts that products read.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::ops::lanes::{nearest, range};
use super::ops::lines::{Bytes, Halves, TILE};
use super::ops::{PANEL, Quads, Values, WeightLayout};

/// Rows of weights that are laid out at a time: some lines of the cache.
const LINE: usize = 64;

/// Type and bytes of the numbers of one layer.
pub(crate) type Source<'a> = (Dtype, &'a [u8]);

/// Which row of which source becomes a column; none for zeros.
pub(crate) type Column = Option<(usize, usize)>;

/// Lays rows of `n_in` numbers out as columns.
pub(crate) fn lay_out(
    sources: &[Source],
    columns: &[Column],
    n_in: usize,
    layout: WeightLayout,
    device: &Device,
) -> Result<Values> {
    let n_panels = columns.len().div_ceil(PANEL);
    let shape = (n_panels, n_in, PANEL);
    let is_bfloat16 = sources.iter().all(|(dtype, _)| *dtype == Dtype::BF16);
    match layout {
        WeightLayout::Matrix => {
            let mut values = vec![0f32; n_in * columns.len()];
            fill_matrix(&mut values, sources, n_in, columns);
            Ok(Values::Matrix(Tensor::from_vec(values, (n_in, columns.len()), device)?))
        }
        WeightLayout::Panels if is_bfloat16 => {
            let mut values = vec![bf16::ZERO; n_panels * n_in * PANEL];
            fill_panels(&mut values, sources, n_in, columns, |_, bytes, line| read(bytes, line, bf16::from_le_bytes));
            Ok(Values::Panels(Tensor::from_vec(values, shape, device)?))
        }
        WeightLayout::Panels => {
            let mut values = vec![0f32; n_panels * n_in * PANEL];
            fill_panels(&mut values, sources, n_in, columns, convert);
            Ok(Values::Panels(Tensor::from_vec(values, shape, device)?))
        }
        WeightLayout::Pairs => Ok(halves::<1>(sources, columns, n_in, 1)),
        WeightLayout::Parts if is_bfloat16 => Ok(halves::<1>(sources, columns, n_in, 3)),
        WeightLayout::Parts => Ok(halves::<3>(sources, columns, n_in, 3)),
        WeightLayout::Quads => Ok(Values::Quads(Arc::new(quads(sources, columns, n_in)))),
    }
}

/// Columns in tiles of bfloat16 numbers, in as many parts.
fn halves<const PARTS: usize>(sources: &[Source], columns: &[Column], n_in: usize, x_parts: usize) -> Values {
    let panel = Halves::n_tiles(n_in) * PARTS * TILE;
    let mut lines = vec![Halves::ZERO; columns.len().div_ceil(PANEL) * panel];
    lines.par_chunks_mut(panel).zip(columns.par_chunks(PANEL)).for_each(|(lines, columns)| {
        for_each_column(sources, columns, n_in, |j, column| {
            for (row, &x) in column.iter().enumerate() {
                let (tile, line, place) = (row / 32 * PARTS, row % 32 / 2, 2 * j + row % 2);
                let mut rest = x;
                for part in 0..PARTS {
                    let rounded = bf16::from_f32(rest);
                    lines[(tile + part) * TILE + line].0[place] = rounded;
                    rest -= rounded.to_f32();
                }
            }
        });
    });
    Values::Halves { lines: lines.into(), n_parts: (x_parts, PARTS) }
}

/// Columns in tiles of bytes.
fn quads(sources: &[Source], columns: &[Column], n_in: usize) -> Quads {
    let panel = Bytes::n_tiles(n_in) * TILE;
    let n_panels = columns.len().div_ceil(PANEL);
    let mut lines = vec![Bytes::ZERO; n_panels * panel];
    let (mut scales, mut sums) = (vec![0f32; n_panels * PANEL], vec![0i32; n_panels * PANEL]);
    let of_columns = columns.par_chunks(PANEL).zip(scales.par_chunks_mut(PANEL).zip(sums.par_chunks_mut(PANEL)));
    lines.par_chunks_mut(panel).zip(of_columns).for_each(|(lines, (columns, (scales, sums)))| {
        for_each_column(sources, columns, n_in, |j, column| {
            let (least, most, nothing) = range(column);
            let size = most.max(-least);
            // Below this its reciprocal is not finite.
            let (scale, factor) = if size < 1e-36 { (0.0, 0.0) } else { (size / 127.0, 127.0 / size) };
            scales[j] = scale + nothing;
            for (row, &x) in column.iter().enumerate() {
                let byte = nearest(x * factor);
                sums[j] += byte;
                lines[row / 64 * TILE + row % 64 / 4].0[4 * j + row % 4] = byte as i8;
            }
        });
    });
    Quads { lines, scales, sums }
}

/// Calls `work` with the place and the numbers of every column that is there.
fn for_each_column(sources: &[Source], columns: &[Column], n_in: usize, mut work: impl FnMut(usize, &[f32])) {
    let mut numbers = vec![0f32; n_in];
    for (j, column) in columns.iter().enumerate() {
        let Some((source, row)) = *column else { continue };
        let (dtype, bytes) = sources[source];
        let size = n_in * n_bytes(dtype);
        convert(dtype, &bytes[row * size..(row + 1) * size], &mut numbers);
        work(j, &numbers);
    }
}

/// Columns in panels of 16: (panels, in, 16).
fn fill_panels<T: Copy + Default + Send>(
    values: &mut [T],
    sources: &[Source],
    n_in: usize,
    columns: &[Column],
    read: impl Fn(Dtype, &[u8], &mut [T]) + Sync,
) {
    values.par_chunks_mut(n_in * PANEL).zip(columns.par_chunks(PANEL)).for_each(|(panel, columns)| {
        let mut line = [T::default(); LINE];
        for (block, part) in panel.chunks_mut(LINE * PANEL).enumerate() {
            let n = part.len() / PANEL;
            for (j, column) in columns.iter().enumerate() {
                let Some((source, row)) = *column else { continue };
                let (dtype, bytes) = sources[source];
                let at = (row * n_in + block * LINE) * n_bytes(dtype);
                read(dtype, &bytes[at..at + n * n_bytes(dtype)], &mut line[..n]);
                for (to, value) in part[j..].iter_mut().step_by(PANEL).zip(&line[..n]) {
                    *to = *value;
                }
            }
        }
    });
}

/// Columns one beside the other: (in, out).
fn fill_matrix(values: &mut [f32], sources: &[Source], n_in: usize, columns: &[Column]) {
    let n_out = columns.len();
    values.par_chunks_mut(LINE * n_out).enumerate().for_each(|(block, rows)| {
        let mut line = [0f32; LINE];
        let n = rows.len() / n_out;
        for (j, column) in columns.iter().enumerate() {
            let Some((source, row)) = *column else { continue };
            let (dtype, bytes) = sources[source];
            let at = (row * n_in + block * LINE) * n_bytes(dtype);
            convert(dtype, &bytes[at..at + n * n_bytes(dtype)], &mut line[..n]);
            for (to, value) in rows[j..].iter_mut().step_by(n_out).zip(&line[..n]) {
                *to = *value;
            }
        }
    });
}

/// Bytes of one number of the types that weights may have: F32, F16, BF16.
pub(super) fn n_bytes(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

/// Reads the numbers in `bytes` as float32.
pub(super) fn convert(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => read(bytes, out, f32::from_le_bytes),
        Dtype::F16 => read(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
        _ => read(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
    }
}

fn read<T, const SIZE: usize>(bytes: &[u8], out: &mut [T], number: impl Fn([u8; SIZE]) -> T) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = number(*bytes);
    }
}
