"""The table of formats, and the pixels of those without a test file of their own, beside Pillow's."""

import io
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

import tfpipe
from tfpipe.codecs import formats
from tfpipe.codecs.pillow import add_plugins
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import read_image

ROOT = Path(tfpipe.__file__).parent.parent
DATA = Path(__file__).parents[1] / "data"
add_plugins()  # the tests write HEIF files
MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


def decoded(content, suffix, color_mode="rgb", **options):
    spec = DecodeSpec(color_mode=color_mode, **options)
    return read_image(content, spec, frozenset({suffix})).numpy()


def pillows(content, color_mode="rgb"):
    image = np.asarray(Image.open(io.BytesIO(content)).convert(MODES[color_mode]))
    return image if image.ndim == 3 else image[..., None]


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def test_table_is_the_readmes():
    assert tfpipe.formats.markdown() in (ROOT / "README.md").read_text("utf-8")


class TestTable:
    def test_a_row_for_each_format(self):
        rows = tfpipe.formats.table()
        assert [row["format"] for row in rows] == [known.name for known in formats.FORMATS]
        in_graph = {row["format"] for row in rows if row["where"] == "in the graph"}
        assert {"JPEG", "PNG", "GIF", "BMP", "WebP"} <= in_graph  # WebP: in both profiles

    @pytest.mark.parametrize("known", formats.FORMATS, ids=lambda f: f.name)
    def test_magic_and_suffixes_are_of_one_format(self, known):
        assert [formats.of_suffix(suffix) for suffix in known.suffixes] == [known] * len(
            known.suffixes
        )
        for way in known.magic:
            head = bytearray(132)
            for offset, octets in way:
                head[offset : offset + len(octets)] = octets
            assert formats.of_content(bytes(head)) is known

    @pytest.mark.parametrize(
        ("known", "release", "absent", "reader"),
        [
            (formats.WEBP, (2, 16), None, "tensorflow-io"),
            (formats.WEBP, (2, 18), None, "Pillow"),
            (formats.WEBP, (2, 17), formats.IO, "Pillow"),
            (formats.WEBP, (2, 20), None, "TensorFlow"),
            (formats.JXL, (2, 20), None, "pillow-jxl-plugin"),
            (formats.JXL, (2, 21), None, "TensorFlow"),
            (formats.DICOM, (2, 21), formats.PYDICOM, None),
        ],
    )
    def test_the_best_reader(self, known, release, absent, reader):
        found = formats.library_of(known, release, lambda reader: reader is not absent)
        assert (found and found.name) == reader

    def test_what_nothing_reads(self, monkeypatch):
        # What is installed here reads all but JPEG XL (under 2.17): as if it did not have pydicom.
        really = formats.is_installed
        monkeypatch.setattr(
            formats.library_of,
            "__defaults__",
            (None, lambda reader: reader is not formats.PYDICOM and really(reader)),
        )
        words = r"reads DICOM: 3 file\(s\) end in '.dcm'.*pip install \"pydicom>=3\""
        with pytest.raises(ImportError, match=words):
            formats.require_readers({"png", "dcm"}, ["a.DCM", "b.png", "c.dcm", "d.dcm"])

    def test_python_is_said_once_a_library(self):
        words = r"Files with '.pgm', '.tif' are decoded by Pillow, in Python"
        with pytest.warns(UserWarning, match=words) as caught:
            formats.require_readers({"png", "tif", "pgm", ""}, [])
        assert len(caught) == 1


class TestWebP:
    @pytest.mark.parametrize("color_mode", MODES)
    @pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 70}], ids=str)
    def test_opaque(self, picture, options, color_mode):
        content = saved(Image.fromarray(picture(19, 27)), "WEBP", **options)
        ours = decoded(content, "webp", color_mode)
        np.testing.assert_array_equal(ours, pillows(content, color_mode))

    @pytest.mark.parametrize("color_mode", MODES)
    def test_alpha(self, picture, color_mode):
        content = saved(Image.fromarray(picture(19, 27, 4)), "WEBP", lossless=True, exact=True)
        ours = decoded(content, "webp", color_mode)
        np.testing.assert_array_equal(ours, pillows(content, color_mode))

    @pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 70}], ids=str)
    def test_animated_is_refused(self, picture, options):
        frames = [Image.fromarray(picture(19, 27, seed=s)) for s in range(3)]
        content = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], **options)
        with pytest.raises(ValueError, match="an animated WebP file is not read"):
            decoded(content, "webp")

    @pytest.mark.parametrize(
        "options", [{"lossless": True}, {"quality": 70}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}]
    )
    def test_the_size_in_the_header(self, picture, options):
        content = saved(Image.fromarray(picture(19, 27)), "WEBP", **options)
        with pytest.raises(ValueError, match="it has 27 x 19 pixels, more than max_pixels=500"):
            decoded(content, "webp", max_pixels=500)


