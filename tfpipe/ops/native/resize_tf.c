/* The resize of TensorFlow. The arithmetic is that of resize_nearest_neighbor_op.cc, resize_bilinear_op.cc,
 * resize_bicubic_op.cc and scale_and_translate_op.cc with half-pixel centers, in float, in
 * their order.
 *
 * All but the nearest pixel and bilinear without antialias are sums of some inputs times weights, one axis after
 * the other.
 */
#include "resize_tf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

static const float PI = 3.14159265359f;

static float scale_of(int64_t size_in, int64_t size) { return (float)size_in / (float)size; }

/* ---- The nearest pixel ---- */

static bool take_nearest(const tfpipe_image* image, int64_t height, int64_t width, uint8_t* out) {
  const size_t pixel = (size_t)image->channels * (image->is_float ? sizeof(float) : 1);
  const float down = scale_of(image->height, height), across = scale_of(image->width, width);
  size_t* places = malloc((size_t)width * sizeof *places);
  if (!places) return false;
  for (int64_t x = 0; x < width; x++) {
    const int64_t place = (int64_t)floorf(((float)x + 0.5f) * across);
    places[x] = (size_t)(place < image->width ? place : image->width - 1) * pixel;
  }
  for (int64_t y = 0; y < height; y++) {
    const int64_t place = (int64_t)floorf(((float)y + 0.5f) * down);
    const int64_t row = place < image->height ? place : image->height - 1;
    const uint8_t* in = (const uint8_t*)image->pixels + (size_t)row * (size_t)image->width * pixel;
    out = copy_pixels(in, places, width, pixel, out);
  }
  free(places);
  return true;
}

/* ---- Bilinear without antialias ---- */

/* The two inputs of each output, in values of a row, and the weight of the second one. */
typedef struct {
  int64_t *first, *second;
  float* weight;
} pairs;

static bool make_pairs(pairs* p, int64_t size_in, int64_t size, int64_t stride) {
  p->first = malloc((size_t)size * sizeof *p->first);
  p->second = malloc((size_t)size * sizeof *p->second);
  p->weight = malloc((size_t)size * sizeof *p->weight);
  if (!p->first || !p->second || !p->weight) return false;
  const float scale = scale_of(size_in, size);
  for (int64_t i = 0; i < size; i++) {
    const float place = ((float)i + 0.5f) * scale - 0.5f;
    const int64_t first = (int64_t)floorf(place), second = (int64_t)ceilf(place);
    p->first[i] = (first < 0 ? 0 : first > size_in - 1 ? size_in - 1 : first) * stride;
    p->second[i] = (second > size_in - 1 ? size_in - 1 : second) * stride;
    p->weight[i] = place - floorf(place);
  }
  return true;
}

static void release_pairs(pairs* p) {
  free(p->first);
  free(p->second);
  free(p->weight);
}

INLINE void lerp_row(const void* pixels, int64_t above, int64_t below, float down,
                     const pairs* columns, int64_t begin, int64_t end, int64_t channels,
                     bool is_float, float* out) {
  for (int64_t x = begin; x < end; x++)
    for (int64_t c = 0; c < channels; c++) {
      const int64_t left = columns->first[x] + c, right = columns->second[x] + c;
      const float across = columns->weight[x];
      const float upper_left = value_at(pixels, above + left, is_float);
      const float lower_left = value_at(pixels, below + left, is_float);
      const float upper =
          upper_left + (value_at(pixels, above + right, is_float) - upper_left) * across;
      const float lower =
          lower_left + (value_at(pixels, below + right, is_float) - lower_left) * across;
      out[x * channels + c] = upper + (lower - upper) * down;
    }
}

#if WITH_AVX2
AVX2 static inline __m128 four_bytes(const uint8_t* pixels) {
  int32_t bytes;
  memcpy(&bytes, pixels, 4);
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
}

