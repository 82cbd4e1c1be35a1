//! One body, compiled for several instruction sets and chosen when it is called.
//!
//! Own, because tests can force a tier here: one machine shows that all variants of a kernel give the same bits.
//! `multiversion` is as fast (squared distance of 784 columns, AVX-512: 37 ns, here 44, baseline 69) and cannot do that;
//! `pulp`'s dispatch of the same body took 270 ns.

use std::sync::OnceLock;

/// Instruction sets that kernels are compiled for; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "the others are those of x86-64"))]
pub(crate) enum Tier {
    /// What every processor of the target has.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// Those, and the parts of AVX-512 that came first together.
    Avx512,
    /// Those, and sums of products of bytes and of 16-bit numbers.
    Avx512Vnni,
    /// Those, and products of bfloat16 numbers.
    Avx512Bf16,
    /// Those, and products of whole tiles of bytes and of bfloat16 numbers.
    Amx,
}

/// The proof that this processor has the instructions of a tier: nobody but this file can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cpu(Tier);

impl Cpu {
    /// The best tier of this machine; in tests the one that is forced.
    #[inline]
    pub(crate) fn current() -> Self {
        static BEST: OnceLock<Cpu> = OnceLock::new();
        #[cfg(test)]
        if let Some(cpu) = forced::FORCED.get() {
            return cpu;
        }
        *BEST.get_or_init(Self::detect)
    }

    /// The tier whose instructions are there.
    #[inline]
    pub(crate) fn tier(self) -> Tier {
        self.0
    }

    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        let tier = {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq");
            let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
            let bf16 = vnni && is_x86_feature_detected!("avx512bf16");
            let tiers = [
                (bf16 && amx::is_permitted(), Tier::Amx),
                (bf16, Tier::Avx512Bf16),
                (vnni, Tier::Avx512Vnni),
                (avx512, Tier::Avx512),
                (avx2, Tier::Avx2),
            ];
            tiers.into_iter().find_map(|(is_there, tier)| is_there.then_some(tier)).unwrap_or(Tier::Baseline)
        };
        #[cfg(not(target_arch = "x86_64"))]
        let tier = Tier::Baseline;
        Self(tier)
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx {
    //! Tiles are more state than a process has unless it asks for it.

    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    /// Bits of leaf 7: products of bfloat16 numbers, tiles, products of bytes.
    const INSTRUCTIONS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    /// Bits of XCR0: configuration and numbers of tiles.
    const STATE: u64 = 1 << 17 | 1 << 18;
    /// `ARCH_REQ_XCOMP_PERM`, and the number of the state with the numbers.
    const REQUEST: (u64, u64) = (0x1023, 18);

    /// Whether the processor has the instructions, and the system lets this process and its children use them.
    pub(super) fn is_permitted() -> bool {
        let has_instructions = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & INSTRUCTIONS == INSTRUCTIONS;
        let has_xgetbv = __cpuid(1).ecx & 1 << 27 != 0;
        // SAFETY: the processor was just seen to have the instruction.
        has_instructions && has_xgetbv && unsafe { _xgetbv(0) } & STATE == STATE && request()
    }

    /// The system call `arch_prctl(ARCH_REQ_XCOMP_PERM, tiles)`: Linux below 5.16 does not know it, and it is refused where a
    /// thread's stack for signals is too small.
    fn request() -> bool {
        const ARCH_PRCTL: i64 = 158;
        let mut result = ARCH_PRCTL;
        // SAFETY: the call changes what this process may use and nothing else; it overwrites the named registers only.
        unsafe {
            asm!("syscall", inout("rax") result, in("rdi") REQUEST.0, in("rsi") REQUEST.1, out("rcx") _, out("r11") _,
                 options(nostack));
        }
        result == 0
    }
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
mod amx {
    //! Who may use tiles is known of Linux alone.

    pub(super) fn is_permitted() -> bool {
        false
    }
}

/// Defines a function that is compiled for AVX-512, AVX2 and the target's baseline.
///
/// `= body`: one `#[inline(always)]` body for all. `= fused body`: one that takes as a constant whether a fused
/// multiplication is one instruction; without the hardware it is a slow call. Or one body for each. Parameters of a
/// generic function stand in square brackets.
macro_rules! for_each_cpu {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident $([$($generic:tt)*])? ($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? = avx512 $avx512:expr, avx2 $avx2:expr, baseline $baseline:expr
    ) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name $(<$($generic)*>)? ($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
                fn avx512 $(<$($generic)*>)? ($($argument: $type),*) $(-> $result)? {
                    $avx512($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($generic)*>)? ($($argument: $type),*) $(-> $result)? {
                    $avx2($($argument),*)
                }
                match $crate::cpu::Cpu::current().tier() {
                    $crate::cpu::Tier::Baseline => {}
                    // SAFETY: the tier is the proof that the processor knows these instructions.
                    $crate::cpu::Tier::Avx2 => return unsafe { avx2($($argument),*) },
                    // SAFETY: as above.
                    _ => return unsafe { avx512($($argument),*) },
                }
            }
            $baseline($($argument),*)
        }
    };
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
        = fused $body:ident
    ) => {
        $crate::cpu::for_each_cpu! {
            $(#[$attribute])*
            $visibility fn $name($($argument: $type),*) $(-> $result)? =
                avx512 $body::<true>, avx2 $body::<true>, baseline $body::<{ cfg!(target_arch = "aarch64") }>
        }
    };
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
        = $body:ident
    ) => {
        $crate::cpu::for_each_cpu! {
            $(#[$attribute])*
            $visibility fn $name($($argument: $type),*) $(-> $result)? = avx512 $body, avx2 $body, baseline $body
        }
    };
}
pub(crate) use for_each_cpu;

#[cfg(test)]
pub(crate) mod forced {
    //! Tiers below the best one, for tests.

