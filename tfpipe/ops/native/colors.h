/* Changes the colors of images by the steps of ops/color.py: see colors.c. */
#ifndef TFPIPE_COLORS_H_
#define TFPIPE_COLORS_H_

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are done, which is that of COLOR_STEPS in ops/recolor.py. */
enum tfpipe_step { SHIFT, BRIGHTNESS, CONTRAST, SATURATION, HUE, CUTOUT, STEPS };

typedef struct {
  bool does[STEPS];
  float shift, brightness, contrast, saturation, hue;
  double left, top, width, height; /* of the part to cut out, as fractions of the image */
  float cutout_value;
  bool unit_range; /* values are in 0..1, not in 0..255 */
  float scale;     /* what the results are multiplied by */
} tfpipe_recoloring;

/* Reads [height, width, channels] from `in` and writes as much to `out`, which may be the same. With 2 or 4
 * channels, the last one is alpha. False: there is no memory. */
bool tfpipe_recolor(const float* in, int64_t height, int64_t width, int64_t channels,
                    const tfpipe_recoloring* how, float* out);

#endif
