"""tfpipe.ops.kernels: the kernels in C and TensorFlow's operations are one function, and it is Pillow's."""

import functools
import glob
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tfpipe
from tfpipe.ops import kernels
from tfpipe.ops.kernels import NATIVE, TENSORFLOW, chosen, native_resize, native_warp
from tfpipe.ops.resize import PILLOW_INTERPOLATIONS
from tfpipe.ops.resize_tf import TF_INTERPOLATIONS
from tfpipe.ops.warp_spec import FILL_MODES

needs_kernels = pytest.mark.skipif(
    kernels.why_not_native() is not None, reason=f"no kernels: {kernels.why_not_native()}"
)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# height, width of images and of results: tall, wide, single rows and columns, the same size.
SHAPES = [
    ((40, 61), (17, 23)),
    ((9, 12), (30, 50)),
    ((301, 20), (7, 19)),  # rows first
    ((20, 301), (19, 7)),
    ((1, 1), (5, 3)),
    ((1, 50), (3, 9)),
    ((50, 1), (9, 3)),
    ((64, 64), (64, 64)),
    ((33, 64), (64, 64)),
    ((500, 3), (2, 2)),
]


def picture(shape, channels, seed=0, dtype=np.uint8):
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, channels), np.uint8)
    return pixels.astype(dtype)


def by_pillow(image, size, interpolation, box=None):
    channels = image.shape[-1]
    file = Image.fromarray(image.squeeze(-1) if channels == 1 else image, MODES[channels])
    kernel = Image.Resampling[interpolation.upper()]
    resized = np.asarray(file.resize((size[1], size[0]), kernel, box=box))
    return resized.reshape(*size, channels)


@needs_kernels
class TestNativeResize:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
    def test_bytes_are_equal_to_pillow(self, channels, interpolation):
        for shape, size in SHAPES:
            image = picture(shape, channels)
            ours = native_resize(tf.constant(image), size, interpolation)
            np.testing.assert_array_equal(ours, by_pillow(image, size, interpolation))

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_any_shape(self, data):
        side, small = st.integers(1, 120), st.integers(1, 40)
        shape, size = data.draw(st.tuples(side, side)), data.draw(st.tuples(small, small))
        interpolation = data.draw(st.sampled_from(PILLOW_INTERPOLATIONS))
        image = picture(shape, data.draw(st.sampled_from([1, 2, 3, 4])), seed=shape[0])
        ours = native_resize(tf.constant(image), size, interpolation)
        np.testing.assert_array_equal(ours, by_pillow(image, size, interpolation))

    @pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
    @pytest.mark.parametrize(
        "box", [(0, 0, 40, 61), (3.25, 7.5, 31.75, 20), (39, 0, 40, 61), (0.1, 60.5, 39.9, 60.9)]
    )
    def test_a_box_is_the_one_of_pillow(self, interpolation, box):
        image, (top, left, bottom, right) = picture((40, 61), 3), box
        ours = native_resize(
            tf.constant(image), (11, 13), interpolation, box=tf.constant(box, tf.float32)
        )
        theirs = by_pillow(image, (11, 13), interpolation, (left, top, right, bottom))
        np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("keep_aspect_ratio", [False, True])
    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
    def test_both_implementations_agree(self, dtype, keep_aspect_ratio, channels, interpolation):
        # For bytes, both are compared with Pillow, in other tests.
        for shape, size in SHAPES if dtype == np.float32 else SHAPES[:3]:
            image = tf.constant(picture(shape, channels, dtype=dtype))
            ours, pure = (
                of.resize(image, size, interpolation, keep_aspect_ratio=keep_aspect_ratio)
                for of in (NATIVE, TENSORFLOW)
            )
            assert ours.dtype == pure.dtype
            np.testing.assert_allclose(ours, pure, rtol=0, atol=0 if dtype == np.uint8 else 2e-3)

    def test_whole_numbers_of_any_size_are_copied(self):
        ids = tf.constant([[[2**31 - 1], [-1], [2**24 + 1]]], tf.int32)
        for of in (NATIVE, TENSORFLOW):
            assert of.resize(ids, (1, 6))[0, ::2, 0].numpy().tolist() == [2**31 - 1, -1, 2**24 + 1]

    def test_eager_equals_graph(self):
        image = tf.constant(picture((31, 50), 3))

        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def in_graph(image):
            return native_resize(image, (9, 12), "lanczos")

        assert in_graph(image).shape == (9, 12, 3)
        np.testing.assert_array_equal(in_graph(image), native_resize(image, (9, 12), "lanczos"))

    @pytest.mark.parametrize(
        ("shape", "box", "message"),
        [
            ([0, 4, 3], None, "1 to 4 channels"),
            ([4, 0, 3], None, "1 to 4 channels"),
            ([4, 4, 5], None, "1 to 4 channels"),
            ([4, 4], None, "1 to 4 channels"),
            ([4, 4, 3], [-1.0, 0, 2, 2], "must lie in its image"),
            ([4, 4, 3], [0.0, 0, 4, 5], "must lie in its image"),
            ([4, 4, 3], [3.0, 0, 2, 4], "must lie in its image"),
            ([4, 4, 3], [float("nan"), 0, 2, 2], "must lie in its image"),
        ],
    )
    def test_rejects_what_it_cannot_resize(self, shape, box, message):
        image = tf.zeros(shape, tf.uint8)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            native_resize(image, (2, 2), "bilinear", box=None if box is None else tf.constant(box))