class TestPNM:
    @pytest.mark.parametrize("mode", ["1", "L", "RGB"])
    def test_binary(self, picture, mode):
        content = saved(Image.fromarray(picture(9, 14)).convert(mode), "PPM")
        np.testing.assert_array_equal(decoded(content, "ppm"), pillows(content))

    @pytest.mark.parametrize(
        "content",
        [
            b"P1\n# by hand\n3 2\n1 0 1\n0 0 1\n",
            b"P2 3 2 255\n1 20 255 0 7 9\n",
            b"P3\n2 1\n255\n255 0 9 8 7 6\n",
            b"P2 3 2 15\n1 2 15 0 7 9\n",
        ],
        ids=lambda content: content[:2].decode(),
    )
    def test_plain(self, content):
        np.testing.assert_array_equal(decoded(content, "pnm"), pillows(content))

    def test_sixteen_bits(self):
        deep = np.array([[0, 257, 65535], [300, 40_000, 12_345]], ">u2")
        content = b"P5 3 2 65535\n" + deep.tobytes()
        ours = decoded(content, "pgm", "grayscale")[..., 0]
        np.testing.assert_allclose(ours, deep / 257, rtol=1e-6)


class TestTIFF:
    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA"])
    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
    def test_eight_bits(self, picture, mode, compression):
        content = saved(
            Image.fromarray(picture(9, 14)).convert(mode), "TIFF", compression=compression
        )
        for color_mode in MODES:
            ours = decoded(content, "tif", color_mode)
            np.testing.assert_array_equal(ours, pillows(content, color_mode))

    def test_sixteen_bits(self):
        deep = np.arange(0, 65520, 546, dtype=np.uint16).reshape(8, 15)
        ours = decoded(saved(Image.fromarray(deep), "TIFF"), "tif", "grayscale")[..., 0]
        np.testing.assert_allclose(ours, deep / 257, rtol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_wide_samples_keep_their_values(self, dtype):
        values = (np.arange(12).reshape(3, 4) * 1000 - 500).astype(dtype)
        ours = decoded(saved(Image.fromarray(values), "TIFF"), "tif", "grayscale")[..., 0]
        np.testing.assert_array_equal(ours, values)

    def test_the_first_page(self, picture):
        pages = [Image.fromarray(picture(9, 14, seed=s)) for s in range(3)]
        content = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        np.testing.assert_array_equal(decoded(content, "tiff"), picture(9, 14, seed=0))


class TestOthers:
    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    def test_avif(self, picture, mode):
        content = saved(Image.fromarray(picture(16, 24)).convert(mode), "AVIF", quality=90)
        np.testing.assert_array_equal(decoded(content, "avif"), pillows(content))

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
    @pytest.mark.parametrize("suffix", formats.HEIF.suffixes)
    def test_heic(self, picture, mode, suffix):
        content = saved(Image.fromarray(picture(16, 24)).convert(mode), "HEIF", quality=90)
        assert formats.of_content(content) is formats.HEIF
        np.testing.assert_array_equal(decoded(content, suffix), pillows(content))

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("exif_orientation", [False, True])
    def test_heic_is_turned_once(self, orientation, exif_orientation):
        slope = np.add.outer(
            np.arange(16) * 10, np.arange(24) * 4
        )  # no turn of it looks like another
        image = Image.fromarray(slope.astype(np.uint8)).convert("RGB")
        exif = Image.Exif()
        exif[0x0112] = orientation
        png = saved(image, "PNG", exif=exif)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(png))))
        # As bytes, pillow-heif also writes the turn where HEIF keeps it, as cameras do.
        content = saved(image, "HEIF", quality=-1, exif=exif.tobytes())
        spec = DecodeSpec(exif_orientation=exif_orientation)
        ours = read_image(content, spec, frozenset({"heic"})).numpy()
        assert ours.shape == upright.shape
        assert np.abs(ours.astype(int) - upright).max() < 5

    @pytest.mark.parametrize("brand", [b"heic", b"mif1", b"msf1"])
    def test_heic_by_its_brands(self, brand):
        head = b"\0\0\0\x1cftyp" + brand + bytes(4) + b"mif1heicmiaf"
        assert formats.of_content(head) is formats.HEIF
        assert formats.of_content(head.replace(b"heic", b"avif")) is not formats.HEIF

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
    @pytest.mark.parametrize("bare", [False, True])
    def test_jpeg2000(self, picture, mode, bare):
        image = Image.fromarray(picture(16, 24)).convert(mode)
        content = saved(image, "JPEG2000", no_jp2=bare)
        assert formats.of_content(content) is formats.JP2
        np.testing.assert_array_equal(decoded(content, "jp2"), pillows(content))

    def test_jpeg2000_of_sixteen_bits(self):
        deep = np.arange(0, 65520, 546, dtype=np.uint16).reshape(8, 15)
        content = saved(Image.fromarray(deep), "JPEG2000")
        ours = decoded(content, "jp2", "grayscale")[..., 0]
        np.testing.assert_allclose(ours, deep / 257, rtol=1e-6)


