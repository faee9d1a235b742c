/* Registers the kernels with TensorFlow, through its stable C interface, when the library is loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colors.h"
#include "resize.h"
#include "resize_tf.h"
#include "standardize.h"
#include "tensorflow.h"
#include "warp.h"

static void destroy(void* kernel) { free(kernel); }

static void unknown_shape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

/* ---- What is read when a kernel is made: its attributes. The first failure is kept in `status` ---- */

typedef struct {
  TF_OpKernelConstruction* context;
  TF_Status* status;
} making;

static bool is_well(TF_Status* status) { return TF_GetCode(status) == TF_OK; }

static void read_int(making of, const char* name, int32_t* value) {
  if (is_well(of.status)) TF_OpKernelConstruction_GetAttrInt32(of.context, name, value, of.status);
}

static void read_float(making of, const char* name, float* value) {
  if (is_well(of.status)) TF_OpKernelConstruction_GetAttrFloat(of.context, name, value, of.status);
}

static void read_bool(making of, const char* name, unsigned char* value) {
  if (is_well(of.status)) TF_OpKernelConstruction_GetAttrBool(of.context, name, value, of.status);
}

static void require(making of, bool condition, const char* message) {
  if (is_well(of.status) && !condition) TF_SetStatus(of.status, TF_INVALID_ARGUMENT, message);
}

/* Makes a kernel of some bytes, all 0, and lets `read` fill it. */
static void* make(TF_OpKernelConstruction* context, size_t bytes, void (*read)(making, void*)) {
  const making of = {context, TF_NewStatus()};
  void* kernel = calloc(1, bytes);
  if (kernel)
    read(of, kernel);
  else
    TF_SetStatus(of.status, TF_RESOURCE_EXHAUSTED, "no memory");
  if (!is_well(of.status)) TF_OpKernelConstruction_Failure(context, of.status);
  TF_DeleteStatus(of.status);
  return kernel;
}

/* ---- What is read and written when it runs: its tensors ---- */

enum { MOST_INPUTS = 3 };

typedef struct {
  TF_OpKernelContext* context;
  TF_Status* status;
  TF_Tensor* inputs[MOST_INPUTS];
  TF_Tensor* output;
} call;

static bool begin(call* of, TF_OpKernelContext* context, int inputs) {
  *of = (call){.context = context, .status = TF_NewStatus()};
  for (int i = 0; i < inputs && is_well(of->status); i++)
    TF_GetInput(context, i, &of->inputs[i], of->status);
  return is_well(of->status);
}

/* Fails with a message, if there is no failure yet. */
static void fail(call* of, TF_Code code, const char* message) {
  if (is_well(of->status)) TF_SetStatus(of->status, code, message);
}

static void end(call* of) {
  if (!is_well(of->status)) TF_OpKernelContext_Failure(of->context, of->status);
  for (int i = 0; i < MOST_INPUTS; i++)
    if (of->inputs[i]) TF_DeleteTensor(of->inputs[i]);
  if (of->output) TF_DeleteTensor(of->output);
  TF_DeleteStatus(of->status);
}

static bool has_values(const TF_Tensor* tensor, int64_t count) {
  int64_t cells = 1;
  for (int i = 0; i < TF_NumDims(tensor); i++) cells *= TF_Dim(tensor, i);
  return cells == count;
}

/* The first input. False: it is not [height, width, channels], with sides below 2 ** 31. */
static bool image_of(const call* of, tfpipe_image* image) {
  const TF_Tensor* in = of->inputs[0];
  if (TF_NumDims(in) != 3 || TF_Dim(in, 0) > INT32_MAX || TF_Dim(in, 1) > INT32_MAX) return false;
  *image = (tfpipe_image){.pixels = TF_TensorData(in),
                          .is_float = TF_TensorType(in) == TF_FLOAT,
                          .height = TF_Dim(in, 0),
                          .width = TF_Dim(in, 1),
                          .channels = TF_Dim(in, 2)};
  return true;
}

