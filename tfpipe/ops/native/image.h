/* An image as the kernels read it. */
#ifndef TFPIPE_IMAGE_H_
#define TFPIPE_IMAGE_H_

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  const void* pixels; /* [height, width, channels], uint8 or float */
  bool is_float;
  int64_t height, width, channels;
} tfpipe_image;

#endif