def pattern(channels):
    """What the JPEG XL files of tests/data hold, written by libjxl without loss."""
    rows, columns = np.mgrid[:23, :31]
    planes = [
        rows * (3 + c) + columns * (5 - c) + 90 * (rows > columns) + 40 * c for c in range(channels)
    ]
    return (np.stack(planes, -1) % 256).astype(np.uint8)


class TestJPEGXL:
    @pytest.fixture(autouse=True)
    def _needs_a_reader(self):
        if formats.library_of(formats.JXL) is None:
            pytest.skip("no pillow-jxl-plugin for this platform, whose TensorFlow has no JPEG XL")

    @pytest.mark.parametrize(
        ("name", "channels"),
        [("grey", 1), ("la", 2), ("rgb", 3), ("rgba", 4), ("container", 3)],
    )
    def test_values(self, name, channels):
        content = (DATA / f"{name}.jxl").read_bytes()
        expected = pattern(channels)
        color = expected[..., :3] if channels > 2 else expected[..., [0, 0, 0]]
        np.testing.assert_array_equal(decoded(content, "jxl"), color)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["rgb", "container"])
    def test_the_size_in_the_header(self, name):
        content = (DATA / f"{name}.jxl").read_bytes()
        with pytest.raises(ValueError, match="it has 31 x 23 .*pixels, more than max_pixels=500"):
            decoded(content, "jxl", max_pixels=500)


NOTHING_READS_IT = """
import importlib.util, sys
from tfpipe.codecs import formats
formats.tensorflow_release = lambda: (2, 20)  # the last one that has no JPEG XL itself
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pillow_jxl" else find(name, *rest)
import tfpipe
try:
    tfpipe.ImageDataGenerator().flow_from_directory(sys.argv[1])
except ImportError as err:
    print(err)
"""