/* Memory for the result. NULL: there is none, or it holds no values. */
static void* allocate(call* of, TF_DataType type, size_t value, const int64_t* dims, int rank) {
  size_t bytes = value;
  for (int i = 0; i < rank; i++) bytes *= (size_t)dims[i];
  of->output = TF_AllocateOutput(of->context, 0, type, dims, rank, bytes, of->status);
  return is_well(of->status) && bytes ? TF_TensorData(of->output) : NULL;
}

static void* allocate_image(call* of, bool is_float, int64_t height, int64_t width, int64_t channels) {
  const int64_t dims[3] = {height, width, channels};
  return allocate(of, is_float ? TF_FLOAT : TF_UINT8, is_float ? sizeof(float) : 1, dims, 3);
}

/* ---- TfpipeResize ---- */

typedef struct {
  int32_t height, width, filter;
  unsigned char keep_aspect_ratio;
} resize_kernel;

static void read_resize(making of, void* data) {
  resize_kernel* kernel = data;
  read_int(of, "height", &kernel->height);
  read_int(of, "width", &kernel->width);
  read_int(of, "filter", &kernel->filter);
  read_bool(of, "keep_aspect_ratio", &kernel->keep_aspect_ratio);
  require(of, kernel->height >= 1 && kernel->width >= 1, "height and width must be 1 or more");
  require(of, kernel->filter >= 0 && kernel->filter < FILTERS, "filter must be 0 to 5");
}

static void* create_resize(TF_OpKernelConstruction* context) {
  return make(context, sizeof(resize_kernel), read_resize);
}

/* The largest centered box with the aspect ratio of the output: `aspect_box` in ops/resize.py. */
static tfpipe_box centered_box(const tfpipe_image* image, int64_t height, int64_t width) {
  int64_t rows = image->width * height / width, columns = image->height * width / height;
  if (rows > image->height) rows = image->height;
  if (columns > image->width) columns = image->width;
  const int64_t top = (image->height - rows) / 2, left = (image->width - columns) / 2;
  return (tfpipe_box){.rows = {(float)top, (float)(top + rows)},
                      .columns = {(float)left, (float)(left + columns)}};
}

static bool is_inside(tfpipe_range range, int64_t size) {
  return range.begin >= 0 && range.end >= range.begin && range.end <= (float)size;
}

static void compute_resize(void* data, TF_OpKernelContext* context) {
  const resize_kernel* kernel = data;
  const int64_t height = kernel->height, width = kernel->width;
  call of;
  tfpipe_image image;
  if (!begin(&of, context, 2)) goto done;
  if (!image_of(&of, &image) || image.channels < 1 || image.channels > 4 || image.height < 1 ||
      image.width < 1) {
    fail(&of, TF_INVALID_ARGUMENT, "an image must be [height, width, 1 to 4 channels]");
    goto done;
  }
  tfpipe_box box = {.rows = {0, (float)image.height}, .columns = {0, (float)image.width}};
  if (has_values(of.inputs[1], 4)) {
    const float* given = TF_TensorData(of.inputs[1]); /* top, left, bottom, right */
    box = (tfpipe_box){.rows = {given[0], given[2]}, .columns = {given[1], given[3]}};
    if (!is_inside(box.rows, image.height) || !is_inside(box.columns, image.width)) {
      fail(&of, TF_INVALID_ARGUMENT, "a box must lie in its image");
      goto done;
    }
  } else if (image.height == height && image.width == width) {
    TF_SetOutput(context, 0, of.inputs[0], of.status);
    goto done;
  } else if (kernel->keep_aspect_ratio) {
    box = centered_box(&image, height, width);
  }
  void* out = allocate_image(&of, image.is_float, height, width, image.channels);
  if (out && !tfpipe_resize(&image, box, (enum tfpipe_filter)kernel->filter, height, width, out))
    fail(&of, TF_RESOURCE_EXHAUSTED, "no memory to resize an image");
done:
  end(&of);
}

/* ---- TfpipeResizeTf ---- */

typedef struct {
  int32_t method;
  unsigned char antialias;
} resize_tf_kernel;

