/* One affine resampling: ops/warp.py, orders 0 and 1. The arithmetic is that of SciPy's ni_interpolation.c, with
 * coordinates in double, because the last bit decides which of two pixels is read.
 *
 * The outputs of a row whose inputs all lie well inside the image, which are most of them, are made four at a
 * time, and nothing is clamped or folded. The others are made in two steps: first their places in the input, then
 * their pixels.
 */
#include "warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

static const double PI = 3.14159265358979323846;

/* The two inputs of each output along one axis, and the weight of the second one. */
typedef struct {
  int32_t *first, *second;
  float* weight;
  uint8_t* inside;
} places;

static double folded(double x, double size, enum tfpipe_fill fill) {
  const double last = size - 1.0;
  if (x >= 0.0 && x <= last) return x;
  if (fill == FILL_REFLECT) { /* about -0.5 and size - 0.5 */
    const double rest = fmod(x, 2.0 * size);
    if (x < 0.0)
      return rest < -size ? rest + 2.0 * size : (-rest > 1e-15 ? -rest : 1e-15) - 1.0;
    return rest >= size ? 2.0 * size - rest - 1.0 : rest;
  }
  const double rest = fmod(x, last);
  return x < 0.0 ? rest + last : rest;
}

/* Along which line the inputs of a row of outputs lie. */
typedef struct {
  double base, step; /* coordinate of output i: base + i * step */
  int64_t size;      /* of the input */
} line;

/* Outputs of a row, from `begin` up to `end`. */
typedef struct {
  int64_t begin, end;
} range;

/* The lines of the rows and the columns of one row of outputs. */
typedef struct {
  line rows, columns;
  bool flip;
  int64_t count;
} course;

/* The place of output i, with `count` outputs in the row. */
static inline double coordinate(line of, bool flip, int64_t i, int64_t count) {
  return of.base + (double)(flip ? count - 1 - i : i) * of.step;
}

static void find_from(places* p, line of, bool flip, range outputs, int64_t count, int order,
                      enum tfpipe_fill fill) {
  const double last = (double)of.size - 1.0, half = order == 0 ? 0.5 : 0.0;
  const int32_t most = (int32_t)of.size - 1;
  const bool folds = of.size > 1 && (fill == FILL_REFLECT || fill == FILL_WRAP);
  for (int64_t i = outputs.begin; i < outputs.end; i++) {
    double x = coordinate(of, flip, i, count);
    if (fill == FILL_CONSTANT) p->inside[i] &= x >= 0.0 && x <= last;
    x = folds ? folded(x, (double)of.size, fill) : x < 0.0 ? 0.0 : x > last ? last : x;
    const double knot = floor(x + half);
    const int32_t first = (int32_t)knot;
    p->weight[i] = (float)(x - knot + half);
    p->first[i] = first < 0 ? 0 : first > most ? most : first;
    p->second[i] = first + 1 < 0 ? 0 : first + 1 > most ? most : first + 1;
  }
}

