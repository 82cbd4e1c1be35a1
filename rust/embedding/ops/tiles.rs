//! Products on tiles (AMX): 16 columns of weights by 16 rows of x at a time, all in registers of a kilobyte.
//!
//! A float32 number is the sum of three bfloat16 numbers, so tiles multiply float32 numbers too: three products where the
//! weights are bfloat16, six where they are float32 and the three smallest, below 2^-24, are left out. A second of one core does
//! 4.8e12 operations on bytes, 2.3e12 on bfloat16 and 0.15e12 by float32 multiplication, so even six are the faster way.
//!
//! Every sum runs over the columns of x in order; a row's result does not depend on the rows that are computed with it.

use std::arch::asm;

use super::job::{Job, Range, stride};
use super::lanes;
use super::lines::{Bytes, Floats, Halves, Line, TILE, in_strips};
use crate::cpu::{Cpu, Tier};

/// What a thread says about its eight tiles: palette 1, all of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

static CONFIGURATION: Configuration = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Configuration(bytes)
};

/// What one call of a kernel works on.
struct Block {
    /// One or two strips of x.
    x: [*const u8; 2],
    /// Two panels.
    weights: [*const u8; 2],
    /// How many tiles deep they are.
    n_tiles: usize,
    /// 16 rows of sums for each strip, `stride` bytes apart.
    sums: *mut u8,
    stride: usize,
}

/// Lines of assembly: a tile of both strips, and of both panels, from the part with a number.
macro_rules! load_x {
    ($part:literal) => {
        concat!(
            "tileloadd tmm4, [{x0} + {line} + 1024 * ",
            $part,
            "]\n",
            "tileloadd tmm5, [{x1} + {line} + 1024 * ",
            $part,
            "]\n",
        )
    };
}
macro_rules! load_weights {
    ($part:literal) => {
        concat!(
            "tileloadd tmm6, [{w0} + {line} + 1024 * ",
            $part,
            "]\n",
            "tileloadd tmm7, [{w1} + {line} + 1024 * ",
            $part,
            "]\n",
        )
    };
}
macro_rules! dot {
    ($instruction:literal) => {
        concat!(
            $instruction,
            " tmm0, tmm4, tmm6\n",
            $instruction,
            " tmm1, tmm4, tmm7\n",
            $instruction,
            " tmm2, tmm5, tmm6\n",
            $instruction,
            " tmm3, tmm5, tmm7\n",
        )
    };
}
macro_rules! load_x_one {
    ($part:literal) => {
        concat!("tileloadd tmm4, [{x0} + {line} + 1024 * ", $part, "]\n")
    };
}
macro_rules! dot_one {
    ($instruction:literal) => {
        concat!($instruction, " tmm0, tmm4, tmm6\n", $instruction, " tmm1, tmm4, tmm7\n")
    };
}