static void read_resize_tf(making of, void* data) {
  resize_tf_kernel* kernel = data;
  read_int(of, "method", &kernel->method);
  read_bool(of, "antialias", &kernel->antialias);
  require(of, kernel->method >= 0 && kernel->method < TF_METHODS, "method must be 0 to 7");
  require(of, kernel->method != TF_AREA, "method must not be area");
}

static void* create_resize_tf(TF_OpKernelConstruction* context) {
  return make(context, sizeof(resize_tf_kernel), read_resize_tf);
}

static void compute_resize_tf(void* data, TF_OpKernelContext* context) {
  const resize_tf_kernel* kernel = data;
  const enum tfpipe_method method = (enum tfpipe_method)kernel->method;
  call of;
  tfpipe_image image;
  if (!begin(&of, context, 2)) goto done;
  if (!image_of(&of, &image) || image.channels < 1 || image.height < 1 || image.width < 1 ||
      !has_values(of.inputs[1], 2)) {
    fail(&of, TF_INVALID_ARGUMENT, "an image must be [height, width, channels], a size [2]");
    goto done;
  }
  const int32_t* size = TF_TensorData(of.inputs[1]);
  if (size[0] < 1 || size[1] < 1) {
    fail(&of, TF_INVALID_ARGUMENT, "height and width must be 1 or more");
    goto done;
  }
  const bool to_float = image.is_float || method != TF_NEAREST;
  void* out = allocate_image(&of, to_float, size[0], size[1], image.channels);
  if (out && !tfpipe_resize_tf(&image, method, kernel->antialias, size[0], size[1], out))
    fail(&of, TF_RESOURCE_EXHAUSTED, "no memory to resize an image");
done:
  end(&of);
}

/* ---- TfpipeAffineMatrix ---- */

typedef struct {
  int32_t height, width;
} matrix_kernel;

static void read_matrix(making of, void* data) {
  matrix_kernel* kernel = data;
  read_int(of, "height", &kernel->height);
  read_int(of, "width", &kernel->width);
}

static void* create_matrix(TF_OpKernelConstruction* context) {
  return make(context, sizeof(matrix_kernel), read_matrix);
}

static void compute_matrix(void* data, TF_OpKernelContext* context) {
  const matrix_kernel* kernel = data;
  const int64_t dims[2] = {2, 3};
  call of;
  if (!begin(&of, context, 1)) goto done;
  if (!has_values(of.inputs[0], 6)) {
    fail(&of, TF_INVALID_ARGUMENT, "moves must be theta, tx, ty, shear, zx, zy");
    goto done;
  }
  double* matrix = allocate(&of, TF_DOUBLE, sizeof(double), dims, 2);
  if (matrix)
    tfpipe_affine_matrix(TF_TensorData(of.inputs[0]), kernel->height, kernel->width, matrix);
done:
  end(&of);
}

/* ---- TfpipeWarp ---- */

typedef struct {
  int32_t order, fill;
  float cval, scale;
} warp_kernel;

static void read_warp(making of, void* data) {
  warp_kernel* kernel = data;
  read_int(of, "order", &kernel->order);
  read_int(of, "fill", &kernel->fill);
  read_float(of, "cval", &kernel->cval);
  read_float(of, "scale", &kernel->scale);
  require(of, kernel->order == 0 || kernel->order == 1, "order must be 0 or 1");
  require(of, kernel->fill >= 0 && kernel->fill < FILLS, "fill must be 0 to 3");
}

static void* create_warp(TF_OpKernelConstruction* context) {
  return make(context, sizeof(warp_kernel), read_warp);
}

