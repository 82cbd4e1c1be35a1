//! Tables whose rows are looked up by number.
//!
//! On the CPU without Candle's own operations: those for large tensors run in a pool of threads of its own, which obeys
//! no setting of ours and is dead in a forked process, where they would wait for it for ever.

use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor, bail};
use half::{bf16, f16};

use super::for_each_row;

/// Rows in the type of their file, which saves half of their memory where that is a short one.
#[derive(Debug, Clone)]
pub struct Table {
    /// (rows, width), float32, float16 or bfloat16.
    rows: Tensor,
    scale: f32,
}

impl Table {
    /// Takes rows, and a factor for all of them.
    #[must_use]
    pub fn new(rows: Tensor, scale: f32) -> Self {
        Self { rows, scale }
    }

    /// How many rows there are.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.dims().first().copied().unwrap_or(0)
    }

    /// How wide a row is.
    #[must_use]
    pub fn width(&self) -> usize {
        self.rows.dims().last().copied().unwrap_or(0)
    }

    /// Rows of tables of one width, each at as many numbers, added up: (n, width), float32.
    ///
    /// # Errors
    /// A number without a row, or tables that do not fit.
    pub fn look_up(tables: &[(&Self, &[u32])]) -> Result<Tensor> {
        let Some((first, numbers)) = tables.first() else { bail!("no table to look numbers up in") };
        let (n, width, device) = (numbers.len(), first.width(), first.rows.device());
        if !device.is_cpu() {
            return Self::composed(tables, device);
        }
        let mut out = vec![0f32; n * width];
        for (table, numbers) in tables {
            if table.width() != width || numbers.len() != n {
                bail!("a table of width {} at {} numbers, expected {width} at {n}", table.width(), numbers.len());
            }
            if let Some(number) = numbers.iter().find(|&&number| number as usize >= table.n_rows()) {
                bail!("a table of {} rows was asked for row {number}", table.n_rows());
            }
            let (storage, layout) = table.rows.storage_and_layout();
            match (&*storage, layout.contiguous_offsets()) {
                (Storage::Cpu(CpuStorage::F32(rows)), Some((from, _))) => {
                    add(&mut out, &rows[from..], numbers, width, |x| table.scale * x);
                }
                (Storage::Cpu(CpuStorage::F16(rows)), Some((from, _))) => {
                    add(&mut out, &rows[from..], numbers, width, |x: f16| table.scale * x.to_f32());
                }
                (Storage::Cpu(CpuStorage::BF16(rows)), Some((from, _))) => {
                    add(&mut out, &rows[from..], numbers, width, |x: bf16| table.scale * x.to_f32());
                }
                _ => bail!("expected a table of floats"),
            }
        }
        Tensor::from_vec(out, (n, width), device)
    }

    /// The same from the device's own operations.
    pub(super) fn composed(tables: &[(&Self, &[u32])], device: &Device) -> Result<Tensor> {
        let rows = tables.iter().map(|(table, numbers)| {
            let numbers = Tensor::new(*numbers, device)?;
            table.rows.index_select(&numbers, 0)?.to_dtype(DType::F32)? * f64::from(table.scale)
        });
        rows.reduce(|sum, rows| sum? + rows?).unwrap_or_else(|| bail!("no table to look numbers up in"))
    }
}

fn add<T: Copy + Sync>(out: &mut [f32], rows: &[T], numbers: &[u32], width: usize, widen: impl Fn(T) -> f32 + Sync) {
    for_each_row(out, width, |i, out| {
        let row = &rows[numbers[i] as usize * width..][..width];
        out.iter_mut().zip(row).for_each(|(sum, value)| *sum += widen(*value));
    });
}
