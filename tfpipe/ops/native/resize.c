/* Pillow's resize. The arithmetic is that of Resample.c and of ScaleAffine in Geometry.c, because ties and
 * roundings decide the bits: coefficients in double, 8-bit images in integers with 22 bits of weight, one axis
 * after the other, rounded to bytes in between.
 *
 * How the integers became fast: a weight k of 22 bits is k = 2048 * high + low, both of which fit 16 bits, so that
 * one instruction (pmaddwd) multiplies 16 of them with 16 pixels and adds them in pairs. The two sums are exact,
 * and so is 2048 * high + low of them.
 */
#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

static const double PI = 3.14159265358979323846;
enum { PRECISION = 22, LOW_BITS = 11, SLACK = 64 }; /* SLACK: bytes that may be read after a row */

/* ---- The filters ---- */

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x) {
  x = fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

static double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= PI;
  return sin(x) / x;
}

static double hamming(double x) {
  x = fabs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= PI;
  return sin(x) / x * (0.54f + 0.46f * cos(x));
}

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

static const struct {
  double (*weight)(double);
  double support;
} filters[FILTERS] = {
    [BILINEAR] = {bilinear, 1.0}, [BICUBIC] = {bicubic, 2.0}, [HAMMING] = {hamming, 1.0},
    [BOX] = {box, 0.5},           [LANCZOS] = {lanczos, 3.0},
};

/* ---- Which inputs make an output, and with which weights ---- */

/* Output i is the sum of the inputs from first[i] on, count[i] of them, times weights. Rows of weights have `room`
 * places, a multiple of 4, with zeros after the last. */
typedef struct {
  int64_t size, room;
  int64_t *first, *count;
  double* weights;
  int32_t* whole;      /* for bytes: weights times 2 ** 22, rounded half away from zero, */
  int16_t *high, *low; /* and their two parts */
} taps;

static void release(taps* t) {
  free(t->first);
  free(t->count);
  free(t->weights);
  free(t->whole);
  free(t->high);
  free(t->low);
}

static bool make_taps(taps* t, int64_t size_in, tfpipe_range range, int64_t size, int filter,
                      bool is_float) {
  const double scale = (double)(range.end - range.begin) / (double)size;
  const double filter_scale = scale < 1.0 ? 1.0 : scale;
  const double support = filters[filter].support * filter_scale;
  int64_t most = (int64_t)ceil(support) * 2 + 1;
  most = most > size_in ? size_in : most;
  memset(t, 0, sizeof *t);
  t->size = size;
  t->room = (most + 3) / 4 * 4;
  const size_t cells = (size_t)size * (size_t)t->room;
  t->first = malloc((size_t)size * sizeof *t->first);
  t->count = malloc((size_t)size * sizeof *t->count);
  t->weights = calloc(cells, sizeof *t->weights);
  if (!is_float) {
    t->whole = calloc(cells, sizeof *t->whole);
    t->high = calloc(cells, sizeof *t->high);
    t->low = calloc(cells, sizeof *t->low);
  }
  if (!t->first || !t->count || !t->weights || (!is_float && (!t->whole || !t->high || !t->low)))
    return false;
  for (int64_t i = 0; i < size; i++) {
    const double centre = range.begin + ((double)i + 0.5) * scale;
    const double step = 1.0 / filter_scale;
    int64_t first = (int64_t)(centre - support + 0.5);
    if (first < 0) first = 0;
    if (first > size_in - 1) first = size_in - 1;
    int64_t last = (int64_t)(centre + support + 0.5);
    if (last > size_in) last = size_in;
    int64_t count = last - first;
    if (count < 0) count = 0;
    if (count > most) count = most;
    double* weights = t->weights + i * t->room;
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
      weights[k] = filters[filter].weight(((double)(k + first) - centre + 0.5) * step);
      sum += weights[k];
    }
    for (int64_t k = 0; k < count; k++)
      if (sum != 0.0) weights[k] /= sum;
    t->first[i] = first;
    t->count[i] = count;
    if (is_float) continue;
    for (int64_t k = 0; k < count; k++) {
      const double unit = weights[k] * (1 << PRECISION);
      const int32_t whole = (int32_t)(unit < 0 ? -0.5 + unit : 0.5 + unit);
      t->whole[i * t->room + k] = whole;
      t->high[i * t->room + k] = (int16_t)(whole >> LOW_BITS);
      t->low[i * t->room + k] = (int16_t)(whole & ((1 << LOW_BITS) - 1));
    }
  }
  return true;
}