#if WITH_AVX2
/* Four places at once, as long as there are four. Returns the first output that is left. */
AVX2 static int64_t find_avx2(places* p, line of, bool flip, range outputs, int64_t count, int order,
                              enum tfpipe_fill fill) {
  const __m256d last = _mm256_set1_pd((double)of.size - 1.0), zero = _mm256_setzero_pd();
  const __m256d half = _mm256_set1_pd(order == 0 ? 0.5 : 0.0);
  const __m256d base = _mm256_set1_pd(of.base), step = _mm256_set1_pd(of.step);
  const __m128i most = _mm_set1_epi32((int32_t)of.size - 1), none = _mm_setzero_si128();
  const bool folds = of.size > 1 && (fill == FILL_REFLECT || fill == FILL_WRAP);
  const double sign = flip ? -1.0 : 1.0, start = flip ? (double)count - 1.0 : 0.0;
  const __m256d lanes = _mm256_setr_pd(0.0, sign, 2.0 * sign, 3.0 * sign);
  int64_t i = outputs.begin;
  for (; i + 4 <= outputs.end; i += 4) {
    const __m256d index = _mm256_add_pd(_mm256_set1_pd(start + sign * (double)i), lanes);
    __m256d x = _mm256_add_pd(base, _mm256_mul_pd(index, step));
    const int inside = _mm256_movemask_pd(
        _mm256_and_pd(_mm256_cmp_pd(x, zero, _CMP_GE_OQ), _mm256_cmp_pd(x, last, _CMP_LE_OQ)));
    if (fill == FILL_CONSTANT)
      for (int lane = 0; lane < 4; lane++) p->inside[i + lane] &= inside >> lane & 1;
    if (folds && inside != 15) {
      double values[4];
      _mm256_storeu_pd(values, x);
      for (int lane = 0; lane < 4; lane++)
        values[lane] = folded(values[lane], (double)of.size, fill);
      x = _mm256_loadu_pd(values);
    } else {
      x = _mm256_min_pd(_mm256_max_pd(x, zero), last);
    }
    const __m256d knot = _mm256_floor_pd(_mm256_add_pd(x, half));
    const __m128i first = _mm256_cvttpd_epi32(knot);
    const __m128i second = _mm_add_epi32(first, _mm_set1_epi32(1));
    _mm_storeu_ps(p->weight + i, _mm256_cvtpd_ps(_mm256_add_pd(_mm256_sub_pd(x, knot), half)));
    _mm_storeu_si128((__m128i*)(p->first + i), _mm_min_epi32(_mm_max_epi32(first, none), most));
    _mm_storeu_si128((__m128i*)(p->second + i), _mm_min_epi32(_mm_max_epi32(second, none), most));
  }
  return i;
}

#endif

static void find(places* p, line of, bool flip, range outputs, int64_t count, int order,
                 enum tfpipe_fill fill) {
#if WITH_AVX2
  if (has_avx2()) outputs.begin = find_avx2(p, of, flip, outputs, count, order, fill);
#endif
  find_from(p, of, flip, outputs, count, order, fill);
}

/* One output of any number of channels. */
static inline void blend_any(const tfpipe_image* image, int64_t above, int64_t below,
                             int64_t left, int64_t right, float down, float across, float scale,
                             float* out) {
  const int64_t channels = image->channels;
  for (int64_t c = 0; c < channels; c++) {
    const float upper_left = value_at(image->pixels, above + left + c, image->is_float);
    const float upper_right = value_at(image->pixels, above + right + c, image->is_float);
    const float at_left = upper_left + (value_at(image->pixels, below + left + c, image->is_float) - upper_left) * down;
    const float at_right = upper_right + (value_at(image->pixels, below + right + c, image->is_float) - upper_right) * down;
    out[c] = (at_left + (at_right - at_left) * across) * scale;
  }
}

#if WITH_AVX2
/* Four values from a place on: a pixel, and with three channels one value more. */
AVX2 static inline __m128 one_pixel(const void* pixels, int64_t place, bool is_float) {
  if (is_float) return _mm_loadu_ps((const float*)pixels + place);
  int32_t bytes;
  memcpy(&bytes, (const uint8_t*)pixels + place, 4);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
}

/* The three or four values of a pixel; nothing is read after the last one of the image. */
AVX2 static inline __m128 pixel_at(const tfpipe_image* image, int64_t place, int64_t cells) {
  if (place + 4 <= cells) return one_pixel(image->pixels, place, image->is_float);
  return _mm_setr_ps(value_at(image->pixels, place, image->is_float), value_at(image->pixels, place + 1, image->is_float),
                     value_at(image->pixels, place + 2, image->is_float), 0.0f);
}

/* Outputs of 3 or 4 channels, from left to right: with three, each also writes the first value after it. */
AVX2 static void blend_places(const tfpipe_image* image, const places* rows,
                              const places* columns, range outputs, float scale, float* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
  const int64_t cells = image->height * stride;
  const __m128 factor = _mm_set1_ps(scale);
  for (int64_t x = outputs.begin; x < outputs.end; x++) {
    const int64_t above = rows->first[x] * stride, below = rows->second[x] * stride;
    const int64_t left = columns->first[x] * channels, right = columns->second[x] * channels;
    const __m128 down = _mm_set1_ps(rows->weight[x]), across = _mm_set1_ps(columns->weight[x]);
    __m128 upper = pixel_at(image, above + left, cells);
    __m128 lower = pixel_at(image, below + left, cells);
    const __m128 at_left = _mm_add_ps(upper, _mm_mul_ps(_mm_sub_ps(lower, upper), down));
    upper = pixel_at(image, above + right, cells);
    lower = pixel_at(image, below + right, cells);
    const __m128 at_right = _mm_add_ps(upper, _mm_mul_ps(_mm_sub_ps(lower, upper), down));
    const __m128 pixel =
        _mm_add_ps(at_left, _mm_mul_ps(_mm_sub_ps(at_right, at_left), across));
    _mm_storeu_ps(out + x * channels, _mm_mul_ps(pixel, factor));
  }
}
#endif

