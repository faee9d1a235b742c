/* The steps of ops/color.py over one image, in at most three passes. The formulas, and the order in which they
 * round, are those of its functions.
 *
 * Shift and brightness need the extremes of the image, contrast needs its mean; what lies between two of these
 * is done in one pass. A pass takes some pixels of a row at a time, with each channel in a plane of its own, so
 * that all of it vectorizes.
 */
#include "colors.h"

#include <math.h>
#include <stdlib.h>

#include "simd.h"

enum { BLOCK = 64, LANES = 8 };

static const float SLACK = 2e-4f; /* as in ops/color.py */

typedef float plane[BLOCK];

/* What is known of the image. */
typedef struct {
  float low, high; /* its extremes */
  float mean;      /* of its luma */
  int64_t channels, colors; /* `colors` of the channels are not alpha */
} facts;

INLINE float clipped(float value, float low, float high) {
  return value > high ? high : value < low ? low : value; /* NaN stays NaN */
}

INLINE void find_extremes(const float* in, int64_t count, facts* of) {
  float low[LANES], high[LANES];
  for (int i = 0; i < LANES; i++) low[i] = high[i] = in[0];
  int64_t k = 0;
  for (; k + LANES <= count; k += LANES)
    for (int i = 0; i < LANES; i++) {
      low[i] = in[k + i] < low[i] ? in[k + i] : low[i];
      high[i] = in[k + i] > high[i] ? in[k + i] : high[i];
    }
  for (; k < count; k++) {
    low[0] = in[k] < low[0] ? in[k] : low[0];
    high[0] = in[k] > high[0] ? in[k] : high[0];
  }
  of->low = low[0];
  of->high = high[0];
  for (int i = 1; i < LANES; i++) {
    of->low = low[i] < of->low ? low[i] : of->low;
    of->high = high[i] > of->high ? high[i] : of->high;
  }
}

/* ---- The steps, over one plane or over those of the colors ---- */

INLINE void shift(float* values, float by, const facts* of) {
  for (int i = 0; i < BLOCK; i++) values[i] = clipped(values[i] + by, of->low, of->high);
}

/* `factor` 1 leaves the cut to whole numbers, which alpha gets too. */
INLINE void brighten(float* values, float factor, const facts* of) {
  const bool is_outside = of->low < -SLACK || of->high > 255 + SLACK;
  if (!is_outside) {
    for (int i = 0; i < BLOCK; i++) {
      const float bright = floorf(floorf(values[i] + SLACK) * factor);
      values[i] = bright < 255 ? bright : 255;
    }
    return;
  }
  const float extent = of->high > of->low ? of->high - of->low : 1;
  for (int i = 0; i < BLOCK; i++) {
    const float pixel = floorf((values[i] - of->low) / extent * 255);
    const float bright = floorf(pixel * factor);
    values[i] = (bright < 255 ? bright : 255) / 255 * extent + of->low;
  }
}

INLINE void brighten_units(float* values, float factor) {
  for (int i = 0; i < BLOCK; i++) values[i] = clipped(values[i] * factor, 0, 1);
}

INLINE void luma(const plane* colors, int64_t count, float* of) {
  for (int i = 0; i < BLOCK; i++)
    of[i] = count < 3 ? colors[0][i]
                      : colors[0][i] * 0.299f + colors[1][i] * 0.587f + colors[2][i] * 0.114f;
}

INLINE void blend(float* values, const float* other, float factor, float top) {
  for (int i = 0; i < BLOCK; i++)
    values[i] = clipped(other[i] + factor * (values[i] - other[i]), 0, top);
}

INLINE float turned(float sixth, float place, float value, float chroma) {
  float from = sixth + place;
  from -= 6.0f * floorf(from / 6.0f);
  const float below = from < 4.0f - from ? from : 4.0f - from;
  return value - chroma * clipped(below, 0, 1);
}

INLINE void turn_hue(plane* colors, float turn) {
  for (int i = 0; i < BLOCK; i++) {
    const float red = colors[0][i], green = colors[1][i], blue = colors[2][i];
    float value = red > green ? red : green, least = red < green ? red : green;
    value = value > blue ? value : blue;
    least = least < blue ? least : blue;
    const float chroma = value - least;
    float sixth = green >= blue ? 2 * chroma + blue - red : 4 * chroma + red - green;
    sixth = red >= green && red >= blue ? green - blue : sixth;
    sixth = sixth / (chroma > 0 ? chroma : 1.0f) + 6 * turn;
    colors[0][i] = turned(sixth, 5, value, chroma);
    colors[1][i] = turned(sixth, 3, value, chroma);
    colors[2][i] = turned(sixth, 1, value, chroma);
  }
}

/* ---- Passes ---- */

