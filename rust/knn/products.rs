//! Integer products of byte codes with the wider codes of queries: the inner loop of every scan.
//!
//! Compilers turn the plain loop into the right instructions (`vpmovsxbw`, `vpmaddwd`, `vpaddd`) for one query only,
//! and 25 % slower than written out; for four queries at once, which halves the time of each, they do not at all.

use crate::cpu::for_each_cpu;

/// Rows of codes and of queries are filled up with zeros to a multiple of this.
pub(super) const BLOCK: usize = 32;
/// How many queries share one pass over the codes.
pub(super) const QUERIES: usize = 4;

for_each_cpu! {
    /// Products of each row of `codes` with each query, exact: `products[q][row]`.
    ///
    /// All queries are equally long, a multiple of [`BLOCK`] greater than 0, as are the rows; sums fit into 32 bits by
    /// the caller's choice of codes.
    pub(super) fn products[const Q: usize](codes: &[i8], queries: [&[i16]; Q], products: [&mut [i32]; Q]) =
        avx512 x86::products_avx512, avx2 x86::products_avx2, baseline plain
}

fn plain<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], products: [&mut [i32]; Q]) {
    for (query, products) in queries.into_iter().zip(products) {
        for (row, product) in codes.chunks_exact(query.len()).zip(products) {
            *product = row.iter().zip(query).map(|(code, query)| i32::from(*code) * i32::from(*query)).sum();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_setzero_si256, _mm512_add_epi32, _mm512_cvtepi8_epi16, _mm512_loadu_si512, _mm512_madd_epi16,
        _mm512_reduce_add_epi32, _mm512_setzero_si512,
    };

    use super::BLOCK;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn products_avx2<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], mut products: [&mut [i32]; Q]) {
        let width = queries[0].len();
        let n_rows = codes.len() / width;
        let queries = queries.map(|query| &query.as_chunks::<16>().0[..width / 16]);
        // Two rows at a time use what was loaded of the queries twice.
        for first in (0..n_rows).step_by(2) {
            let n = (n_rows - first).min(2);
            let rows: [&[[i8; 16]]; 2] =
                std::array::from_fn(|row| codes[(first + row.min(n - 1)) * width..][..width].as_chunks::<16>().0);
            let mut sums = [[_mm256_setzero_si256(); Q]; 2];
            for block in 0..width / 16 {
                for (sums, row) in sums.iter_mut().zip(rows) {
                    // SAFETY: the reference is to 16 bytes.
                    let codes = unsafe { _mm_loadu_si128(std::ptr::from_ref(&row[block]).cast()) };
                    let codes = _mm256_cvtepi8_epi16(codes);
                    for (sum, query) in sums.iter_mut().zip(queries) {
                        // SAFETY: the reference is to 32 bytes.
                        let query = unsafe { _mm256_loadu_si256(std::ptr::from_ref(&query[block]).cast()) };
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(codes, query));
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate().take(n) {
                for (sum, products) in sums.iter().zip(&mut products) {
                    products[first + row] = sum_of_lanes(*sum);
                }
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn sum_of_lanes(lanes: __m256i) -> i32 {
        let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    pub(super) fn products_avx512<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], mut products: [&mut [i32]; Q]) {
        let width = queries[0].len();
        let n_rows = codes.len() / width;
        let queries = queries.map(|query| &query.as_chunks::<BLOCK>().0[..width / BLOCK]);
        for first in (0..n_rows).step_by(2) {
            let n = (n_rows - first).min(2);
            let rows: [&[[i8; BLOCK]]; 2] =
                std::array::from_fn(|row| codes[(first + row.min(n - 1)) * width..][..width].as_chunks::<BLOCK>().0);
            let mut sums = [[_mm512_setzero_si512(); Q]; 2];
            for block in 0..width / BLOCK {
                for (sums, row) in sums.iter_mut().zip(rows) {
                    // SAFETY: the reference is to 32 bytes.
                    let codes = unsafe { _mm256_loadu_si256(std::ptr::from_ref(&row[block]).cast()) };
                    let codes = _mm512_cvtepi8_epi16(codes);
                    for (sum, query) in sums.iter_mut().zip(queries) {
                        // SAFETY: the reference is to 64 bytes.
                        let query = unsafe { _mm512_loadu_si512(std::ptr::from_ref(&query[block]).cast()) };
                        *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(codes, query));
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate().take(n) {
                for (sum, products) in sums.iter().zip(&mut products) {
                    products[first + row] = _mm512_reduce_add_epi32(*sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, products};
    use crate::cpu::Tier;
    use crate::cpu::forced::same_on_every_tier;

    #[test]
    fn every_tier_gives_the_plain_products() {
        for (n_rows, width) in [(1, 32), (2, 64), (7, 800)] {
            let mut state = 1_u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 16
            };
            let codes: Vec<i8> = (0..n_rows * width).map(|_| (next() % 255) as u8 as i8).collect();
            let queries: Vec<Vec<i16>> =
                (0..4).map(|_| (0..width).map(|_| (next() % 40_000) as u16 as i16 / 2).collect()).collect();
            let queries: [&[i16]; 4] = std::array::from_fn(|query| queries[query].as_slice());
            let mut expected = vec![vec![0; n_rows]; 4];
            let [a, b, c, d] = expected.as_mut_slice() else { return };
            plain(&codes, queries, [a, b, c, d]);
            same_on_every_tier(Tier::Baseline, || {
                let mut found = vec![vec![0; n_rows]; 4];
                let mut single = vec![0; n_rows];
                let [a, b, c, d] = found.as_mut_slice() else { return };
                products(&codes, queries, [a, b, c, d]);
                assert_eq!(found, expected);
                products(&codes, [queries[2]], [&mut single]);
                assert_eq!(single, expected[2]);
            });
        }
    }
}
