"""What headers say: the readers in plain Python beside the graph functions, on the same bytes."""

import functools
import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfpipe.codecs import exif, formats, headers
from tfpipe.codecs.header_table import image_size_of, jpeg_size_of, orientation_of

SIZE = (13, 29)
ORIENTATIONS = range(1, 9)
SIGNATURE = [tf.TensorSpec([], tf.string)]
JPEG_START = b"\xff\xd8\xff"


@functools.partial(tf.function, input_signature=SIGNATURE)
def in_graph(contents):
    return (
        headers.format_of(contents),
        headers.fixed_size(contents),
        exif.exif_orientation(contents),
    )


jpeg_size_in_graph = tf.function(headers.jpeg_size, input_signature=SIGNATURE)


def exif_data(orientation, order="<", kind=3):
    """EXIF data with another tag before the orientation."""
    value = struct.pack(order + {3: "H2x", 4: "I"}[kind], orientation)
    entries = struct.pack(order + "HHII", 0x0100, 4, 1, 7)
    entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    directory = struct.pack(order + "H", 2) + entries + bytes(4)
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8) + directory


def saved(kind, data=b"", mode="RGB", **options):
    pixels = np.random.default_rng(1).integers(0, 255, [*SIZE, 3], np.uint8)
    if data:
        options["exif"] = b"Exif\0\0" + data
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, format=kind, **options)
    return file.getvalue()


@functools.cache
def files():
    """Bytes of a file of every kind that has a header of its own, by name."""
    core = b"BM" + struct.pack("<IHHI", 99, 0, 0, 26) + struct.pack("<IHHHH", 12, 29, 13, 1, 24)
    bmp = saved("BMP")
    return {
        "jpeg": saved("JPEG"),
        "jpeg progressive": saved("JPEG", progressive=True),
        "jpeg gray": saved("JPEG", mode="L", comment=b"a comment"),
        "jpeg exif": saved("JPEG", exif_data(6)),
        "jpeg profile": saved("JPEG", icc_profile=bytes(range(256)) * 300),
        "png": saved("PNG"),
        "png exif": saved("PNG", exif_data(3, ">")),
        "gif": saved("GIF"),
        "gif 87": b"GIF87a" + saved("GIF")[6:],
        "bmp": bmp,
        "bmp top-down": bmp[:22] + struct.pack("<i", -13) + bmp[26:],
        "bmp core": core + bytes(29 * 13 * 3),
        "webp": saved("WEBP"),
        "webp lossless": saved("WEBP", lossless=True),
        "webp exif": saved("WEBP", exif_data(8)),
    }


@functools.cache
def others():
    """The beginnings of files whose headers have no size here: one for each way in which they begin."""
    result = [saved("TIFF"), saved("PPM")]
    for known in formats.FORMATS:
        for way in known.magic:
            head = bytearray(132)
            for offset, octets in way:
                head[offset : offset + len(octets)] = octets
            result.append(bytes(head))
    return result


def check_same(contents):
    """Asserts that the plain readers say about some bytes what the graph does."""
    number, size, orientation = in_graph(tf.constant(contents))
    assert orientation_of(contents) == orientation
    # The graph reads zeros after the end of a file.
    padded = contents.ljust(132, b"\0")
    known = formats.of_content(padded)
    assert (formats.FORMATS.index(known) if known else len(formats.FORMATS)) == number
    if contents.startswith(JPEG_START):
        try:
            size = jpeg_size_in_graph(tf.constant(contents))
        except tf.errors.InvalidArgumentError:
            return  # libjpeg checks more of a header than the size
        assert image_size_of(contents) == tuple(size.numpy())
    else:
        expected = tuple(size.numpy()) if all(size.numpy()) else None
        assert image_size_of(padded) == expected
        assert image_size_of(contents) in (expected, None)


