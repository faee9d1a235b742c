"""BMP files of every kind, beside Pillow's reading of them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import read_image

BMP = frozenset({"bmp"})
MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


def decoded(content, color_mode="rgb", suffixes=BMP):
    return read_image(content, DecodeSpec(color_mode=color_mode), suffixes).numpy()


def pillows(content, color_mode="rgb"):
    image = np.asarray(Image.open(io.BytesIO(content)).convert(MODES[color_mode]))
    return image if image.ndim == 3 else image[..., None]


def packed(samples, bits):
    """[H, W] indices or [H, W, bytes] as rows of whole groups of 4 bytes."""
    rows = b""
    for row in samples.astype(np.uint8):
        if bits < 8:
            row = np.packbits(np.unpackbits(row[:, None], axis=-1)[:, 8 - bits :].ravel())
        rows += row.tobytes() + b"\0" * (-row.nbytes % 4)
    return rows


def bmp(width, height, bits, data, palette=b"", header=40, compression=0, masks=b"", start=None):
    """A BMP file; `masks` are inside of headers that have room for them."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        entry = len(palette) // 4
        info = struct.pack(
            "<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 0, 0, entry, 0
        )
        info = (info + (masks if header > 40 else b"")).ljust(header, b"\0")[:header]
        masks = masks if header == 40 else b""
    rest = info + (masks if header != 12 else b"") + palette
    offset = 14 + len(rest) if start is None else start
    return struct.pack("<2sIHHI", b"BM", 14 + len(rest) + len(data), 0, 0, offset) + rest + data


@pytest.fixture(scope="module")
def pixels(picture):
    return picture(13, 23)


@pytest.fixture(scope="module")
def palette(picture):
    return np.concatenate([picture(1, 256)[0], np.zeros([256, 1], np.uint8)], -1)


