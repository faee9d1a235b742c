/* Resamples images by an affine transform, as SciPy does: see warp.c. */
#ifndef TFPIPE_WARP_H_
#define TFPIPE_WARP_H_

#include "image.h"

/* In the order of FILL_MODES in ops/warp_spec.py. */
enum tfpipe_fill { FILL_CONSTANT, FILL_NEAREST, FILL_REFLECT, FILL_WRAP, FILLS };

typedef struct {
  double matrix[6]; /* output (row, column, 1) to input (row, column) */
  bool flip_horizontal, flip_vertical;
  int order; /* 0: the nearest pixel, 1: linear */
  enum tfpipe_fill fill;
  float cval;
  float scale; /* of the values of the result */
} tfpipe_motion;

/* Writes [height, width, channels] to `out`. False: there is no memory. */
bool tfpipe_warp(const tfpipe_image* image, const tfpipe_motion* motion, float* out);

/* The matrix of the classic's moves: theta, tx, ty, shear, zx, zy; see `affine_matrix` in ops/matrix.py. */
void tfpipe_affine_matrix(const double moves[6], int64_t height, int64_t width, double matrix[6]);

#endif
