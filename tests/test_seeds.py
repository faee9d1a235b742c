"""Seeds: whose generator they are drawn from, and how often."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe import seeds
from tfpipe.pipeline.spec import PipelineSpec

IMAGES = np.zeros([6, 4, 5, 3], np.uint8)


def flow(seed=None, **options):
    return tfpipe.ImageDataGenerator(**options).flow(IMAGES, np.arange(6), 2, seed=seed)


def randints(count, *limits, **options):
    """The first numbers of NumPy's global generator after its seed is 7."""
    np.random.seed(7)
    return [int(np.random.randint(*limits, **options)) for _ in range(count)]


def drawn_by(action):
    """How many seeds an action draws from NumPy's global generator."""
    np.random.seed(7)
    action()
    found = np.random.random()
    for count in range(4):
        np.random.seed(7)
        for _ in range(count):
            seeds.draw_seed()
        if np.random.random() == found:
            return count
    raise AssertionError("more than three, or numbers of another kind")


class TestSeed:
    def test_a_given_seed_is_taken_as_it_is(self):
        assert seeds.as_seed(7) == 7
        assert seeds.as_seed(np.int32(7)) == 7
        assert seeds.as_seed(-1) == 2**63 - 1

    @pytest.mark.parametrize("seed", [True, 1.5, "1", [1]])
    def test_rejects(self, seed):
        with pytest.raises(ValueError, match="seed must be an int or None"):
            seeds.as_seed(seed)

    def test_drawn_seeds_are_in_range_and_differ(self):
        drawn = [seeds.draw_seed() for _ in range(1000)]
        assert all(0 <= seed < 2**63 for seed in drawn)
        assert len(set(drawn)) == 1000

    def test_follows_the_global_generator(self):
        np.random.seed(7)
        one = [seeds.draw_seed(), seeds.draw_keras_seed()]
        np.random.seed(7)
        assert [seeds.draw_seed(), seeds.draw_keras_seed()] == one


class TestClassicDoor:
    def test_set_random_seed_makes_a_run_repeat(self, assert_same):
        def run():
            keras.utils.set_random_seed(3)
            first, second = flow(rotation_range=90), flow()
            return first.seed, second.seed, [next(first) for _ in range(5)]

        (one, two, batches), again = run(), run()
        assert (one, two) == again[:2]
        assert one != two
        for batch, other in zip(batches, again[2], strict=True):
            assert_same(batch, other)

    @pytest.mark.parametrize(
        ("count", "action"),
        [
            (1, lambda: flow()),
            (1, lambda: [flow()[0], next(flow(seed=1)), flow(seed=2)[1]]),
            (0, lambda: flow(seed=1)),
            (0, lambda: PipelineSpec(seed=1)),
            (1, lambda: PipelineSpec()),
            (0, lambda: tfpipe.ImageDataGenerator(featurewise_center=True).fit(IMAGES)),
            (1, lambda: tfpipe.ImageDataGenerator(zca_whitening=True).fit(IMAGES, True)),
            (0, lambda: tfpipe.ImageDataGenerator().fit(IMAGES, True, seed=1)),
            (1, lambda: tfpipe.ImageDataGenerator().get_random_transform((4, 5, 3))),
            (1, lambda: tfpipe.ImageDataGenerator().random_transform(IMAGES[0])),
            (0, lambda: tfpipe.ImageDataGenerator().random_transform(IMAGES[0], seed=1)),
            (1, lambda: tfpipe.layers.Augment(rotation_range=3)),
        ],
    )
    @pytest.mark.filterwarnings("ignore:This ImageDataGenerator")
    def test_draws_one_seed_where_none_is_given(self, count, action):
        assert drawn_by(action) == count

    @pytest.mark.parametrize("call", ["get_random_transform", "random_transform"])
    def test_methods_draw_anew_at_each_call(self, call):
        generator = tfpipe.ImageDataGenerator(rotation_range=90, fill_mode="constant", cval=9)
        argument = IMAGES[0] if call == "random_transform" else (4, 5, 3)

        def three():
            np.random.seed(7)
            return [str(getattr(generator, call)(argument)) for _ in range(3)]

        assert three() == three()
        assert len(set(three())) > 1