/* The first input that any output needs, and the one after the last. */
static void needed(const taps* t, int64_t* begin, int64_t* end) {
  *begin = t->first[0];
  *end = *begin + 1;
  for (int64_t i = 0; i < t->size; i++) {
    if (t->first[i] < *begin) *begin = t->first[i];
    if (t->first[i] + t->count[i] > *end) *end = t->first[i] + t->count[i];
  }
}

/* ---- One pass over bytes ---- */

static inline uint8_t to_byte(int32_t sum) {
  const int32_t value = (sum + (1 << (PRECISION - 1))) >> PRECISION;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of outputs from one row of inputs. */
static void across_scalar(const uint8_t* row, const taps* t, int64_t channels, uint8_t* out) {
  for (int64_t x = 0; x < t->size; x++) {
    const uint8_t* pixel = row + t->first[x] * channels;
    const int32_t* weights = t->whole + x * t->room;
    int32_t sums[4] = {0, 0, 0, 0};
    for (int64_t k = 0; k < t->count[x]; k++)
      for (int64_t c = 0; c < channels; c++) sums[c] += pixel[k * channels + c] * weights[k];
    for (int64_t c = 0; c < channels; c++) out[x * channels + c] = to_byte(sums[c]);
  }
}

/* Row y of the outputs, of `bytes` bytes, from the rows of inputs, `stride` bytes apart. */
static void down_scalar(const uint8_t* first, int64_t stride, const int32_t* weights, int64_t count,
                        int64_t bytes, uint8_t* out) {
  enum { BLOCK = 64 };
  for (int64_t x = 0; x < bytes; x += BLOCK) {
    int32_t sums[BLOCK] = {0};
    const int64_t block = bytes - x < BLOCK ? bytes - x : BLOCK;
    for (int64_t k = 0; k < count; k++) {
      const uint8_t* row = first + k * stride + x;
      for (int64_t i = 0; i < block; i++) sums[i] += row[i] * weights[k];
    }
    for (int64_t i = 0; i < block; i++) out[x + i] = to_byte(sums[i]);
  }
}

#if WITH_AVX2
AVX2 static inline __m256i joined(__m256i high, __m256i low) {
  const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, LOW_BITS), low);
  return sum;
}

AVX2 static inline __m256i rounded(__m256i sum) {
  return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << (PRECISION - 1))), PRECISION);
}

/* Four rows at once, of 3 or 4 channels. Up to SLACK bytes after each row are read, and not used. */
AVX2 static void across_avx2(const uint8_t* const rows[4], const taps* t, int64_t channels,
                             uint8_t* const outs[4]) {
  /* The same channel of neighboring pixels, side by side: two pixels in each half. */
  const __m128i pairs =
      channels == 3 ? _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1)
                    : _mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  const __m256i spread = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  for (int64_t x = 0; x < t->size; x++) {
    const int64_t begin = t->first[x] * channels;
    const int16_t* high = t->high + x * t->room;
    const int16_t* low = t->low + x * t->room;
    __m256i highs[4], lows[4];
    for (int r = 0; r < 4; r++) highs[r] = lows[r] = _mm256_setzero_si256();
    for (int64_t k = 0; k < t->count[x]; k += 4) {
      const __m256i of_high = _mm256_permutevar8x32_epi32(
          _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i*)(high + k))), spread);
      const __m256i of_low = _mm256_permutevar8x32_epi32(
          _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i*)(low + k))), spread);
      for (int r = 0; r < 4; r++) {
        const __m128i bytes = _mm_loadu_si128((const __m128i*)(rows[r] + begin + k * channels));
        const __m256i words = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes, pairs));
        highs[r] = _mm256_add_epi32(highs[r], _mm256_madd_epi16(words, of_high));
        lows[r] = _mm256_add_epi32(lows[r], _mm256_madd_epi16(words, of_low));
      }
    }
    for (int r = 0; r < 4; r++) {
      const __m256i both = joined(highs[r], lows[r]);
      const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
      const __m128i value =
          _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(1 << (PRECISION - 1))), PRECISION);
      const __m128i words = _mm_packs_epi32(value, value);
      const int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
      memcpy(outs[r] + x * channels, &pixel, channels == 3 ? 3 : 4);
    }
  }
}

