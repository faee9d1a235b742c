"""Masks: the samples as they are stored, in the geometry of their images."""

import io
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe import Augment, ImageDataset
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.mask import decode_mask, decode_mask_with_pillow
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.source import Files, Source

PNG, ANY = frozenset({"png"}), frozenset({"png", "tif", "bmp"})


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def numbers(high, seed=0):
    return np.random.default_rng(seed).integers(0, high, [5, 7])


def palette_image(indices, colors):
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(np.random.default_rng(1).integers(0, 256, 3 * colors, np.uint8).tobytes())
    return image


class TestWholeNumbers:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    @pytest.mark.parametrize("options", [{}, {"transparency": 1}])
    def test_a_palette_keeps_its_indices(self, bits, options):
        indices = numbers(2**bits)
        contents = encoded(palette_image(indices, 2**bits), bits=bits, **options)
        mask = decode_mask(tf.constant(contents), "int32", PNG).numpy()
        assert mask.dtype == np.int32
        np.testing.assert_array_equal(mask[..., 0], indices)
        np.testing.assert_array_equal(decode_mask_with_pillow(contents, "int32"), mask)

    def test_in_a_graph(self):
        contents = [encoded(palette_image(numbers(20, seed), 20)) for seed in range(3)]
        masks = tf.data.Dataset.from_tensor_slices(contents).map(
            lambda c: decode_mask(c, "int32", PNG)
        )
        for seed, mask in enumerate(masks):
            np.testing.assert_array_equal(mask.numpy()[..., 0], numbers(20, seed))

    def test_grey(self):
        for image, expected in (
            (Image.fromarray(numbers(256).astype(np.uint8)), numbers(256)),
            (Image.fromarray(numbers(65536).astype(np.uint16)), numbers(65536)),
            (Image.fromarray(numbers(2).astype(bool)), numbers(2)),
            (
                Image.fromarray(np.repeat(numbers(256)[..., None], 3, 2).astype(np.uint8)),
                numbers(256),
            ),
        ):
            mask = decode_mask(tf.constant(encoded(image)), "int32", PNG)
            np.testing.assert_array_equal(mask[..., 0], expected)

    def test_other_formats_through_pillow(self):
        indices = numbers(256)
        for contents in (
            encoded(Image.fromarray(indices.astype(np.uint8)), "TIFF"),
            encoded(palette_image(indices, 256), "BMP"),
        ):
            mask = decode_mask(tf.constant(contents), "int32", ANY)
            np.testing.assert_array_equal(mask[..., 0], indices)

    def test_colours_are_an_error(self, picture):
        contents = encoded(Image.fromarray(picture(5, 7)))
        with pytest.raises(tf.errors.InvalidArgumentError, match="cannot have colors"):
            decode_mask(tf.constant(contents), "int32", PNG)
        with pytest.raises(ValueError, match="cannot have colors"):
            decode_mask_with_pillow(contents, "int32")


class TestUnitRange:
    @pytest.mark.parametrize("suffixes", [PNG, ANY])
    def test_grey_values(self, suffixes, picture):
        grey, color = numbers(256), picture(5, 7)
        for image, expected in (
            (Image.fromarray(grey.astype(np.uint8)), grey / 255),
            (Image.fromarray(numbers(65536).astype(np.uint16)), numbers(65536) / 65535),
            (Image.fromarray(color), color / 255 @ [0.299, 0.587, 0.114]),
        ):
            contents = encoded(image)
            mask = decode_mask(tf.constant(contents), "float32", suffixes).numpy()
            assert (mask.dtype, mask.shape) == (np.float32, (5, 7, 1))
            np.testing.assert_allclose(mask[..., 0], expected, atol=1e-6)
            np.testing.assert_allclose(
                decode_mask_with_pillow(contents, "float32"), mask, atol=1e-6
            )


