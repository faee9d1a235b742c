/* Registers the kernels with TensorFlow, through its stable C interface, when the library is loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resize.h"
#include "tensorflow.h"
#include "warp.h"

static void fail(TF_OpKernelContext* context, TF_Status* status, TF_Code code, const char* message) {
  TF_SetStatus(status, code, message);
  TF_OpKernelContext_Failure(context, status);
}

static void unknown_shape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void destroy(void* kernel) { free(kernel); }

/* ---- TfpipeResize ---- */

typedef struct {
  int32_t height, width, filter;
  unsigned char keep_aspect_ratio;
} resize_kernel;

static void* create_resize(TF_OpKernelConstruction* context) {
  TF_Status* status = TF_NewStatus();
  resize_kernel* kernel = calloc(1, sizeof *kernel);
  if (!kernel) TF_SetStatus(status, TF_RESOURCE_EXHAUSTED, "no memory");
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "height", &kernel->height, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "width", &kernel->width, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "filter", &kernel->filter, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrBool(context, "keep_aspect_ratio", &kernel->keep_aspect_ratio,
                                        status);
  if (TF_GetCode(status) == TF_OK && (kernel->height < 1 || kernel->width < 1 || kernel->filter < 0 ||
                                      kernel->filter >= FILTERS))
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "height and width must be 1 or more, filter 0 to 5");
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(context, status);
  TF_DeleteStatus(status);
  return kernel;
}

/* The largest centered box with the aspect ratio of the output: `aspect_box` in ops/resize.py. */
static void keep_aspect(tfpipe_image* image, int64_t height, int64_t width) {
  int64_t rows = image->width * height / width, columns = image->height * width / height;
  if (rows > image->height) rows = image->height;
  if (columns > image->width) columns = image->width;
  const int64_t top = (image->height - rows) / 2, left = (image->width - columns) / 2;
  image->rows = (tfpipe_range){(float)top, (float)(top + rows)};
  image->columns = (tfpipe_range){(float)left, (float)(left + columns)};
}

static void compute_resize(void* data, TF_OpKernelContext* context) {
  const resize_kernel* kernel = data;
  TF_Status* status = TF_NewStatus();
  TF_Tensor *in = NULL, *of_box = NULL, *out = NULL;
  TF_GetInput(context, 0, &in, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 1, &of_box, status);
  if (TF_GetCode(status) != TF_OK) {
    TF_OpKernelContext_Failure(context, status);
    goto end;
  }
  if (TF_NumDims(in) != 3 || TF_Dim(in, 2) < 1 || TF_Dim(in, 2) > 4 || TF_Dim(in, 0) < 1 ||
      TF_Dim(in, 1) < 1 || TF_Dim(in, 0) > INT32_MAX || TF_Dim(in, 1) > INT32_MAX) {
    fail(context, status, TF_INVALID_ARGUMENT, "an image must be [height, width, 1 to 4 channels]");
    goto end;
  }
  tfpipe_image image = {.pixels = TF_TensorData(in),
                        .is_float = TF_TensorType(in) == TF_FLOAT,
                        .height = TF_Dim(in, 0),
                        .width = TF_Dim(in, 1),
                        .channels = TF_Dim(in, 2)};
  image.rows = (tfpipe_range){0, (float)image.height};
  image.columns = (tfpipe_range){0, (float)image.width};
  const bool has_box = TF_NumDims(of_box) == 1 && TF_Dim(of_box, 0) == 4;
  if (has_box) {
    const float* box = TF_TensorData(of_box);
    image.rows = (tfpipe_range){box[0], box[2]};
    image.columns = (tfpipe_range){box[1], box[3]};
    if (!(box[0] >= 0 && box[1] >= 0 && box[2] >= box[0] && box[3] >= box[1] &&
          box[2] <= (float)image.height && box[3] <= (float)image.width)) {
      fail(context, status, TF_INVALID_ARGUMENT, "a box must lie in its image");
      goto end;
    }
  } else if (image.height == kernel->height && image.width == kernel->width) {
    TF_SetOutput(context, 0, in, status);
    if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
    goto end;
  } else if (kernel->keep_aspect_ratio) {
    keep_aspect(&image, kernel->height, kernel->width);
  }
  const int64_t dims[3] = {kernel->height, kernel->width, image.channels};
  const size_t cells = (size_t)kernel->height * (size_t)kernel->width * (size_t)image.channels;
  out = TF_AllocateOutput(context, 0, TF_TensorType(in), dims, 3,
                          cells * (image.is_float ? sizeof(float) : 1), status);
  if (TF_GetCode(status) != TF_OK)
    TF_OpKernelContext_Failure(context, status);
  else if (!tfpipe_resize(&image, (enum tfpipe_filter)kernel->filter, kernel->height, kernel->width,
                          TF_TensorData(out)))
    fail(context, status, TF_RESOURCE_EXHAUSTED, "no memory to resize an image");
end:
  if (in) TF_DeleteTensor(in);
  if (of_box) TF_DeleteTensor(of_box);
  if (out) TF_DeleteTensor(out);
  TF_DeleteStatus(status);
}