@pytest.mark.slow
@needs_kernels
@pytest.mark.parametrize("interpolation", ["nearest", "lanczos3", "bilinear"])
def test_batches_are_the_same_with_either(animals, interpolation):
    batches = []
    for name in ("native", "tensorflow"):
        dataset = tfpipe.image_dataset_from_directory(
            animals, image_size=(6, 8), interpolation=interpolation, antialias=True, kernels=name,
            seed=1,
            verbose=False,
        )  # fmt: skip
        batches.append(np.concatenate([images for images, _ in dataset]))
    np.testing.assert_array_equal(*batches)


class TestChosen:
    def test_the_environment_decides_for_auto(self, monkeypatch):
        monkeypatch.setenv("TFPIPE_KERNELS", "tensorflow")
        assert chosen() is TENSORFLOW
        monkeypatch.setenv("TFPIPE_KERNELS", "fast")
        with pytest.raises(ValueError, match="TFPIPE_KERNELS must be one of 'auto'"):
            chosen()

    def test_without_a_library_auto_is_tensorflow(self, monkeypatch):
        monkeypatch.setattr(kernels.native, "library", lambda: (None, "it was not built"))
        monkeypatch.delenv("TFPIPE_KERNELS", raising=False)
        assert chosen() is TENSORFLOW
        with pytest.raises(ImportError, match=r"it was not built.*install a C compiler"):
            chosen("native")

    def test_doors_check_the_name(self, animals):
        with pytest.raises(
            ValueError, match=r"kernels must be one of 'auto', 'tensorflow', 'native'"
        ):
            tfpipe.image_dataset_from_directory(animals, kernels="c")


@needs_kernels
def test_flips_alone_keep_pixels_apart():
    """A value that is no number stays in its place."""
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)
    image[0, 1, 2] = np.nan
    batches = [
        tfpipe.ImageDataGenerator(horizontal_flip=True).flow(image, seed=3).tuned(kernels=name)[0]
        for name in ("native", "tensorflow")
    ]
    np.testing.assert_array_equal(*batches)
    assert np.isnan(batches[0]).sum() == 1


