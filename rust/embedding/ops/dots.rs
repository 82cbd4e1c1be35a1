//! The innermost loop of products of bytes, for processors without tiles: a few rows of x by one panel of 16 columns.
#![expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#![expect(unsafe_op_in_unsafe_fn, reason = "they consist of little else; what they ask for stands above")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_load_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_storeu_si256,
    _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::lanes::PANEL;
use super::lines::{Bytes, Floats, TILE};

/// The instructions for 16 sums of four products each.
///
/// # Safety
/// The caller has the instructions; pointers lead to four bytes of x, a line of weights, 16 sums.
trait Dots {
    type Sums: Copy;
    type Weights: Copy;
    unsafe fn zero() -> Self::Sums;
    unsafe fn load(from: *const Bytes) -> Self::Weights;
    unsafe fn add(sums: Self::Sums, x: *const i32, weights: Self::Weights) -> Self::Sums;
    unsafe fn store(to: *mut i32, sums: Self::Sums);
}

/// Plain loops.
struct Plain;

impl Dots for Plain {
    type Sums = [i32; PANEL];
    type Weights = [[i8; 4]; PANEL];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0; PANEL]
    }

    #[inline(always)]
    unsafe fn load(from: *const Bytes) -> Self::Weights {
        from.cast::<Self::Weights>().read()
    }

    #[inline(always)]
    unsafe fn add(mut sums: Self::Sums, x: *const i32, weights: Self::Weights) -> Self::Sums {
        let x = x.cast::<[i8; 4]>().read().map(i32::from);
        for (sum, w) in sums.iter_mut().zip(weights) {
            *sum += (0..4).map(|i| x[i] * i32::from(w[i])).sum::<i32>();
        }
        sums
    }

    #[inline(always)]
    unsafe fn store(to: *mut i32, sums: Self::Sums) {
        to.cast::<Self::Sums>().write(sums);
    }
}

/// Products of a number without and one with a sign, so the sign of x goes to the weights; no weight is -128, so two
/// products are at most 32,512 and fit into 16 bits.
#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Dots for Avx2 {
    type Sums = [__m256i; 2];
    type Weights = [__m256i; 2];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [_mm256_setzero_si256(); 2]
    }

    #[inline(always)]
    unsafe fn load(from: *const Bytes) -> Self::Weights {
        [_mm256_load_si256(from.cast()), _mm256_load_si256(from.cast::<__m256i>().add(1))]
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, x: *const i32, weights: Self::Weights) -> Self::Sums {
        let x = _mm256_set1_epi32(*x);
        let (size, ones) = (_mm256_abs_epi8(x), _mm256_set1_epi16(1));
        let pairs = [
            _mm256_maddubs_epi16(size, _mm256_sign_epi8(weights[0], x)),
            _mm256_maddubs_epi16(size, _mm256_sign_epi8(weights[1], x)),
        ];
        [
            _mm256_add_epi32(sums[0], _mm256_madd_epi16(pairs[0], ones)),
            _mm256_add_epi32(sums[1], _mm256_madd_epi16(pairs[1], ones)),
        ]
    }

    #[inline(always)]
    unsafe fn store(to: *mut i32, sums: Self::Sums) {
        _mm256_storeu_si256(to.cast(), sums[0]);
        _mm256_storeu_si256(to.add(8).cast(), sums[1]);
    }
}

/// Four products and their sum are one instruction; x comes with 128 added, for it takes x without a sign.
#[cfg(target_arch = "x86_64")]
struct Vnni;

#[cfg(target_arch = "x86_64")]
impl Dots for Vnni {
    type Sums = __m512i;
    type Weights = __m512i;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        _mm512_setzero_si512()
    }

    #[inline(always)]
    unsafe fn load(from: *const Bytes) -> __m512i {
        _mm512_load_si512(from.cast())
    }

    #[inline(always)]
    unsafe fn add(sums: __m512i, x: *const i32, weights: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(*x), weights)
    }

    #[inline(always)]
    unsafe fn store(to: *mut i32, sums: __m512i) {
        _mm512_storeu_si512(to.cast(), sums);
    }
}

/// One strip of x, one panel of weights, and where their sums go.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// Rows of x, up to 16.
    pub n: usize,
    /// Tiles of 16 rows.
    pub x: &'a [Bytes],
    /// As many tiles of 16 columns.
    pub weights: &'a [Bytes],
    /// Lines from one row of sums to the next.
    pub stride: usize,
}

impl Block<'_> {
    /// # Safety
    /// The caller has the instructions of `D`.
    #[inline(always)]
    unsafe fn sum<D: Dots, const N: usize>(self, first: usize, sums: &mut [Floats]) {
        assert!(first + N <= TILE && self.x.len() == self.weights.len() && self.x.len().is_multiple_of(TILE), "tiles");
        let mut totals = [D::zero(); N];
        for (x, weights) in self.x.chunks_exact(TILE).zip(self.weights.chunks_exact(TILE)) {
            for (quad, line) in weights.iter().enumerate() {
                let weights = D::load(line);
                for (total, x) in totals.iter_mut().zip(&x[first..first + N]) {
                    // A line of x has 16 times four bytes.
                    *total = D::add(*total, (&raw const *x).cast::<i32>().add(quad), weights);
                }
            }
        }
        for (i, total) in totals.into_iter().enumerate().take(self.n.saturating_sub(first)) {
            D::store(sums[(first + i) * self.stride].0.as_mut_ptr().cast(), total);
        }
    }

    /// Any processor.
    pub(super) fn plain(self, sums: &mut [Floats]) {
        // SAFETY: plain loops need no instructions.
        (0..self.n).for_each(|row| unsafe { self.sum::<Plain, 1>(row, sums) });
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(self, sums: &mut [Floats]) {
        for first in (0..self.n).step_by(4) {
            // SAFETY: this function has the instructions.
            unsafe {
                match self.n - first {
                    1 => self.sum::<Avx2, 1>(first, sums),
                    2 => self.sum::<Avx2, 2>(first, sums),
                    _ => self.sum::<Avx2, 4>(first, sums),
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")]
    pub(super) fn avx512(self, sums: &mut [Floats]) {
        // SAFETY: this function has the instructions.
        unsafe {
            match self.n {
                1 => self.sum::<Vnni, 1>(0, sums),
                2 => self.sum::<Vnni, 2>(0, sums),
                3..=4 => self.sum::<Vnni, 4>(0, sums),
                5..=8 => self.sum::<Vnni, 8>(0, sums),
                _ => self.sum::<Vnni, 16>(0, sums),
            }
        }
    }
}