/* `is_end`: nothing may be written after the last output. */
static void blend(const tfpipe_image* image, const places* rows, const places* columns,
                  range outputs, float scale, bool is_end, float* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
#if WITH_AVX2
  if ((channels == 3 || channels == 4) && has_avx2()) {
    const int64_t last = outputs.end - (is_end && outputs.end > outputs.begin);
    blend_places(image, rows, columns, (range){outputs.begin, last}, scale, out);
    outputs.begin = last;
  }
#endif
  (void)is_end;
  for (int64_t x = outputs.begin; x < outputs.end; x++)
    blend_any(image, rows->first[x] * stride, rows->second[x] * stride,
              columns->first[x] * channels, columns->second[x] * channels, rows->weight[x],
              columns->weight[x], scale, out + x * channels);
}

static void take(const tfpipe_image* image, const places* rows, const places* columns,
                 range outputs, float scale, bool is_end, float* out) {
  (void)is_end; /* it writes no value too many */
  const int64_t channels = image->channels, stride = image->width * channels;
  for (int64_t x = outputs.begin; x < outputs.end; x++) {
    const int64_t place = rows->first[x] * stride + columns->first[x] * channels;
    for (int64_t c = 0; c < channels; c++)
      out[x * channels + c] = value_at(image->pixels, place + c, image->is_float) * scale;
  }
}

/* ---- The outputs that are well inside ---- */

/* Those of `count` outputs whose places are at least 0 and below `limit`. Places only grow, or only fall. */
static range within(line of, bool flip, int64_t count, double limit) {
  range found = {0, count};
  const double step = flip ? -of.step : of.step, first = coordinate(of, flip, 0, count);
  if (step != 0.0) { /* about where they come in and go out, which the tests below make exact */
    const double a = (0.0 - first) / step, b = (limit - first) / step;
    const double in = floor(a < b ? a : b), out = ceil(a < b ? b : a) + 1.0;
    if (!(in < (double)count && out > 0.0)) return (range){0, 0};
    if (in > 0.0) found.begin = (int64_t)in;
    if (out < (double)count) found.end = (int64_t)out;
  }
#define IS_WITHIN(i) (coordinate(of, flip, i, count) >= 0.0 && coordinate(of, flip, i, count) < limit)
  while (found.begin < found.end && !IS_WITHIN(found.begin)) found.begin++;
  while (found.begin < found.end && !IS_WITHIN(found.end - 1)) found.end--;
#undef IS_WITHIN
  return found;
}

#if WITH_AVX2
/* Where the inputs of four outputs begin, in values, and the weights of the second row and column. */
typedef struct {
  int32_t place[4];
  float down[4], across[4];
} quad;

AVX2 static inline __m256d coordinates(line of, __m256d index) {
  return _mm256_add_pd(_mm256_set1_pd(of.base), _mm256_mul_pd(index, _mm256_set1_pd(of.step)));
}

AVX2 static inline quad find_quad(const course* along, int64_t i, int32_t stride, int32_t channels,
                                  double half) {
  const double sign = along->flip ? -1.0 : 1.0, start = along->flip ? (double)along->count - 1.0 : 0.0;
  const __m256d index = _mm256_add_pd(_mm256_set1_pd(start + sign * (double)i),
                                      _mm256_setr_pd(0.0, sign, 2.0 * sign, 3.0 * sign));
  const __m256d row = coordinates(along->rows, index), column = coordinates(along->columns, index);
  const __m128i y = _mm256_cvttpd_epi32(_mm256_add_pd(row, _mm256_set1_pd(half)));
  const __m128i x = _mm256_cvttpd_epi32(_mm256_add_pd(column, _mm256_set1_pd(half)));
  quad found;
  _mm_storeu_si128((__m128i*)found.place,
                   _mm_add_epi32(_mm_mullo_epi32(y, _mm_set1_epi32(stride)),
                                 _mm_mullo_epi32(x, _mm_set1_epi32(channels))));
  _mm_storeu_ps(found.down, _mm256_cvtpd_ps(_mm256_sub_pd(row, _mm256_cvtepi32_pd(y))));
  _mm_storeu_ps(found.across, _mm256_cvtpd_ps(_mm256_sub_pd(column, _mm256_cvtepi32_pd(x))));
  return found;
}

