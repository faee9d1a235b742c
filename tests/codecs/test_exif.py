"""EXIF orientation, beside PIL.ImageOps.exif_transpose."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

import tfpipe
from tfpipe.codecs.exif import exif_orientation
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import read_image
from tfpipe.ops.turn import upright

ORIENTATIONS = range(1, 9)
orientation_of = tf.function(exif_orientation)


def exif(orientation, order="<", kind=3, count=1, others=2):
    """EXIF data with some other tags before the orientation."""
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I"}[kind], orientation)
    entries = [struct.pack(order + "HHII", 0x0100 + n, 4, 1, 7) for n in range(others)]
    entries.append(struct.pack(order + "HHI", 0x0112, kind, count) + value)
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8) + directory


def saved(image, format, data=b"", **options):
    file = io.BytesIO()
    image.save(file, format=format, exif=b"Exif\0\0" + data if data else b"", **options)
    return file.getvalue()


def decoded(content, suffix, **options):
    spec = DecodeSpec(exif_orientation=True, **options)
    return read_image(content, spec, frozenset({suffix})).numpy()


def pillows(content):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


@pytest.fixture(scope="module")
def image(picture):
    return Image.fromarray(picture(16, 24))


class TestUpright:
    @pytest.mark.parametrize("orientation", ORIENTATIONS)
    def test_values_eager_and_graph(self, picture, orientation):
        pixels = picture(3, 5)
        file = Image.fromarray(pixels)
        file.getexif()[0x0112] = orientation
        expected = np.asarray(ImageOps.exif_transpose(file))
        for function in (upright, tf.function(upright)):
            ours = function(tf.constant(pixels), tf.constant(orientation))
            np.testing.assert_array_equal(ours, expected)
            assert ours.dtype == tf.uint8


class TestFormats:
    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("orientation", ORIENTATIONS)
    def test_jpeg(self, image, orientation, order):
        content = saved(image, "JPEG", exif(orientation, order))
        np.testing.assert_array_equal(decoded(content, "jpg"), pillows(content))

    @pytest.mark.slow
    @pytest.mark.parametrize("suffix", ["png", "webp"])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    def test_others(self, image, suffix, orientation):
        kind = {"png": "PNG", "webp": "WEBP", "tif": "TIFF"}[suffix]
        options = {"lossless": True} if suffix == "webp" else {}
        content = saved(image, kind, exif(orientation), **options)
        np.testing.assert_array_equal(decoded(content, suffix), pillows(content))

    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    def test_tiff(self, image, orientation):
        data = Image.Exif()
        data[0x0112] = orientation
        file = io.BytesIO()
        image.save(file, format="TIFF", exif=data)
        content = file.getvalue()
        np.testing.assert_array_equal(decoded(content, "tif"), pillows(content))

    @pytest.mark.parametrize("kind", [1, 3, 4])
    @pytest.mark.parametrize("order", "<>")
    def test_types_of_the_value(self, image, kind, order):
        content = saved(image, "JPEG", exif(6, order, kind))
        np.testing.assert_array_equal(decoded(content, "jpg"), pillows(content))

    @pytest.mark.parametrize("orientation", [0, 9, 255])
    def test_no_orientation(self, image, orientation):
        content = saved(image, "JPEG", exif(orientation))
        np.testing.assert_array_equal(decoded(content, "jpg"), pillows(content))

    def test_behind_other_segments(self, image):
        content = saved(image, "JPEG", exif(8))
        more = b"\xff\xe7\x00\x08hello!\xff\xfe\x00\x09comment"
        content = content[:2] + more + content[2:]
        np.testing.assert_array_equal(decoded(content, "jpg"), pillows(content))

    @pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
    def test_none(self, image, suffix):
        kind = {"jpg": "JPEG"}.get(suffix, suffix.upper())
        file = io.BytesIO()
        image.save(file, format=kind)
        np.testing.assert_array_equal(decoded(file.getvalue(), suffix), pillows(file.getvalue()))


class TestDamaged:
    @pytest.mark.parametrize("length", [*range(8, 42), 60])
    def test_cut_short(self, length):
        data = b"Exif\0\0" + exif(6)[:length]
        content = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(data) + 2) + data
        assert int(orientation_of(tf.constant(content))) in (1, 6)

    @pytest.mark.parametrize(
        "content",
        [
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe1",
            b"\xff\xd8\xff\xe1\0\0",
            b"\xff\xd8" + b"\xff\xe0\0\2" * 30_000,
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\xff\xff\xff\xff",
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0MM\0*\x7f\xff\xff\xff",
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\xff\xff",
            b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffabcd",
            b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0eXIf",
            b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff",
        ],
    )
    def test_is_no_orientation(self, content):
        assert int(orientation_of(tf.constant(content))) == 1


class TestDoor:
    @pytest.mark.slow
    def test_off_as_the_classic_and_on(self, tmp_path, image, classic):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/x.jpg").write_bytes(saved(image, "JPEG", exif(6)))
        options = {"target_size": (24, 16), "class_mode": None}
        turned, as_stored = (
            tfpipe.ImageDataGenerator().flow_from_directory(
                tmp_path, exif_orientation=on, **options
            )[0]
            for on in (True, False)
        )
        np.testing.assert_array_equal(turned[0], pillows((tmp_path / "a/x.jpg").read_bytes()))
        np.testing.assert_array_equal(
            as_stored, classic().flow_from_directory(tmp_path, **options)[0]
        )
