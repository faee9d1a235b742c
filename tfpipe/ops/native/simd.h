/* Whether AVX2 can be used: by the compiler, and by the processor, which is asked when a kernel runs. */
#ifndef TFPIPE_SIMD_H_
#define TFPIPE_SIMD_H_

#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define WITH_AVX2 1
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define WITH_AVX2 0
static inline bool has_avx2(void) { return false; }
#endif

#endif