/// A kernel for two strips and two panels, and one for a single strip.
macro_rules! kernel {
    ($two:ident, $one:ident, $x_parts:literal, $weight_parts:literal, [$($in_two:expr),*], [$($in_one:expr),*]) => {
        /// # Safety
        /// Tiles are permitted; x and weights have their tiles in that many parts, and sums 32 rows of two lines.
        unsafe fn $two(block: &Block) {
            let second = block.sums.wrapping_add(16 * block.stride);
            // SAFETY: the caller's promise. Tiles are configured and released in here: the compiler knows nothing of them.
            unsafe {
                asm!(
                    "ldtilecfg [{configuration}]",
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                    "2:",
                    $($in_two,)*
                    concat!("add {x0}, 1024 * ", $x_parts),
                    concat!("add {x1}, 1024 * ", $x_parts),
                    concat!("add {w0}, 1024 * ", $weight_parts),
                    concat!("add {w1}, 1024 * ", $weight_parts),
                    "dec {n}",
                    "jnz 2b",
                    "tilestored [{sums} + {stride}], tmm0",
                    "tilestored [{sums} + {stride} + 64], tmm1",
                    "tilestored [{second} + {stride}], tmm2",
                    "tilestored [{second} + {stride} + 64], tmm3",
                    "tilerelease",
                    configuration = in(reg) &raw const CONFIGURATION,
                    x0 = inout(reg) block.x[0] => _, x1 = inout(reg) block.x[1] => _,
                    w0 = inout(reg) block.weights[0] => _, w1 = inout(reg) block.weights[1] => _,
                    n = inout(reg) block.n_tiles => _,
                    line = in(reg) 64_usize,
                    sums = in(reg) block.sums, second = in(reg) second, stride = in(reg) block.stride,
                    options(nostack),
                );
            }
        }

        /// # Safety
        /// As for two strips, with 16 rows.
        unsafe fn $one(block: &Block) {
            // SAFETY: as above.
            unsafe {
                asm!(
                    "ldtilecfg [{configuration}]",
                    "tilezero tmm0", "tilezero tmm1",
                    "2:",
                    $($in_one,)*
                    concat!("add {x0}, 1024 * ", $x_parts),
                    concat!("add {w0}, 1024 * ", $weight_parts),
                    concat!("add {w1}, 1024 * ", $weight_parts),
                    "dec {n}",
                    "jnz 2b",
                    "tilestored [{sums} + {stride}], tmm0",
                    "tilestored [{sums} + {stride} + 64], tmm1",
                    "tilerelease",
                    configuration = in(reg) &raw const CONFIGURATION,
                    x0 = inout(reg) block.x[0] => _,
                    w0 = inout(reg) block.weights[0] => _, w1 = inout(reg) block.weights[1] => _,
                    n = inout(reg) block.n_tiles => _,
                    line = in(reg) 64_usize,
                    sums = in(reg) block.sums, stride = in(reg) block.stride,
                    options(nostack),
                );
            }
        }
    };
}

kernel!(
    bytes_two,
    bytes_one,
    1,
    1,
    [load_weights!(0), load_x!(0), dot!("tdpbssd")],
    [load_weights!(0), load_x_one!(0), dot_one!("tdpbssd")]
);
kernel!(
    halves_two,
    halves_one,
    1,
    1,
    [load_weights!(0), load_x!(0), dot!("tdpbf16ps")],
    [load_weights!(0), load_x_one!(0), dot_one!("tdpbf16ps")]
);
kernel!(
    three_by_one_two,
    three_by_one_one,
    3,
    1,
    [load_weights!(0), load_x!(2), dot!("tdpbf16ps"), load_x!(1), dot!("tdpbf16ps"), load_x!(0), dot!("tdpbf16ps")],
    [
        load_weights!(0),
        load_x_one!(2),
        dot_one!("tdpbf16ps"),
        load_x_one!(1),
        dot_one!("tdpbf16ps"),
        load_x_one!(0),
        dot_one!("tdpbf16ps")
    ]
);
kernel!(
    three_by_three_two,
    three_by_three_one,
    3,
    3,
    [
        load_weights!(2),
        load_x!(0),
        dot!("tdpbf16ps"),
        load_weights!(1),
        load_x!(1),
        dot!("tdpbf16ps"),
        load_x!(0),
        dot!("tdpbf16ps"),
        load_weights!(0),
        load_x!(2),
        dot!("tdpbf16ps"),
        load_x!(1),
        dot!("tdpbf16ps"),
        load_x!(0),
        dot!("tdpbf16ps")
    ],
    [
        load_weights!(2),
        load_x_one!(0),
        dot_one!("tdpbf16ps"),
        load_weights!(1),
        load_x_one!(1),
        dot_one!("tdpbf16ps"),
        load_x_one!(0),
        dot_one!("tdpbf16ps"),
        load_weights!(0),
        load_x_one!(2),
        dot_one!("tdpbf16ps"),
        load_x_one!(1),
        dot_one!("tdpbf16ps"),
        load_x_one!(0),
        dot_one!("tdpbf16ps")
    ]
);