/* ---- TfpipeAffineMatrix ---- */

typedef struct {
  int32_t height, width;
} matrix_kernel;

static void* create_matrix(TF_OpKernelConstruction* context) {
  TF_Status* status = TF_NewStatus();
  matrix_kernel* kernel = calloc(1, sizeof *kernel);
  if (!kernel) TF_SetStatus(status, TF_RESOURCE_EXHAUSTED, "no memory");
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "height", &kernel->height, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "width", &kernel->width, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(context, status);
  TF_DeleteStatus(status);
  return kernel;
}

static void compute_matrix(void* data, TF_OpKernelContext* context) {
  const matrix_kernel* kernel = data;
  TF_Status* status = TF_NewStatus();
  TF_Tensor *in = NULL, *out = NULL;
  TF_GetInput(context, 0, &in, status);
  if (TF_GetCode(status) != TF_OK) {
    TF_OpKernelContext_Failure(context, status);
  } else if (TF_NumDims(in) != 1 || TF_Dim(in, 0) != 6) {
    fail(context, status, TF_INVALID_ARGUMENT, "moves must be theta, tx, ty, shear, zx, zy");
  } else {
    const int64_t dims[2] = {2, 3};
    out = TF_AllocateOutput(context, 0, TF_DOUBLE, dims, 2, 6 * sizeof(double), status);
    if (TF_GetCode(status) == TF_OK)
      tfpipe_affine_matrix(TF_TensorData(in), kernel->height, kernel->width, TF_TensorData(out));
    else
      TF_OpKernelContext_Failure(context, status);
  }
  if (in) TF_DeleteTensor(in);
  if (out) TF_DeleteTensor(out);
  TF_DeleteStatus(status);
}

/* ---- TfpipeWarp ---- */

typedef struct {
  int32_t order, fill;
  float cval, scale;
} warp_kernel;

static void* create_warp(TF_OpKernelConstruction* context) {
  TF_Status* status = TF_NewStatus();
  warp_kernel* kernel = calloc(1, sizeof *kernel);
  if (!kernel) TF_SetStatus(status, TF_RESOURCE_EXHAUSTED, "no memory");
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "order", &kernel->order, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrInt32(context, "fill", &kernel->fill, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrFloat(context, "cval", &kernel->cval, status);
  if (TF_GetCode(status) == TF_OK)
    TF_OpKernelConstruction_GetAttrFloat(context, "scale", &kernel->scale, status);
  if (TF_GetCode(status) == TF_OK && (kernel->order < 0 || kernel->order > 1 || kernel->fill < 0 ||
                                      kernel->fill >= FILLS))
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "order must be 0 or 1, fill 0 to 3");
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(context, status);
  TF_DeleteStatus(status);
  return kernel;
}

static bool has_values(const TF_Tensor* tensor, int64_t count) {
  int64_t cells = 1;
  for (int i = 0; i < TF_NumDims(tensor); i++) cells *= TF_Dim(tensor, i);
  return cells == count;
}