AVX2 static void down_avx2(const uint8_t* first, int64_t stride, const int16_t* high,
                           const int16_t* low, int64_t count, int64_t bytes, uint8_t* out) {
  for (int64_t x = 0; x < bytes; x += 16) {
    if (x + 16 > bytes) x = bytes - 16; /* the last block overlaps the one before */
    __m256i highs[2], lows[2];
    for (int i = 0; i < 2; i++) highs[i] = lows[i] = _mm256_setzero_si256();
    for (int64_t k = 0; k < count; k += 2) {
      int32_t pair_high, pair_low;
      memcpy(&pair_high, high + k, 4);
      memcpy(&pair_low, low + k, 4);
      const uint8_t* row = first + k * stride + x;
      const __m128i one = _mm_loadu_si128((const __m128i*)row);
      /* The weight after the last is 0, but there may be no row. */
      const __m128i other =
          k + 1 < count ? _mm_loadu_si128((const __m128i*)(row + stride)) : _mm_setzero_si128();
      const __m256i halves[2] = {_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(one, other)),
                                 _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(one, other))};
      for (int i = 0; i < 2; i++) {
        highs[i] = _mm256_add_epi32(highs[i], _mm256_madd_epi16(halves[i], _mm256_set1_epi32(pair_high)));
        lows[i] = _mm256_add_epi32(lows[i], _mm256_madd_epi16(halves[i], _mm256_set1_epi32(pair_low)));
      }
    }
    const __m256i left = rounded(joined(highs[0], lows[0])), right = rounded(joined(highs[1], lows[1]));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(left, right), 0xD8);
    _mm_storeu_si128((__m128i*)(out + x), _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                          _mm256_extracti128_si256(words, 1)));
  }
}

#endif

/* Resamples each of some rows, `stride` bytes apart; `end` is where the memory of the inputs ends. */
static bool across(const uint8_t* in, const uint8_t* end, int64_t stride, int64_t rows,
                   const taps* t, int64_t channels, uint8_t* out) {
  const int64_t bytes_out = t->size * channels;
#if WITH_AVX2
  if (has_avx2() && channels >= 3) {
    uint8_t* spare = malloc((size_t)(4 * (stride + SLACK) + bytes_out));
    if (!spare) return false;
    uint8_t* unused = spare + 4 * (stride + SLACK);
    for (int64_t y = 0; y < rows; y += 4) {
      const uint8_t* of_inputs[4];
      uint8_t* of_outputs[4];
      for (int r = 0; r < 4; r++) {
        const bool is_row = y + r < rows;
        const uint8_t* row = in + (is_row ? y + r : rows - 1) * stride;
        if (row + stride + SLACK > end) {
          uint8_t* copy = spare + r * (stride + SLACK);
          memcpy(copy, row, (size_t)stride);
          memset(copy + stride, 0, SLACK);
          row = copy;
        }
        of_inputs[r] = row;
        of_outputs[r] = is_row ? out + (y + r) * bytes_out : unused;
      }
      across_avx2(of_inputs, t, channels, of_outputs);
    }
    free(spare);
    return true;
  }
#endif
  (void)end;
  for (int64_t y = 0; y < rows; y++) across_scalar(in + y * stride, t, channels, out + y * bytes_out);
  return true;
}