@pytest.mark.slow
def test_jpeg_xl_that_nothing_reads(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jxl").write_bytes((DATA / "rgb.jxl").read_bytes())
    result = subprocess.run(
        [sys.executable, "-c", NOTHING_READS_IT, tmp_path],
        env={**os.environ, "PYTHONPATH": str(Path(tfpipe.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"JPEG XL: 1 file\(s\) end in '.jxl'.*pillow-jxl-plugin", result.stdout), (
        result
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture):
    top = tmp_path_factory.mktemp("every")
    (top / "a").mkdir()
    image = Image.fromarray(picture(16, 24))
    kinds = {"webp": "WEBP", "gif": "GIF", "pgm": "PPM", "avif": "AVIF", "jp2": "JPEG2000"}
    kinds |= {"heic": "HEIF"}
    for suffix, kind in kinds.items():
        (top / f"a/x.{suffix}").write_bytes(saved(image, kind))
    return top


class TestBothDoorsAndSources:
    """What the classic left out comes too, from a directory and from a dataframe."""

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Files with .* are decoded by Pillow")
    def test_directory_and_dataframe(self, folder, assert_same):
        options = {"target_size": (16, 24), "class_mode": None, "shuffle": False}
        generator = tfpipe.ImageDataGenerator()
        ours = generator.flow_from_directory(folder, **options)
        assert [Path(name).suffix for name in ours.filenames] == [
            ".avif",
            ".gif",
            ".heic",
            ".jp2",
            ".pgm",
            ".webp",
        ]
        frame = pd.DataFrame({"filename": ours.filenames})
        theirs = generator.flow_from_dataframe(frame, folder, **options)
        assert_same(ours[0], theirs[0])
        for name, image in zip(ours.filenames, ours[0], strict=True):
            np.testing.assert_array_equal(image, pillows((folder / name).read_bytes()))

    def test_mislabelled(self, folder, tmp_path):
        (tmp_path / "a").mkdir()
        names = (
            ["webp", "gif"] if formats.library_of(formats.WEBP) is formats.CORE_WEBP else ["gif"]
        )
        for name in names:
            (tmp_path / f"a/{name}.jpg").write_bytes((folder / f"a/x.{name}").read_bytes())
        flow = tfpipe.ImageDataGenerator().flow_from_directory(
            tmp_path, target_size=(16, 24), class_mode=None, shuffle=False
        )
        for name, image in zip(flow.filenames, flow[0], strict=True):
            np.testing.assert_array_equal(image, pillows((tmp_path / name).read_bytes()))


class TestReasons:
    """What `explain` says, the same words as in the error of a data set."""

    @pytest.mark.parametrize(
        ("content", "suffix", "words"),
        [
            (b"", "jpg", "the file is empty"),
            (b"GIF89", "gif", r"of no format that is read here \(5 bytes\)"),
            (b"II*\0" + bytes(99), "jpg", "its content is TIFF, which its suffix does not say"),
            (
                b"II*\0" + bytes(99),
                "tif",
                "no format that Pillow reads|unpack|decode|truncated|SamplesPerPixel",
            ),
            (b"\x89PNG\r\n\x1a\n" + bytes(99), "png", r"its PNG data are truncated \(107 bytes\)"),
            (b"\xff\xd8\xff" + bytes(9) + b"\xff\xd9", "jpg", "its JPEG data are damaged"),
        ],
    )
    def test_words(self, content, suffix, words):
        with pytest.raises(ValueError, match=words):
            decoded(content, suffix)

    @pytest.mark.slow
    def test_max_pixels(self, picture):
        for kind, suffix in [("PNG", "png"), ("JPEG", "jpg"), ("TIFF", "tif"), ("BMP", "bmp")]:
            content = saved(Image.fromarray(picture(19, 27)), kind)
            words = "it has 27 x 19 .*pixels, more than max_pixels=512"
            with pytest.raises(ValueError, match=words):
                decoded(content, suffix, max_pixels=512)
            assert decoded(content, suffix, max_pixels=513).shape == (19, 27, 3)
            assert decoded(content, suffix, max_pixels=None).shape == (19, 27, 3)

    @pytest.mark.slow
    def test_a_thumbnail_is_not_the_image(self, picture):
        thumbnail = saved(Image.fromarray(picture(8, 8)), "JPEG")
        content = saved(Image.fromarray(picture(19, 27)), "JPEG")
        segment = b"\xff\xe5" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
        content = content[:2] + segment + content[2:]
        with pytest.raises(ValueError, match="it has 27 x 19 pixels"):
            decoded(content, "jpg", max_pixels=500)

    def test_in_a_data_set(self, tmp_path, picture, write):
        write(tmp_path / "a/0.png", picture(9, 13))
        write(tmp_path / "a/1.png", picture(40, 50))
        flow = tfpipe.ImageDataGenerator().flow_from_directory(
            tmp_path, target_size=(6, 8), class_mode=None, shuffle=False, max_pixels=1999
        )
        with pytest.raises(tf.errors.OpError, match="1.png': it has 50 x 40 pixels, more than"):
            flow[0]

    @pytest.mark.parametrize("value", [0, -1, 1.5, "many"])
    def test_rejects(self, tmp_path, value):
        (tmp_path / "a").mkdir()
        with pytest.raises(ValueError, match="max_pixels must be an int >= 1"):
            tfpipe.ImageDataGenerator().flow_from_directory(tmp_path, max_pixels=value)


def test_python_readers_are_said_once(tmp_path, write):
    for name in ("a/1.tif", "b/2.tif"):
        write(tmp_path / name)
    generator = tfpipe.ImageDataGenerator(validation_split=0.5)
    with pytest.warns(UserWarning, match="decoded by Pillow") as said:
        next(generator.flow_from_directory(tmp_path))
    assert len(said) == 1
    next(iter(tfpipe.image_dataset_from_directory(tmp_path)))  # a second warning would be an error
