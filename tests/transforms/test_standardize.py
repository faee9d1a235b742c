"""tfpipe.transforms.standardize: the steps on a batch, and the user's own function."""

import dataclasses
import random
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.transforms.standardize import Standardize, standardize_batch, warn_of_unfitted
from tfpipe.transforms.user_function import call_with_numpy, in_graph_function

SHAPE = (3, 4, 3)


def batch(dtype="float64", n=5):
    return np.random.default_rng(1).uniform(0, 255, (n, *SHAPE)).astype(dtype)


def run(images, **steps):
    return standardize_batch(tf.constant(images), Standardize(**steps)).numpy()


def is_python(function, dtype=tf.float32):
    """Whether a function of tensors needs Python when the graph runs."""
    graph = tf.function(function).get_concrete_function(tf.TensorSpec(SHAPE, dtype)).graph
    nodes = list(graph.as_graph_def().node)
    for inner in graph.as_graph_def().library.function:
        nodes += inner.node_def
    return any("PyFunc" in node.op for node in nodes)


class TestStandardizeBatch:
    X = np.array([[[[1.0], [3.0]]], [[[10.0], [50.0]]]])  # two images of 1 x 2 x 1

    def flat(self, **steps):
        return run(self.X, **steps).reshape(2, 2).tolist()

    def test_nothing(self):
        assert self.flat() == [[1, 3], [10, 50]]

    @pytest.mark.parametrize("off", [None, 0, 0.0])
    def test_rescale(self, off):
        assert self.flat(rescale=0.5) == [[0.5, 1.5], [5, 25]]
        assert self.flat(rescale=off) == [[1, 3], [10, 50]]

    def test_samplewise(self):
        assert self.flat(samplewise_center=True) == [[-1, 1], [-20, 20]]
        both = self.flat(samplewise_center=True, samplewise_std_normalization=True)
        np.testing.assert_allclose(both, [[-1, 1], [-1, 1]], rtol=2e-6)

    def test_featurewise(self):
        steps = {"featurewise_center": True, "mean": np.full([1, 1, 1], 2.0)}
        assert self.flat(**steps) == [[-1, 1], [8, 48]]
        steps |= {"featurewise_std_normalization": True, "std": np.full([1, 1, 1], 4.0)}
        np.testing.assert_allclose(self.flat(**steps), [[-0.25, 0.25], [2, 12]], rtol=1e-6)

    def test_zca(self):
        matrix = np.array([[0.0, 1.0], [2.0, 0.0]])
        assert self.flat(zca_whitening=True, zca_whitening_matrix=matrix) == [[6, 1], [100, 10]]

    def test_a_flag_without_its_statistics_is_left_out(self):
        steps = ("featurewise_center", "featurewise_std_normalization", "zca_whitening")
        assert self.flat(**dict.fromkeys(steps, True)) == [[1, 3], [10, 50]]

    def test_statistics_without_their_flag_are_left_out(self):
        assert self.flat(mean=5, std=3, zca_whitening_matrix=np.eye(2)) == [[1, 3], [10, 50]]

    def test_rescale_done_before(self):
        spec = Standardize(rescale=0.5, samplewise_center=True)
        result = standardize_batch(tf.constant(self.X), spec, rescale=False)
        assert result.numpy().reshape(2, 2).tolist() == [[-1, 1], [-20, 20]]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_shape_and_dtype(self, dtype):
        steps = {"rescale": 1 / 255, "samplewise_std_normalization": True}
        result = run(batch(dtype), **steps, featurewise_center=True, mean=np.zeros([1, 1, 3]))
        assert (result.shape, result.dtype) == ((5, *SHAPE), dtype)

    def test_eager_equals_graph(self):
        spec = Standardize(
            rescale=0.1,
            samplewise_center=True,
            samplewise_std_normalization=True,
            zca_whitening=True,
            zca_whitening_matrix=np.random.default_rng(2).normal(size=(36, 36)),
        )
        dataset = tf.data.Dataset.from_tensors(batch()).map(lambda x: standardize_batch(x, spec))
        eager = standardize_batch(tf.constant(batch()), spec)
        np.testing.assert_allclose(next(iter(dataset)), eager, rtol=1e-12, atol=1e-12)


