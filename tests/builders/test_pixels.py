"""The pixels, beside those of the classic (so Pillow's), in every format that it reads."""

import io
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage
import sklearn
import tensorflow as tf
from PIL import Image

import tfpipe

ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def png_bytes(samples, depth, color_type, *, interlaced=False, chunks=()):
    """A PNG of [H, W, C] samples: Pillow writes neither 2 and 4 bits of grey nor interlaced files."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    def packed(row):
        if depth == 16:
            return row.astype(">u2").tobytes()
        bits = np.unpackbits(row.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        return np.packbits(bits.ravel()).tobytes()

    height, width = samples.shape[:2]
    data = b""
    for top, left, down, right in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::down, left::right]
        data += b"".join(b"\0" + packed(row) for row in part) if part.size else b""
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def bmp_bytes(samples, bits, palette=b"", *, top_down=False):
    """An uncompressed BMP of [H, W] indices or [H, W, bits // 8] bytes (blue, green, red)."""
    height, width = samples.shape[:2]
    rows = b""
    for row in samples if top_down else samples[::-1]:
        line = row.astype(np.uint8)
        if bits < 8:
            line = np.packbits(np.unpackbits(line[:, None], axis=-1)[:, 8 - bits :].ravel())
        rows += line.tobytes() + b"\0" * (-line.nbytes % 4)
    start = 54 + len(palette)
    file_header = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    signed = -height if top_down else height
    header = struct.pack("<IiiHHIIiiII", 40, width, signed, 1, bits, 0, len(rows), 0, 0, 0, 0)
    return file_header + header + palette + rows


def pil(image, **options):
    """The bytes of a file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def jpegs(picture):
    color = Image.fromarray(picture(37, 53))
    files = {
        f"q{quality}-{subsampling.replace(':', '')}": pil(
            color, format="JPEG", quality=quality, subsampling=subsampling
        )
        for quality in (30, 75, 100)
        for subsampling in ("4:4:4", "4:2:2", "4:2:0")
    }
    files["q50-411"] = pil(color, format="JPEG", quality=50, subsampling="4:1:1")
    files["progressive"] = pil(color, format="JPEG", progressive=True)
    files["grey"] = pil(color.convert("L"), format="JPEG")
    files["grey progressive"] = pil(color.convert("L"), format="JPEG", progressive=True)
    files["restarts"] = pil(color, format="JPEG", restart_marker_rows=1)
    files["saturated"] = pil(color.point(lambda v: 255 * (v > 99)), format="JPEG", quality=40)
    files["one pixel"] = pil(color.crop([5, 5, 6, 6]), format="JPEG")
    return {f"{name}.jpg": content for name, content in files.items()}


def pngs(picture):
    color, alpha, grey = picture(23, 31), picture(23, 31, 4), picture(23, 31, 1)
    palette = bytes(picture(1, 16).ravel())
    files = {f"grey{d}": png_bytes(grey >> (8 - d), d, 0) for d in (1, 2, 4, 8)}
    files |= {
        f"palette{d}": png_bytes(grey >> (8 - d), d, 3, chunks=[(b"PLTE", palette[: 3 * 2**d])])
        for d in (1, 2, 4)
    }
    files |= {
        "palette8": pil(Image.fromarray(color).quantize(200), format="PNG"),
        "palette tRNS": png_bytes(
            grey >> 4, 4, 3, chunks=[(b"PLTE", palette), (b"tRNS", bytes(range(0, 160, 16)))]
        ),
        "grey tRNS": png_bytes(grey, 8, 0, chunks=[(b"tRNS", b"\0" + bytes(grey[3, 4]))]),
        "rgb tRNS": png_bytes(
            color, 8, 2, chunks=[(b"tRNS", np.array(color[3, 4], ">u2").tobytes())]
        ),
        "rgb": pil(Image.fromarray(color), format="PNG"),
        "rgba": pil(Image.fromarray(alpha), format="PNG"),
        "LA": pil(Image.fromarray(alpha[..., :2], "LA"), format="PNG"),
        "mode1": pil(Image.fromarray(grey[..., 0] > 128), format="PNG"),
        "rgb interlaced": png_bytes(color, 8, 2, interlaced=True),
        "rgba interlaced": png_bytes(alpha, 8, 6, interlaced=True),
        "grey interlaced": png_bytes(grey >> 6, 2, 0, interlaced=True),
        "gamma": png_bytes(color, 8, 2, chunks=[(b"gAMA", struct.pack(">I", 20000))]),
    }
    return {f"{name}.png": content for name, content in files.items()}


def bmps(picture):
    color, grey = picture(19, 27), picture(19, 27, 1)[..., 0]
    palette = np.concatenate([picture(1, 256)[0], np.zeros([256, 1], np.uint8)], -1)
    bgr = color[..., ::-1]
    files = {
        "1": bmp_bytes(grey >> 7, 1, palette[:2].tobytes()),
        "4": bmp_bytes(grey >> 4, 4, palette[:16].tobytes()),
        "8": bmp_bytes(grey, 8, palette.tobytes()),
        "24": bmp_bytes(bgr, 24),
        "32": bmp_bytes(picture(19, 27, 4), 32),
        "8 top-down": bmp_bytes(grey, 8, palette.tobytes(), top_down=True),
        "24 top-down": bmp_bytes(bgr, 24, top_down=True),
        "pillow 1": pil(Image.fromarray(grey > 99), format="BMP"),
        "pillow L": pil(Image.fromarray(grey), format="BMP"),
        "pillow P": pil(Image.fromarray(color).quantize(30), format="BMP"),
        "pillow RGB": pil(Image.fromarray(color), format="BMP"),
    }
    return {f"{name}.bmp": content for name, content in files.items()}


def others(picture):
    color, alpha, grey = (Image.fromarray(picture(17, 29, c).squeeze()) for c in (3, 4, 1))
    files = {
        "rgb.tif": pil(color, format="TIFF"),
        "lzw.tiff": pil(color, format="TIFF", compression="tiff_lzw"),
        "rgba.tif": pil(alpha, format="TIFF"),
        "grey.tif": pil(grey, format="TIFF"),
        "bilevel.tif": pil(grey.convert("1"), format="TIFF"),
        "palette.tif": pil(color.quantize(40), format="TIFF"),
        "cmyk.tif": pil(color.convert("CMYK"), format="TIFF"),
        "rgb.ppm": pil(color, format="PPM"),
        "grey.ppm": pil(grey, format="PPM"),
        "plain.ppm": b"P3\n# by hand\n3 2\n255\n" + b"1 2 3 40 50 60 7 8 9\n255 0 9 8 7 6 1 1 99\n",
    }
    return files


def write_all(top, files):
    (top / "a").mkdir(parents=True)
    for name, content in files.items():
        (top / "a" / name).write_bytes(content)
    return top


@pytest.fixture(scope="module", params=[jpegs, pngs, bmps, others], ids=lambda f: f.__name__)
def files(request, tmp_path_factory, picture):
    """A folder of one kind of files."""
    return write_all(tmp_path_factory.mktemp(request.param.__name__), request.param(picture))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Real photographs that the wheels of scikit-image and scikit-learn carry, as they are."""
    top = tmp_path_factory.mktemp("photographs")
    (top / "a").mkdir()
    folder = Path(skimage.__file__).parent / "data"
    for name in ("chelsea.png", "coffee.png", "rocket.jpg", "coins.png"):
        shutil.copy(folder / name, top / "a")
    shutil.copy(Path(sklearn.__file__).parent / "datasets/images/china.jpg", top / "a")
    # One that is enlarged where the others shrink.
    Image.open(folder / "coffee.png").crop([200, 100, 271, 153]).save(top / "a/small.png")
    return top


def batch(make, top, **options):
    """{name: image} of all files, as one generator class gives them."""
    options = {"target_size": (24, 40), "class_mode": None} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the classic's, on .tiff and on palettes
        flow = make().flow_from_directory(top, shuffle=False, batch_size=100, **options)
        return dict(zip(flow.filenames, flow[0], strict=True))


def differences(ours, theirs):
    """{name: the largest difference} of the images that differ."""
    assert ours.keys() == theirs.keys()
    assert len(ours) > 0
    worst = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in ours}
    return {name: worst[name] for name in worst if worst[name] > 0}