static void compute_warp(void* data, TF_OpKernelContext* context) {
  const warp_kernel* kernel = data;
  call of;
  tfpipe_image image;
  if (!begin(&of, context, 3)) goto done;
  if (!image_of(&of, &image) || !has_values(of.inputs[1], 6) || !has_values(of.inputs[2], 2)) {
    fail(&of, TF_INVALID_ARGUMENT,
         "an image must be [height, width, channels], a matrix [2, 3], flips [2]");
    goto done;
  }
  const bool* flips = TF_TensorData(of.inputs[2]);
  tfpipe_motion motion = {.flip_horizontal = flips[0],
                          .flip_vertical = flips[1],
                          .order = kernel->order,
                          .fill = (enum tfpipe_fill)kernel->fill,
                          .cval = kernel->cval,
                          .scale = kernel->scale};
  memcpy(motion.matrix, TF_TensorData(of.inputs[1]), sizeof motion.matrix);
  float* out = allocate_image(&of, true, image.height, image.width, image.channels);
  if (out && !tfpipe_warp(&image, &motion, out))
    fail(&of, TF_RESOURCE_EXHAUSTED, "no memory to move an image");
done:
  end(&of);
}

/* ---- TfpipeRecolor ---- */

typedef struct {
  int32_t steps; /* a bit for each of enum tfpipe_step */
  float cutout_value, scale;
  unsigned char unit_range;
} recolor_kernel;

static void read_recolor(making of, void* data) {
  recolor_kernel* kernel = data;
  read_int(of, "steps", &kernel->steps);
  read_float(of, "cutout_value", &kernel->cutout_value);
  read_float(of, "scale", &kernel->scale);
  read_bool(of, "unit_range", &kernel->unit_range);
  require(of, kernel->steps >= 0 && kernel->steps < 1 << STEPS, "steps must be below 64");
}

static void* create_recolor(TF_OpKernelConstruction* context) {
  return make(context, sizeof(recolor_kernel), read_recolor);
}

static void compute_recolor(void* data, TF_OpKernelContext* context) {
  const recolor_kernel* kernel = data;
  call of;
  tfpipe_image image;
  if (!begin(&of, context, 2)) goto done;
  if (!image_of(&of, &image) || !has_values(of.inputs[1], 9)) {
    fail(&of, TF_INVALID_ARGUMENT, "an image must be [height, width, channels], its values 9 numbers");
    goto done;
  }
  const double* values = TF_TensorData(of.inputs[1]);
  tfpipe_recoloring how = {.shift = (float)values[0],
                           .brightness = (float)values[1],
                           .contrast = (float)values[2],
                           .saturation = (float)values[3],
                           .hue = (float)values[4],
                           .left = values[5],
                           .top = values[6],
                           .width = values[7],
                           .height = values[8],
                           .cutout_value = kernel->cutout_value,
                           .unit_range = kernel->unit_range,
                           .scale = kernel->scale};
  for (int step = 0; step < STEPS; step++) how.does[step] = kernel->steps >> step & 1;
  float* out = allocate_image(&of, true, image.height, image.width, image.channels);
  if (out && !tfpipe_recolor(image.pixels, image.height, image.width, image.channels, &how, out))
    fail(&of, TF_RESOURCE_EXHAUSTED, "no memory to change the colors of an image");
done:
  end(&of);
}

/* ---- TfpipeStandardize ---- */

typedef struct {
  float scale;
  unsigned char center, normalize;
} standardize_kernel;

static void read_standardize(making of, void* data) {
  standardize_kernel* kernel = data;
  read_float(of, "scale", &kernel->scale);
  read_bool(of, "center", &kernel->center);
  read_bool(of, "normalize", &kernel->normalize);
}

static void* create_standardize(TF_OpKernelConstruction* context) {
  return make(context, sizeof(standardize_kernel), read_standardize);
}