/* A pixel and the one to its right, in the two halves. */
AVX2 static inline __m256 two_pixels(const void* pixels, int64_t place, int channels, bool is_float) {
  if (is_float)
    return _mm256_insertf128_ps(_mm256_castps128_ps256(one_pixel(pixels, place, true)),
                                one_pixel(pixels, place + channels, true), 1);
  int64_t bytes;
  memcpy(&bytes, (const uint8_t*)pixels + place, 8);
  const int8_t n = channels == 3 ? 3 : 4; /* where the right one begins */
  const __m256i spread = _mm256_setr_epi8(
      0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, n == 3 ? -1 : 3, -1, -1, -1,
      n, -1, -1, -1, n + 1, -1, -1, -1, n + 2, -1, -1, -1, n == 3 ? -1 : 7, -1, -1, -1);
  return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(_mm256_set1_epi64x(bytes), spread));
}

/* Pixels of 3 or 4 channels. With three, each also writes the first value after it, so they go from left to
 * right, and the last one of the image is not for this function. */
AVX2 INLINE void blend_colors(const void* pixels, const course* along, range outputs,
                                     int64_t stride, int channels, bool is_float, float scale,
                                     float* out) {
  const __m128 factor = _mm_set1_ps(scale);
  for (int64_t i = outputs.begin; i < outputs.end; i += 4) {
    const quad at = find_quad(along, i, (int32_t)stride, channels, 0.0);
    for (int lane = 0; lane < 4; lane++) {
      const int64_t place = at.place[lane];
      const __m256 upper = two_pixels(pixels, place, channels, is_float);
      const __m256 lower = two_pixels(pixels, place + stride, channels, is_float);
      const __m256 down = _mm256_set1_ps(at.down[lane]);
      const __m256 both = _mm256_add_ps(upper, _mm256_mul_ps(_mm256_sub_ps(lower, upper), down));
      const __m128 left = _mm256_castps256_ps128(both), right = _mm256_extractf128_ps(both, 1);
      const __m128 across = _mm_set1_ps(at.across[lane]);
      const __m128 pixel = _mm_add_ps(left, _mm_mul_ps(_mm_sub_ps(right, left), across));
      _mm_storeu_ps(out + (i + lane) * channels, _mm_mul_ps(pixel, factor));
    }
  }
}

AVX2 INLINE void take_colors(const void* pixels, const course* along, range outputs,
                                    int64_t stride, int channels, bool is_float, float scale,
                                    float* out) {
  const __m128 factor = _mm_set1_ps(scale);
  for (int64_t i = outputs.begin; i < outputs.end; i += 4) {
    const quad at = find_quad(along, i, (int32_t)stride, channels, 0.5);
    for (int lane = 0; lane < 4; lane++)
      _mm_storeu_ps(out + (i + lane) * channels,
                    _mm_mul_ps(one_pixel(pixels, at.place[lane], is_float), factor));
  }
}

/* One value of each of four pixels, `shift` values after their places, 0 or 1. */
AVX2 static inline __m128 four_values(const void* pixels, __m128i places, int shift, bool is_float) {
  if (is_float) return _mm_i32gather_ps((const float*)pixels + shift, places, 4);
  const __m128i bytes = _mm_i32gather_epi32((const int*)pixels, places, 1);
  return _mm_cvtepi32_ps(_mm_and_si128(_mm_srli_epi32(bytes, 8 * shift), _mm_set1_epi32(255)));
}

