"""tfpipe.ops.warp against SciPy itself and against the classic's apply_affine_transform."""

import functools
import time

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from keras.src.legacy.preprocessing.image import apply_affine_transform as classic_transform

from tfpipe.ops.matrix import affine_matrix
from tfpipe.ops.warp import affine_transform
from tfpipe.ops.warp_spec import FILL_MODES
from tfpipe.ops.xla import compiled, xla_available, xla_has_own_threads

ORDERS = range(6)
CVAL = 17.0

compiled_transform = compiled(affine_transform)

# Promised: 0.01 for order 1, 0.05 for the splines, 1e-6 for float64. Seen: a tenth of this.
TOLERANCE = {"uint8": 0.004, "float32": 0.004, "float64": 1e-9}

# Round numbers, so that coordinates fall on borders and half-way between pixels.
ROUND = [
    {},
    {"theta": 90},
    {"theta": 180},
    {"theta": 45},
    {"tx": 3, "ty": -2},
    {"tx": 0.5, "ty": -1.5},
    {"zx": 0.8, "zy": 1.2},
    {"zx": 2, "zy": 0.5},
    {"theta": 45, "zx": 0.8, "zy": 0.8},
    {"theta": 90, "tx": 1, "shear": 30, "zx": 0.9, "zy": 1.1},
    {"tx": -70, "ty": 90},
    {"theta": 10, "zx": 5, "zy": 5},
]


def random_params(seed, count):
    rng = np.random.default_rng(seed)
    return [
        {
            "theta": rng.uniform(-180, 180),
            "tx": rng.uniform(-9, 9),
            "ty": rng.uniform(-9, 9),
            "shear": rng.uniform(-30, 30),
            "zx": rng.uniform(0.4, 2),
            "zy": rng.uniform(0.4, 2),
        }
        for _ in range(count)
    ]


def random_image(height, width, channels, dtype="float32", seed=0):
    values = np.random.default_rng(seed).uniform(0, 255, (height, width, channels))
    return values.astype(dtype)


def scipy_transform(image, matrix, order, fill_mode):
    source = image.astype("float32") if image.dtype == np.uint8 else image
    channels = [
        scipy.ndimage.affine_transform(
            source[..., c], matrix[:, :2], matrix[:, 2], order=order, mode=fill_mode, cval=CVAL
        )
        for c in range(image.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def assert_close(actual, expected, order, dtype, note=""):
    actual = np.asarray(actual)
    assert actual.dtype == (np.float64 if dtype == "float64" else np.float32)
    if order == 0:
        np.testing.assert_array_equal(actual, expected, err_msg=str(note))
    else:
        atol = TOLERANCE[dtype]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=str(note))


@functools.cache
def cases(height, width, seed, count):
    """ROUND and `count` random parameter sets, each with its matrix."""
    params = ROUND + random_params(seed, count)
    return [(p, affine_matrix(height, width, **p).numpy()) for p in params]


class TestAffineMatrix:
    def test_values(self):
        np.testing.assert_array_equal(affine_matrix(3, 5).numpy(), [[1, 0, 0], [0, 1, 0]])
        np.testing.assert_array_equal(
            affine_matrix(3, 5, tx=1.5, ty=-2).numpy(), [[1, 0, -2], [0, 1, 1.5]]
        )
        np.testing.assert_array_equal(
            affine_matrix(3, 5, zx=0.5, zy=3).numpy(), [[3, 0, -2], [0, 0.5, 1]]
        )
        np.testing.assert_array_equal(
            affine_matrix(3, 5, flip_horizontal=True).numpy(), [[1, 0, 0], [0, -1, 4]]
        )
        np.testing.assert_allclose(
            affine_matrix(3, 5, theta=90).numpy(), [[0, 1, -1], [-1, 0, 3]], atol=1e-15
        )

    @pytest.mark.parametrize("params", ROUND + random_params(1, 8))
    def test_is_product_of_the_four_matrices(self, params):
        p = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1, **params}
        theta, shear = np.deg2rad(p["theta"]), np.deg2rad(p["shear"])
        centre = np.array([[1, 0, 15], [0, 1, 11], [0, 0, 1]])
        rotate = [[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]]
        shift = [[1, 0, p["tx"]], [0, 1, p["ty"]], [0, 0, 1]]
        slant = [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]
        zoom = np.diag([p["zx"], p["zy"], 1])
        expected = centre @ rotate @ shift @ slant @ zoom @ np.linalg.inv(centre)
        expected = expected[[1, 0]][:, [1, 0, 2]]
        np.testing.assert_allclose(affine_matrix(23, 31, **params).numpy(), expected, atol=1e-12)

    def test_eager_equals_graph(self):
        params = {**random_params(2, 1)[0], "flip_horizontal": True, "flip_vertical": False}
        tensors = {name: tf.constant(value) for name, value in params.items()}
        tensors["theta"] = tf.constant(params["theta"], tf.float64)
        eager = affine_matrix(23, 31, **tensors).numpy()
        plain = tf.function(functools.partial(affine_matrix, 23, 31), autograph=False)
        np.testing.assert_array_equal(plain(**tensors).numpy(), eager)
        xla = compiled(functools.partial(affine_matrix, 23, 31))
        np.testing.assert_allclose(xla(**tensors).numpy(), eager, rtol=0, atol=1e-12)

    def test_shape_and_dtype(self):
        matrix = affine_matrix(tf.constant(3), tf.constant(5), zx=tf.constant(2), zy=np.float32(1))
        assert matrix.shape == (2, 3)
        assert matrix.dtype == tf.float64

    def test_python_floats_keep_float64(self):
        assert affine_matrix(3, 5, zx=0.9).numpy()[1, 1] == 0.9


