//! The innermost loop of every product: a few rows of x by one panel of 16 columns of weights, all sums in registers.
//!
//! Compilers keep such a block in registers only when it is written in vectors (the same loop over arrays reached an
//! eighth of the speed), so each instruction set has its few lines here. Every sum runs over the columns of x in order, one fused
//! multiplication at a time: a row's result does not depend on the rows that are computed with it.
//!
//! # Safety
//! Every unsafe function here asks for the same: its caller runs under the target features of the instruction set, and
//! pointers lead to as many numbers as are read or written.
#![expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#![expect(unsafe_op_in_unsafe_fn, reason = "they consist of nothing else; what they ask for stands above")]

use std::arch::x86_64::{
    __m256, __m512, __m512bh, _mm_loadu_si128, _mm256_add_ps, _mm256_broadcast_ss, _mm256_castsi256_ps,
    _mm256_cvtepu16_epi32, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_storeu_ps, _mm512_add_ps, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
};
use std::mem::transmute;

use half::bf16;

/// Two numbers of one column, one below the other: what the bfloat16 instructions multiply at a time.
pub(crate) type Pair = [bf16; 2];

/// The instructions that a block needs, on panels of 16 numbers.
pub(crate) trait Instructions {
    /// What a row of x consists of.
    type Number: Copy;
    /// Rows of a block: as many as there are registers for their sums.
    const ROWS: usize;
    /// 16 numbers.
    type Panel: Copy;
    /// One number of x, as often as a register holds.
    type Broadcast: Copy;
    /// 16 zeros.
    unsafe fn zero() -> Self::Panel;
    /// Reads 16 numbers.
    unsafe fn load(from: *const f32) -> Self::Panel;
    /// Reads one number of x.
    unsafe fn broadcast(from: *const Self::Number) -> Self::Broadcast;
    /// `a * b + c`; in float32 rounded once.
    unsafe fn multiply_add(a: Self::Broadcast, b: Self::Panel, c: Self::Panel) -> Self::Panel;
    /// `a + b`.
    unsafe fn add(a: Self::Panel, b: Self::Panel) -> Self::Panel;
    /// Writes 16 numbers.
    unsafe fn store(to: *mut f32, panel: Self::Panel);
}

/// AVX2 and FMA: 16 registers of 8.
pub(crate) struct Avx2;

impl Instructions for Avx2 {
    type Number = f32;
    const ROWS: usize = 6;
    type Panel = [__m256; 2];
    type Broadcast = __m256;

    #[inline(always)]
    unsafe fn zero() -> Self::Panel {
        [_mm256_setzero_ps(); 2]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Panel {
        [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))]
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self::Broadcast {
        _mm256_broadcast_ss(&*from)
    }

    #[inline(always)]
    unsafe fn multiply_add(a: Self::Broadcast, b: Self::Panel, c: Self::Panel) -> Self::Panel {
        [_mm256_fmadd_ps(a, b[0], c[0]), _mm256_fmadd_ps(a, b[1], c[1])]
    }

    #[inline(always)]
    unsafe fn add(a: Self::Panel, b: Self::Panel) -> Self::Panel {
        [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])]
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, panel: Self::Panel) {
        _mm256_storeu_ps(to, panel[0]);
        _mm256_storeu_ps(to.add(8), panel[1]);
    }
}

/// AVX-512: 32 registers of 16.
pub(crate) struct Avx512;

impl Instructions for Avx512 {
    type Number = f32;
    const ROWS: usize = 12;
    type Panel = __m512;
    type Broadcast = __m512;

