//! Rows in 16 bits a number: a decision reads all of them, and reading is what it takes.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};

use crate::cpu::for_each_cpu;

/// The largest number of 16 bits that is used; the range is symmetric.
const LARGEST: f32 = 32_767.0;
/// How many partial sums run side by side; rows are filled up with zeros to a multiple of it.
const LANES: usize = 32;

/// Rows (n, d) as `unit * number`, a unit for each column: off by 2e-5 of the column's largest number at most.
#[derive(Debug)]
pub(super) struct ShortRows {
    /// Of each column, filled up.
    units: Vec<f32>,
    numbers: Vec<i16>,
    /// Of what the numbers stand for, (n,).
    squared_norms: Vec<f32>,
}

/// A row that others are multiplied with.
#[derive(Debug)]
pub(super) struct ShortQuery {
    /// Times the units.
    values: Vec<f32>,
    pub(super) squared_norm: f32,
}

impl ShortRows {
    /// Keeps rows (n, d), finite.
    pub(super) fn of(rows: ArrayView2<'_, f32>) -> Self {
        let mut units = vec![f32::MIN_POSITIVE; rows.ncols().next_multiple_of(LANES)];
        for row in rows.outer_iter() {
            for (unit, value) in units.iter_mut().zip(row) {
                *unit = unit.max(value.abs() / LARGEST);
            }
        }
        let mut numbers = Vec::with_capacity(rows.nrows() * units.len());
        let mut squared_norms = Vec::with_capacity(rows.nrows());
        for row in rows.outer_iter() {
            let start = numbers.len();
            #[expect(clippy::cast_possible_truncation, reason = "the unit keeps it within 16 bits")]
            numbers.extend(row.iter().zip(&units).map(|(value, unit)| (value / unit).round() as i16));
            numbers.resize(start + units.len(), 0);
            let decoded = numbers[start..].iter().zip(&units).map(|(number, unit)| f32::from(*number) * unit);
            squared_norms.push(squared_norm(decoded));
        }
        Self { units, numbers, squared_norms }
    }

    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        self.squared_norms.len()
    }

    /// The squared norms of some rows.
    pub(super) fn squared_norms(&self, rows: Range<usize>) -> &[f32] {
        &self.squared_norms[rows]
    }

    /// Prepares a row (d,) for products.
    pub(super) fn query(&self, row: ArrayView1<'_, f32>) -> ShortQuery {
        let mut values: Vec<f32> = row.iter().zip(&self.units).map(|(value, unit)| value * unit).collect();
        values.resize(self.units.len(), 0.0);
        ShortQuery { values, squared_norm: squared_norm(row.iter().copied()) }
    }

    /// Products of some rows with a query.
    pub(super) fn products(&self, rows: Range<usize>, query: &ShortQuery, products: &mut [f32]) {
        let width = self.units.len();
        multiply(&self.numbers[rows.start * width..rows.end * width], &query.values, products);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once")]
fn squared_norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| f64::from(value) * f64::from(value)).sum::<f64>() as f32
}

for_each_cpu! {
    /// Products of rows, one after the other, with a query as wide, a multiple of [`LANES`]; the same bits everywhere.
    ///
    /// Written out: what compilers make of the plain loop takes five times as long.
    fn multiply(rows: &[i16], query: &[f32], products: &mut [f32]) =
        avx512 x86::multiply_avx512, avx2 x86::multiply_avx2, baseline plain
}

fn plain(rows: &[i16], query: &[f32], products: &mut [f32]) {
    each_product(rows, query, products, |row, query| {
        let mut sums = [0.0_f32; LANES];
        for (numbers, values) in row.iter().zip(query) {
            for lane in 0..LANES {
                sums[lane] += f32::from(numbers[lane]) * values[lane];
            }
        }
        sums
    });
}

