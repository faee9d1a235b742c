"""Keras' functions for single images, by the names that `tensorflow.keras.preprocessing.image` has."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow.keras.preprocessing.image as theirs

import tfpipe as image

# The base classes of the classic's data sets, which are not functions.
CLASSES = {"DirectoryIterator", "Iterator", "NumpyArrayIterator"}
FUNCTIONS = sorted({n for n in dir(theirs) if n[0] != "_"} - CLASSES - {"ImageDataGenerator"})


def test_there_are_some():
    assert {"load_img", "img_to_array", "smart_resize", "random_zoom"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_is_that_of_keras(name):
    assert getattr(image, name) is getattr(theirs, name)
    assert name in dir(image)
    assert name in image.__all__


def test_a_script_that_changes_its_import_line(tmp_path, picture, write):
    from tfpipe import ImageDataGenerator, img_to_array, load_img

    write(tmp_path / "1.png", picture(7, 9))
    pixels = img_to_array(load_img(tmp_path / "1.png", target_size=(4, 6)))
    (batch,) = ImageDataGenerator().flow(pixels[None], batch_size=1)[:1]
    np.testing.assert_array_equal(batch[0], pixels)


@pytest.mark.slow
def test_the_import_alone_loads_neither_keras_nor_tensorflow():
    script = (
        "import sys, tfpipe as image; dir(image); "
        "print({'tensorflow', 'keras', 'tfpipe.builders'} & set(sys.modules)); "
        "image.load_img; print('keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["set()", "True"]