MASKS = {
    "565": (16, (0xF800, 0x7E0, 0x1F)),
    "555": (16, (0x7C00, 0x3E0, 0x1F)),
    "BGRX": (32, (0xFF0000, 0xFF00, 0xFF)),
    "XBGR": (32, (0xFF000000, 0xFF0000, 0xFF00)),
    "BGXR": (32, (0xFF000000, 0xFF00, 0xFF)),
    "24": (24, (0xFF0000, 0xFF00, 0xFF)),
}
ALPHA_MASKS = {
    "ABGR": (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    "RGBA": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    "BGRA": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "BGAR": (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
    "zeros": (0, 0, 0, 0),
}


class TestValues:
    @pytest.mark.parametrize("bits", [1, 4, 8])
    @pytest.mark.parametrize("header", [12, 40, 56, 64, 108, 124])
    def test_palettes(self, pixels, palette, bits, header):
        indices = pixels[..., 0] >> (8 - bits)
        colors = palette[: 2**bits, : 3 if header == 12 else 4].tobytes()
        content = bmp(23, 13, bits, packed(indices, bits), colors, header)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_two_bits(self, pixels, palette):
        # Pillow reads none of them; they are the same indices as four bits.
        indices = pixels[..., 0] >> 6
        two, four = (
            bmp(23, 13, bits, packed(indices, bits), palette[:4].tobytes()) for bits in (2, 4)
        )
        np.testing.assert_array_equal(decoded(two), pillows(four))

    @pytest.mark.parametrize("bits", [16, 24, 32])
    @pytest.mark.parametrize("top_down", [False, True])
    def test_colors(self, picture, bits, top_down):
        samples = picture(13, 23, bits // 8)
        content = bmp(23, -13 if top_down else 13, bits, packed(samples, bits))
        np.testing.assert_array_equal(decoded(content), pillows(content))

    @pytest.mark.parametrize("color_mode", MODES)
    @pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
    @pytest.mark.parametrize("layout", MASKS)
    def test_bit_fields(self, picture, layout, header, color_mode):
        bits, masks = MASKS[layout]
        data = packed(picture(13, 23, bits // 8), bits)
        masks = struct.pack("<3I", *masks)
        content = bmp(23, 13, bits, data, header=header, compression=3, masks=masks)
        np.testing.assert_array_equal(decoded(content, color_mode), pillows(content, color_mode))

    @pytest.mark.parametrize("color_mode", MODES)
    @pytest.mark.parametrize("layout", ALPHA_MASKS)
    def test_alpha(self, picture, layout, color_mode):
        data = packed(picture(13, 23, 4), 32)
        masks = struct.pack("<4I", *ALPHA_MASKS[layout])
        content = bmp(23, 13, 32, data, header=56, compression=3, masks=masks)
        np.testing.assert_array_equal(decoded(content, color_mode), pillows(content, color_mode))

    def test_uncommon_masks(self):
        # Pillow refuses 4 bits a sample and 10 of them.
        four = struct.pack("<2H", 0x0F5, 0x00F)
        masks = struct.pack("<3I", 0xF00, 0xF0, 0xF)
        content = bmp(2, 1, 16, four, header=52, compression=3, masks=masks)
        assert decoded(content).tolist() == [[[0, 255, 85], [0, 0, 255]]]
        ten = struct.pack("<I", 1023 << 20 | 512 << 10 | 4)
        masks = struct.pack("<3I", 1023 << 20, 1023 << 10, 1023)
        content = bmp(1, 1, 32, ten, header=52, compression=3, masks=masks)
        assert decoded(content).tolist() == [[[255, 127, 0]]]

    def test_fewer_colors_than_indices(self, palette):
        content = bmp(4, 1, 8, bytes([0, 1, 5, 200]), palette[:2].tobytes())
        np.testing.assert_array_equal(decoded(content), pillows(content))

    @pytest.mark.parametrize("start", [0, 54])
    def test_no_place_for_the_pixels(self, pixels, palette, start):
        indices = packed(pixels[..., 0], 8)
        content = bmp(23, 13, 8, indices, palette.tobytes(), start=start)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_the_last_padding_is_missing(self, picture):
        content = bmp(3, 2, 24, packed(picture(2, 3), 24))[:-3]
        np.testing.assert_array_equal(decoded(content), pillows(content))
        with pytest.raises(ValueError, match="truncated"):
            decoded(content[:-1])

    @pytest.mark.parametrize("bits", [1, 8, 24, 32])
    def test_behind_another_suffix(self, pixels, palette, picture, bits):
        samples = pixels[..., 0] >> (8 - bits) if bits < 9 else picture(13, 23, bits // 8)
        colors = palette[: 2**bits].tobytes() if bits < 9 else b""
        content = bmp(23, 13, bits, packed(samples, bits), colors)
        ours = decoded(content, suffixes=frozenset({"jpg"}))
        np.testing.assert_array_equal(ours, pillows(content))


def encoded(indices, bits, literal):
    """Rows of indices as run lengths: pairs of equal ones as runs, `literal` of others as they are."""
    codes = b""
    for row in indices[::-1]:
        place = 0
        while place < len(row):
            same = row[place:] != row[place]
            run = min(int(np.argmax(same)) if same.any() else len(same), 255)
            rest = row[place : place + 9]
            if run == 1 and literal and len(rest) == 9:
                if bits == 4:
                    pairs = np.append(rest, 0).reshape(-1, 2)
                    data = bytes((pairs[:, 0] << 4 | pairs[:, 1]).tolist())
                else:
                    data = rest.tobytes()
                codes += bytes([0, 9]) + data + b"\0" * (len(data) % 2)
                place += 9
                continue
            value = int(row[place])
            codes += bytes([run, value << 4 | value if bits == 4 else value])
            place += run
        codes += b"\0\0"
    return codes[:-2] + b"\0\x01"


class TestRunLengths:
    @pytest.mark.parametrize("bits", [4, 8])
    @pytest.mark.parametrize("literal", [False, True])
    def test_values(self, pixels, palette, bits, literal):
        indices = np.repeat(pixels[..., 0] >> (8 - bits), 2, 1)
        indices[3:7] = 5  # long runs
        codes = encoded(indices, bits, literal)
        colors = palette[: 2**bits].tobytes()
        content = bmp(46, 13, bits, codes, colors, compression={8: 1, 4: 2}[bits])
        plain = bmp(46, 13, bits, packed(indices[::-1], bits), colors)
        np.testing.assert_array_equal(decoded(content), pillows(plain))
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_taking_turns(self, palette):
        content = bmp(5, 1, 4, bytes([5, 0x37, 0, 1]), palette[:16].tobytes(), compression=2)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_moves(self, palette):
        # Two to the right and one up from the second column.
        codes = bytes([2, 9, 0, 2, 2, 1, 3, 8, 0, 0, 7, 6, 0, 1])
        content = bmp(7, 3, 8, codes, palette.tobytes(), compression=1)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_runs_beyond_the_row(self, palette):
        codes = bytes([200, 9, 3, 4, 0, 0, 5, 6, 200, 7, 0, 1])
        content = bmp(7, 2, 8, codes, palette.tobytes(), compression=1)
        np.testing.assert_array_equal(decoded(content), pillows(content))

    def test_an_empty_row(self, palette):
        # Pillow loses it and finds too little data.
        codes = bytes([3, 9, 0, 0, 0, 0, 3, 8, 0, 1])
        content = bmp(3, 3, 8, codes, palette.tobytes(), compression=1)
        colors = palette[[8, 0, 9], 2::-1]
        np.testing.assert_array_equal(decoded(content), np.repeat(colors[:, None], 3, 1))

    def test_too_little(self, palette):
        content = bmp(9, 9, 8, bytes([9, 1, 0, 0, 9, 2]), palette.tobytes(), compression=1)
        with pytest.raises(ValueError, match="its BMP data are damaged"):
            decoded(content)

    def test_more_than_a_chunk_of_pixels(self, palette):
        rows = b"".join(bytes([255, 1, 255, value % 256, 90, 3, 0, 0]) for value in range(2000))
        content = bmp(600, 2000, 8, rows, palette.tobytes(), compression=1)
        np.testing.assert_array_equal(decoded(content), pillows(content))


class TestRejects:
    @pytest.mark.parametrize(
        ("bits", "compression", "header"),
        [(24, 4, 40), (0, 5, 40), (3, 0, 40), (1, 3, 64), (24, 1, 40), (64, 0, 40)],
    )
    def test_other_kinds(self, bits, compression, header):
        content = bmp(4, 4, bits, bytes(200), header=header, compression=compression)
        with pytest.raises(ValueError, match="its BMP data are damaged"):
            decoded(content)

    def test_rare_kinds_behind_another_suffix(self, picture):
        content = bmp(4, 4, 16, packed(picture(4, 4, 2), 16))
        np.testing.assert_array_equal(decoded(content), pillows(content))
        with pytest.raises(ValueError, match="BMP with 16 bits, .* which its suffix does not say"):
            decoded(content, suffixes=frozenset({"jpg"}))

    @pytest.mark.parametrize(("width", "height"), [(0, 4), (-4, 4), (4, 0), (4, -(2**31))])
    def test_sizes(self, width, height):
        with pytest.raises(ValueError, match="its BMP data are damaged|more than max_pixels"):
            decoded(bmp(width, height, 24, bytes(200)))

    def test_too_large(self):
        content = bmp(20_000, 20_000, 24, bytes(200))
        with pytest.raises(ValueError, match="it has 20000 x 20000 pixels, more than max_pixels"):
            decoded(content)