class TestSizes:
    @pytest.mark.parametrize("name", files())
    def test_of_a_file(self, name):
        check_same(files()[name])
        assert image_size_of(files()[name]) == SIZE

    @pytest.mark.parametrize("name", files())
    def test_of_a_file_that_ends_early(self, name):
        contents = files()[name]
        for length in range(65):
            check_same(contents[:length])
        lengths = range(0, len(contents), 1 + len(contents) // 2000)
        known = [image_size_of(contents[:length]) for length in lengths]
        # Nothing until the size is there, then the size.
        assert known == sorted(known, key=bool)
        assert set(known) == {None, SIZE}
        assert name.startswith("jpeg") or image_size_of(contents[:32]) == SIZE

    def test_of_other_formats(self):
        for contents in others():
            check_same(contents)
            assert image_size_of(contents) is None

    def test_of_no_side(self):
        assert image_size_of(b"GIF89a\0\0\x05\0") is None
        check_same(b"GIF89a\0\0\x05\0")


class TestJpegSizes:
    def test_bytes_between_segments(self):
        contents = files()["jpeg"]
        contents = contents[:2] + b"\xff\xff\xff\xfe\0\4hi" + b"noise\xff\0" + contents[2:]
        check_same(contents)
        assert image_size_of(contents) == SIZE

    def test_the_size_of_a_thumbnail_is_passed_over(self):
        thumbnail = saved("JPEG")
        large = io.BytesIO()
        Image.new("RGB", (70, 50)).save(large, "JPEG")
        segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
        contents = large.getvalue()[:2] + segment + large.getvalue()[2:]
        check_same(contents)
        assert image_size_of(contents) == (50, 70)

    def test_is_not_hidden_by_many_segments(self):
        contents = files()["jpeg"]
        assert image_size_of(contents[:2] + b"\xff\xfe\0\2" * 30_000 + contents[2:]) == SIZE

    def test_jpeg_ls(self):
        head = b"\xff\xd8\xff\xf7\0\x0b\x08" + struct.pack(">HH", *SIZE) + bytes(6)
        assert jpeg_size_of(head) == SIZE

    @pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC])
    def test_markers_that_are_no_frame(self, marker):
        head = bytes([0xFF, 0xD8, 0xFF, marker]) + b"\0\x0b\x08" + struct.pack(">HH", *SIZE)
        assert jpeg_size_of(head + bytes(6)) is None

    def test_long_runs_take_no_time(self):
        # A search that starts again at each byte of a run would take minutes.
        assert image_size_of(JPEG_START + b"\xff" * 2_000_000 + b"\0") is None


class TestOrientations:
    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", ORIENTATIONS)
    def test_of_a_file(self, kind, orientation, order):
        for number_type in (3, 4):
            contents = saved(kind, exif_data(orientation, order, number_type))
            check_same(contents)
            assert orientation_of(contents) == orientation
            assert Image.open(io.BytesIO(contents)).getexif()[0x0112] == orientation

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_of_a_file_that_ends_early(self, kind):
        contents = saved(kind, exif_data(6))
        begin = contents.index(b"II*\0")
        for length in [*range(65), *range(begin - 12, begin + 48)]:
            check_same(contents[:length])

    @pytest.mark.parametrize("name", [name for name in files() if "exif" not in name])
    def test_there_is_none(self, name):
        assert orientation_of(files()[name]) == 1

    @pytest.mark.parametrize(
        "contents",
        [
            b"\xff\xd8" + b"\xff\xe0\0\2" * 30_000,
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\xff\xff\xff\xff",
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0MM\0*\x7f\xff\xff\xff",
            b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\xff\xff",
            *(
                b"\x89PNG\r\n\x1a\n" + length + b"abcd" + bytes(8) + b"eXIf" + exif_data(6)
                for length in (b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xf8")
            ),
            *(
                b"RIFF\0\0\0\0WEBPVP8X" + length + b"EXIF\0\0\0\0" + exif_data(6)
                for length in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\xf9\xff\xff\xff")
            ),
        ],
    )
    def test_numbers_beyond_the_file(self, contents):
        check_same(contents)


@st.composite
def damaged(draw):
    """The bytes of a file with some bytes of its header changed, and perhaps with less of its end."""
    contents = bytearray(files()[draw(st.sampled_from(sorted(files())))])
    octet = st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255)
    for place, value in draw(st.lists(st.tuples(st.integers(0, 63), octet), max_size=4)):
        contents[place] = value
    place = draw(st.integers(0, 64))
    run = draw(st.binary(max_size=4))
    contents[place : place + draw(st.integers(0, 4))] = run
    return bytes(contents[: draw(st.none() | st.integers(0, 200))])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(damaged())
def test_any_header(contents):
    check_same(contents)


def test_the_plain_readers_need_no_tensorflow():
    program = (
        "import sys, tfpipe.codecs.header_table, tfpipe.codecs.formats\n"
        "assert tfpipe.codecs.header_table.image_size_of(b'GIF89a\\5\\0\\3\\0') == (3, 5)\n"
        "print(sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(formats.__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr
