"""The first frame of GIF files, beside Pillow's."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import read_image

GIF = frozenset({"gif"})
MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


def decoded(content, color_mode="rgb", **options):
    return read_image(content, DecodeSpec(color_mode=color_mode, **options), GIF).numpy()


def pillows(content, color_mode="rgb"):
    image = np.asarray(Image.open(io.BytesIO(content)).convert(MODES[color_mode]))
    return image if image.ndim == 3 else image[..., None]


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, format="GIF", **options)
    return file.getvalue()


def lzw(indices, bits=8):
    """Indices as LZW data of one width of codes: cleared before it would grow."""
    clear, width, value, count = 2**bits, bits + 1, 0, 0
    codes = []
    for number, index in enumerate(indices):
        codes += [clear] * (number % (2**bits - 2) == 0) + [int(index)]
    for code in [*codes, clear + 1]:
        value |= code << count
        count += width
    return value.to_bytes((count + 7) // 8, "little")


def blocks(data, size=255):
    parts = [data[place : place + size] for place in range(0, len(data), size)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif(
    screen, place, indices, table=b"", local=b"", before=b"", size=255, transparent=None, flags=0
):
    """A GIF of one frame of [h, w] indices at `place` (left, top) on a screen (width, height)."""
    control = b""
    if transparent is not None:
        control = b"!\xf9\x04" + bytes([1, 0, 0, transparent, 0])
    height, width = indices.shape

    def announced(colors):
        return 0x80 | (len(colors) // 3).bit_length() - 2 if colors else 0

    return (
        b"GIF89a"
        + struct.pack("<HHBBB", *screen, announced(table), 0, 0)
        + table
        + before
        + control
        + b","
        + struct.pack("<HHHHB", *place, width, height, announced(local) | flags)
        + local
        + b"\x08"
        + blocks(lzw(indices.ravel()), size)
        + b";"
    )


@pytest.fixture(scope="module")
def table(picture):
    return picture(1, 256, seed=4).tobytes()


@pytest.fixture(scope="module")
def indices(picture):
    return picture(9, 14, 1)[..., 0]


class TestValues:
    @pytest.mark.parametrize("color_mode", MODES)
    @pytest.mark.parametrize("options", [{}, {"transparency": 7}, {"interlace": 1}], ids=str)
    def test_what_pillow_writes(self, picture, color_mode, options):
        image = Image.fromarray(picture(19, 27)).quantize(30)
        content = saved(image, **options)
        np.testing.assert_array_equal(decoded(content, color_mode), pillows(content, color_mode))

    @pytest.mark.parametrize("color_mode", MODES)
    def test_the_first_of_many(self, picture, color_mode):
        frames = [Image.fromarray(picture(19, 27, seed=s)).quantize(30) for s in range(4)]
        content = saved(frames[0], save_all=True, append_images=frames[1:], duration=40, loop=0)
        np.testing.assert_array_equal(decoded(content, color_mode), pillows(content, color_mode))

    @pytest.mark.parametrize("color_mode", MODES)
    @pytest.mark.parametrize("transparent", [None, 77])
    @pytest.mark.parametrize("place", [(0, 0), (3, 2), (9, 8)], ids=str)
    def test_frames_smaller_and_beyond(self, table, indices, place, transparent, color_mode):
        content = gif((20, 13), place, indices, table, transparent=transparent)
        np.testing.assert_array_equal(decoded(content, color_mode), pillows(content, color_mode))

    @pytest.mark.parametrize("tables", [("", "local"), ("table", "local"), ("short", ""), ("", "")])
    def test_tables(self, table, indices, tables, picture):
        every = {"": b"", "table": table, "short": table[:48], "local": picture(1, 64).tobytes()}
        content = gif((14, 9), (0, 0), indices, *(every[name] for name in tables))
        np.testing.assert_array_equal(decoded(content), pillows(content))

    @pytest.mark.parametrize("size", [1, 100, 254, 255])
    def test_sub_blocks_of_any_size(self, table, picture, size):
        indices = picture(40, 50, 1)[..., 0]
        content = gif((50, 40), (0, 0), indices, table, size=size)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_other_extensions(self, table, indices):
        before = b"!\xfe" + blocks(b"a comment" * 90) + b"!\xff" + blocks(b"NETSCAPE2.0") + b"\0\0"
        content = gif((14, 9), (0, 0), indices, table, before=before, transparent=3)
        np.testing.assert_array_equal(decoded(content, "rgba"), pillows(content, "rgba"))


class TestRejects:
    def test_truncated(self, table, indices):
        content = gif((14, 9), (0, 0), indices, table)
        for length in (7, 13, 300, 781, 790, len(content) - 2):
            with pytest.raises(ValueError, match="truncated"):
                decoded(content[:length])

    def test_damaged(self, table, indices):
        content = gif((14, 9), (0, 0), indices, table)
        empty = content[: content.index(b",", 781) + 11] + b"\0;"
        with pytest.raises(ValueError, match="damaged"):
            decoded(empty)

    @pytest.mark.parametrize("screen", [(60_000, 60_000), (14, 9)], ids=str)
    def test_too_large(self, table, indices, screen):
        # A screen, and a frame that is larger than its screen says.
        content = gif(screen, (0, 0), indices, table)
        words = "more than max_pixels|damaged"
        with pytest.raises(ValueError, match=words):
            decoded(content, max_pixels=100)
        with pytest.raises(ValueError, match=words):
            decoded(content.replace(struct.pack("<HH", 14, 9), b"\xff" * 4, 2))
