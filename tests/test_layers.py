"""tfpipe.layers.Augment: the pipeline's transforms inside of a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import layers, seeds
from tfpipe.transforms import draws, motion

B, H, W = 3, 9, 13
EVERYTHING = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "horizontal_flip": True,
    "channel_shift_range": 30.0,
    "crop_scale": (0.5, 0.9),
    "contrast_range": (0.5, 1.5),
    "hue_range": 0.2,
    "cutout": 0.5,
    "rand_augment": (2, 5),
}


@pytest.fixture(scope="module")
def images(picture):
    """float32 [3, 9, 13, 3] of 0..255."""
    return np.stack([picture(H, W, 3, seed) for seed in range(B)]).astype("float32")


def numbers_of(seed, batches):
    """What the layer draws for a batch after so many others."""
    key = seeds.fold_in(seeds.stream_key(seed, "augment"), tf.constant(batches, tf.int64))
    key = seeds.fold_in(key, tf.constant(0, tf.int64))  # the only replica
    return tf.random.stateless_uniform([B, draws.NUMBERS], key, 0, 1, tf.float64, alg="philox")


def assert_same_but_for_levels(actual, expected):
    """Where an operation cuts to whole levels, the last bit of the resampling may decide."""
    assert actual.shape == expected.shape
    assert np.mean(np.abs(np.asarray(actual) - expected) > 0.02) < 0.02


class TestAugment:
    @pytest.mark.slow
    def test_equals_the_pipelines_apply_with_the_same_parameters(self, images):
        layer = layers.Augment(seed=5, **EVERYTHING)
        assert layer.augment == tfpipe.Augment(**EVERYTHING)
        for batches in range(2):
            actual = layer(images, training=True)
            for image, numbers, one in zip(images, numbers_of(5, batches), actual, strict=True):
                params = draws.parameters(layer.augment, numbers, H, W)
                expected = motion.apply(tf.constant(image), params, layer.augment)
                assert np.abs(expected - image).max() > 1
                assert_same_but_for_levels(one, expected)

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "int32"])
    def test_takes_any_dtype_and_one_image_too(self, images, dtype):
        batch, one = (layers.Augment(seed=5, rotation_range=20) for _ in range(2))
        whole = batch(images.astype(dtype), training=True)
        assert whole.dtype == "float32"
        single = one(images[0].astype(dtype), training=True)
        assert single.shape == (H, W, 3)
        np.testing.assert_allclose(single, whole[0], atol=1e-3)

    def test_changes_nothing_outside_of_training(self, images):
        model = keras.Sequential([keras.Input((H, W, 3)), layers.Augment(**EVERYTHING)])
        np.testing.assert_array_equal(model.predict(images, verbose=0), images)
        np.testing.assert_array_equal(model(images, training=False), images)
        np.testing.assert_array_equal(layers.Augment()(images, training=True), images)

    def test_float16_is_computed_in_float32(self, images):
        half = layers.Augment(seed=5, dtype="mixed_float16", rotation_range=20)
        single = layers.Augment(seed=5, rotation_range=20)
        actual = half(images, training=True)
        assert actual.dtype == "float16"
        np.testing.assert_array_equal(actual, tf.cast(single(images, training=True), "float16"))

    @pytest.mark.slow
    @pytest.mark.parametrize("jit", [False, True])
    def test_trains_in_fit(self, images, jit):
        model = keras.Sequential(
            [
                keras.Input((H, W, 3)),
                layers.Augment(seed=5, dtype="mixed_float16", **EVERYTHING),
                keras.layers.Flatten(),
                keras.layers.Dense(2, dtype="mixed_float16"),
            ]
        )
        model.compile("sgd", "mse", jit_compile=jit)
        history = model.fit(images / 255, np.zeros([B, 2]), batch_size=2, epochs=2, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        assert int(model.layers[0].batches.numpy()) == 4

    @pytest.mark.slow
    def test_compiled_gives_the_same_for_the_same_parameters(self, images):
        layer = layers.Augment(**{n: v for n, v in EVERYTHING.items() if n != "rand_augment"})
        numbers = numbers_of(1, 0)

        def transform(images, numbers):
            return layer.transform(images, draws.parameters(layer.augment, numbers, H, W))

        eager = transform(tf.constant(images), numbers)
        jit = tf.function(transform, jit_compile=True)(tf.constant(images), numbers)
        assert_same_but_for_levels(jit, eager)

    def test_is_saved_with_the_model_and_draws_on(self, images, tmp_path):
        model = keras.Sequential([keras.Input((H, W, 3)), layers.Augment(seed=5, **EVERYTHING)])
        model(images, training=True)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert loaded.layers[0].augment == model.layers[0].augment
        np.testing.assert_array_equal(loaded(images, training=True), model(images, training=True))

    def test_its_config_makes_its_like(self):
        layer = layers.Augment(
            seed=3, unit_range=True, name="moves", dtype="float64", width_shift_range=[1, 3]
        )
        again = layers.Augment.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        assert (again.augment, again.seed, again.unit_range) == (layer.augment, 3, True)

    def test_seeds(self, images):
        one, same, other = (layers.Augment(seed=seed, rotation_range=20) for seed in (5, 5, 6))
        first, again = one(images, training=True), same(images, training=True)
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other(images, training=True)).max() > 1
        assert np.abs(first - one(images, training=True)).max() > 1
        drawn = {layers.Augment().seed for _ in range(3)}
        assert len(drawn) == 3

    def test_of_0_to_1(self, images):
        whole = layers.Augment(seed=5, contrast_range=(0.5, 2))(images, training=True)
        unit = layers.Augment(seed=5, unit_range=True, contrast_range=(0.5, 2))
        np.testing.assert_allclose(unit(images / 255, training=True) * 255, whole, atol=0.01)

    @pytest.mark.parametrize("name", ["mixup_alpha", "cutmix_alpha"])
    def test_rejects_what_needs_labels(self, name):
        with pytest.raises(ValueError, match=rf"{name}=0.2.*data set"):
            layers.Augment(**{name: 0.2})

    def test_rejects_what_the_pipeline_rejects(self):
        with pytest.raises(ValueError, match=r"zoom_range must stay above 0"):
            layers.Augment(zoom_range=1.5)
        with pytest.raises(TypeError, match=r"'rotation'.*rotation_range"):
            layers.Augment(rotation=20)

    def test_rejects_images_of_unknown_size(self):
        with pytest.raises(ValueError, match=r"known H, W and C.*None"):
            keras.Sequential([keras.Input((None, None, 3)), layers.Augment(rotation_range=20)])

    @pytest.mark.slow
    def test_each_replica_of_a_strategy_draws_its_own(self, images):
        """Two logical CPUs, in a process of its own: TensorFlow is already initialised here."""
        import subprocess
        import sys

        code = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, tfpipe
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = tfpipe.layers.Augment(seed=5, rotation_range=20)
    layer.build((None, 8, 8, 1))
image = np.arange(64, dtype="float32").reshape(1, 8, 8, 1)
step = tf.function(lambda: strategy.run(lambda: layer(image, training=True)))
one, other = strategy.experimental_local_results(step())
assert np.abs(one - other).max() > 1
assert int(layer.batches.numpy()) == 1
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