/* Shift and brightness. Returns the sum of luma. */
INLINE double first_steps(plane* planes, int64_t count, const tfpipe_recoloring* how,
                          const facts* of) {
  facts after = *of;
  if (how->does[SHIFT]) {
    after.low = clipped(of->low + how->shift, of->low, of->high);
    after.high = clipped(of->high + how->shift, of->low, of->high);
    for (int64_t c = 0; c < of->channels; c++) shift(planes[c], how->shift, of);
  }
  if (how->does[BRIGHTNESS] && how->unit_range) {
    for (int64_t c = 0; c < of->colors; c++) brighten_units(planes[c], how->brightness);
  } else if (how->does[BRIGHTNESS]) {
    for (int64_t c = 0; c < of->channels; c++)
      brighten(planes[c], c < of->colors ? how->brightness : 1.0f, &after);
  }
  double sum = 0.0;
  if (how->does[CONTRAST]) {
    plane gray;
    luma(planes, of->channels, gray);
    for (int64_t i = 0; i < count; i++) sum += gray[i];
  }
  return sum;
}

INLINE void last_steps(plane* planes, const tfpipe_recoloring* how, const facts* of) {
  const float top = how->unit_range ? 1.0f : 255.0f;
  plane gray;
  if (how->does[CONTRAST]) {
    for (int i = 0; i < BLOCK; i++) gray[i] = of->mean;
    for (int64_t c = 0; c < of->colors; c++) blend(planes[c], gray, how->contrast, top);
  }
  if (of->channels < 3) return;
  if (how->does[SATURATION]) {
    luma(planes, of->channels, gray);
    for (int64_t c = 0; c < of->colors; c++) blend(planes[c], gray, how->saturation, top);
  }
  if (how->does[HUE]) turn_hue(planes, how->hue);
}

/* Columns or rows of an image, from `begin` up to `end`. */
typedef struct {
  int64_t begin, end;
} range;

/* Those whose centers are within a fraction of a side. */
static range covered(int64_t size, double begin, double share) {
  range found = {size, size};
  for (int64_t i = size - 1; i >= 0; i--) {
    const double centre = ((double)i + 0.5) / (double)size;
    if (!(centre >= begin && centre < begin + share)) continue;
    if (found.begin == size) found.end = i + 1;
    found.begin = i;
  }
  return found;
}

typedef struct {
  bool is_first, is_last; /* which steps it does */
  range rows, columns;    /* to cut out */
} pass;

INLINE double go_through(const float* in, int64_t height, int64_t width,
                         const tfpipe_recoloring* how, const facts* of, pass which, plane* planes,
                         float* out) {
  const int64_t channels = of->channels;
  double sum = 0.0;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x += BLOCK) {
      const int64_t count = width - x < BLOCK ? width - x : BLOCK, place = (y * width + x) * channels;
      for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < count; i++) planes[c][i] = in[place + i * channels + c];
      if (which.is_first) sum += first_steps(planes, count, how, of);
      if (which.is_last) last_steps(planes, how, of);
      if (which.is_last && y >= which.rows.begin && y < which.rows.end)
        for (int64_t i = 0; i < count; i++)
          for (int64_t c = 0; x + i >= which.columns.begin && x + i < which.columns.end && c < channels; c++)
            planes[c][i] = how->cutout_value;
      const float scale = which.is_last ? how->scale : 1.0f;
      for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < count; i++) out[place + i * channels + c] = planes[c][i] * scale;
    }
  return sum;
}

INLINE void recolor(const float* in, int64_t height, int64_t width, const tfpipe_recoloring* how,
                    facts* of, plane* planes, float* out) {
  pass which = {true, true, {0, 0}, {0, 0}};
  if (how->does[CUTOUT]) {
    which.rows = covered(height, how->top, how->height);
    which.columns = covered(width, how->left, how->width);
  }
  if (how->does[SHIFT] || how->does[BRIGHTNESS])
    find_extremes(in, height * width * of->channels, of);
  if (how->does[CONTRAST]) { /* which needs the mean of what comes before */
    which.is_last = false;
    const double sum = go_through(in, height, width, how, of, which, planes, out);
    of->mean = (float)(sum / (double)(height * width));
    which = (pass){false, true, which.rows, which.columns};
    in = out;
  }
  go_through(in, height, width, how, of, which, planes, out);
}

#if WITH_AVX2
AVX2 static void recolor_avx2(const float* in, int64_t height, int64_t width,
                              const tfpipe_recoloring* how, facts* of, plane* planes, float* out) {
  recolor(in, height, width, how, of, planes, out);
}
#endif

static void recolor_any(const float* in, int64_t height, int64_t width,
                        const tfpipe_recoloring* how, facts* of, plane* planes, float* out) {
  recolor(in, height, width, how, of, planes, out);
}

bool tfpipe_recolor(const float* in, int64_t height, int64_t width, int64_t channels,
                    const tfpipe_recoloring* how, float* out) {
  if (height * width * channels == 0) return true;
  plane* planes = calloc((size_t)channels, sizeof *planes);
  if (!planes) return false;
  facts of = {.channels = channels, .colors = channels == 2 || channels == 4 ? channels - 1 : channels};
#if WITH_AVX2
  if (has_avx2())
    recolor_avx2(in, height, width, how, &of, planes, out);
  else
#endif
    recolor_any(in, height, width, how, &of, planes, out);
  free(planes);
  return true;
}