/* Outputs of 3 channels of bytes. Each reads and writes one value too many. */
AVX2 static void lerp_row_avx2(const uint8_t* above, const uint8_t* below, float down,
                               const pairs* columns, int64_t end, float* out) {
  const __m128 of_lower = _mm_set1_ps(down);
  for (int64_t x = 0; x < end; x++) {
    const int64_t left = columns->first[x], right = columns->second[x];
    const __m128 across = _mm_set1_ps(columns->weight[x]);
    __m128 first = four_bytes(above + left), second = four_bytes(above + right);
    const __m128 upper = _mm_add_ps(first, _mm_mul_ps(_mm_sub_ps(second, first), across));
    first = four_bytes(below + left), second = four_bytes(below + right);
    const __m128 lower = _mm_add_ps(first, _mm_mul_ps(_mm_sub_ps(second, first), across));
    _mm_storeu_ps(out + x * 3, _mm_add_ps(upper, _mm_mul_ps(_mm_sub_ps(lower, upper), of_lower)));
  }
}
#endif

static bool lerp(const tfpipe_image* image, int64_t height, int64_t width, float* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
  const bool is_float = image->is_float;
  pairs rows = {0}, columns = {0};
  const bool has_rows = make_pairs(&rows, image->height, height, stride);
  const bool done = make_pairs(&columns, image->width, width, channels) && has_rows;
  for (int64_t y = 0; done && y < height; y++, out += width * channels) {
    int64_t begin = 0;
#if WITH_AVX2
    if (!is_float && channels == 3 && has_avx2()) {
      /* The pixel after the last one is not there to be read, or to be written. */
      for (begin = width - 1; begin > 0 && columns.second[begin - 1] + 4 > stride;) begin--;
      const uint8_t* in = image->pixels;
      lerp_row_avx2(in + rows.first[y], in + rows.second[y], rows.weight[y], &columns, begin, out);
    }
#endif
    if (is_float)
      lerp_row(image->pixels, rows.first[y], rows.second[y], rows.weight[y], &columns, begin, width,
               channels, true, out);
    else
      lerp_row(image->pixels, rows.first[y], rows.second[y], rows.weight[y], &columns, begin, width,
               channels, false, out);
  }
  release_pairs(&rows);
  release_pairs(&columns);
  return done;
}

/* ---- Which inputs make an output, and with which weights ---- */

/* Output i is the sum of the inputs from first[i] on, count[i] of them, times weights, `room` for each output. */
typedef struct {
  int64_t size, room;
  int64_t *first, *count;
  float* weights;
} spans;

static bool make_room(spans* s, int64_t size, int64_t room) {
  *s = (spans){.size = size, .room = room};
  s->first = calloc((size_t)size, sizeof *s->first);
  s->count = calloc((size_t)size, sizeof *s->count);
  s->weights = calloc((size_t)size * (size_t)room, sizeof *s->weights);
  return s->first && s->count && s->weights;
}

static void release(spans* s) {
  free(s->first);
  free(s->count);
  free(s->weights);
}

static float lanczos(float x, float radius) {
  if (x > radius) return 0.0f;
  if (x <= 1e-3f) return 1.0f;
  return radius * sinf(PI * x) * sinf(PI * x / radius) / (PI * PI * x * x);
}

static float gaussian(float x) {
  const float radius = 1.5f, sigma = radius / 3.0f;
  if (x >= radius) return 0.0f;
  return (float)exp(-x * x / (2.0 * sigma * sigma));
}

static float triangle(float x) { return x < 1.0f ? 1.0f - x : 0.0f; }

static float keys_cubic(float x) {
  if (x >= 2.0f) return 0.0f;
  if (x >= 1.0f) return ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f;
  return ((1.5f * x - 2.5f) * x) * x + 1.0f;
}

static float mitchell_cubic(float x) {
  if (x >= 2.0f) return 0.0f;
  if (x >= 1.0f) return (((-7.0f / 18.0f) * x + 2.0f) * x - 10.0f / 3.0f) * x + 16.0f / 9.0f;
  return (((7.0f / 6.0f) * x - 2.0f) * x) * x + 8.0f / 9.0f;
}

