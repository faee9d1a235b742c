"""Data sets and generators go through pickle and deepcopy, and give the same batches on the other side."""

import copy
import multiprocessing
import pickle
import shutil

import numpy as np
import pytest

import tfpipe

pytestmark = pytest.mark.one_profile


def through_pickle(dataset):
    return pickle.loads(pickle.dumps(dataset))


def doubled(image):
    return image * 2


def batches(dataset):
    return [(x.numpy(), y.numpy()) for x, y in dataset.take(-1)]


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        for part, of_other in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, of_other)


@pytest.fixture(params=["generator", "function", "arrays"])
def dataset(request, animals, small_dataset):
    augment = tfpipe.Augment(rotation_range=20, horizontal_flip=True)
    if request.param == "generator":
        generator = tfpipe.ImageDataGenerator(
            rotation_range=20, rescale=1 / 255, preprocessing_function=doubled
        )
        return generator.flow_from_directory(animals, target_size=(6, 8), batch_size=4, seed=5)
    if request.param == "arrays":
        images = np.arange(7 * 4 * 6 * 3, dtype=np.float32).reshape(7, 4, 6, 3) % 256
        generator = tfpipe.ImageDataGenerator(rotation_range=20)
        return generator.flow(images, np.arange(7), batch_size=3, seed=2)
    return tfpipe.image_dataset_from_directory(
        animals, image_size=(6, 8), batch_size=4, seed=5, augment=augment, verbose=False
    )


@pytest.mark.parametrize("copied", [through_pickle, copy.deepcopy])
class TestCopies:
    @pytest.mark.slow
    def test_give_the_same_batches_from_where_it_stands(self, dataset, copied):
        next(dataset)
        batches(dataset)
        other = copied(dataset)
        assert type(other) is type(dataset)
        assert (other.class_names, other.seed) == (dataset.class_names, dataset.seed)
        assert getattr(other, "class_mode", None) == getattr(dataset, "class_mode", None)
        assert_equal([next(other)], [next(dataset)])
        assert other.batch_index == dataset.batch_index
        assert_equal(batches(other), batches(dataset))
        assert_equal([other[1]], [dataset[1]])

    @pytest.mark.slow
    def test_stand_on_their_own(self, dataset, copied):
        other = copied(dataset)
        batches(other)
        next(other)
        assert_equal(batches(dataset), batches(dataset.starting_at(0)))

    @pytest.mark.slow
    def test_of_generators_are_generators(self, animals, copied):
        generator = tfpipe.ImageDataGenerator(
            samplewise_center=True, preprocessing_function=doubled
        )
        options = {"target_size": (6, 8), "seed": 5}
        ours = copied(generator).flow_from_directory(animals, **options)
        assert_equal([ours[0]], [generator.flow_from_directory(animals, **options)[0]])

    def test_of_what_tf_data_made_say_why_not(self, dataset, copied):
        with pytest.raises(TypeError, match=r"graph of TensorFlow.*Pickle the data set"):
            copied(dataset.map(lambda x, y: x))


@pytest.mark.slow
@pytest.mark.parametrize("copied", [through_pickle, copy.deepcopy])
@pytest.mark.filterwarnings("ignore:Left out")
def test_files_that_were_left_out_stay_left_out(animals, tmp_path, copied):
    shutil.copytree(animals, tmp_path / "photos")
    next((tmp_path / "photos").rglob("*.png")).write_bytes(b"no image")
    dataset = tfpipe.image_dataset_from_directory(
        tmp_path / "photos", image_size=(6, 8), batch_size=1, on_error="skip", seed=1, verbose=False
    )
    batches(dataset)
    other = copied(dataset)
    assert len(other) == len(dataset) == dataset.samples - 1
    assert other.skipped == dataset.skipped != []


def first_of(dataset):
    return dataset[0]


@pytest.mark.slow
def test_a_spawned_process_gives_the_same(small_dataset):
    dataset = small_dataset()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert_equal([pool.apply(first_of, (dataset,))], [dataset[0]])
