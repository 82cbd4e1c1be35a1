//! One body, compiled for several instruction sets and chosen when it is called.
//!
//! The bodies use neither fused multiplications nor a summation order that depends on the vector width, so every
//! variant gives the same bits.

/// Defines a function whose `#[inline(always)]` body is compiled for AVX-512, AVX2 and the target's baseline.
macro_rules! for_each_cpu {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:path) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    $body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    $body($($argument),*)
                }
                if crate::cpu::has_avx512() {
                    // SAFETY: the processor has just said that it knows these instructions.
                    return unsafe { avx512($($argument),*) };
                }
                if crate::cpu::has_avx2() {
                    // SAFETY: as above.
                    return unsafe { avx2($($argument),*) };
                }
            }
            $body($($argument),*)
        }
    };
}
pub(crate) use for_each_cpu;

/// Whether the processor knows the parts of AVX-512 that the kernels are compiled with.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
}

/// Whether the processor multiplies bfloat16 numbers two at a time, beside the parts of AVX-512 above.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512_bf16() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512bf16")
}

/// Whether the processor knows AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