/* Resamples the columns of an image whose first row is row `begin`; rows are `stride` bytes apart. */
static void down(const uint8_t* in, int64_t begin, int64_t stride, const taps* t, int64_t bytes,
                 uint8_t* out) {
  for (int64_t y = 0; y < t->size; y++) {
    const uint8_t* first = in + (t->first[y] - begin) * stride;
    uint8_t* row = out + y * bytes;
#if WITH_AVX2
    if (has_avx2() && bytes >= 16) {
      down_avx2(first, stride, t->high + y * t->room, t->low + y * t->room, t->count[y], bytes, row);
      continue;
    }
#endif
    down_scalar(first, stride, t->whole + y * t->room, t->count[y], bytes, row);
  }
}

/* ---- Alpha: colors are weighted by it ---- */

static void premultiply(const uint8_t* in, int64_t pixels, int64_t channels, uint8_t* out) {
  for (int64_t i = 0; i < pixels; i++, in += channels, out += channels) {
    const int alpha = in[channels - 1];
    for (int64_t c = 0; c < channels - 1; c++) {
      const int product = in[c] * alpha + 128;
      out[c] = (uint8_t)(((product >> 8) + product) >> 8);
    }
    out[channels - 1] = (uint8_t)alpha;
  }
}

static void unpremultiply(uint8_t* image, int64_t pixels, int64_t channels) {
  for (int64_t i = 0; i < pixels; i++, image += channels) {
    const int alpha = image[channels - 1];
    if (alpha == 0) continue;
    for (int64_t c = 0; c < channels - 1; c++) {
      const int color = 255 * image[c] / alpha;
      image[c] = (uint8_t)(color > 255 ? 255 : color);
    }
  }
}

static bool is_opaque(const uint8_t* image, int64_t pixels, int64_t channels) {
  uint8_t all = 255;
  for (int64_t i = 0; i < pixels; i++) all &= image[i * channels + channels - 1];
  return all == 255;
}

/* ---- Whole images ---- */

/* Pillow 13 takes the pass first that leaves less to do for the other one. */
static bool rows_first(const tfpipe_image* image, int64_t height, int64_t width) {
  const int64_t fewer = image->height - height;
  return fewer > 0 && fewer > (image->width - width) * 2;
}

static bool resample_bytes(const tfpipe_image* image, const taps* rows, const taps* columns,
                           uint8_t* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
  const int64_t pixels = image->height * image->width;
  const uint8_t* in = image->pixels;
  const bool has_alpha = (channels == 2 || channels == 4) && !is_opaque(in, pixels, channels);
  uint8_t *multiplied = NULL, *between = NULL;
  bool done = false;
  int64_t begin, end;
  if (has_alpha) {
    multiplied = malloc((size_t)(pixels * channels));
    if (!multiplied) return false;
    premultiply(in, pixels, channels, multiplied);
    in = multiplied;
  }
  needed(rows, &begin, &end);
  if (rows_first(image, rows->size, columns->size)) {
    const int64_t bytes = rows->size * stride;
    between = malloc((size_t)bytes + SLACK);
    if (between) {
      down(in, 0, stride, rows, stride, between);
      done = across(between, between + bytes + SLACK, stride, rows->size, columns, channels, out);
    }
  } else {
    const int64_t bytes = columns->size * channels;
    between = malloc((size_t)((end - begin) * bytes) + SLACK);
    done = between && across(in + begin * stride, in + pixels * channels, stride, end - begin,
                             columns, channels, between);
    if (done) down(between, begin, bytes, rows, bytes, out);
  }
  if (done && has_alpha) unpremultiply(out, rows->size * columns->size, channels);
  free(between);
  free(multiplied);
  return done;
}

static void across_floats(const float* in, int64_t width, int64_t height, int64_t channels,
                          const taps* t, float* out) {
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < t->size; x++)
      for (int64_t c = 0; c < channels; c++) {
        const float* pixel = in + (y * width + t->first[x]) * channels + c;
        double sum = 0.0;
        for (int64_t k = 0; k < t->count[x]; k++)
          sum += (double)pixel[k * channels] * t->weights[x * t->room + k];
        out[(y * t->size + x) * channels + c] = (float)sum;
      }
}

