"""tfpipe.ops.matrix: the matrices of a batch, of crops, and of several moves in one."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.ops.matrix import affine_matrix, centred_matrix, composed, crop_matrix
from tfpipe.ops.warp import affine_transform


def moved(matrix, row, column):
    """Where the output pixel (row, column) comes from."""
    return (matrix[:, :2] @ np.array([row, column]) + matrix[:, 2]).tolist()


class TestAffineMatrix:
    def test_of_a_batch_equals_one_by_one(self):
        theta, tx = [10.0, -70.0, 0.0], [1.5, 0.0, -3.0]
        whole = affine_matrix(19, 26, theta=tf.constant(theta), tx=tf.constant(tx), zy=0.9)
        assert whole.shape == (3, 2, 3)
        for i in range(3):
            one = affine_matrix(19, 26, theta=theta[i], tx=tx[i], zy=0.9)
            np.testing.assert_allclose(whole[i], one, rtol=0, atol=1e-13)


class TestCropMatrix:
    def test_the_edges_of_the_part_are_the_edges_of_the_image(self):
        """A pixel is from -0.5 to 0.5 about its place."""
        matrix = crop_matrix(10, 20, x=0.25, y=0.1, share_x=0.5, share_y=0.3).numpy()
        assert moved(matrix, -0.5, -0.5) == pytest.approx([0.1 * 10 - 0.5, 0.25 * 20 - 0.5])
        assert moved(matrix, 9.5, 19.5) == pytest.approx([0.4 * 10 - 0.5, 0.75 * 20 - 0.5])

    def test_all_of_the_image_is_the_image(self):
        np.testing.assert_array_equal(crop_matrix(7, 5, 0, 0, 1, 1), np.eye(2, 3))

    def test_equals_pillows_resize_of_a_box(self, picture):
        """Pillow's BILINEAR enlarges as an affine resampling does, up to the rounding to bytes."""
        from PIL import Image

        image = picture(16, 24)
        box = (6, 4, 18, 12)
        pillow = Image.fromarray(image).resize((24, 16), Image.Resampling.BILINEAR, box=box)
        matrix = crop_matrix(16, 24, 6 / 24, 4 / 16, 12 / 24, 8 / 16)
        ours = affine_transform(image, matrix).numpy()
        inner = (slice(1, -1), slice(1, -1))  # at its edge, Pillow does not look beyond the box
        assert np.abs(ours - np.asarray(pillow))[inner].max() < 1.5

    def test_of_a_batch(self):
        whole = crop_matrix(10, 20, tf.constant([0.1, 0.2]), 0.3, tf.constant([0.5, 0.6]), 0.7)
        np.testing.assert_allclose(whole[1], crop_matrix(10, 20, 0.2, 0.3, 0.6, 0.7))


class TestCentredMatrix:
    def test_the_centre_stays(self):
        matrix = centred_matrix(7, 11, 0.5, 0.3, -0.2, 2.0, 0.0, 0.0).numpy()
        assert moved(matrix, 3, 5) == pytest.approx([3, 5])

    def test_equals_a_rotation_and_a_shift(self):
        angle = np.deg2rad(30)
        sin, cos = np.sin(angle), np.cos(angle)
        turned = centred_matrix(7, 11, cos, -sin, sin, cos, 2.0, -1.0)
        np.testing.assert_allclose(turned[:, :2], affine_matrix(7, 11, theta=30)[:, :2])
        plain = centred_matrix(7, 11, cos, -sin, sin, cos, 0.0, 0.0)
        np.testing.assert_allclose((turned - plain)[:, 2], [-1, 2])


class TestComposed:
    def test_is_one_after_the_other(self):
        first = crop_matrix(10, 20, 0.25, 0.1, 0.5, 0.3)
        then = affine_matrix(10, 20, theta=40, tx=3)
        both = composed(first, then).numpy()
        assert moved(both, 2, 7) == pytest.approx(moved(first.numpy(), *moved(then.numpy(), 2, 7)))

    def test_of_a_batch(self):
        first = tf.stack(
            [crop_matrix(10, 20, 0.25, 0.1, 0.5, 0.3), crop_matrix(10, 20, 0, 0, 1, 1)]
        )
        then = affine_matrix(10, 20, theta=tf.constant([40.0, 5.0]))
        both = composed(first, then)
        for i in range(2):
            np.testing.assert_allclose(both[i], composed(first[i], then[i]))
