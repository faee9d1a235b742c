/* Standardizes images as standardize_batch in transforms/standardize.py does: see standardize.c. */
#ifndef TFPIPE_STANDARDIZE_H_
#define TFPIPE_STANDARDIZE_H_

#include "image.h"

typedef struct {
  float scale;              /* what the values are multiplied by, first */
  bool center, normalize;   /* by the image's own mean, by its own standard deviation */
  const float *mean, *std;  /* subtracted, divided by: `means` and `stds` numbers, 1 or one a channel */
  int64_t means, stds;      /* 0: off */
} tfpipe_standard;

/* Writes [height, width, channels] to `out`. False: there is no memory. */
bool tfpipe_standardize(const tfpipe_image* image, const tfpipe_standard* how, float* out);

#endif
