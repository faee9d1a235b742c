/* One affine resampling: ops/warp.py, orders 0 and 1. The arithmetic is that of SciPy's ni_interpolation.c, with
 * coordinates in double, because the last bit decides which of two pixels is read.
 *
 * A row of outputs is made in two steps: first all of its places in the input, which vectorizes, then its pixels.
 */
#include "warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define WITH_AVX2 1
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
#endif

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

static void find_from(places* p, line of, bool flip, int64_t begin, int64_t count, int order,
                      enum tfpipe_fill fill) {
  const double last = (double)of.size - 1.0, half = order == 0 ? 0.5 : 0.0;
  const int32_t most = (int32_t)of.size - 1;
  const bool folds = of.size > 1 && (fill == FILL_REFLECT || fill == FILL_WRAP);
  for (int64_t i = begin; i < count; i++) {
    double x = of.base + (double)(flip ? count - 1 - i : i) * of.step;
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
/* Four places at once, as long as there are four. Returns how many were found. */
AVX2 static int64_t find_avx2(places* p, line of, bool flip, int64_t count, int order,
                              enum tfpipe_fill fill) {
  const __m256d last = _mm256_set1_pd((double)of.size - 1.0), zero = _mm256_setzero_pd();
  const __m256d half = _mm256_set1_pd(order == 0 ? 0.5 : 0.0);
  const __m256d base = _mm256_set1_pd(of.base), step = _mm256_set1_pd(of.step);
  const __m128i most = _mm_set1_epi32((int32_t)of.size - 1), none = _mm_setzero_si128();
  const bool folds = of.size > 1 && (fill == FILL_REFLECT || fill == FILL_WRAP);
  const double sign = flip ? -1.0 : 1.0, start = flip ? (double)count - 1.0 : 0.0;
  const __m256d lanes = _mm256_setr_pd(0.0, sign, 2.0 * sign, 3.0 * sign);
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
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

static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#endif

static void find(places* p, line of, bool flip, int64_t count, int order, enum tfpipe_fill fill) {
  int64_t found = 0;
#if WITH_AVX2
  if (has_avx2()) found = find_avx2(p, of, flip, count, order, fill);
#endif
  find_from(p, of, flip, found, count, order, fill);
}

/* One output of any number of channels. */
static inline float value_at(const tfpipe_picture* picture, int64_t place) {
  return picture->is_float ? ((const float*)picture->pixels)[place]
                           : (float)((const uint8_t*)picture->pixels)[place];
}

static inline void blend_any(const tfpipe_picture* picture, int64_t above, int64_t below,
                             int64_t left, int64_t right, float down, float across, float scale,
                             float* out) {
  const int64_t channels = picture->channels;
  for (int64_t c = 0; c < channels; c++) {
    const float upper = value_at(picture, above + left + c) * (1.0f - across) +
                        value_at(picture, above + right + c) * across;
    const float lower = value_at(picture, below + left + c) * (1.0f - across) +
                        value_at(picture, below + right + c) * across;
    out[c] = (upper * (1.0f - down) + lower * down) * scale;
  }
}

#if WITH_AVX2
/* Four values from a place on, the fourth of which is the next pixel's where there are three channels. */
AVX2 static inline __m128 four(const uint8_t* pixels, int64_t place, int64_t cells) {
  int32_t bytes = 0;
  if (place + 4 <= cells)
    memcpy(&bytes, pixels + place, 4);
  else
    memcpy(&bytes, pixels + place, 3);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
}

/* Stores a pixel; with three channels, the next one overwrites the fourth value, if there is a next one. */
AVX2 static inline void store(float* out, __m128 pixel, bool is_last_of_three) {
  if (is_last_of_three) {
    float values[4];
    _mm_storeu_ps(values, pixel);
    memcpy(out, values, 3 * sizeof(float));
  } else {
    _mm_storeu_ps(out, pixel);
  }
}

AVX2 static void take_bytes(const tfpipe_picture* picture, const places* rows,
                            const places* columns, float scale, bool is_end, float* out) {
  const int64_t channels = picture->channels, width = picture->width;
  const int64_t stride = width * channels, cells = picture->height * stride;
  const __m128 factor = _mm_set1_ps(scale);
  for (int64_t x = 0; x < width; x++, out += channels) {
    const int64_t place = rows->first[x] * stride + columns->first[x] * channels;
    const __m128 pixel = _mm_mul_ps(four(picture->pixels, place, cells), factor);
    store(out, pixel, channels == 3 && is_end && x == width - 1);
  }
}

/* A row of pixels of 3 or 4 channels of bytes. */
AVX2 static void blend_bytes(const tfpipe_picture* picture, const places* rows,
                              const places* columns, float scale, bool is_end, float* out) {
  const uint8_t* pixels = picture->pixels;
  const int64_t channels = picture->channels, width = picture->width;
  const int64_t stride = width * channels, cells = picture->height * stride;
  const __m128 one = _mm_set1_ps(1.0f), factor = _mm_set1_ps(scale);
  for (int64_t x = 0; x < width; x++, out += channels) {
    const int64_t above = rows->first[x] * stride, below = rows->second[x] * stride;
    const int64_t left = columns->first[x] * channels, right = columns->second[x] * channels;
    const __m128 across = _mm_set1_ps(columns->weight[x]), down = _mm_set1_ps(rows->weight[x]);
    const __m128 rest = _mm_sub_ps(one, across);
    const __m128 upper = _mm_add_ps(_mm_mul_ps(four(pixels, above + left, cells), rest),
                                    _mm_mul_ps(four(pixels, above + right, cells), across));
    const __m128 lower = _mm_add_ps(_mm_mul_ps(four(pixels, below + left, cells), rest),
                                    _mm_mul_ps(four(pixels, below + right, cells), across));
    const __m128 pixel = _mm_mul_ps(
        _mm_add_ps(_mm_mul_ps(upper, _mm_sub_ps(one, down)), _mm_mul_ps(lower, down)), factor);
    store(out, pixel, channels == 3 && is_end && x == width - 1);
  }
}

#endif

static void blend(const tfpipe_picture* picture, const places* rows, const places* columns,
                  float scale, bool is_end, float* out) {
  const int64_t channels = picture->channels, stride = picture->width * channels;
#if WITH_AVX2
  if (!picture->is_float && (channels == 3 || channels == 4) && has_avx2()) {
    blend_bytes(picture, rows, columns, scale, is_end, out);
    return;
  }
#endif
  (void)is_end;
  for (int64_t x = 0; x < picture->width; x++)
    blend_any(picture, rows->first[x] * stride, rows->second[x] * stride,
              columns->first[x] * channels, columns->second[x] * channels, rows->weight[x],
              columns->weight[x], scale, out + x * channels);
}

static void take(const tfpipe_picture* picture, const places* rows, const places* columns,
                 float scale, bool is_end, float* out) {
  const int64_t channels = picture->channels, stride = picture->width * channels;
#if WITH_AVX2
  if (!picture->is_float && (channels == 3 || channels == 4) && has_avx2()) {
    take_bytes(picture, rows, columns, scale, is_end, out);
    return;
  }
#endif
  (void)is_end;
  for (int64_t x = 0; x < picture->width; x++) {
    const int64_t place = rows->first[x] * stride + columns->first[x] * channels;
    for (int64_t c = 0; c < channels; c++)
      out[x * channels + c] = value_at(picture, place + c) * scale;
  }
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

bool tfpipe_warp(const tfpipe_picture* picture, const tfpipe_motion* motion, float* out) {
  const int64_t height = picture->height, width = picture->width, channels = picture->channels;
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
    memset(inside, 1, (size_t)width);
    const line of_rows = {m[2] + row * m[0], m[1], height};
    const line of_columns = {m[5] + row * m[3], m[4], width};
    find(&rows, of_rows, motion->flip_horizontal, width, motion->order, motion->fill);
    find(&columns, of_columns, motion->flip_horizontal, width, motion->order, motion->fill);
    float* result = out + y * width * channels;
    if (motion->order == 0)
      take(picture, &rows, &columns, motion->scale, y == height - 1, result);
    else
      blend(picture, &rows, &columns, motion->scale, y == height - 1, result);
    if (motion->fill != FILL_CONSTANT) continue;
    for (int64_t x = 0; x < width; x++)
      for (int64_t c = 0; !inside[x] && c < channels; c++)
        result[x * channels + c] = outside;
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