/* Pixels of one channel. */
AVX2 INLINE void blend_gray(const void* pixels, const course* along, range outputs,
                                   int64_t stride, bool is_float, float scale, float* out) {
  const __m128 factor = _mm_set1_ps(scale);
  for (int64_t i = outputs.begin; i < outputs.end; i += 4) {
    const quad at = find_quad(along, i, (int32_t)stride, 1, 0.0);
    const __m128i above = _mm_loadu_si128((const __m128i*)at.place);
    const __m128i below = _mm_add_epi32(above, _mm_set1_epi32((int32_t)stride));
    const __m128 across = _mm_loadu_ps(at.across), down = _mm_loadu_ps(at.down);
    __m128 sides[2];
    for (int right = 0; right < 2; right++) {
      const __m128 upper = four_values(pixels, above, right, is_float);
      const __m128 lower = four_values(pixels, below, right, is_float);
      sides[right] = _mm_add_ps(upper, _mm_mul_ps(_mm_sub_ps(lower, upper), down));
    }
    const __m128 value =
        _mm_add_ps(sides[0], _mm_mul_ps(_mm_sub_ps(sides[1], sides[0]), across));
    _mm_storeu_ps(out + i, _mm_mul_ps(value, factor));
  }
}

AVX2 INLINE void take_gray(const void* pixels, const course* along, range outputs,
                                  int64_t stride, bool is_float, float scale, float* out) {
  for (int64_t i = outputs.begin; i < outputs.end; i += 4) {
    const quad at = find_quad(along, i, (int32_t)stride, 1, 0.5);
    const __m128i places = _mm_loadu_si128((const __m128i*)at.place);
    _mm_storeu_ps(out + i,
                  _mm_mul_ps(four_values(pixels, places, 0, is_float), _mm_set1_ps(scale)));
  }
}

/* Some outputs of a row, a multiple of four. The constants make each loop one of its own. */
AVX2 static void make_quads(const tfpipe_image* image, const tfpipe_motion* motion,
                            const course* along, range outputs, float* out) {
  const void* in = image->pixels;
  const int64_t stride = image->width * image->channels;
  const float scale = motion->scale;
#define KIND(channels, is_float, order) ((channels) * 4 + (is_float) * 2 + (order))
#define COLORS(make, channels, is_float) \
  make##_colors(in, along, outputs, stride, channels, is_float, scale, out)
  switch (KIND(image->channels, image->is_float, motion->order)) {
    case KIND(1, false, 0): take_gray(in, along, outputs, stride, false, scale, out); break;
    case KIND(1, false, 1): blend_gray(in, along, outputs, stride, false, scale, out); break;
    case KIND(1, true, 0): take_gray(in, along, outputs, stride, true, scale, out); break;
    case KIND(1, true, 1): blend_gray(in, along, outputs, stride, true, scale, out); break;
    case KIND(3, false, 0): COLORS(take, 3, false); break;
    case KIND(3, false, 1): COLORS(blend, 3, false); break;
    case KIND(3, true, 0): COLORS(take, 3, true); break;
    case KIND(3, true, 1): COLORS(blend, 3, true); break;
    case KIND(4, false, 0): COLORS(take, 4, false); break;
    case KIND(4, false, 1): COLORS(blend, 4, false); break;
    case KIND(4, true, 0): COLORS(take, 4, true); break;
    case KIND(4, true, 1): COLORS(blend, 4, true); break;
    default: break;
  }
#undef COLORS
#undef KIND
}
#endif

/* Which outputs of a row `make_quads` can make. */
static range inside_of(const tfpipe_image* image, const course* along, bool is_end) {
  range found = {0, 0};
#if WITH_AVX2
  const int64_t channels = image->channels, width = image->width;
  const bool takes = channels == 1 || channels == 3 || channels == 4;
  if (!takes || !has_avx2() || image->height * width * channels > INT32_MAX) return found;
  /* So many pixels of a row, from the left one of two on, must be there to be read. */
  const int64_t read = channels == 3 ? 3 : channels == 1 && !image->is_float ? 5 : 2;
  const range of_rows = within(along->rows, along->flip, width, (double)image->height - 1.0);
  const range of_columns = within(along->columns, along->flip, width, (double)(width - read + 1));
  found.begin = of_rows.begin > of_columns.begin ? of_rows.begin : of_columns.begin;
  found.end = of_rows.end < of_columns.end ? of_rows.end : of_columns.end;
  if (is_end && found.end == width) found.end--; /* nothing may be written after the last pixel */
  if (found.end - found.begin < 4) return (range){0, 0};
  found.end -= (found.end - found.begin) % 4;
#endif
  return found;
}