static void compute_standardize(void* data, TF_OpKernelContext* context) {
  const standardize_kernel* kernel = data;
  call of;
  if (!begin(&of, context, 3)) goto done;
  const TF_Tensor *in = of.inputs[0], *of_mean = of.inputs[1], *of_std = of.inputs[2];
  const bool has_rank = TF_NumDims(in) == 4 && TF_NumDims(of_mean) == 1 && TF_NumDims(of_std) == 1;
  const int64_t channels = has_rank ? TF_Dim(in, 3) : 0;
  const int64_t means = has_rank ? TF_Dim(of_mean, 0) : -1, stds = has_rank ? TF_Dim(of_std, 0) : -1;
  if (!has_rank || !(means <= 1 || means == channels) || !(stds <= 1 || stds == channels)) {
    fail(&of, TF_INVALID_ARGUMENT,
         "images must be [batch, height, width, channels], a mean and a std one number, or one a channel");
    goto done;
  }
  const tfpipe_standard how = {.scale = kernel->scale,
                               .center = kernel->center,
                               .normalize = kernel->normalize,
                               .mean = TF_TensorData(of_mean),
                               .std = TF_TensorData(of_std),
                               .means = means,
                               .stds = stds};
  tfpipe_image image = {.is_float = TF_TensorType(in) == TF_FLOAT,
                        .height = TF_Dim(in, 1),
                        .width = TF_Dim(in, 2),
                        .channels = channels};
  const int64_t count = image.height * image.width * channels;
  const int64_t dims[4] = {TF_Dim(in, 0), image.height, image.width, channels};
  float* out = allocate(&of, TF_FLOAT, sizeof(float), dims, 4);
  for (int64_t i = 0; out && i < dims[0]; i++) {
    image.pixels = (const uint8_t*)TF_TensorData(in) + i * count * (image.is_float ? 4 : 1);
    if (tfpipe_standardize(&image, &how, out + i * count)) continue;
    fail(&of, TF_RESOURCE_EXHAUSTED, "no memory to standardize an image");
    break;
  }
done:
  end(&of);
}

/* ---- Registration ---- */

typedef struct {
  const char* name;
  const char *attributes[6], *inputs[4], *output; /* lists end with NULL */
  void* (*create)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
} definition;

static const definition definitions[] = {
    {"TfpipeResize",
     {"T: {uint8, float}", "height: int", "width: int", "filter: int", "keep_aspect_ratio: bool"},
     {"image: T", "box: float"},
     "resized: T",
     create_resize,
     compute_resize},
    {"TfpipeResizeTf", /* U: float, or T for the nearest pixel */
     {"T: {uint8, float}", "U: {uint8, float}", "method: int", "antialias: bool"},
     {"image: T", "size: int32"},
     "resized: U",
     create_resize_tf,
     compute_resize_tf},
    {"TfpipeAffineMatrix",
     {"height: int", "width: int"},
     {"moves: double"},
     "matrix: double",
     create_matrix,
     compute_matrix},
    {"TfpipeWarp",
     {"T: {uint8, float}", "order: int", "fill: int", "cval: float", "scale: float"},
     {"image: T", "matrix: double", "flips: bool"},
     "moved: float",
     create_warp,
     compute_warp},
    {"TfpipeRecolor",
     {"steps: int", "cutout_value: float", "scale: float", "unit_range: bool"},
     {"image: float", "values: double"},
     "recolored: float",
     create_recolor,
     compute_recolor},
    {"TfpipeStandardize",
     {"T: {uint8, float}", "scale: float", "center: bool", "normalize: bool"},
     {"images: T", "mean: float", "std: float"},
     "standardized: float",
     create_standardize,
     compute_standardize},
};

__attribute__((constructor)) static void register_all(void) {
  TF_Status* status = TF_NewStatus();
  for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    const definition* of = &definitions[i];
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(of->name);
    for (int k = 0; of->attributes[k]; k++) TF_OpDefinitionBuilderAddAttr(op, of->attributes[k]);
    for (int k = 0; of->inputs[k]; k++) TF_OpDefinitionBuilderAddInput(op, of->inputs[k]);
    TF_OpDefinitionBuilderAddOutput(op, of->output);
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shape);
    TF_RegisterOpDefinition(op, status);
    if (is_well(status))
      TF_RegisterKernelBuilder(
          of->name, TF_NewKernelBuilder(of->name, "CPU", of->create, of->compute, destroy), status);
    if (!is_well(status)) fprintf(stderr, "tfpipe: %s was not registered\n", of->name);
    TF_SetStatus(status, TF_OK, "");
  }
  TF_DeleteStatus(status);
}