/// x in strips and weights in panels, both as tiles in parts.
pub(super) struct Tiles<'a, L> {
    x: &'a [L],
    weights: &'a [L],
    n_parts: (usize, usize),
    n_tiles: usize,
    /// For two strips, and for one.
    kernels: [unsafe fn(&Block); 2],
}

impl<'a> Tiles<'a, Bytes> {
    /// Takes quantised rows and weights.
    ///
    /// # Panics
    /// Without the instructions.
    pub(super) fn of_bytes(x: &'a [Bytes], weights: &'a [Bytes], k: usize) -> Self {
        assert!(Cpu::current().tier() >= Tier::Amx, "tiles need AMX");
        Self { x, weights, n_parts: (1, 1), n_tiles: Bytes::n_tiles(k), kernels: [bytes_two, bytes_one] }
    }
}

impl<T, const N: usize> Tiles<'_, Line<T, N>> {
    /// Fills the sums of some rows and panels.
    pub(super) fn sum(&self, rows: &Range, panels: &Range, sums: &mut [Floats]) {
        let stride = stride(panels);
        let strip = self.n_tiles * self.n_parts.0 * TILE;
        let panel = self.n_tiles * self.n_parts.1 * TILE;
        assert!(self.x.len() >= rows.end.div_ceil(TILE) * strip && rows.start.is_multiple_of(TILE), "strips");
        assert!(self.weights.len() >= panels.end * panel && self.n_tiles > 0, "panels");
        assert!(sums.len() >= rows.len().next_multiple_of(TILE) * stride, "sums");
        for (i, first) in panels.clone().step_by(2).enumerate() {
            let first_panel = &self.weights[first * panel..];
            // Where there is no second one, the sums beside the first are there twice.
            let second_panel = if first + 1 < panels.end { &first_panel[panel..] } else { first_panel };
            for row in rows.clone().step_by(2 * TILE) {
                let first_strip = &self.x[row / TILE * strip..];
                let is_one = row + TILE >= rows.end;
                let second_strip = if is_one { first_strip } else { &first_strip[strip..] };
                let block = Block {
                    x: [first_strip.as_ptr().cast(), second_strip.as_ptr().cast()],
                    weights: [first_panel.as_ptr().cast(), second_panel.as_ptr().cast()],
                    n_tiles: self.n_tiles,
                    sums: sums[(row - rows.start) * stride + 2 * i..].as_mut_ptr().cast(),
                    stride: stride * size_of::<Floats>(),
                };
                // SAFETY: the processor has tiles, and all of these were checked to lie inside their slices.
                unsafe { self.kernels[usize::from(is_one)](&block) };
            }
        }
    }
}

/// `job`'s product of x (m, k), rounded to one part or split into three, with weights in parts.
///
/// # Panics
/// Without the instructions, or where lengths do not fit.
pub(super) fn multiply(x: &[f32], k: usize, weights: &[Halves], n_parts: (usize, usize), job: &Job) {
    assert!(Cpu::current().tier() >= Tier::Amx, "tiles need AMX");
    let kernels: [unsafe fn(&Block); 2] = match n_parts {
        (1, 1) => [halves_two, halves_one],
        (3, 1) => [three_by_one_two, three_by_one_one],
        _ => [three_by_three_two, three_by_three_one],
    };
    let x = in_tiles(x, k, n_parts.0);
    let tiles = Tiles { x: &x, weights, n_parts, n_tiles: Halves::n_tiles(k), kernels };
    job.spread(k, |rows, panels, sums| tiles.sum(rows, panels, sums));
}

/// Strips of 16 rows, tile after tile, each in parts that add up to the numbers.
fn in_tiles(x: &[f32], k: usize, n_parts: usize) -> Vec<Halves> {
    let strip = Halves::n_tiles(k) * n_parts * TILE;
    let write = if n_parts == 1 { lanes::round_to_tiles } else { lanes::split_to_tiles };
    in_strips(x, k, Halves::ZERO, strip, write).0
}