class TestFormats:
    @pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
    def test_nearest_is_the_classics(self, classic, files, color_mode):
        ours, theirs = (
            batch(make, files, color_mode=color_mode)
            for make in (tfpipe.ImageDataGenerator, classic)
        )
        assert differences(ours, theirs) == {}

    def test_cmyk_is_off_by_one_at_most(self, classic, tmp_path, picture):
        # TensorFlow truncates the product of ink and black where Pillow rounds it.
        image = Image.fromarray(picture(37, 53, 4), "CMYK")
        files = {
            f"{subsampling}.jpg": pil(image, format="JPEG", quality=90, subsampling=subsampling)
            for subsampling in (0, 2)
        }
        write_all(tmp_path, files)
        for color_mode in ("rgb", "grayscale"):
            ours, theirs = (
                batch(make, tmp_path, color_mode=color_mode)
                for make in (tfpipe.ImageDataGenerator, classic)
            )
            assert all(worst == 1 for worst in differences(ours, theirs).values())

    def test_content_decides_not_the_suffix(self, classic, tmp_path, picture):
        image = Image.fromarray(picture(12, 17))
        kinds = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM"]
        suffixes = ["jpg", "png", "jpeg", "bmp", "ppm", "tif"]
        contents = {
            f"{kind}.{suffix}": pil(image, format=kind)
            for kind, suffix in zip(kinds, suffixes, strict=True)
        }
        write_all(tmp_path, contents)
        ours, theirs = (batch(make, tmp_path) for make in (tfpipe.ImageDataGenerator, classic))
        assert differences(ours, theirs) == {}

    def test_deep_content_behind_a_shallow_suffix(self, classic, tmp_path, picture):
        # No suffix says PNG here, so the graph is not ready for 16 bits: it cuts them to 8.
        deep = picture(9, 13, 3).astype(np.uint16) * 257
        write_all(tmp_path, {"deep.jpg": tf.io.encode_png(deep).numpy()})
        ours, theirs = (batch(make, tmp_path) for make in (tfpipe.ImageDataGenerator, classic))
        assert differences(ours, theirs) == {}