class TestFunctions:
    """Keras' function draws its seed before it shuffles: `np.random.randint(1e6)`."""

    @pytest.fixture
    def doors(self, animals, tmp_path):
        import pandas as pd

        Image.fromarray(IMAGES[0]).save(tmp_path / "1.png")
        frame = pd.DataFrame({"filename": [str(tmp_path / "1.png")] * 3, "class": list("aba")})
        options = {"image_size": 4, "verbose": False}
        made = tfpipe.image_dataset_from_dataframe(frame, seed=1, **options)
        tfpipe.pack(made, tmp_path / "packed")
        return [
            lambda: tfpipe.image_dataset_from_directory(animals, **options),
            lambda: tfpipe.image_dataset_from_dataframe(frame, **options),
            lambda: tfpipe.image_dataset_from_shards(tmp_path / "packed", verbose=False),
        ]

    def test_the_seed_is_the_one_that_keras_draws(self, doors, animals):
        expected = randints(2, 1e6)
        for door in doors:
            np.random.seed(7)
            assert [door().seed, door().seed] == expected
            after = np.random.random()
            np.random.seed(7)
            for _ in range(2):
                keras.utils.image_dataset_from_directory(animals, verbose=False)
            assert np.random.random() == after

    @pytest.mark.parametrize("subset", ["training", "validation", "both"])
    def test_an_unseeded_split_is_that_of_keras(self, animals, subset):
        # Keras allows one only where nothing is shuffled.
        functions = (
            tfpipe.image_dataset_from_directory,
            keras.utils.image_dataset_from_directory,
        )
        options = {"validation_split": 0.3, "subset": subset, "verbose": False}
        paths, states = [], []
        for function in functions:
            keras.utils.set_random_seed(7)
            made = function(animals, shuffle=False, **options)
            paths.append([d.file_paths for d in (made if subset == "both" else [made])])
            states.append(np.random.random())
            with pytest.raises(ValueError, match="you must provide a `seed` argument"):
                function(animals, **options)
        assert paths[0] == paths[1]
        assert states[0] == states[1]

    def test_the_seed_splits_as_that_of_keras(self, animals):
        np.random.seed(7)
        seed = tfpipe.image_dataset_from_directory(animals, verbose=False).seed
        np.random.seed(7)
        # Keras gives the paths in the shuffled order, whose tail is the validation subset of this seed.
        whole = keras.utils.image_dataset_from_directory(animals, verbose=False)
        options = {"validation_split": 0.3, "subset": "both", "seed": seed, "verbose": False}
        training, validation = tfpipe.image_dataset_from_directory(animals, **options)
        assert training.file_paths + validation.file_paths == whole.file_paths


class TestNumbers:
    """Fewer operations than `tf.random.stateless_uniform` takes, and the same numbers."""

    @pytest.mark.parametrize("compiled", [False, True])
    def test_they_are_those_of_stateless_uniform(self, compiled):
        def drawn(key):
            fractions = tf.random.stateless_uniform([9], key, 0, 1, tf.float64, alg="philox")
            whole = tf.random.stateless_uniform([5], key, None, None, tf.int32, alg="philox")
            folded = tf.random.experimental.stateless_fold_in(key, key[1], alg="philox")
            ours = (
                seeds.fractions([9], key),
                seeds.whole_numbers([5], key, tf.int32),
                seeds.fold_in(key, key[1]),
            )
            return ours, (fractions, whole, folded)

        function = tf.function(drawn, jit_compile=compiled)
        for words in ([0, 0], [7, 1], [-1, 2**62], [2**63 - 1, -(2**63)]):
            ours, theirs = function(tf.constant(words, tf.int64))
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
