/* Resizes images as Pillow does, bit for bit: see resize.c. */
#ifndef TFPIPE_RESIZE_H_
#define TFPIPE_RESIZE_H_

#include "image.h"

/* In the order of PILLOW_INTERPOLATIONS in ops/resize.py. */
enum tfpipe_filter { NEAREST, BILINEAR, BICUBIC, HAMMING, BOX, LANCZOS, FILTERS };

/* The part of an image axis that becomes the output: from `begin` to `end`, in pixels of the image. */
typedef struct {
  float begin, end;
} tfpipe_range;

typedef struct {
  tfpipe_range rows, columns;
} tfpipe_box;

/* Writes [height, width, channels] of the image's type to `out`. The image has 1 to 4 channels; with 2 or 4, the
 * last one is alpha. False: there is no memory. */
bool tfpipe_resize(const tfpipe_image* image, tfpipe_box box, enum tfpipe_filter filter,
                   int64_t height, int64_t width, void* out);

#endif
