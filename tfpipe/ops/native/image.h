/* An image as the kernels read it. */
#ifndef TFPIPE_IMAGE_H_
#define TFPIPE_IMAGE_H_

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"

typedef struct {
  const void* pixels; /* [height, width, channels], uint8 or float */
  bool is_float;
  int64_t height, width, channels;
} tfpipe_image;

/* One of the values of an image. */
INLINE float value_at(const void* pixels, int64_t place, bool is_float) {
  return is_float ? ((const float*)pixels)[place] : (float)((const uint8_t*)pixels)[place];
}

/* Copies `count` pixels of some bytes each, from their places in a row. Returns where the next one goes. */
static inline uint8_t* copy_pixels(const uint8_t* row, const size_t* places, int64_t count,
                                   size_t bytes, uint8_t* out) {
  if (bytes == 3) { /* the usual one, with a size that the compiler knows */
    for (int64_t i = 0; i < count; i++, out += 3) memcpy(out, row + places[i], 3);
  } else {
    for (int64_t i = 0; i < count; i++, out += bytes) memcpy(out, row + places[i], bytes);
  }
  return out;
}

#endif