class TestAffineTransform:
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("order", ORDERS)
    def test_values(self, order, fill_mode):
        for seed, (params, matrix) in enumerate(cases(19, 26, 0, 4)):
            dtype = ("float32", "float64", "float64", "uint8", "float32")[seed % 5]
            image = random_image(19, 26, 2, dtype, seed)
            expected = scipy_transform(image, matrix, order, fill_mode)
            actual = affine_transform(image, matrix, order=order, fill_mode=fill_mode, cval=CVAL)
            assert_close(actual, expected, order, dtype, params)

    # NumPy's BLAS multiplies the classic's matrix. Where it has no fused multiply-add, a tie of
    # ROUND at order 0 may fall the other way; every x86-64 since 2013 has it.
    @pytest.mark.parametrize(
        ("channels", "dtype"), [(1, "float32"), (3, "float64"), (4, "float32")]
    )
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("order", ORDERS)
    def test_agrees_with_the_classic(self, order, fill_mode, dtype, channels):
        options = {"order": order, "fill_mode": fill_mode, "cval": CVAL}
        axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
        for seed, (params, matrix) in enumerate(cases(16, 16, 10, 6)[channels % 3 :: 3]):
            image = random_image(16, 16, channels, dtype, seed)
            expected = classic_transform(image, **axes, **options, **params)
            actual = affine_transform(image, matrix, **options)
            assert_close(actual, expected, order, dtype, params)

    @pytest.mark.parametrize("shape", [(1, 5), (2, 3), (7, 4)])
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_tiny_images(self, fill_mode, shape):
        image = random_image(*shape, 1, "float64")
        for params in ({"theta": 45}, {"tx": 3, "ty": -7, "zx": 3, "zy": 4, "shear": 8}):
            matrix = affine_matrix(*shape, **params).numpy()
            for order in ORDERS:
                expected = scipy_transform(image, matrix, order, fill_mode)
                actual = affine_transform(
                    image, matrix, order=order, fill_mode=fill_mode, cval=CVAL
                )
                assert_close(actual, expected, order, "float64")

    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_far_outside(self, fill_mode):
        image = random_image(7, 9, 1, "float64")
        matrix = np.array([[1e5, 3e4, -7e8], [2e5, 1e5, 5e8]])
        for order in ORDERS:
            expected = scipy_transform(image, matrix, order, fill_mode)
            actual = affine_transform(image, matrix, order=order, fill_mode=fill_mode, cval=CVAL)
            np.testing.assert_allclose(actual, expected, atol=1e-6)

    @pytest.mark.parametrize("order", [0, 1])
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    def test_neutral_is_exact(self, fill_mode, order):
        image = random_image(19, 26, 3)
        matrix = affine_matrix(19, 26)
        actual = affine_transform(image, matrix, order=order, fill_mode=fill_mode)
        np.testing.assert_array_equal(actual, image)

    def test_constant_does_not_blend(self):
        image = np.full((3, 4, 1), 100, np.float32)
        matrix = affine_matrix(3, 4, tx=0.25)
        actual = affine_transform(image, matrix, fill_mode="constant", cval=7.0).numpy()
        np.testing.assert_array_equal(actual[0, :, 0], [100, 100, 100, 7])

    def test_wrap_has_period_length_minus_one(self):
        image = np.arange(5, dtype=np.float32).reshape(1, 5, 1)
        image = np.concatenate([image, image])
        actual = affine_transform(image, affine_matrix(2, 5, tx=2), fill_mode="wrap").numpy()
        np.testing.assert_array_equal(actual[0, :, 0], [2, 3, 4, 1, 2])

    @pytest.mark.parametrize("size", [(61, 41), (41, 61)])
    def test_turns_about_the_true_centre(self, size):
        image = np.zeros((*size, 1), np.float32)
        image[size[0] // 2, size[1] // 2] = 255
        image[size[0] // 2, size[1] // 2 + 7] = 100
        matrix = affine_matrix(*size, theta=90, zx=0.5, zy=0.5)
        actual = affine_transform(image, matrix, order=0, fill_mode="constant").numpy()
        assert actual[size[0] // 2, size[1] // 2, 0] == 255
        # y grows downwards and the matrix goes from output to input: the right moves to the top.
        assert actual[size[0] // 2 - 14, size[1] // 2, 0] == 100

    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("order", [0, 1, 3])
    def test_flips_equal_flipping_afterwards(self, order, fill_mode):
        transform = functools.partial(affine_transform, order=order, fill_mode=fill_mode, cval=CVAL)
        image = random_image(19, 26, 3)
        for _, matrix in cases(19, 26, 0, 4)[::2]:
            plain = transform(image, matrix).numpy()
            for flip in [(True, False), (False, True), (True, True)]:
                horizontal, vertical = map(tf.constant, flip)
                expected = plain[:, ::-1] if flip[0] else plain
                expected = expected[::-1] if flip[1] else expected
                actual = transform(
                    image, matrix, flip_horizontal=horizontal, flip_vertical=vertical
                )
                np.testing.assert_array_equal(actual, expected)

    @pytest.mark.parametrize("order", ORDERS)
    def test_flips_in_the_matrix(self, order):
        image = random_image(19, 26, 3)
        for params in [{}, *random_params(4, 4)]:
            plain = affine_transform(image, affine_matrix(19, 26, **params), order=order)
            matrix = affine_matrix(19, 26, **params, flip_horizontal=True, flip_vertical=True)
            actual = affine_transform(image, matrix, order=order)
            assert_close(actual, plain.numpy()[::-1, ::-1], order, "float32")

    @pytest.mark.parametrize("jit", [False, True])
    @pytest.mark.parametrize(
        ("order", "fill_mode"), [*((0, mode) for mode in FILL_MODES), (1, "wrap"), (3, "nearest")]
    )
    def test_eager_equals_graph(self, order, fill_mode, jit):
        options = {"order": order, "fill_mode": fill_mode, "cval": CVAL}
        transform = compiled_transform if jit else affine_transform
        matrices = np.stack([matrix for _, matrix in cases(19, 26, 0, 4)])
        images = np.stack([random_image(19, 26, 3, seed=seed) for seed in range(len(matrices))])
        dataset = tf.data.Dataset.from_tensor_slices((images, matrices))
        dataset = dataset.map(functools.partial(transform, **options))
        assert dataset.element_spec.shape == (19, 26, 3)
        for image, matrix, actual in zip(images, matrices, dataset, strict=True):
            assert_close(actual, affine_transform(image, matrix, **options), order, "float32")

    def test_shape_and_dtype(self):
        for channels in (1, 2, 5):
            image = random_image(4, 6, channels)
            for dtype, out in [("uint8", "float32"), ("float32",) * 2, ("float64",) * 2]:
                for order in (0, 1, 2):
                    actual = affine_transform(image.astype(dtype), np.eye(2, 3), order=order)
                    assert actual.shape == (4, 6, channels)
                    assert actual.dtype == out

    @pytest.mark.parametrize("jit", [False, True])
    def test_a_matrix_that_is_not_finite_gives_zeros(self, jit):
        transform = compiled_transform if jit else affine_transform
        image = random_image(4, 6, 1)
        for bad in (np.nan, np.inf):
            actual = transform(image, np.array([[bad, 0, 0], [0, 1, 0]]))
            np.testing.assert_array_equal(actual, np.zeros([4, 6, 1]))

    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("order", ORDERS)
    def test_a_batch_equals_its_images(self, order, fill_mode):
        images = np.stack([random_image(19, 26, 3, seed=seed) for seed in range(3)])
        matrices = tf.stack([affine_matrix(19, 26, **params) for params in random_params(8, 3)])
        flips = tf.constant([True, False, True])
        options = {"order": order, "fill_mode": fill_mode, "cval": CVAL}
        whole = affine_transform(images, matrices, flip_horizontal=flips, **options)
        for image, matrix, flip, actual in zip(images, matrices, flips, whole, strict=True):
            one = affine_transform(image, matrix, flip_horizontal=flip, **options)
            assert_close(actual, one.numpy(), order, "float32")

    @pytest.mark.parametrize("order", [6, -1, 1.0, True, None])
    def test_rejects_order(self, order):
        with pytest.raises(ValueError, match=r"order must be one of 0, 1, 2, 3, 4, 5\. Received"):
            affine_transform(random_image(3, 4, 1), np.eye(2, 3), order=order)

    def test_rejects_fill_mode(self):
        with pytest.raises(ValueError, match="fill_mode='grid-wrap'"):
            affine_transform(random_image(3, 4, 1), np.eye(2, 3), fill_mode="grid-wrap")

    def test_rejects_shape(self):
        with pytest.raises(ValueError, match=r"static shape.*\(3, 4\)"):
            affine_transform(np.zeros((3, 4), np.float32), np.eye(2, 3))
        spec = tf.TensorSpec([None, 4, 3], tf.float32)
        with pytest.raises(ValueError, match=r"static shape.*\(None, 4, 3\).*ensure_shape"):
            tf.function(affine_transform).get_concrete_function(spec, np.eye(2, 3))

    def test_rejects_dtype(self):
        with pytest.raises(TypeError, match="int32"):
            affine_transform(np.zeros((3, 4, 1), np.int32), np.eye(2, 3))


class TestCompiled:
    @pytest.mark.parametrize("fill_mode", FILL_MODES)
    @pytest.mark.parametrize("order", [0, 1, 2, 5])
    def test_values(self, order, fill_mode):
        transform = compiled(
            functools.partial(affine_transform, order=order, fill_mode=fill_mode, cval=CVAL)
        )
        for seed, (params, matrix) in enumerate(cases(19, 26, 0, 4)):
            image = random_image(19, 26, 3, seed=seed)
            expected = scipy_transform(image, matrix, order, fill_mode)
            assert_close(transform(image, matrix), expected, order, "float32", params)

    @pytest.mark.parametrize("fill_mode", ["reflect", "wrap"])
    def test_far_outside(self, fill_mode):
        image = random_image(7, 9, 1)
        matrix = np.array([[6.0, 0, -42], [0, 8, 32]])  # every coordinate a multiple of a period
        for order in (0, 1):
            expected = scipy_transform(image, matrix, order, fill_mode)
            actual = compiled_transform(image, matrix, order=order, fill_mode=fill_mode)
            assert_close(actual, expected, order, "float32")

    def test_traces_once_a_shape(self):
        traced = []

        def transform(image, matrix):
            traced.append(image.shape)
            return affine_transform(image, matrix)

        function = compiled(transform)
        for seed, params in enumerate(random_params(6, 3)):
            for size in [(6, 9), (9, 6)]:
                function(
                    tf.constant(random_image(*size, 3, seed=seed)), affine_matrix(*size, **params)
                )
        assert traced == [(6, 9, 3), (9, 6, 3)]

    @pytest.mark.slow
    @pytest.mark.parametrize("order", [1, 3])
    def test_same_bits_for_any_parallelism(self, order):
        images = np.stack([random_image(64, 48, 3, seed=seed) for seed in range(12)])
        matrices = np.stack([affine_matrix(64, 48, **p) for p in random_params(7, 12)])
        source = tf.data.Dataset.from_tensor_slices((images, matrices))
        transform = functools.partial(compiled_transform, order=order)
        first, *others = [
            np.stack(list(source.map(transform, num_parallel_calls=calls).as_numpy_iterator()))
            for calls in (1, 2, 8)
        ]
        for other in others:
            np.testing.assert_array_equal(other, first)

    def test_xla_is_available_here(self):
        assert xla_available()

    def test_which_thread_runs_it(self):
        def many_sines(x):
            def step(i, y):
                return i + 1, tf.sin(y) + 1.0

            return tf.while_loop(lambda i, y: i < 2_000_000, step, (0, x))[1]

        function = compiled(many_sines)
        function(tf.constant(1.0))
        shares = []  # of the CPU time, not the time it takes; threads of other tests may be at work
        for _ in range(5):
            whole, own = time.process_time(), time.thread_time()
            function(tf.constant(2.0)).numpy()
            shares.append((time.thread_time() - own) / (time.process_time() - whole))
        assert (max(shares) < 0.5) == xla_has_own_threads()