N, SIZE = 9, (20, 26)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, picture):
    """images/<i>.png and masks/<i>.png: where the mask is i + 1, red is 200, else 50."""
    top = tmp_path_factory.mktemp("masks")
    for name in ("images", "masks"):
        (top / name).mkdir()
    for i in range(N):
        inside = np.zeros((30 + i, 40), bool)
        inside[5 + i : 20, 8 : 15 + i] = True
        red = np.where(inside, 200, 50).astype(np.uint8)
        image = np.stack([red, red // 2, np.full_like(red, 7 * i)], -1)
        Image.fromarray(image).save(top / "images" / f"{i}.png")
        palette_image(np.where(inside, i + 1, 0), 12).save(top / "masks" / f"{i}.png")
    return top


def dataset_of(top, mask_dtype="int32", seed=3, **changes):
    names = [f"{i}.png" for i in range(N)]
    source = Source.of(Files(str(top / "images"), names), masks=Files(str(top / "masks"), names))
    spec = PipelineSpec(
        ImageSpec(resize=ResizeSpec(changes.pop("size", SIZE))),
        mask_dtype=mask_dtype,
        seed=seed,
        batch_size=4,
    )
    return ImageDataset(source, replace(spec, **changes))


class TestDataset:
    @pytest.mark.slow
    def test_an_image_and_its_mask_are_resized_alike(self, folders):
        dataset = dataset_of(folders)
        assert dataset.element_spec[1] == tf.TensorSpec([None, *SIZE, 1], tf.int32)
        seen = []
        for x, y in dataset:
            np.testing.assert_array_equal(x[..., :1] == 200, y > 0)
            seen += y.numpy().max((1, 2, 3)).tolist()
        assert sorted(seen) == list(range(1, N + 1))
        np.testing.assert_array_equal(dataset[1][1], [y for _, y in dataset.starting_at(0)][1])

    @pytest.mark.slow
    def test_geometry_is_identical_and_colours_are_left_alone(self, folders):
        augment = Augment(
            rotation_range=40,
            zoom_range=0.3,
            width_shift_range=0.2,
            horizontal_flip=True,
            fill_mode="constant",
            cval=50,
            interpolation_order=0,
            brightness_range=(1.2, 1.2),
        )
        for x, y in dataset_of(folders, augment=augment):
            bright = x.numpy()[..., :1]
            assert set(np.unique(bright)) == {60.0, 240.0}
            np.testing.assert_array_equal(bright == 240, y.numpy() > 0)

    @pytest.mark.slow
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_of_floats(self, folders, data_format):
        dataset = dataset_of(folders, "float32", data_format=data_format, shuffle=False)
        x, y = dataset[0]
        y = np.moveaxis(y, 1, -1) if data_format == "channels_first" else y
        assert (y.shape, y.dtype) == ((4, *SIZE, 1), np.float32)
        assert 0 < y.max() <= 1
        assert len(x) == 4

    @pytest.mark.slow
    def test_a_cache_keeps_both(self, folders):
        plain, cached = dataset_of(folders), dataset_of(folders, cache="memory")
        for _ in range(2):
            for ours, theirs in zip(cached, plain, strict=True):
                np.testing.assert_array_equal(ours[0], theirs[0])
                np.testing.assert_array_equal(ours[1], theirs[1])


class TestBadMasks:
    @pytest.fixture
    def copy(self, folders, tmp_path):
        shutil.copytree(folders, tmp_path / "copy")
        return tmp_path / "copy"

    def test_another_size_names_both_files(self, copy):
        palette_image(numbers(3), 3).save(copy / "masks" / "4.png")
        message = r"images/4\.png': its size differs from the size of its mask '.*masks/4\.png'"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            list(dataset_of(copy))

    @pytest.mark.slow
    def test_a_damaged_mask(self, copy):
        (copy / "masks" / "4.png").write_bytes(b"nothing")
        message = r"images/4\.png': its mask '.*masks/4\.png' cannot be read: "
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            list(dataset_of(copy))

    def test_colours_are_named(self, copy, picture):
        Image.fromarray(picture(34, 40)).save(copy / "masks" / "4.png")
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="cannot have colors: save it with"
        ):
            list(dataset_of(copy))

    def test_colours_are_named_at_construction(self, copy, picture):
        first = sorted((copy / "masks").iterdir())[0]
        Image.fromarray(picture(34, 40)).save(first)
        message = rf"The mask '.*{first.name}' has colors, .* Save masks with a palette, or in gray"
        with pytest.raises(ValueError, match=message):
            dataset_of(copy)
        dataset_of(copy, mask_dtype="float32")

    @pytest.mark.slow
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_a_mask_that_is_too_large_is_refused_by_its_header(self, copy, suffix):
        names = [f"{i}.png" for i in range(N)]
        masks = [f"{i}.{suffix if i == 4 else 'png'}" for i in range(N)]
        mask = Image.fromarray(np.zeros((34, 40), np.uint8))
        mask.resize((400, 30)).save(copy / "masks" / masks[4])
        source = Source.of(
            Files(str(copy / "images"), names), masks=Files(str(copy / "masks"), masks)
        )
        image = ImageSpec(DecodeSpec(max_pixels=40 * 40), ResizeSpec(SIZE))
        spec = PipelineSpec(image, seed=1)
        message = rf"images/4\.png': its mask '.*masks/{masks[4]}' cannot be read: it has 400 x 30"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*decoded by Pillow")
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                list(ImageDataset(source, spec))

    def test_nothing_is_allocated_of_a_mask_that_is_too_large(self):
        header = (
            b"\x89PNG\r\n\x1a\n" + bytes(3) + b"\x0dIHDR" + b"\0\0\xff\xff" * 2 + b"\x08\0\0\0\0"
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match="larger than max_pixels"):
            decode_mask(tf.constant(header + bytes(4)), "int32", PNG, 1000)
        with pytest.raises(ValueError, match="7 x 5 = 35 pixels, more than max_pixels=34"):
            decode_mask_with_pillow(
                encoded(Image.fromarray(numbers(2).astype(np.uint8))), "int32", 34
            )

    @pytest.mark.slow
    def test_a_damaged_image(self, copy):
        (copy / "images" / "4.png").write_bytes(b"nothing")
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"images/4\.png': its content"):
            list(dataset_of(copy))

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Left out")
    def test_they_can_be_skipped(self, copy):
        palette_image(numbers(3), 3).save(copy / "masks" / "4.png")
        dataset = dataset_of(copy, errors=ErrorPolicy("skip"))
        assert sum(len(x) for x, _ in dataset) == N - 1
        assert "its size differs from the size of its mask" in dataset.skipped[0][1]

    def test_an_unknown_dtype(self):
        with pytest.raises(ValueError, match="mask_dtype must be one of 'int32', 'float32'"):
            PipelineSpec(mask_dtype="uint8")