class TestStandardize:
    def test_is_public_and_frozen(self):
        spec = tfpipe.Standardize(rescale=0.5)
        with pytest.raises(dataclasses.FrozenInstanceError):
            spec.rescale = 1

    def test_prints_itself(self):
        shown = repr(Standardize(rescale=0.5, samplewise_center=True))
        assert shown.startswith("Standardize(")
        assert "rescale=0.5" in shown
        assert "samplewise_center=True" in shown

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("rescale", "1/255", "a number"),
            ("rescale", float("inf"), "a number"),
            ("preprocessing_function", "caffe", "callable or None"),
            ("samplewise_center", "no", "True or False"),
            ("samplewise_std_normalization", None, "True or False"),
            ("featurewise_center", 3, "True or False"),
            ("featurewise_std_normalization", [], "True or False"),
            ("zca_whitening", 0.5, "True or False"),
            ("mean", "abc", "numbers that broadcast"),
            ("mean", [1, float("nan")], "numbers that broadcast"),
            ("std", [None], "numbers that broadcast"),
            ("zca_whitening_matrix", np.zeros([2, 3]), "a square matrix"),
            ("zca_whitening_matrix", np.zeros(4), "a square matrix"),
        ],
    )
    def test_rejects(self, name, value, allowed):
        with pytest.raises(ValueError, match=f"^{name} must be {allowed}.*Received"):
            Standardize(**{name: value})

    @pytest.mark.parametrize("mean", [103.5, [1, 2, 3], np.zeros([1, 1, 3]), np.float32(2)])
    def test_takes_statistics_in_every_form(self, mean):
        result = run(batch(), featurewise_center=True, mean=mean)
        np.testing.assert_allclose(result, batch() - np.asarray(mean), rtol=1e-12)

    def test_unfitted_steps_warn(self):
        spec = Standardize(featurewise_center=True, zca_whitening=True, mean=np.zeros(3))
        assert spec.unfitted() == ["zca_whitening"]
        with pytest.warns(UserWarning, match="`zca_whitening`, but it hasn't been fit") as caught:
            warn_of_unfitted(spec)
        assert len(caught) == 1


def tensor_only(image):
    return tf.image.adjust_contrast(image, 0.5)


def arithmetic(image):
    return image / 127.5 - 1.0


def in_place(image):
    image /= 2
    image[0] = 7
    return image


def numpy_only(image):
    assert type(image) is np.ndarray
    assert image.ndim == 3
    return np.sort(image, axis=0)


def numpy_of_anything(image):
    return tf.constant(np.sort(image, axis=0))  # takes a tensor, too, if it has values


def flips_sometimes(image):
    return image[::-1] if np.random.random() < 0.5 else image


def flips_sometimes_by_random(image):
    return image[::-1] if random.random() < 0.5 else image