/// Adds up the partial sums of every row.
#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn each_product(
    rows: &[i16],
    query: &[f32],
    products: &mut [f32],
    partial_sums: impl Fn(&[[i16; LANES]], &[[f32; LANES]]) -> [f32; LANES],
) {
    if query.is_empty() {
        return products.fill(0.0);
    }
    let query = query.as_chunks::<LANES>().0;
    for (row, product) in rows.as_chunks::<LANES>().0.chunks_exact(query.len()).zip(products) {
        let mut sums = partial_sums(row, query);
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] += sums[lane + width];
            }
            width /= 2;
        }
        *product = sums[0];
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_add_ps, _mm256_cvtepi16_epi32, _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_loadu_si256,
        _mm256_mul_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_cvtepi16_epi32, _mm512_cvtepi32_ps,
        _mm512_loadu_ps, _mm512_mul_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{LANES, each_product};

    #[target_feature(enable = "avx512f")]
    pub(super) fn multiply_avx512(rows: &[i16], query: &[f32], products: &mut [f32]) {
        each_product(rows, query, products, |row, query| {
            let mut sums = [_mm512_setzero_ps(); LANES / 16];
            for (numbers, values) in row.iter().zip(query) {
                let (numbers, values) = (numbers.as_chunks::<16>().0, values.as_chunks::<16>().0);
                for ((sum, numbers), values) in sums.iter_mut().zip(numbers).zip(values) {
                    // SAFETY: the references are to 32 and to 64 bytes.
                    let (numbers, values) =
                        unsafe { (_mm256_loadu_si256(numbers.as_ptr().cast()), _mm512_loadu_ps(values.as_ptr())) };
                    let numbers = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(numbers));
                    *sum = _mm512_add_ps(*sum, _mm512_mul_ps(numbers, values));
                }
            }
            let mut lanes = [0.0; LANES];
            for (sum, lanes) in sums.into_iter().zip(lanes.as_chunks_mut::<16>().0) {
                // SAFETY: the reference is to 64 bytes.
                unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sum) };
            }
            lanes
        });
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn multiply_avx2(rows: &[i16], query: &[f32], products: &mut [f32]) {
        each_product(rows, query, products, |row, query| {
            let mut sums = [_mm256_setzero_ps(); LANES / 8];
            for (numbers, values) in row.iter().zip(query) {
                let (numbers, values) = (numbers.as_chunks::<8>().0, values.as_chunks::<8>().0);
                for ((sum, numbers), values) in sums.iter_mut().zip(numbers).zip(values) {
                    // SAFETY: the references are to 16 and to 32 bytes.
                    let (numbers, values) =
                        unsafe { (_mm_loadu_si128(numbers.as_ptr().cast()), _mm256_loadu_ps(values.as_ptr())) };
                    let numbers = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(numbers));
                    *sum = _mm256_add_ps(*sum, _mm256_mul_ps(numbers, values));
                }
            }
            let mut lanes = [0.0; LANES];
            for (sum, lanes) in sums.into_iter().zip(lanes.as_chunks_mut::<8>().0) {
                // SAFETY: the reference is to 32 bytes.
                unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
            }
            lanes
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView2;

    use super::ShortRows;
    use crate::cpu::Tier;
    use crate::cpu::forced::{bits, numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_products() -> Result<(), ndarray::ShapeError> {
        for (n_rows, width) in [(1, 1), (5, 33), (70, 96)] {
            let (values, query) = (numbers(n_rows * width, 37), numbers(width, 101));
            let rows = ArrayView2::from_shape((n_rows, width), &values)?;
            let short = ShortRows::of(rows);
            let query = short.query(ArrayView2::from_shape((1, width), &query)?.row(0));
            same_on_every_tier(Tier::Baseline, || {
                let mut products = vec![0.0; n_rows];
                short.products(0..n_rows, &query, &mut products);
                bits(&products)
            });
        }
        Ok(())
    }

    #[test]
    fn columns_of_all_sizes_keep_their_numbers() -> Result<(), ndarray::ShapeError> {
        let values = [3e30_f32, 1.0, 2e-20, 0.0, -1e30, 0.25, 1e-20, 0.0];
        let rows = ArrayView2::from_shape((2, 4), &values)?;
        let short = ShortRows::of(rows);
        for (column, value) in values.iter().take(4).enumerate() {
            let mut query = [0.0; 4];
            query[column] = 1.0;
            let mut product = [0.0; 2];
            short.products(0..2, &short.query(ArrayView2::from_shape((1, 4), &query)?.row(0)), &mut product);
            for (found, expected) in product.iter().zip([*value, values[4 + column]]) {
                assert!((found - expected).abs() <= 2e-5 * value.abs(), "{found} {expected}");
            }
        }
        Ok(())
    }
}