static float radius_of(enum tfpipe_method method) {
  switch (method) {
    case TF_BILINEAR: return 1.0f;
    case TF_LANCZOS3: return 3.0f;
    case TF_LANCZOS5: return 5.0f;
    case TF_GAUSSIAN: return 1.5f;
    default: return 2.0f;
  }
}

static float weight_at(enum tfpipe_method method, float x) {
  switch (method) {
    case TF_BILINEAR: return triangle(x);
    case TF_LANCZOS3: return lanczos(x, 3.0f);
    case TF_LANCZOS5: return lanczos(x, 5.0f);
    case TF_GAUSSIAN: return gaussian(x);
    case TF_MITCHELLCUBIC: return mitchell_cubic(x);
    default: return keys_cubic(x);
  }
}

/* Makes the sum of some weights 1, unless it is 0. */
static void normalize(float* weights, int64_t count, float sum) {
  if (!(fabsf(sum) >= 1000.0f * 1.17549435e-38f)) {
    memset(weights, 0, (size_t)count * sizeof *weights);
    return;
  }
  const float factor = 1.0f / sum;
  for (int64_t k = 0; k < count; k++) weights[k] *= factor;
}

static int64_t clamped(int64_t value, int64_t most) {
  return value < 0 ? 0 : value > most ? most : value;
}

/* scale_and_translate_op.cc */
static bool make_spans(spans* s, int64_t size_in, int64_t size, enum tfpipe_method method,
                       bool antialias) {
  /* TensorFlow is given the scale, and takes its inverse. */
  const float scale = 1.0f / ((float)size / (float)size_in);
  const float widening = antialias && scale > 1.0f ? scale : 1.0f;
  const float reach = radius_of(method) * widening, factor = 1.0f / widening;
  int64_t room = 2 * (int64_t)ceilf(reach) + 1;
  if (room > size_in) room = size_in;
  if (!make_room(s, size, room)) return false;
  for (int64_t i = 0; i < size; i++) {
    const float centre = ((float)i + 0.5f) * scale;
    if (centre < 0.0f || centre > (float)size_in) continue;
    const int64_t first = clamped((int64_t)ceilf(centre - reach - 0.5f), size_in - 1);
    const int64_t last = clamped((int64_t)floorf(centre + reach - 0.5f), size_in - 1);
    int64_t count = last + 1 - first;
    if (count > room) count = room;
    float* weights = s->weights + i * room;
    float sum = 0.0f;
    for (int64_t k = 0; k < count; k++) {
      weights[k] = weight_at(method, fabsf(((float)(first + k) + 0.5f - centre) * factor));
      sum += weights[k];
    }
    normalize(weights, count, sum);
    s->first[i] = first;
    s->count[i] = count;
  }
  return true;
}

/* resize_bicubic_op.cc: four inputs, their weights from a table of 1024 steps. */
static bool make_cubic(spans* s, int64_t size_in, int64_t size) {
  const float scale = scale_of(size_in, size);
  const double a = -0.5; /* a table of float from double */
  if (!make_room(s, size, 4)) return false;
  for (int64_t i = 0; i < size; i++) {
    const float place = ((float)i + 0.5f) * scale - 0.5f;
    const int64_t knot = (int64_t)floorf(place);
    const float near = (float)lrintf((place - (float)knot) * 1024.0f) / 1024.0f;
    const float distances[4] = {near + 1.0f, near, 1.0f - near, 1.0f - near + 1.0f};
    float* weights = s->weights + i * 4;
    float sum = 0.0f;
    for (int64_t k = 0; k < 4; k++) {
      const int64_t input = knot - 1 + k;
      if (input < 0 || input >= size_in) continue;
      const float x = distances[k];
      const double weight = k == 0 || k == 3 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
                                             : ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
      if (s->count[i] == 0) s->first[i] = input;
      weights[s->count[i]++] = (float)weight;
      sum += (float)weight;
    }
    normalize(weights, s->count[i], sum);
  }
  return true;
}

/* ---- Sums ---- */

