/* Rescale, the image's own mean and standard deviation, and those of the data set, in one pass over the pixels
 * after the ones that find the image's own. The order in which they round is that of standardize_batch.
 */
#include "standardize.h"

#include <math.h>
#include <stdlib.h>

#include "simd.h"

enum { LANES = 8, BLOCK = 512 };

static const float EPSILON = 1e-6f; /* as in transforms/standardize.py */

/* The mean of the values times `scale`, minus `from`; or of the squares of these differences. */
INLINE float mean_of(const void* pixels, int64_t count, float scale, float from, bool of_squares,
                     bool is_float) {
  double sum = 0.0;
  for (int64_t begin = 0; begin < count; begin += BLOCK) {
    const int64_t end = begin + BLOCK < count ? begin + BLOCK : count;
    float sums[LANES] = {0};
    int64_t k = begin;
    for (; k + LANES <= end; k += LANES)
      for (int i = 0; i < LANES; i++) {
        const float value = value_at(pixels, k + i, is_float) * scale - from;
        sums[i] += of_squares ? value * value : value;
      }
    for (; k < end; k++) {
      const float value = value_at(pixels, k, is_float) * scale - from;
      sums[0] += of_squares ? value * value : value;
    }
    for (int i = 0; i < LANES; i++) sum += sums[i];
  }
  return (float)(sum / (double)count);
}

/* `means` and `stds`: one for each value of a pattern that repeats, `length` values long. */
INLINE void standardize(const void* pixels, int64_t count, const tfpipe_standard* how,
                        const float* means, const float* stds, int64_t length, bool is_float,
                        float* out) {
  const float scale = how->scale;
  const float mean = how->center ? mean_of(pixels, count, scale, 0.0f, false, is_float) : 0.0f;
  float deviation = 1.0f;
  if (how->normalize) {
    const float around = how->center ? 0.0f : mean_of(pixels, count, scale, 0.0f, false, is_float);
    /* The mean of what was centered is 0, up to its last bits. */
    deviation = sqrtf(mean_of(pixels, count, scale, how->center ? mean : around, true, is_float)) + EPSILON;
  }
  for (int64_t k = 0; k < count; k += length) {
    const int64_t size = count - k < length ? count - k : length;
    for (int64_t i = 0; i < size; i++) {
      float value = value_at(pixels, k + i, is_float) * scale;
      if (how->center) value -= mean;
      if (how->normalize) value /= deviation;
      if (how->means) value -= means[i];
      if (how->stds) value /= stds[i];
      out[k + i] = value;
    }
  }
}

static void standardize_any(const void* pixels, int64_t count, const tfpipe_standard* how,
                            const float* means, const float* stds, int64_t length, bool is_float,
                            float* out) {
  standardize(pixels, count, how, means, stds, length, is_float, out);
}

#if WITH_AVX2
AVX2 static void standardize_avx2(const void* pixels, int64_t count, const tfpipe_standard* how,
                                  const float* means, const float* stds, int64_t length,
                                  bool is_float, float* out) {
  if (is_float)
    standardize(pixels, count, how, means, stds, length, true, out);
  else
    standardize(pixels, count, how, means, stds, length, false, out);
}
#endif

bool tfpipe_standardize(const tfpipe_image* image, const tfpipe_standard* how, float* out) {
  const int64_t count = image->height * image->width * image->channels;
  if (count == 0) return true;
  /* The statistics of the channels, again and again, so that the pass vectorizes. */
  const int64_t length = image->channels * 64;
  float* statistics = malloc((size_t)(2 * length) * sizeof *statistics);
  if (!statistics) return false;
  for (int64_t i = 0; i < length; i++) {
    const int64_t channel = i % image->channels;
    statistics[i] = how->means ? how->mean[how->means == 1 ? 0 : channel] : 0.0f;
    statistics[length + i] = how->stds ? how->std[how->stds == 1 ? 0 : channel] + EPSILON : 1.0f;
  }
  const float *means = statistics, *stds = statistics + length;
#if WITH_AVX2
  if (has_avx2())
    standardize_avx2(image->pixels, count, how, means, stds, length, image->is_float, out);
  else
#endif
    standardize_any(image->pixels, count, how, means, stds, length, image->is_float, out);
  free(statistics);
  return true;
}