class TestSizes:
    SIZES = [(1, 1), (7, 101), (224, 224), (300, 451), (512, 640)]

    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_nearest_is_the_classics(self, classic, photographs, size):
        ours, theirs = (
            batch(make, photographs, target_size=size)
            for make in (tfpipe.ImageDataGenerator, classic)
        )
        assert differences(ours, theirs) == {}

    def test_the_source_is_shown_as_it_is(self, photographs):
        ours = batch(tfpipe.ImageDataGenerator, photographs, target_size=(400, 600))
        expected = np.asarray(Image.open(photographs / "a/coffee.png"))
        np.testing.assert_array_equal(ours["a/coffee.png"], expected)

    @pytest.mark.slow
    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "hamming", "box", "lanczos"])
    def test_filters_are_off_by_one_at_most(self, classic, photographs, interpolation):
        ours, theirs = (
            batch(make, photographs, target_size=(97, 130), interpolation=interpolation)
            for make in (tfpipe.ImageDataGenerator, classic)
        )
        assert max(differences(ours, theirs).values(), default=0) <= 1

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("color_mode", "interpolation"), [("rgba", "lanczos"), ("grayscale", "bilinear")]
    )
    def test_filters_on_other_colors(self, classic, tmp_path, picture, color_mode, interpolation):
        write_all(tmp_path, pngs(picture))
        ours, theirs = (
            batch(make, tmp_path, color_mode=color_mode, interpolation=interpolation)
            for make in (tfpipe.ImageDataGenerator, classic)
        )
        assert max(differences(ours, theirs).values(), default=0) <= 1

    @pytest.mark.parametrize(
        ("size", "interpolation", "worst"),
        [((40, 90), "nearest", 0), ((90, 40), "nearest", 0), ((24, 50), "bicubic", 1)],
    )
    def test_keep_aspect_ratio(self, classic, photographs, size, interpolation, worst):
        options = {"target_size": size, "interpolation": interpolation}
        ours, theirs = (
            batch(make, photographs, keep_aspect_ratio=True, **options)
            for make in (tfpipe.ImageDataGenerator, classic)
        )
        assert max(differences(ours, theirs).values(), default=0) <= worst


