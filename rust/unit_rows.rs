//! Rows brought to unit length, as every vector is before anything else.

use ndarray::{Array2, ArrayView2};

use crate::cpu::for_each_cpu;

/// How many partial sums run side by side.
const LANES: usize = 16;

/// Brings every row (n, d) to unit length; one of zeros stays zero.
///
/// In float64, so that neither tiny nor huge rows lose their length.
#[must_use]
pub fn unit_rows(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut unit = rows.as_standard_layout().into_owned();
    for mut row in unit.outer_iter_mut() {
        if let Some(row) = row.as_slice_mut() {
            to_unit_length(row);
        }
    }
    unit
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rounded once")]
fn to_unit_length_body(row: &mut [f32]) {
    let mut sums = [0.0_f64; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            sums[lane] += f64::from(block[lane]) * f64::from(block[lane]);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*value) * f64::from(*value);
    }
    let length = sums.iter().sum::<f64>().sqrt();
    let length = if length == 0.0 { 1.0 } else { length };
    for value in row {
        *value = (f64::from(*value) / length) as f32;
    }
}

for_each_cpu! {
    fn to_unit_length(row: &mut [f32]) = to_unit_length_body
}

#[cfg(test)]
mod tests {
    use crate::cpu::Tier;
    use crate::cpu::forced::{bits, numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_bits() {
        for width in [0, 1, 15, 16, 77, 768] {
            same_on_every_tier(Tier::Baseline, || {
                let mut row = numbers(width, 37);
                super::to_unit_length(&mut row);
                bits(&row)
            });
        }
    }
}