static bool make_places(places* p, int64_t count, uint8_t* inside) {
  p->first = malloc((size_t)count * sizeof *p->first);
  p->second = malloc((size_t)count * sizeof *p->second);
  p->weight = malloc((size_t)count * sizeof *p->weight);
  p->inside = inside;
  return p->first && p->second && p->weight;
}

static void release(places* p) {
  free(p->first);
  free(p->second);
  free(p->weight);
}

/* The other outputs of a row. */
static void make_edge(const tfpipe_image* image, const tfpipe_motion* motion,
                      const course* along, range outputs, bool is_end, places* rows,
                      places* columns, float* out) {
  if (outputs.begin == outputs.end) return;
  const float outside = motion->cval * motion->scale;
  uint8_t* inside = rows->inside; /* of both axes */
  for (int64_t x = outputs.begin; x < outputs.end; x++) inside[x] = 1;
  find(rows, along->rows, along->flip, outputs, along->count, motion->order, motion->fill);
  find(columns, along->columns, along->flip, outputs, along->count, motion->order, motion->fill);
  (motion->order == 0 ? take : blend)(image, rows, columns, outputs, motion->scale, is_end, out);
  for (int64_t x = outputs.begin; motion->fill == FILL_CONSTANT && x < outputs.end; x++)
    for (int64_t c = 0; !inside[x] && c < image->channels; c++)
      out[x * image->channels + c] = outside;
}

bool tfpipe_warp(const tfpipe_image* image, const tfpipe_motion* motion, float* out) {
  const int64_t height = image->height, width = image->width, channels = image->channels;
  const double* m = motion->matrix;
  const float outside = motion->fill == FILL_CONSTANT ? motion->cval * motion->scale : 0.0f;
  for (int i = 0; i < 6; i++) {
    if (isfinite(m[i])) continue;
    for (int64_t k = 0; k < height * width * channels; k++) out[k] = outside;
    return true;
  }
  places rows, columns;
  uint8_t* inside = malloc((size_t)width);
  const bool has_rows = make_places(&rows, width, inside);
  const bool has_columns = make_places(&columns, width, inside);
  const bool done = has_rows && has_columns && inside;
  for (int64_t y = 0; done && y < height; y++) {
    const double row = (double)(motion->flip_vertical ? height - 1 - y : y);
    const course along = {.rows = {m[2] + row * m[0], m[1], height},
                          .columns = {m[5] + row * m[3], m[4], width},
                          .flip = motion->flip_horizontal,
                          .count = width};
    const bool is_end = y == height - 1;
    float* result = out + y * width * channels;
    /* From left to right, as each part may write a value too many. */
    const range quads = inside_of(image, &along, is_end);
    make_edge(image, motion, &along, (range){0, quads.begin}, is_end, &rows, &columns, result);
#if WITH_AVX2
    make_quads(image, motion, &along, quads, result);
#endif
    make_edge(image, motion, &along, (range){quads.end, width}, is_end, &rows, &columns, result);
  }
  release(&rows);
  release(&columns);
  free(inside);
  return done;
}

/* a * b + c * d, as the classic's np.dot rounds it: after a * b, then once for the rest. */
static double dot(double a, double b, double c, double d) { return fma(c, d, a * b); }

void tfpipe_affine_matrix(const double moves[6], int64_t height, int64_t width, double matrix[6]) {
  const double theta = moves[0] * (PI / 180.0), shear = moves[3] * (PI / 180.0);
  const double tx = moves[1], ty = moves[2], zx = moves[4], zy = moves[5];
  const double x = ((double)width - 1.0) / 2.0, y = ((double)height - 1.0) / 2.0;
  const double cosine = cos(theta), sine = sin(theta);
  const double xx = cosine * zx, yx = sine * zx;
  const double xy = dot(cosine, -sin(shear), -sine, cos(shear)) * zy;
  const double yy = dot(sine, -sin(shear), cosine, cos(shear)) * zy;
  matrix[0] = yy;
  matrix[1] = yx;
  matrix[2] = dot(sine, tx, cosine, ty) + y - dot(yx, x, yy, y);
  matrix[3] = xy;
  matrix[4] = xx;
  matrix[5] = dot(cosine, tx, -sine, ty) + x - dot(xx, x, xy, y);
}