    #[inline(always)]
    unsafe fn zero() -> Self::Panel {
        _mm512_setzero_ps()
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Panel {
        _mm512_loadu_ps(from)
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self::Broadcast {
        _mm512_set1_ps(*from)
    }

    #[inline(always)]
    unsafe fn multiply_add(a: Self::Broadcast, b: Self::Panel, c: Self::Panel) -> Self::Panel {
        _mm512_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    unsafe fn add(a: Self::Panel, b: Self::Panel) -> Self::Panel {
        _mm512_add_ps(a, b)
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, panel: Self::Panel) {
        _mm512_storeu_ps(to, panel);
    }
}

/// AVX-512 with bfloat16: the same registers, two products a number.
pub(crate) struct Avx512Bf16;

impl Instructions for Avx512Bf16 {
    type Number = Pair;
    const ROWS: usize = 12;
    type Panel = __m512;
    type Broadcast = __m512bh;

    #[inline(always)]
    unsafe fn zero() -> Self::Panel {
        Avx512::zero()
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Panel {
        Avx512::load(from)
    }

    #[inline(always)]
    unsafe fn broadcast(from: *const Pair) -> Self::Broadcast {
        transmute(_mm512_set1_epi32(from.cast::<i32>().read_unaligned()))
    }

    /// Adds both products; each step rounds to nearest, and numbers below the smallest normal one count as zero.
    #[inline(always)]
    unsafe fn multiply_add(a: Self::Broadcast, b: Self::Panel, c: Self::Panel) -> Self::Panel {
        _mm512_dpbf16_ps(c, a, transmute::<__m512, __m512bh>(b))
    }

    #[inline(always)]
    unsafe fn add(a: Self::Panel, b: Self::Panel) -> Self::Panel {
        Avx512::add(a, b)
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, panel: Self::Panel) {
        Avx512::store(to, panel);
    }
}

/// A number of the weights as it is stored, for some instructions.
pub(crate) trait Weight<I: Instructions>: Copy + Default + Sync + Send {
    /// The type that costs nothing to read; the value in it is exact.
    type Wide: Weight<I>;
    /// Reads 16 of them.
    unsafe fn load(from: *const Self) -> I::Panel;
    /// The number in the wider type.
    fn widen(self) -> Self::Wide;
}

impl<I: Instructions<Number = f32>> Weight<I> for f32 {
    type Wide = Self;

    #[inline(always)]
    unsafe fn load(from: *const Self) -> I::Panel {
        I::load(from)
    }

    #[inline(always)]
    fn widen(self) -> Self {
        self
    }
}

impl Weight<Avx2> for bf16 {
    type Wide = f32;

    #[inline(always)]
    unsafe fn load(from: *const Self) -> <Avx2 as Instructions>::Panel {
        // Spelt out: a closure would be compiled without the instructions.
        let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
        let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.add(8).cast()));
        [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high))]
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Weight<Avx512> for bf16 {
    type Wide = f32;

    #[inline(always)]
    unsafe fn load(from: *const Self) -> <Avx512 as Instructions>::Panel {
        let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Weight<Avx512Bf16> for Pair {
    type Wide = Self;

    #[inline(always)]
    unsafe fn load(from: *const Self) -> __m512 {
        Avx512::load(from.cast())
    }

    #[inline(always)]
    fn widen(self) -> Self {
        self
    }
}

/// Rows of x in memory: the number in column k of row i is `row * i + column * k` away.
#[derive(Clone, Copy)]
pub(crate) struct Rows<X> {
    pub first: *const X,
    pub row: usize,
    pub column: usize,
}

/// Where a block of sums goes: rows `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub first: *mut f32,
    pub stride: usize,
}

/// `sums (= or +=) x w` for `n_rows` (1 to `I::ROWS`) rows of x and `depth` rows of one panel, which lie `width` apart.
///
/// # Safety
/// The machine has the instructions; x has `n_rows` rows of `depth` columns; w has `depth` rows of 16 numbers; sums has
/// `n_rows` rows of 16 numbers.
#[inline(always)]
pub(crate) unsafe fn block<I: Instructions, W: Weight<I>>(
    n_rows: usize,
    depth: usize,
    x: Rows<I::Number>,
    w: *const W,
    width: usize,
    sums: Sums,
    accumulate: bool,
) {
    macro_rules! of {
        ($($n:literal)*) => {
            match n_rows {
                $($n if $n <= I::ROWS => block_of::<I, W, $n>(depth, x, w, width, sums, accumulate),)*
                _ => {}
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12);
}

#[inline(always)]
unsafe fn block_of<I: Instructions, W: Weight<I>, const N: usize>(
    depth: usize,
    x: Rows<I::Number>,
    mut w: *const W,
    width: usize,
    sums: Sums,
    accumulate: bool,
) {
    let mut total = [I::zero(); N];
    let mut at = x.first;
    for _ in 0..depth {
        let panel = W::load(w);
        for (i, sum) in total.iter_mut().enumerate() {
            *sum = I::multiply_add(I::broadcast(at.add(i * x.row)), panel, *sum);
        }
        at = at.add(x.column);
        w = w.add(width);
    }
    for (i, sum) in total.into_iter().enumerate() {
        let to = sums.first.add(i * sums.stride);
        I::store(to, if accumulate { I::add(I::load(to), sum) } else { sum });
    }
}