static void compute_warp(void* data, TF_OpKernelContext* context) {
  const warp_kernel* kernel = data;
  TF_Status* status = TF_NewStatus();
  TF_Tensor *in = NULL, *of_matrix = NULL, *of_flips = NULL, *out = NULL;
  TF_GetInput(context, 0, &in, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 1, &of_matrix, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 2, &of_flips, status);
  if (TF_GetCode(status) != TF_OK) {
    TF_OpKernelContext_Failure(context, status);
    goto end;
  }
  if (TF_NumDims(in) != 3 || !has_values(of_matrix, 6) || !has_values(of_flips, 2)) {
    fail(context, status, TF_INVALID_ARGUMENT,
         "an image must be [height, width, channels], a matrix [2, 3], flips [2]");
    goto end;
  }
  const int64_t dims[3] = {TF_Dim(in, 0), TF_Dim(in, 1), TF_Dim(in, 2)};
  if (dims[0] > INT32_MAX || dims[1] > INT32_MAX) {
    fail(context, status, TF_INVALID_ARGUMENT, "an image must have sides below 2 ** 31");
    goto end;
  }
  const size_t cells = (size_t)dims[0] * (size_t)dims[1] * (size_t)dims[2];
  out = TF_AllocateOutput(context, 0, TF_FLOAT, dims, 3, cells * sizeof(float), status);
  if (TF_GetCode(status) != TF_OK) {
    TF_OpKernelContext_Failure(context, status);
    goto end;
  }
  if (!cells) goto end;
  const tfpipe_picture picture = {.pixels = TF_TensorData(in),
                                  .is_float = TF_TensorType(in) == TF_FLOAT,
                                  .height = dims[0],
                                  .width = dims[1],
                                  .channels = dims[2]};
  const bool* flips = TF_TensorData(of_flips);
  tfpipe_motion motion = {.flip_horizontal = flips[0],
                          .flip_vertical = flips[1],
                          .order = kernel->order,
                          .fill = (enum tfpipe_fill)kernel->fill,
                          .cval = kernel->cval,
                          .scale = kernel->scale};
  memcpy(motion.matrix, TF_TensorData(of_matrix), sizeof motion.matrix);
  if (!tfpipe_warp(&picture, &motion, TF_TensorData(out)))
    fail(context, status, TF_RESOURCE_EXHAUSTED, "no memory to move an image");
end:
  if (in) TF_DeleteTensor(in);
  if (of_matrix) TF_DeleteTensor(of_matrix);
  if (of_flips) TF_DeleteTensor(of_flips);
  if (out) TF_DeleteTensor(out);
  TF_DeleteStatus(status);
}

/* ---- Registration ---- */

static void report(const char* name, TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) fprintf(stderr, "tfpipe: %s was not registered\n", name);
}

static void register_resize(TF_Status* status) {
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("TfpipeResize");
  TF_OpDefinitionBuilderAddAttr(op, "T: {uint8, float}");
  TF_OpDefinitionBuilderAddAttr(op, "height: int");
  TF_OpDefinitionBuilderAddAttr(op, "width: int");
  TF_OpDefinitionBuilderAddAttr(op, "filter: int");
  TF_OpDefinitionBuilderAddAttr(op, "keep_aspect_ratio: bool");
  TF_OpDefinitionBuilderAddInput(op, "image: T");
  TF_OpDefinitionBuilderAddInput(op, "box: float");
  TF_OpDefinitionBuilderAddOutput(op, "resized: T");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shape);
  TF_RegisterOpDefinition(op, status);
  report("TfpipeResize", status);
  TF_RegisterKernelBuilder(
      "TfpipeResize", TF_NewKernelBuilder("TfpipeResize", "CPU", create_resize, compute_resize, destroy),
      status);
  report("the kernel of TfpipeResize", status);
}

static void register_matrix(TF_Status* status) {
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("TfpipeAffineMatrix");
  TF_OpDefinitionBuilderAddAttr(op, "height: int");
  TF_OpDefinitionBuilderAddAttr(op, "width: int");
  TF_OpDefinitionBuilderAddInput(op, "moves: double");
  TF_OpDefinitionBuilderAddOutput(op, "matrix: double");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shape);
  TF_RegisterOpDefinition(op, status);
  report("TfpipeAffineMatrix", status);
  TF_RegisterKernelBuilder("TfpipeAffineMatrix",
                           TF_NewKernelBuilder("TfpipeAffineMatrix", "CPU", create_matrix,
                                               compute_matrix, destroy),
                           status);
  report("the kernel of TfpipeAffineMatrix", status);
}

static void register_warp(TF_Status* status) {
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("TfpipeWarp");
  TF_OpDefinitionBuilderAddAttr(op, "T: {uint8, float}");
  TF_OpDefinitionBuilderAddAttr(op, "order: int");
  TF_OpDefinitionBuilderAddAttr(op, "fill: int");
  TF_OpDefinitionBuilderAddAttr(op, "cval: float");
  TF_OpDefinitionBuilderAddAttr(op, "scale: float");
  TF_OpDefinitionBuilderAddInput(op, "image: T");
  TF_OpDefinitionBuilderAddInput(op, "matrix: double");
  TF_OpDefinitionBuilderAddInput(op, "flips: bool");
  TF_OpDefinitionBuilderAddOutput(op, "moved: float");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shape);
  TF_RegisterOpDefinition(op, status);
  report("TfpipeWarp", status);
  TF_RegisterKernelBuilder(
      "TfpipeWarp", TF_NewKernelBuilder("TfpipeWarp", "CPU", create_warp, compute_warp, destroy),
      status);
  report("the kernel of TfpipeWarp", status);
}

__attribute__((constructor)) static void register_all(void) {
  TF_Status* status = TF_NewStatus();
  register_resize(status);
  register_matrix(status);
  register_warp(status);
  TF_DeleteStatus(status);
}