class FlipsSometimes:
    """Draws from a generator of its own, which nobody else sees."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, image):
        return image[::-1] if self.generator.random() < 0.5 else image


class TestInGraphFunction:
    @pytest.mark.parametrize("function", [arithmetic, tensor_only, tf.abs, lambda x: x[..., ::-1]])
    @pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
    def test_tensor_functions_stay_in_the_graph(self, function, dtype):
        made = in_graph_function(function, SHAPE, dtype)
        image = batch(dtype.name)[0]
        assert not is_python(made, dtype)
        result = made(tf.constant(image))
        assert result.dtype == dtype
        np.testing.assert_allclose(result, np.asarray(function(image)), rtol=1e-5)

    @pytest.mark.parametrize("model", ["mobilenet", "densenet", "vgg16"])  # tf, torch, caffe
    def test_preprocess_input_stays_in_the_graph(self, model):
        function = getattr(keras.applications, model).preprocess_input
        made = in_graph_function(function, SHAPE, tf.float32)
        image = batch("float32")[0]
        assert not is_python(made)
        np.testing.assert_allclose(made(tf.constant(image)), function(image.copy()), atol=1e-5)

    @pytest.mark.parametrize("function", [numpy_only, in_place])
    def test_numpy_functions_run_in_python_and_say_so_once(self, function):
        name = function.__name__
        with pytest.warns(UserWarning, match=f"{name} takes only NumPy.*in Python") as caught:
            made = in_graph_function(function, SHAPE, tf.float32)
        assert len(caught) == 1
        assert is_python(made)
        image = batch("float32")[0]
        np.testing.assert_array_equal(made(tf.constant(image)), function(image.copy()))

    @pytest.mark.parametrize("function", [arithmetic, numpy_only, numpy_of_anything])
    def test_functions_that_run_eagerly_change_nothing(self, function):
        """The graph calls the function with a tensor that has no values, whatever that switch says."""
        image = batch("float32")[0]
        tf.config.run_functions_eagerly(True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it takes only NumPy
                made = in_graph_function(function, SHAPE, tf.float32)
            assert is_python(made) == (function is not arithmetic)
        finally:
            tf.config.run_functions_eagerly(False)
        np.testing.assert_allclose(made(tf.constant(image)), function(image.copy()), rtol=1e-5)

    @pytest.mark.parametrize(
        "function", [flips_sometimes, flips_sometimes_by_random, FlipsSometimes()]
    )
    def test_random_functions_are_not_frozen(self, function):
        # Each call of it may show the same picture twice or thrice in a row: a coin has no memory.
        image = tf.constant(batch("float32")[0])
        for _ in range(8):
            with pytest.warns(UserWarning, match="random"):
                made = tf.function(in_graph_function(function, SHAPE, tf.float32))
            assert is_python(made)
        assert len({made(image).numpy().tobytes() for _ in range(30)}) == 2

    def test_the_global_generators_are_not_moved(self):
        before = np.random.get_state()[1].tolist(), random.getstate()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            in_graph_function(flips_sometimes, SHAPE, tf.float32)
            in_graph_function(flips_sometimes_by_random, SHAPE, tf.float32)
        after = np.random.get_state()[1].tolist(), random.getstate()
        assert before == after

    @pytest.mark.parametrize(
        ("function", "after"),
        [
            (lambda x: x[:2], (2, 4, 3)),
            (lambda x: np.transpose(x, (1, 0, 2)), (4, 3, 3)),
            (lambda x: x[..., 0], (3, 4)),
            (lambda x: x[..., :2], (3, 4, 2)),
            (lambda x: np.stack([x, x]), (2, 3, 4, 3)),
            (lambda x: tf.stack([x, x]), (2, 3, 4, 3)),
        ],
    )
    def test_rejects_another_shape_and_names_both(self, function, after):
        with pytest.raises(ValueError, match="keep the shape") as caught:
            in_graph_function(function, SHAPE, tf.float32)
        assert f"got {SHAPE} and returned {after}" in str(caught.value)

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x.mean(-1, keepdims=True),  # NumPy
            lambda x: tf.reduce_mean(x, axis=-1, keepdims=True),
            lambda x: x[:, :1] * 2,  # either
            lambda x: np.mean(x, axis=(0, 1)),
            lambda x: x[0] * 0.5,
            lambda x: x[None],
            lambda x: np.float64(7),
            lambda x: 7,
            lambda x: x.astype("int32") // 2,
            lambda x: (x > 100).tolist(),
        ],
    )
    @pytest.mark.filterwarnings("ignore:preprocessing_function")
    def test_broadcasts_as_an_assignment_does(self, function):
        image = batch("float32")[0]
        expected = np.empty_like(image)
        expected[...] = np.asarray(function(image.copy()))
        made = tf.function(in_graph_function(function, SHAPE, tf.float32))
        for result in (made(tf.constant(image)).numpy(), call_with_numpy(function, image)):
            assert result.shape == image.shape
            assert result.dtype == image.dtype
            np.testing.assert_allclose(result, expected, rtol=1e-5)

    def test_rejects_a_function_that_returns_nothing(self):
        def in_place_only(image):
            image *= 2

        with pytest.raises(ValueError, match="in_place_only returned None. It must return"):
            in_graph_function(in_place_only, SHAPE, tf.float32)
        with pytest.raises(ValueError, match="in_place_only returned None. It must return"):
            call_with_numpy(in_place_only, batch()[0])

    def test_rejects_a_function_that_fails(self):
        def broken(image):
            raise KeyError("no such thing")

        with pytest.raises(ValueError, match=r"broken fails.*\(3, 4, 3\)") as caught:
            in_graph_function(broken, SHAPE, tf.float32)
        assert isinstance(caught.value.__cause__, KeyError)


class TestCallWithNumpy:
    def test_gives_a_copy_and_keeps_the_dtype(self):
        image = batch("float32")[0]
        result = call_with_numpy(in_place, image)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(image, batch("float32")[0])
        np.testing.assert_array_equal(result[1:], image[1:] / 2)

    def test_rejects_another_shape(self):
        with pytest.raises(ValueError, match=r"<lambda>.*\(3, 4, 3\) and returned \(2, 4, 3\)"):
            call_with_numpy(lambda x: x[:2], batch()[0])
        with pytest.raises(ValueError, match=r"and returned \(3, 4\).*\[\.\.\., np\.newaxis\]"):
            call_with_numpy(lambda x: x[..., 0], batch()[0])
