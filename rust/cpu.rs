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
    /// Those, and sums of products of whole numbers in one instruction.
    Avx512Vnni,
    /// Those, and products of bfloat16 numbers.
    Avx512Bf16,
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
            match (avx2, avx512, vnni, vnni && is_x86_feature_detected!("avx512bf16")) {
                (.., true) => Tier::Avx512Bf16,
                (_, _, true, _) => Tier::Avx512Vnni,
                (_, true, ..) => Tier::Avx512,
                (true, ..) => Tier::Avx2,
                _ => Tier::Baseline,
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        let tier = Tier::Baseline;
        Self(tier)
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

    /// Asserts that `work` gives the same by every tier of this machine from `least` on.
    pub(crate) fn same_on_every_tier<T: PartialEq + Debug>(least: Tier, work: impl Fn() -> T) {
        let best = Cpu::detect().tier();
        let tiers = [Tier::Baseline, Tier::Avx2, Tier::Avx512, Tier::Avx512Vnni, Tier::Avx512Bf16];
        let results = tiers.into_iter().filter(|tier| (least..=best).contains(tier)).map(|tier| {
            FORCED.set(Some(Cpu(tier)));
            let result = work();
            FORCED.set(None);
            (tier, result)
        });
        let results: Vec<_> = results.collect();
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