@needs_kernels
class TestNativeResizeTf:
    """Every kernel of Keras' spelling, against TensorFlow's own."""

    @pytest.mark.parametrize("antialias", [False, True])
    @pytest.mark.parametrize("interpolation", TF_INTERPOLATIONS)
    def test_every_bit_is_tensorflows(self, interpolation, antialias):
        for seed, (shape, size) in enumerate(SHAPES):
            for channels in range(1, 6):
                image = picture(shape, channels, seed, np.float32 if seed % 2 else np.uint8)
                ours, pure = self._graph(channels, image.dtype)(
                    image, size, interpolation, antialias
                )
                assert ours.dtype == pure.dtype
                np.testing.assert_array_equal(ours, pure)

    @settings(max_examples=60, deadline=None)
    @given(st.tuples(*[st.integers(1, 70)] * 4), st.integers(0, len(TF_INTERPOLATIONS) * 2 - 1))
    def test_any_sizes(self, sizes, how):
        image = picture(sizes[:2], 3, sum(sizes))
        interpolation, antialias = TF_INTERPOLATIONS[how // 2], bool(how % 2)
        ours, pure = self._graph(3, np.uint8)(image, sizes[2:], interpolation, antialias)
        np.testing.assert_array_equal(ours, pure)

    @staticmethod
    @functools.cache
    def _graph(channels, dtype):
        """Both, of an image whose size the graph does not know."""

        @tf.function(reduce_retracing=True)
        def both(image, size, interpolation, antialias):
            return [
                of.resize_tf(image, size, interpolation, antialias) for of in (NATIVE, TENSORFLOW)
            ]

        def call(image, size, interpolation, antialias):
            unknown = tf.TensorSpec([None, None, channels], dtype)
            whole = tf.TensorSpec([2], tf.int32)
            traced = both.get_concrete_function(unknown, whole, interpolation, antialias)
            return [result.numpy() for result in traced(tf.constant(image), tf.constant(size))]

        return call

    def test_rejects_what_it_cannot_resize(self):
        for shape, size in [((0, 4, 3), (2, 2)), ((4, 4, 3), (0, 2))]:
            with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
                kernels.native.library()[0].tfpipe_resize_tf(
                    image=tf.zeros(shape), size=size, U=tf.float32, method=0, antialias=False
                )


@needs_kernels
@pytest.mark.slow
@pytest.mark.one_profile
def test_sanitizers_find_nothing(tmp_path):
    """A program of its own gives them every kind of image, from and to memory of exactly its size."""
    source = os.path.dirname(kernels.native.__file__)
    program = tmp_path / "try"
    (tmp_path / "try.c").write_text(
        """
#include <stdlib.h>
#include <string.h>
#include "colors.h"
#include "resize.h"
#include "resize_tf.h"
#include "standardize.h"
#include "warp.h"

static int warps(void) {
  const double matrices[4][6] = {{1, 0, 0, 0, 1, 0}, {0.7, 0.7, -3, -0.7, 0.7, 2},
                                 {1, 0, 1e300, 0, 1, -1e300}, {3, 0.1, -20, 0.2, -2, 9}};
  const int sides[] = {1, 2, 3, 4, 5, 8, 17};
  for (int h = 0; h < 7; h++) for (int w = 0; w < 7; w++) for (int c = 1; c <= 5; c++)
  for (int m = 0; m < 4; m++) for (int f = 0; f < FILLS; f++) for (int flags = 0; flags < 16; flags++) {
    const size_t cells = (size_t)sides[h] * sides[w] * c;
    const int is_float = flags & 1;
    void* pixels = calloc(cells, is_float ? sizeof(float) : 1);
    float* moved = malloc(cells * sizeof *moved);
    const tfpipe_image image = {pixels, is_float, sides[h], sides[w], c};
    tfpipe_motion motion = {.flip_horizontal = flags & 2, .flip_vertical = flags & 4,
                            .order = flags >> 3, .fill = f, .cval = 1, .scale = 2};
    memcpy(motion.matrix, matrices[m], sizeof motion.matrix);
    if (!tfpipe_warp(&image, &motion, moved)) return 1;
    free(pixels);
    free(moved);
  }
  return 0;
}

static int standards(void) {
  const int sides[] = {1, 2, 9, 33};
  const float numbers[] = {1, 2, 3, 4, 5};
  for (int h = 0; h < 4; h++) for (int w = 0; w < 4; w++) for (int c = 1; c <= 5; c++)
  for (int flags = 0; flags < 32; flags++) {
    const size_t cells = (size_t)sides[h] * sides[w] * c;
    const int is_float = flags & 1;
    void* pixels = calloc(cells, is_float ? sizeof(float) : 1);
    float* result = malloc(cells * sizeof *result);
    const tfpipe_image image = {pixels, is_float, sides[h], sides[w], c};
    const tfpipe_standard how = {.scale = 2, .center = flags & 2, .normalize = flags & 4, .mean = numbers,
                                 .std = numbers, .means = flags & 8 ? c : 0, .stds = flags & 16 ? 1 : 0};
    if (!tfpipe_standardize(&image, &how, result)) return 1;
    free(pixels);
    free(result);
  }
  return 0;
}

static int recolors(void) {
  const int sides[] = {1, 65, 130};
  for (int h = 0; h < 3; h++) for (int w = 0; w < 3; w++) for (int c = 1; c <= 5; c++)
  for (int steps = 0; steps < 1 << STEPS; steps++) for (int unit = 0; unit < 2; unit++) {
    const size_t cells = (size_t)sides[h] * sides[w] * c;
    float *pixels = calloc(cells, sizeof *pixels), *changed = malloc(cells * sizeof *changed);
    pixels[cells - 1] = unit ? 1 : 300;
    tfpipe_recoloring how = {.shift = 3, .brightness = 1.5, .contrast = 0.5, .saturation = 0, .hue = -0.4,
                             .left = 0.2, .top = 0.5, .width = 0.9, .height = 0.1, .unit_range = unit};
    for (int step = 0; step < STEPS; step++) how.does[step] = steps >> step & 1;
    if (!tfpipe_recolor(pixels, sides[h], sides[w], c, &how, changed)) return 1;
    free(pixels);
    free(changed);
  }
  return 0;
}

int main(void) {
  const int sides[] = {1, 2, 3, 5, 16, 17, 33, 100, 257};
  const int results[] = {1, 2, 7, 16, 50};
  for (int h = 0; h < 9; h++) for (int w = 0; w < 9; w++) for (int i = 0; i < 5; i++)
  for (int j = 0; j < 5; j++) for (int c = 1; c <= 4; c++) for (int f = 0; f < FILTERS; f++)
  for (int is_float = 0; is_float < 2; is_float++) for (int part = 0; part < 2; part++) {
    const size_t size = is_float ? sizeof(float) : 1;
    const size_t in = (size_t)sides[h] * sides[w] * c, out = (size_t)results[i] * results[j] * c;
    void *pixels = malloc(in * size), *resized = malloc(out * size);
    memset(pixels, (h * 31 + w) & 63, in * size);
    const float edge = part ? 0.3f : 0.0f;
    const tfpipe_image image = {pixels, is_float, sides[h], sides[w], c};
    const tfpipe_box box = {{edge, sides[h] - edge}, {edge, sides[w] - edge}};
    if (!tfpipe_resize(&image, box, f, results[i], results[j], resized)) return 1;
    free(pixels);
    free(resized);
  }
  for (int h = 0; h < 9; h += 2) for (int w = 0; w < 9; w += 2) for (int i = 0; i < 5; i += 2)
  for (int j = 0; j < 5; j += 2) for (int c = 1; c <= 5; c++)
  for (int method = 0; method < TF_METHODS; method++)
  for (int flags = 0; flags < 4; flags++) {
    if (method == TF_AREA) continue;
    const int is_float = flags & 1, to_float = is_float || method != TF_NEAREST;
    const size_t in = (size_t)sides[h] * sides[w] * c, out = (size_t)results[i] * results[j] * c;
    void* pixels = calloc(in, is_float ? sizeof(float) : 1);
    void* resized = malloc(out * (to_float ? sizeof(float) : 1));
    const tfpipe_image image = {pixels, is_float, sides[h], sides[w], c};
    if (!tfpipe_resize_tf(&image, method, flags & 2, results[i], results[j], resized)) return 1;
    free(pixels);
    free(resized);
  }
  return warps() || recolors() || standards();
}
"""
    )
    build = [
        "cc",
        "-O1",
        "-g",
        "-std=c11",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    files = [
        tmp_path / "try.c",
        *(file for file in glob.glob(os.path.join(source, "*.c")) if not file.endswith("ops.c")),
    ]
    subprocess.run([*build, f"-I{source}", *files, "-lm", "-o", program], check=True)
    subprocess.run([program], check=True, env={"ASAN_OPTIONS": "detect_leaks=1"}, timeout=600)


@pytest.mark.slow
@needs_kernels
@pytest.mark.one_profile
def test_without_the_library_everything_runs(animals, tmp_path):
    """Another process, in which the library is not found, gives the same batches."""
    script = (
        "import sys, numpy as np, tfpipe\n"
        "from tfpipe.ops import kernels, native\n"
        "native.kernels_library = lambda: None\n"
        "assert kernels.chosen().name == 'tensorflow'\n"
        "assert 'no C compiler' in kernels.why_not_native()\n"
        f"options = dict(directory={str(animals)!r}, image_size=(6, 8), seed=1, verbose=False)\n"
        "d = tfpipe.image_dataset_from_directory(**options)\n"
        f"np.save({str(tmp_path / 'x.npy')!r}, d[0][0])\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    dataset = tfpipe.image_dataset_from_directory(animals, image_size=(6, 8), seed=1, verbose=False)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), dataset[0][0])


def moves(seed):
    """Parameters of a motion; every third is a round one, at which a last bit decides."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        theta = [0.0, 45.0, 90.0, 180.0][seed // 3 % 4]
        return {
            "theta": theta,
            "tx": float(seed % 2),
            "ty": 0.0,
            "shear": 0.0,
            "zx": 1.0,
            "zy": 1.0,
        }
    reaches = {"theta": 180, "tx": 30, "ty": 30, "shear": 40}
    drawn = {name: rng.uniform(-reach, reach) for name, reach in reaches.items()}
    return {**drawn, "zx": rng.uniform(0.3, 2), "zy": rng.uniform(0.3, 2)}


@needs_kernels
class TestNativeWarp:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("order", [0, 1])
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_both_implementations_agree(self, dtype, order, fill_mode):
        shapes = [shape for shape, _ in SHAPES] + [(1, 1), (1, 50), (50, 1)]
        for seed, shape in enumerate(shapes):
            channels = 3 if seed >= len(SHAPES) else seed % 4 + 1
            image = tf.constant(picture(shape, channels, seed, dtype))
            how = {"order": order, "fill_mode": fill_mode, "cval": 7.5}
            flips = {"flip_horizontal": seed % 2 == 0, "flip_vertical": seed % 3 == 0}
            matrix = TENSORFLOW.affine_matrix(*shape, **moves(seed))
            ours, pure = (of.warp(image, matrix, **how, **flips) for of in (NATIVE, TENSORFLOW))
            assert (ours.dtype, ours.shape) == (tf.float32, image.shape)
            np.testing.assert_allclose(ours, pure, rtol=0, atol=0 if order == 0 else 1e-3)

    def test_the_matrix_is_the_same(self):
        for seed in range(24):
            ours, pure = (of.affine_matrix(31, 50, **moves(seed)) for of in (NATIVE, TENSORFLOW))
            np.testing.assert_allclose(ours, pure, rtol=1e-15, atol=1e-13)

    def test_scale_multiplies_the_values_and_the_fill(self):
        image, matrix = tf.constant(picture((9, 12), 3)), [[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]
        how = {"fill_mode": "constant", "cval": 51.0, "scale": 1 / 255}
        ours, pure = (of.warp(image, matrix, **how) for of in (NATIVE, TENSORFLOW))
        np.testing.assert_allclose(ours, pure, rtol=1e-6)
        np.testing.assert_allclose(ours[-1], 0.2, rtol=1e-6)

    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_a_matrix_that_is_not_finite(self, fill_mode):
        image = tf.constant(picture((9, 12), 3))
        for value in (np.nan, np.inf, -np.inf):
            how = {"fill_mode": fill_mode, "cval": 7.5}
            ours, pure = (
                of.warp(image, np.full([2, 3], value), **how) for of in (NATIVE, TENSORFLOW)
            )
            np.testing.assert_array_equal(ours, pure)

    def test_each_with_its_own_matrix_takes_the_same_pixels(self):
        for seed in range(12):
            image = tf.constant(picture((31, 50), 1, seed))
            ours, pure = (
                of.warp(image, of.affine_matrix(31, 50, **moves(seed)), order=0)
                for of in (NATIVE, TENSORFLOW)
            )
            np.testing.assert_array_equal(ours, pure)

    @pytest.mark.parametrize("reach", [1e6, 1e12, 1e300])
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_places_far_outside(self, reach, fill_mode):
        image = tf.constant(picture((9, 12), 3))
        matrix = [[1.0, 0.0, reach], [0.0, 1.0, -reach]]
        assert np.isfinite(native_warp(image, matrix, fill_mode=fill_mode)).all()

    def test_images_without_pixels(self):
        assert native_warp(tf.zeros([0, 4, 3]), np.eye(2, 3)).shape == (0, 4, 3)

    @pytest.mark.parametrize(("shape", "matrix"), [([4, 4], np.eye(2, 3)), ([4, 4, 3], np.eye(2))])
    def test_rejects_what_it_cannot_move(self, shape, matrix):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"a matrix \[2, 3\]"):
            native_warp(tf.zeros(shape), matrix)


# Values of each step: off and neutral ones, usual ones, extreme ones.
STEPS = {
    "channel_shift": [0.0, 30.0, -300.0],
    "brightness": [1.0, 0.3, 1.7, 0.0],
    "contrast": [1.0, 0.4, 1.6, 0.0],
    "saturation": [1.0, 0.4, 1.6, 0.0],
    "hue": [0.0, 0.1, -0.5],
    "cutout": [(0.1, 0.2, 0.5, 0.3), (0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 0.0, 1.0)],
}


@needs_kernels
class TestNativeRecolor:
    """Floats that are no whole numbers apart, so that a last bit decides no floor of brightness."""

    @staticmethod
    def image(shape, channels, seed=0):
        return tf.constant(picture(shape, channels, seed, np.float32) + 0.25)

    def assert_same(self, image, steps, **how):
        ours, pure = (of.recolor(image, steps, **how) for of in (NATIVE, TENSORFLOW))
        assert (ours.dtype, ours.shape) == (tf.float32, image.shape)
        np.testing.assert_allclose(ours, pure, rtol=0, atol=1e-3)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("step", STEPS)
    def test_each_step(self, step, channels):
        for seed, value in enumerate(STEPS[step]):
            image = self.image((9, 131), channels, seed)  # more than two blocks, and a part of one
            self.assert_same(image, {step: value}, cutout_value=7.0, scale=1 / 255)
            unit = {"unit_range": True}
            self.assert_same(image / 256, {step: value if step != "channel_shift" else 0.1}, **unit)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
    def test_all_of_them(self, channels):
        steps = {
            "channel_shift": tf.constant(-20.0, tf.float64), "brightness": tf.constant(1.2, tf.float64),
            "contrast": 0.7, "saturation": 1.3, "hue": 0.2, "cutout": (0.4, 0.1, 0.3, 0.9),
        }  # fmt: skip
        for seed, (shape, _) in enumerate(SHAPES):
            self.assert_same(self.image(shape, channels, seed), steps, cutout_value=99.0)

    @pytest.mark.parametrize("reach", [(-40.0, 1.0), (3.0, 1.5), (0.0, 0.0)])
    def test_brightness_of_values_outside_their_range(self, reach):
        image = self.image((31, 50), 3) * reach[1] + reach[0]
        self.assert_same(image, {"channel_shift": 3.0, "brightness": 1.25})

    def test_nothing_to_do(self):
        image = self.image((4, 5), 3)
        assert NATIVE.recolor(image, {}) is image
        np.testing.assert_array_equal(NATIVE.recolor(image, {}, scale=0.5), image * 0.5)
        assert NATIVE.recolor(tf.zeros([0, 4, 3]), {"hue": 0.1}).shape == (0, 4, 3)


STANDARDS = {
    "rescale": {"scale": 1 / 255},
    "the image's mean": {"scale": 1 / 255, "center": True},
    "the image's deviation": {"normalize": True},
    "both": {"scale": 0.5, "center": True, "normalize": True},
    "a mean and a deviation": {"scale": 1 / 255, "mean": 0.4, "std": np.float64(0.2)},
    "of channels": {"mean": np.full([1, 1, 1], 7.0), "std": np.arange(1.0, 2.0)},
    "all": {"scale": 2.0, "center": True, "normalize": True, "mean": 0.1, "std": 2.0},
}


@needs_kernels
class TestNativeStandardize:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("name", STANDARDS)
    def test_both_implementations_agree(self, name, dtype):
        for seed, channels in enumerate([1, 2, 3, 4, 5]):
            how = dict(STANDARDS[name])
            if name == "of channels":
                how = {
                    "mean": np.linspace(1, 99, channels)[None, None],
                    "std": np.linspace(3, 9, channels),
                }
            for shape in [(2, 1, 1), (3, 9, 131), (1, 64, 64)]:
                pixels = (
                    np.random.default_rng(seed).integers(0, 256, (*shape, channels)).astype(dtype)
                )
                ours, pure = (
                    of.standardize(tf.constant(pixels), **how) for of in (NATIVE, TENSORFLOW)
                )
                assert (ours.dtype, ours.shape) == (tf.float32, pixels.shape)
                np.testing.assert_allclose(ours, pure, rtol=1e-5, atol=1e-4)

    def test_rescale_alone_is_the_same_to_the_bit(self):
        images = tf.constant(picture((31, 50), 3)[None])
        np.testing.assert_array_equal(
            *(of.standardize(images, 1 / 255) for of in (NATIVE, TENSORFLOW))
        )

    @pytest.mark.parametrize(
        "how",
        [
            {"mean": np.zeros([4, 5, 3])},
            {"mean": np.zeros([3, 1, 1])},
            {"dtype": tf.float64, "scale": 0.5},
        ],
    )
    def test_what_it_cannot_do_is_left_to_tensorflow(self, how):
        images = tf.constant(picture((4, 5), 3)[None])
        if "mean" in how and how["mean"].shape == (3, 1, 1):  # channels first
            images = tf.transpose(images, [0, 3, 1, 2])
        ours, pure = (of.standardize(images, **how) for of in (NATIVE, TENSORFLOW))
        assert ours.dtype == pure.dtype
        np.testing.assert_array_equal(ours, pure)

    def test_images_without_pixels(self):
        for shape in [(0, 4, 4, 3), (2, 0, 4, 3)]:
            assert NATIVE.standardize(tf.zeros(shape), 0.5, center=True).shape == shape

    def test_rejects_statistics_of_other_channels(self):
        with pytest.raises(tf.errors.InvalidArgumentError, match="one number, or one a channel"):
            kernels.native.library()[0].tfpipe_standardize(
                images=tf.zeros([1, 2, 2, 3]), mean=[1.0, 2.0], std=[0.5],
                scale=1.0, center=False, normalize=False,
            )  # fmt: skip


AUGMENTED = {
    "classic": {
        "rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 0.1,
        "shear_range": 9, "zoom_range": 0.3, "horizontal_flip": True, "vertical_flip": True,
    },
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "nearest pixel": {"rotation_range": 45, "interpolation_order": 0, "fill_mode": "wrap"},
    "crop": {"crop_scale": (0.3, 1.0), "rotation_range": 10},
    "colors": {"rotation_range": 20, "channel_shift_range": 30, "brightness_range": (0.5, 1.5)},
    "colors alone": {"hue_range": 0.2, "cutout": 0.5},
    "splines": {"rotation_range": 20, "interpolation_order": 3},
    "rand_augment": {"rand_augment": (2, 9)},
}  # fmt: skip


@pytest.mark.slow
@needs_kernels
@pytest.mark.parametrize("name", AUGMENTED)
def test_augmented_batches_are_the_same_with_either(animals, name):
    batches = [
        next(iter(tfpipe.image_dataset_from_directory(
            animals, image_size=(46, 58), kernels=of, seed=1, verbose=False,
            augment=tfpipe.Augment(**AUGMENTED[name]),
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )))[0].numpy()
        for of in ("native", "tensorflow")
    ]  # fmt: skip
    # 1e-4 of 255: the last bits of compiled passes depend on what is in them. Brightness cuts values off to
    # whole numbers, as the classic does, so there a last bit may be a whole level.
    apart = np.abs(np.subtract(*batches)) > 1e-4 / 255 + 1e-6
    assert apart.mean() <= (1e-4 if name == "colors" else 0)
    np.testing.assert_allclose(*batches, rtol=0, atol=1.001 / 255)