/* Row y of the outputs of one axis, from rows of `stride` inputs. */
INLINE void sum_rows(const tfpipe_image* image, int64_t stride, const spans* s, int64_t y,
                     bool is_float, float* out) {
  for (int64_t x = 0; x < stride; x++) out[x] = 0.0f;
  for (int64_t k = 0; k < s->count[y]; k++) {
    const int64_t row = (s->first[y] + k) * stride;
    const float weight = s->weights[y * s->room + k];
    for (int64_t x = 0; x < stride; x++) out[x] += value_at(image->pixels, row + x, is_float) * weight;
  }
}

/* Outputs of one row, from `begin` on. */
static void sum_columns(const float* row, const spans* s, int64_t channels, int64_t begin, float* out) {
  for (int64_t x = begin; x < s->size; x++)
    for (int64_t c = 0; c < channels; c++) {
      const float* in = row + s->first[x] * channels + c;
      float sum = 0.0f;
      for (int64_t k = 0; k < s->count[x]; k++) sum += in[k * channels] * s->weights[x * s->room + k];
      out[x * channels + c] = sum;
    }
}

#if WITH_AVX2
/* Outputs of 3 or 4 channels, up to `end`. With three, each reads and writes one value too many. */
AVX2 static void sum_columns_avx2(const float* row, const spans* s, int64_t channels, int64_t end,
                                  float* out) {
  for (int64_t x = 0; x < end; x++) {
    const float *in = row + s->first[x] * channels, *weights = s->weights + x * s->room;
    __m128 sum = _mm_setzero_ps();
    for (int64_t k = 0; k < s->count[x]; k++)
      sum = _mm_add_ps(sum, _mm_mul_ps(_mm_loadu_ps(in + k * channels), _mm_set1_ps(weights[k])));
    _mm_storeu_ps(out + x * channels, sum);
  }
}

AVX2 static void sum_rows_avx2(const tfpipe_image* image, int64_t stride, const spans* s, int64_t y,
                               float* out) {
  if (image->is_float)
    sum_rows(image, stride, s, y, true, out);
  else
    sum_rows(image, stride, s, y, false, out);
}
#endif

/* Downward, then across. `between` has room for a row of inputs, and one value more. */
static void sum(const tfpipe_image* image, const spans* rows, const spans* columns, float* between,
                float* out) {
  const int64_t channels = image->channels, stride = image->width * channels;
  between[stride] = 0.0f;
  for (int64_t y = 0; y < rows->size; y++, out += columns->size * channels) {
    int64_t done = 0;
#if WITH_AVX2
    if (has_avx2()) {
      sum_rows_avx2(image, stride, rows, y, between);
      if (channels == 3 || channels == 4) {
        done = columns->size - 1;
        sum_columns_avx2(between, columns, channels, done, out);
      }
      sum_columns(between, columns, channels, done, out);
      continue;
    }
#endif
    sum_rows(image, stride, rows, y, image->is_float, between);
    sum_columns(between, columns, channels, done, out);
  }
}

bool tfpipe_resize_tf(const tfpipe_image* image, enum tfpipe_method method, bool antialias,
                      int64_t height, int64_t width, void* out) {
  if (method == TF_NEAREST) return take_nearest(image, height, width, out);
  if (method == TF_BILINEAR && !antialias) return lerp(image, height, width, out);
  spans rows = {0}, columns = {0};
  const int64_t sizes[2][2] = {{image->height, height}, {image->width, width}};
  spans* axes[2] = {&rows, &columns};
  bool done = true;
  for (int i = 0; i < 2 && done; i++) {
    if (method == TF_BICUBIC && !antialias)
      done = make_cubic(axes[i], sizes[i][0], sizes[i][1]);
    else
      done = make_spans(axes[i], sizes[i][0], sizes[i][1], method, antialias);
  }
  float* between = malloc((size_t)(image->width * image->channels + 1) * sizeof *between);
  done = done && between;
  if (done) sum(image, &rows, &columns, between, out);
  free(between);
  release(&rows);
  release(&columns);
  return done;
}