class TestSixteenBits:
    """Scaled by 1 / 257, where the classic cuts greys to white."""

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_png(self, tmp_path, channels):
        deep = np.random.default_rng(channels).integers(0, 2**16, [9, 13, channels], np.uint16)
        content = tf.io.encode_png(deep).numpy()
        write_all(tmp_path, {"deep.png": content})
        options = {"target_size": (9, 13), "color_mode": "rgba"}
        (image,) = batch(tfpipe.ImageDataGenerator, tmp_path, **options).values()
        scaled = deep.astype(np.float32) / 257
        color = scaled[..., :3] if channels > 2 else scaled[..., [0, 0, 0]]
        np.testing.assert_allclose(image[..., :3], color, rtol=0, atol=1e-4)
        opaque = np.full([9, 13], 255)
        alpha = scaled[..., -1] if channels % 2 == 0 else opaque
        np.testing.assert_allclose(image[..., 3], alpha, rtol=0, atol=1e-4)

    def test_grayscale(self, tmp_path):
        deep = np.array([[[257 * 10, 257 * 200, 257 * 30]]], np.uint16)
        write_all(tmp_path, {"deep.png": tf.io.encode_png(deep).numpy()})
        options = {"target_size": (1, 1), "color_mode": "grayscale"}
        (image,) = batch(tfpipe.ImageDataGenerator, tmp_path, **options).values()
        np.testing.assert_allclose(image, 0.299 * 10 + 0.587 * 200 + 0.114 * 30, atol=0.01)

    def test_interlaced_and_resized(self, tmp_path):
        deep = np.arange(0, 65520, 546, dtype=np.uint16).reshape(8, 15, 1)
        write_all(
            tmp_path,
            {"a.png": png_bytes(deep, 16, 0, interlaced=True), "b.png": png_bytes(deep, 16, 0)},
        )
        options = {"target_size": (4, 5), "color_mode": "grayscale"}
        one, other = batch(tfpipe.ImageDataGenerator, tmp_path, **options).values()
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, deep[1::2, 1::3] / np.float32(257), atol=1e-4)

    @pytest.mark.parametrize("suffix", ["tif", "ppm"])
    def test_what_pillow_reads(self, tmp_path, suffix):
        deep = np.arange(0, 65520, 546, dtype=np.uint16).reshape(8, 15)
        content = pil(Image.fromarray(deep), format={"tif": "TIFF", "ppm": "PPM"}[suffix])
        write_all(tmp_path, {f"deep.{suffix}": content})
        options = {"target_size": (8, 15), "color_mode": "grayscale"}
        (image,) = batch(tfpipe.ImageDataGenerator, tmp_path, **options).values()
        np.testing.assert_allclose(image[..., 0], deep / np.float32(257), atol=1e-4)

    def test_eight_bits_beside_sixteen_stay_exact(self, classic, tmp_path, picture):
        shallow = pngs(picture)
        write_all(tmp_path / "both", shallow | {"deep.png": png_bytes(picture(9, 13), 8, 2)})
        write_all(tmp_path / "shallow", shallow)
        both = batch(tfpipe.ImageDataGenerator, tmp_path / "both")
        del both["a/deep.png"]
        assert differences(both, batch(classic, tmp_path / "shallow")) == {}


class TestFilesThatCannotBeRead:
    """The error names the file, whoever meets it."""

    @pytest.fixture(params=["truncated.jpg", "truncated.png", "empty.png", "junk.bmp", "none.jpg"])
    def broken(self, request, tmp_path, picture, write):
        """(frame of 5 files of which the 4th is broken, its path)"""
        for i in range(4):
            write(tmp_path / f"{i}.jpg", picture(9, 13, seed=i))
        path = tmp_path / f"böse '{request.param}"
        kind, _, suffix = request.param.partition(".")
        whole = pil(
            Image.fromarray(picture(90, 130)), format={"jpg": "JPEG"}.get(suffix, suffix.upper())
        )
        content = {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "junk": b"no image at all",
        }
        if kind in content:
            path.write_bytes(content[kind])
        names = ["0.jpg", "1.jpg", "2.jpg", path.name, "3.jpg"]
        return pd.DataFrame({"filename": names, "class": list("abaab")}), str(path)

    @pytest.mark.slow
    def test_the_error_holds_the_path(self, broken, tmp_path):
        frame, path = broken
        generator = tfpipe.ImageDataGenerator()
        options = {"target_size": (6, 8), "batch_size": 2, "class_mode": "binary"}
        dataset = generator.flow_from_dataframe(
            frame, tmp_path, validate_filenames=False, shuffle=False, **options
        )
        assert dataset[0][0].shape == (2, 6, 8, 3)
        next(dataset)
        for read in (
            lambda: list(dataset.take(-1)),
            lambda: next(dataset),
            lambda: dataset[1],
            lambda: list(dataset),  # goes on behind the bad batch, and comes to it again
        ):
            with pytest.raises(tf.errors.OpError) as caught:
                read()
            assert path in str(caught.value)
        assert dataset[2][1].tolist() == [1]

    @pytest.mark.slow
    @pytest.mark.parametrize("broken", ["truncated.jpg", "none.jpg"], indirect=True)
    def test_last_in_the_epoch(self, broken, tmp_path):
        frame, path = broken
        frame = frame.iloc[[0, 1, 2, 4, 3]]
        for batch_size in (1, 5):  # alone in its batch, and with the end of the epoch
            dataset = tfpipe.ImageDataGenerator().flow_from_dataframe(
                frame,
                tmp_path,
                validate_filenames=False,
                shuffle=False,
                target_size=(6, 8),
                batch_size=batch_size,
            )
            for read in (list, lambda flow: list(flow.take(-1))):
                with pytest.raises(tf.errors.OpError) as caught:
                    read(dataset)
                assert path in str(caught.value)
