/* Resizes images as the operations behind `tf.image.resize` do, bit for bit: see resize_tf.c. */
#ifndef TFPIPE_RESIZE_TF_H_
#define TFPIPE_RESIZE_TF_H_

#include "image.h"

/* In the order of TF_INTERPOLATIONS in ops/resize_tf.py. Area is not made here: TensorFlow's own is as fast. */
enum tfpipe_method {
  TF_BILINEAR,
  TF_NEAREST,
  TF_BICUBIC,
  TF_AREA,
  TF_LANCZOS3,
  TF_LANCZOS5,
  TF_GAUSSIAN,
  TF_MITCHELLCUBIC,
  TF_METHODS
};

/* Writes [height, width, channels] to `out`: float, or the image's own type for the nearest pixel. An image has
 * any number of channels. False: there is no memory. */
bool tfpipe_resize_tf(const tfpipe_image* image, enum tfpipe_method method, bool antialias,
                      int64_t height, int64_t width, void* out);

#endif
