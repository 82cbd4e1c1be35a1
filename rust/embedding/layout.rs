//! Weights as they lie in files, (out, in), brought into the layouts that products read.

use candle_core::{Device, Result, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::ops::{PANEL, WeightLayout};

/// Rows of weights that are laid out at a time: some lines of the cache.
const LINE: usize = 64;

/// Type and bytes of the numbers of one layer.
pub(super) type Source<'a> = (Dtype, &'a [u8]);

/// Which row of which source becomes a column; none for zeros.
pub(super) type Column = Option<(usize, usize)>;

/// Lays rows of `n_in` numbers out as columns.
pub(super) fn lay_out(
    sources: &[Source],
    columns: &[Column],
    n_in: usize,
    layout: WeightLayout,
    device: &Device,
) -> Result<Tensor> {
    if layout == WeightLayout::Matrix {
        let mut values = vec![0f32; n_in * columns.len()];
        fill_matrix(&mut values, sources, n_in, columns);
        return Tensor::from_vec(values, (n_in, columns.len()), device);
    }
    let n_panels = columns.len().div_ceil(PANEL);
    let shape = (n_panels, n_in, PANEL);
    if layout == WeightLayout::Pairs {
        let n_pairs = n_in.div_ceil(2);
        let mut values = vec![bf16::ZERO; n_panels * n_pairs * PANEL * 2];
        let round = |dtype, bytes: &[u8], line: &mut [[bf16; 2]]| {
            let mut wide = [0f32; 2 * LINE];
            convert(dtype, bytes, &mut wide);
            for (pair, numbers) in line.iter_mut().zip(wide.as_chunks().0) {
                *pair = numbers.map(bf16::from_f32);
            }
        };
        fill_panels(values.as_chunks_mut().0, sources, n_in, 2, columns, round);
        Tensor::from_vec(values, (n_panels, n_pairs, PANEL, 2), device)
    } else if sources.iter().all(|(dtype, _)| *dtype == Dtype::BF16) {
        let mut values = vec![bf16::ZERO; n_panels * n_in * PANEL];
        fill_panels(&mut values, sources, n_in, 1, columns, |_, bytes, line| read(bytes, line, bf16::from_le_bytes));
        Tensor::from_vec(values, shape, device)
    } else {
        let mut values = vec![0f32; n_panels * n_in * PANEL];
        fill_panels(&mut values, sources, n_in, 1, columns, convert);
        Tensor::from_vec(values, shape, device)
    }
}

/// Columns in panels of 16: (panels, in / `size`, 16) where each value is made of `size` numbers, the last perhaps of fewer.
fn fill_panels<T: Copy + Default + Send>(
    values: &mut [T],
    sources: &[Source],
    n_in: usize,
    size: usize,
    columns: &[Column],
    read: impl Fn(Dtype, &[u8], &mut [T]) + Sync,
) {
    let depth = n_in.div_ceil(size);
    values.par_chunks_mut(depth * PANEL).zip(columns.par_chunks(PANEL)).for_each(|(panel, columns)| {
        let mut line = [T::default(); LINE];
        for (first, part) in (0..n_in).step_by(LINE * size).zip(panel.chunks_mut(LINE * PANEL)) {
            let n = part.len() / PANEL;
            let n_numbers = (n * size).min(n_in - first);
            for (j, column) in columns.iter().enumerate() {
                let Some((source, row)) = *column else { continue };
                let (dtype, bytes) = sources[source];
                let at = (row * n_in + first) * n_bytes(dtype);
                read(dtype, &bytes[at..at + n_numbers * n_bytes(dtype)], &mut line[..n]);
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
