//! Integer products of byte codes with the wider codes of queries: the inner loop of every scan.
//!
//! Written out, because compilers turn the plain loop into the right instructions for one query only. What limits it is
//! the multiplications: sharing what is loaded, of rows and of queries, between several of each leaves little else.

#[cfg(target_arch = "x86_64")]
use crate::cpu::{Cpu, Tier};

/// Rows of codes and of queries are filled up with zeros to a multiple of this.
pub(super) const BLOCK: usize = 32;
/// How many queries share one pass over the codes.
pub(super) const QUERIES: usize = 4;

/// Products of each row of `codes` with each query, exact: `products[q][row]`.
///
/// All queries are equally long, a multiple of [`BLOCK`] greater than 0, as are the rows; sums fit into 32 bits by
/// the caller's choice of codes.
pub(super) fn products<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], products: [&mut [i32]; Q]) {
    #[cfg(target_arch = "x86_64")]
    match Cpu::current().tier() {
        Tier::Baseline => {}
        // SAFETY: the tier is the proof that the processor knows these instructions.
        Tier::Avx2 => return unsafe { x86::products_avx2(codes, queries, products) },
        // SAFETY: as above.
        Tier::Avx512 => return unsafe { x86::products_avx512(codes, queries, products) },
        Tier::Avx512Vnni | Tier::Avx512Bf16 | Tier::Amx => {
            // SAFETY: as above.
            return unsafe { x86::products_vnni(codes, queries, products) };
        }
    }
    plain(codes, queries, products);
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
        __m256i, __m512i, _MM_HINT_T0, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_prefetch,
        _mm_shuffle_epi32, _mm256_add_epi32, _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_extracti128_si256,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256, _mm512_add_epi32, _mm512_cvtepi8_epi16,
        _mm512_dpwssd_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_reduce_add_epi32, _mm512_setzero_si512,
    };

    use super::BLOCK;

    /// Rows that go over what was loaded of the queries together: their sums fill the registers.
    const ROWS: usize = 4;

    /// Some rows of `codes` from `first` on, the last one again where there are fewer, in pieces of `N` bytes.
    #[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
    #[inline(always)]
    fn rows_from<const R: usize, const N: usize>(codes: &[i8], width: usize, first: usize) -> (usize, [&[[i8; N]]; R]) {
        let n = (codes.len() / width - first).min(R);
        (n, std::array::from_fn(|row| codes[(first + row.min(n - 1)) * width..][..width].as_chunks::<N>().0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn products_avx2<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], mut products: [&mut [i32]; Q]) {
        let (width, n_blocks) = (queries[0].len(), queries[0].len() / BLOCK);
        let queries = queries.map(|query| &query.as_chunks::<BLOCK>().0[..n_blocks]);
        // 16 registers hold the sums of two rows.
        for first in (0..codes.len() / width).step_by(2) {
            let (n, rows) = rows_from::<2, BLOCK>(codes, width, first);
            let mut sums = [[_mm256_setzero_si256(); Q]; 2];
            for block in 0..n_blocks {
                // SAFETY: rows and queries have that many blocks; checks were a quarter of the instructions.
                let rows = rows.map(|row| unsafe { row.get_unchecked(block) });
                // SAFETY: as above.
                let queries = queries.map(|query| unsafe { query.get_unchecked(block) });
                // Rows come from the second-level cache, and waiting for them took a quarter of the time.
                rows.iter().for_each(|row| prefetch(row.as_ptr().wrapping_add(2 * width)));
                for half in 0..2 {
                    let codes = rows.map(|row| {
                        // SAFETY: the reference is to 32 bytes, of which these are 16.
                        let codes = unsafe { _mm_loadu_si128(row.as_ptr().add(16 * half).cast()) };
                        _mm256_cvtepi8_epi16(codes)
                    });
                    for (query, numbers) in queries.iter().enumerate() {
                        // SAFETY: the reference is to 64 bytes, of which these are 32.
                        let numbers = unsafe { _mm256_loadu_si256(numbers.as_ptr().add(16 * half).cast()) };
                        for (sums, codes) in sums.iter_mut().zip(codes) {
                            sums[query] = _mm256_add_epi32(sums[query], _mm256_madd_epi16(codes, numbers));
                        }
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

    /// Asks for what lies there, or may lie there, before it is needed.
    #[inline]
    fn prefetch(codes: *const i8) {
        // SAFETY: a hint, which every processor of the target knows, and no access.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(codes) };
    }

    #[target_feature(enable = "avx2")]
    fn sum_of_lanes(lanes: __m256i) -> i32 {
        let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    pub(super) fn products_avx512<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], products: [&mut [i32]; Q]) {
        let add = |sum, codes, query| _mm512_add_epi32(sum, _mm512_madd_epi16(codes, query));
        products_512(codes, queries, products, add);
    }

    /// Multiplies and adds in one instruction.
    #[target_feature(enable = "avx512f,avx512bw,avx2,avx512vnni")]
    pub(super) fn products_vnni<const Q: usize>(codes: &[i8], queries: [&[i16]; Q], products: [&mut [i32]; Q]) {
        products_512(codes, queries, products, |sum, codes, query| _mm512_dpwssd_epi32(sum, codes, query));
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2")]
    fn products_512<const Q: usize>(
        codes: &[i8],
        queries: [&[i16]; Q],
        mut products: [&mut [i32]; Q],
        add: impl Fn(__m512i, __m512i, __m512i) -> __m512i,
    ) {
        let width = queries[0].len();
        let queries = queries.map(|query| &query.as_chunks::<BLOCK>().0[..width / BLOCK]);
        for first in (0..codes.len() / width).step_by(ROWS) {
            let (n, rows) = rows_from::<ROWS, BLOCK>(codes, width, first);
            let mut sums = [[_mm512_setzero_si512(); Q]; ROWS];
            for block in 0..width / BLOCK {
                let queries = queries.map(|query| {
                    // SAFETY: queries have that many blocks, of 64 bytes.
                    unsafe { _mm512_loadu_si512(query.get_unchecked(block).as_ptr().cast()) }
                });
                for (sums, row) in sums.iter_mut().zip(rows) {
                    // SAFETY: rows as well, of 32 bytes.
                    let codes = unsafe { _mm256_loadu_si256(row.get_unchecked(block).as_ptr().cast()) };
                    let codes = _mm512_cvtepi8_epi16(codes);
                    for (sum, query) in sums.iter_mut().zip(queries) {
                        *sum = add(*sum, codes, query);
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