static void down_floats(const float* in, int64_t stride, const taps* t, float* out) {
  for (int64_t y = 0; y < t->size; y++)
    for (int64_t x = 0; x < stride; x++) {
      double sum = 0.0;
      for (int64_t k = 0; k < t->count[y]; k++)
        sum += (double)in[(t->first[y] + k) * stride + x] * t->weights[y * t->room + k];
      out[y * stride + x] = (float)sum;
    }
}

/* Floats keep the range 0..255, or their own where it is larger. */
static bool resample_floats(const tfpipe_image* image, const taps* rows, const taps* columns,
                            float* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
  const int64_t cells = image->height * stride, size = rows->size * columns->size * channels;
  const bool has_alpha = channels == 2 || channels == 4;
  float* in = malloc((size_t)cells * sizeof *in);
  const bool first = rows_first(image, rows->size, columns->size);
  const int64_t half = first ? rows->size * stride : image->height * columns->size * channels;
  float* between = malloc((size_t)half * sizeof *between);
  const bool done = in && between;
  if (done) {
    memcpy(in, image->pixels, (size_t)cells * sizeof *in);
    float low = 0.0f, high = 255.0f;
    for (int64_t i = 0; i < cells; i++) {
      if (has_alpha && i % channels != channels - 1)
        in[i] = in[i] * in[i - i % channels + channels - 1] / 255.0f;
      if (in[i] < low) low = in[i];
      if (in[i] > high) high = in[i];
    }
    if (first) {
      down_floats(in, stride, rows, between);
      across_floats(between, image->width, rows->size, channels, columns, out);
    } else {
      across_floats(in, image->width, image->height, channels, columns, between);
      down_floats(between, columns->size * channels, rows, out);
    }
    for (int64_t i = 0; i < size; i++) out[i] = out[i] < low ? low : out[i] > high ? high : out[i];
    for (int64_t i = 0; has_alpha && i < size; i++) {
      const float alpha = out[i - i % channels + channels - 1];
      if (i % channels == channels - 1 || alpha == 0.0f) continue;
      const float color = out[i] * 255.0f / alpha;
      out[i] = color > 255.0f ? 255.0f : color;
    }
  }
  free(between);
  free(in);
  return done;
}

static bool nearest(const tfpipe_image* image, tfpipe_box box, int64_t height, int64_t width,
                    uint8_t* out) {
  const tfpipe_range rows = box.rows, columns = box.columns;
  const size_t pixel = (size_t)image->channels * (image->is_float ? sizeof(float) : 1);
  size_t* places = malloc((size_t)width * sizeof *places);
  if (!places) return false;
  /* Pillow adds the step once per pixel. In closed form, one pair of sizes in ten differs somewhere. */
  double step = (double)(columns.end - columns.begin) / (double)width;
  double column = columns.begin + step * 0.5;
  for (int64_t x = 0; x < width; x++, column += step) {
    const int64_t place = (int64_t)column;
    places[x] = (size_t)(place < image->width ? place : image->width - 1) * pixel;
  }
  step = (double)(rows.end - rows.begin) / (double)height;
  double row = rows.begin + step * 0.5;
  for (int64_t y = 0; y < height; y++, row += step) {
    const int64_t place = (int64_t)row < image->height ? (int64_t)row : image->height - 1;
    const uint8_t* in = (const uint8_t*)image->pixels + (size_t)place * (size_t)image->width * pixel;
    out = copy_pixels(in, places, width, pixel, out);
  }
  free(places);
  return true;
}

bool tfpipe_resize(const tfpipe_image* image, tfpipe_box box, enum tfpipe_filter filter,
                   int64_t height, int64_t width, void* out) {
  if (filter == NEAREST) return nearest(image, box, height, width, out);
  taps rows, columns;
  const bool of_rows = make_taps(&rows, image->height, box.rows, height, filter, image->is_float);
  const bool of_columns =
      make_taps(&columns, image->width, box.columns, width, filter, image->is_float);
  bool done = of_rows && of_columns;
  if (done)
    done = image->is_float ? resample_floats(image, &rows, &columns, out)
                           : resample_bytes(image, &rows, &columns, out);
  release(&rows);
  release(&columns);
  return done;
}