    use std::cell::Cell;
    use std::fmt::Debug;

    use super::{Cpu, Tier};

    thread_local! {
        pub(super) static FORCED: Cell<Option<Cpu>> = const { Cell::new(None) };
    }

    /// What `work` gives on every tier of this machine from `least` on.
    pub(crate) fn on_every_tier<T>(least: Tier, work: impl Fn() -> T) -> Vec<(Tier, T)> {
        let best = Cpu::detect().tier();
        let tiers = [Tier::Baseline, Tier::Avx2, Tier::Avx512, Tier::Avx512Vnni, Tier::Avx512Bf16, Tier::Amx];
        let results = tiers.into_iter().filter(|tier| (least..=best).contains(tier)).map(|tier| {
            FORCED.set(Some(Cpu(tier)));
            let result = work();
            FORCED.set(None);
            (tier, result)
        });
        results.collect()
    }

    /// Asserts that `work` gives the same by every tier of this machine from `least` on.
    pub(crate) fn same_on_every_tier<T: PartialEq + Debug>(least: Tier, work: impl Fn() -> T) {
        let results = on_every_tier(least, work);
        for ((tier, result), (other, expected)) in results.iter().zip(results.iter().skip(1)) {
            assert_eq!(result, expected, "{tier:?} and {other:?}");
        }
    }

    /// Numbers between -1 and 1.
    pub(crate) fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * step + 11) % 1999) as f32 / 999.5 - 1.0).collect()
    }

    /// Bits, for comparisons that see every difference.
    pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn every_tier_up_to_the_best_is_forced() {
        let seen = std::cell::RefCell::new(Vec::new());
        same_on_every_tier(Tier::Baseline, || seen.borrow_mut().push(Cpu::current().tier()));
        let seen = seen.into_inner();
        assert_eq!((seen.first(), seen.last()), (Some(&Tier::Baseline), Some(&Cpu::current().tier())));
        assert!(seen.is_sorted());
    }
}
