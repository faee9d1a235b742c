"""tfpipe.pipeline.spec: what a dtype cannot hold is an error, not another number."""

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.transforms.standardize import Standardize

CENTERING = {
    "samplewise_center": True,
    "samplewise_std_normalization": True,
    "featurewise_center": True,
    "featurewise_std_normalization": True,
    "zca_whitening": True,
}


class TestUint8:
    @pytest.mark.parametrize("rescale", [1 / 255, 0.5, 2, -1, 1.5])
    def test_rescaled_images_are_rejected(self, rescale):
        with pytest.raises(ValueError, match=r"uint8.*rescale=.*float32.*Rescaling"):
            PipelineSpec(dtype="uint8", standardize=Standardize(rescale=rescale))

    @pytest.mark.parametrize("step", CENTERING)
    def test_centered_images_are_rejected(self, step):
        with pytest.raises(ValueError, match=rf"uint8.*Received: dtype='uint8', {step}"):
            PipelineSpec(dtype="uint8", standardize=Standardize(**{step: True}))

    @pytest.mark.parametrize("rescale", [None, 0, 1, 1.0])
    def test_images_as_they_are_pass(self, rescale):
        PipelineSpec(dtype="uint8", standardize=Standardize(rescale=rescale))

    def test_both_doors_say_it(self, tmp_path):
        generator = tfpipe.ImageDataGenerator(rescale=1 / 255, dtype="uint8")
        with pytest.raises(ValueError, match="uint8"):
            generator.flow(np.zeros([2, 4, 4, 3], np.uint8))
        with pytest.raises(ValueError, match="uint8"):
            tfpipe.image_dataset_from_directory(
                tmp_path, dtype="uint8", standardize=Standardize(samplewise_center=True)
            )

    @pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (-1.0, 1.0), (0.0, 256.0)])
    def test_arrays_that_it_cannot_hold_are_rejected(self, low, high):
        images = np.linspace(low, high, 96, dtype=np.float32).reshape(2, 4, 4, 3)
        with pytest.raises(ValueError, match=rf"uint8.*images from {low:g} to {high:g}"):
            tfpipe.ImageDataGenerator(dtype="uint8").flow(images)

    def test_whole_numbers_in_an_array_of_floats_pass(self):
        images = np.arange(96, dtype=np.float32).reshape(2, 4, 4, 3)
        flow = tfpipe.ImageDataGenerator(dtype="uint8").flow(images, shuffle=False)
        np.testing.assert_array_equal(flow[0], images)


class TestFloat16:
    @pytest.mark.parametrize("rescale", [257, -300.0])
    def test_too_large_a_rescale_is_rejected(self, rescale):
        with pytest.raises(ValueError, match=r"65504.*Received: dtype='float16', rescale="):
            PipelineSpec(dtype="float16", standardize=Standardize(rescale=rescale))
        PipelineSpec(dtype="bfloat16", standardize=Standardize(rescale=rescale))

    def test_a_batch_that_overflows_is_an_error(self):
        images = np.full([2, 4, 4, 3], 1e5, np.float32)
        flow = tfpipe.ImageDataGenerator(dtype="float16").flow(images, shuffle=False)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"float16.*65504.*bfloat16"):
            flow[0]

    def test_infinite_images_stay_as_they_are(self):
        images = np.full([2, 4, 4, 3], np.inf, np.float32)
        flow = tfpipe.ImageDataGenerator(dtype="float16").flow(images, shuffle=False)
        assert np.isinf(flow[0]).all()


def test_too_many_calls_are_rejected():
    with pytest.raises(ValueError, match="num_parallel_calls must be at most 4096.*100000"):
        PipelineSpec(num_parallel_calls=100_000)


def test_too_large_images_are_rejected_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"`image_size`.*at most 178956970 pixels"):
        tfpipe.image_dataset_from_directory(tmp_path, image_size=(100_000, 100_000))
    with pytest.raises(ValueError, match=r"target_size must be .* at most 178956970 pixels"):
        tfpipe.ImageDataGenerator().flow_from_directory(tmp_path, target_size=(100_000, 100_000))
