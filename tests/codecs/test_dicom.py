"""Real DICOM files, those that pydicom's wheel carries, through both sources."""

import io
import shutil
import struct
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import tensorflow as tf
from PIL import Image
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

import tfpipe
from tfpipe.codecs import dicom, formats, headers
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields import image
from tfpipe.tools import survey

FILES = Path(pydicom.__file__).parent / "data/test_files"
DCM = frozenset({"dcm"})

# pydicom warns of what is odd in some of its own test files.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore:Files with '.dcm'")

COLOR = [
    "ExplVR_BigEnd.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_jpeg2k.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
]
WINDOWED = [
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "693_J2KI.dcm",
    "examples_overlay.dcm",
    "dicomdirtests/98892001/CT2N/6293",
]


def decoded(name, color_mode="rgb", **options):
    content = (FILES / name).read_bytes()
    return image.read_image(content, DecodeSpec(color_mode=color_mode, **options), DCM).numpy()


def grey(name):
    return decoded(name, "grayscale")[..., 0]


class TestColor:
    @pytest.mark.parametrize("name", COLOR)
    def test_is_pydicoms_rgb(self, name):
        expected = pixel_array(pydicom.dcmread(FILES / name), index=0)
        np.testing.assert_array_equal(decoded(name), expected)

    @pytest.mark.parametrize(("name", "most"), [("16bit", 2**16 - 1), ("32bit", 2**32 - 1)])
    def test_more_than_eight_bits(self, name, most):
        name = f"SC_rgb_rle_{name}.dcm"
        stored = pixel_array(pydicom.dcmread(FILES / name), index=0)
        np.testing.assert_allclose(decoded(name), stored / most * 255, rtol=0, atol=1e-4)

    def test_palette(self):
        dataset = pydicom.dcmread(FILES / "examples_palette.dcm")
        color = apply_color_lut(dataset.pixel_array, dataset)
        most = np.iinfo(color.dtype).max
        ours = decoded("examples_palette.dcm")
        np.testing.assert_allclose(ours, color[..., :3] / most * 255, rtol=0, atol=1e-4)


class TestGrey:
    @pytest.mark.parametrize("name", WINDOWED)
    def test_the_window_becomes_0_to_255(self, name):
        dataset = pydicom.dcmread(FILES / name)
        values = apply_modality_lut(dataset.pixel_array, dataset).astype(np.float64)
        center = float(np.ravel(dataset.WindowCenter)[0])
        width = float(np.ravel(dataset.WindowWidth)[0])
        shown = np.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
        np.testing.assert_allclose(grey(name), shown, rtol=0, atol=0.02)
        assert grey(name).min() < grey(name).max()

    def test_monochrome1_is_turned(self):
        name = "dicomdirtests/77654033/CR1/6154"
        dataset = pydicom.dcmread(FILES / name)
        assert dataset.PhotometricInterpretation == "MONOCHROME1"
        shown = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        low, high = 200, 4095 * float(dataset.RescaleSlope) + 200
        expected = 255 - (shown - low) / (high - low) * 255
        np.testing.assert_allclose(grey(name), expected, rtol=0, atol=0.02)

    def test_without_a_window_the_range_of_the_stored_bits(self):
        dataset = pydicom.dcmread(FILES / "CT_small.dcm")
        assert "WindowCenter" not in dataset
        expected = (dataset.pixel_array.astype(np.float64) + 32768) / 65535 * 255
        np.testing.assert_allclose(grey("CT_small.dcm"), expected, rtol=0, atol=1e-3)

    @pytest.mark.parametrize("name", ["CT_small.dcm", WINDOWED[0]])
    def test_range_of_the_choice(self, name):
        dataset = pydicom.dcmread(FILES / name)
        values = apply_modality_lut(dataset.pixel_array, dataset).astype(np.float64)
        low, high = values.min(), values.max()
        spec = DecodeSpec("grayscale", dicom_range="minmax")
        ours = image.read_image((FILES / name).read_bytes(), spec, DCM).numpy()[..., 0]
        np.testing.assert_allclose(ours, (values - low) / (high - low) * 255, rtol=0, atol=1e-3)
        assert (ours.min(), ours.max()) == (0, 255)
        spec = DecodeSpec("grayscale", dicom_range="stored")
        stored = image.read_image((FILES / name).read_bytes(), spec, DCM).numpy()[..., 0]
        bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
        first = -(2 ** (bits - 1)) if signed else 0
        slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
        expected = (values - intercept) / float(slope) - first
        np.testing.assert_allclose(stored, expected / (2**bits - 1) * 255, rtol=0, atol=1e-3)

    @pytest.mark.filterwarnings("ignore:Files with .* are decoded by pydicom")
    def test_a_nearly_flat_image_is_named(self, tmp_path):
        shutil.copy(FILES / "CT_small.dcm", tmp_path)
        options = {"labels": None, "verbose": False}
        expected = r"CT_small.dcm' has no window, and its values take \d+ of the 256 .*dicom_range='minmax'"
        with pytest.warns(UserWarning, match=expected):
            next(iter(tfpipe.image_dataset_from_directory(tmp_path, **options)))
        for chosen in ("minmax", "stored"):
            next(iter(tfpipe.image_dataset_from_directory(tmp_path, dicom_range=chosen, **options)))
        with pytest.raises(ValueError, match="dicom_range must be one of"):
            tfpipe.image_dataset_from_directory(tmp_path, dicom_range="auto", **options)

    def test_eight_bits_are_as_they_are(self):
        stored = pydicom.dcmread(FILES / "JPEGLSNearLossless_08.dcm").pixel_array
        np.testing.assert_array_equal(grey("JPEGLSNearLossless_08.dcm"), stored)

    def test_one_bit(self):
        stored = pydicom.dcmread(FILES / "liver_1frame.dcm").pixel_array
        np.testing.assert_array_equal(grey("liver_1frame.dcm"), stored * 255)

    def test_the_first_frame(self):
        np.testing.assert_array_equal(grey("rtdose.dcm"), grey("rtdose_1frame.dcm"))

    @pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm"])
    def test_without_preamble_and_file_meta(self, name):
        content = (FILES / name).read_bytes()
        (length,) = struct.unpack_from("<I", content, 140)
        bare = image.read_image(content[144 + length :], DecodeSpec(), DCM).numpy()
        np.testing.assert_array_equal(bare, decoded(name))

    def test_deflated(self):
        stored = pydicom.dcmread(FILES / "image_dfl.dcm").pixel_array
        np.testing.assert_array_equal(grey("image_dfl.dcm"), stored)


class TestRejects:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("MR_truncated.dcm", "less than expected"),
            ("rtplan.dcm", r"without an image \(RT Plan Storage\)"),
            ("JPEG-lossy.dcm", "Unable to decode"),
            ("dicomdirtests/DICOMDIR", r"without an image \(Media Storage Directory Storage\)"),
        ],
    )
    def test_says_why(self, name, words):
        with pytest.raises(ValueError, match=words):
            decoded(name)

    def test_what_holds_no_image_says_what_it_is(self, tmp_path):
        shutil.copy(FILES / "rtplan.dcm", tmp_path)
        [problem] = tfpipe.check(tmp_path).problems
        expected = "it is a DICOM file without an image (RT Plan Storage): leave it out"
        assert problem.reason == expected

    @pytest.mark.filterwarnings("ignore:The DICOM file .* has no window")
    def test_a_file_that_begins_like_a_tiff_is_dicom(self, tmp_path):
        content = (FILES / "CT_small.dcm").read_bytes()
        assert content[:4] == b"II*\0"
        assert formats.of_content(content[:132]) is formats.DICOM
        assert formats.FORMATS[int(headers.format_of(tf.constant(content)))] is formats.DICOM
        (tmp_path / "ct.dcm").write_bytes(content)
        assert tfpipe.check(tmp_path).sound

    def test_a_summary_reads_the_headers(self, tmp_path):
        names = ("CT_small.dcm", "SC_rgb_small_odd.dcm", "MR_small.dcm", "MR_small_bigendian.dcm")
        for name in names:
            shutil.copy(FILES / name, tmp_path)
        (tmp_path / "cut.dcm").write_bytes((FILES / "MR_small.dcm").read_bytes()[:100])
        found = survey.survey(tmp_path)
        assert found.formats == {"DICOM": 4}
        assert found.modes == {"I;16": 3, "RGB": 1}
        assert found.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
        broken = [p.path for p in found.suspicious if p.kind == "unreadable"]
        assert broken == [str(tmp_path / "cut.dcm")]
        for name in names:
            pixels = decoded(name)
            header = survey.header_of(str(FILES / name))
            assert (header.height, header.width) == pixels.shape[:2]

    @pytest.mark.slow
    def test_too_large(self):
        with pytest.raises(ValueError, match="it has 64 x 64 = 4,096 pixels, more than max_pixels"):
            decoded("MR_small.dcm", max_pixels=4095)

    def test_an_image_inside_that_is_larger_than_the_header_says(self):
        dataset = pydicom.dcmread(FILES / "MR_small_jp2klossless.dcm")
        frame = dataset.PixelData
        at = frame.index(b"\xff\x4f\xff\x51") + 8
        dataset.PixelData = frame[:at] + bytes([0, 1, 0, 0] * 2) + frame[at + 8 :]
        file = io.BytesIO()
        dataset.save_as(file)
        with pytest.raises(ValueError, match="65536 x 65536"):
            image.read_image(file.getvalue(), DecodeSpec(), DCM)

    def test_a_deflated_bomb(self, monkeypatch):
        monkeypatch.setattr(dicom, "_MOST_INFLATED", 1000)
        with pytest.raises(ValueError, match="larger than 1,000 bytes when unpacked"):
            dicom.decode_dicom((FILES / "image_dfl.dcm").read_bytes(), None)


class TestSources:
    NAMES = ["MR_small.dcm", "SC_rgb_rle.dcm", "CT_small.dcm", "examples_ybr_color.dcm"]

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:The DICOM file .* has no window")
    def test_directory_and_dataframe(self, tmp_path, assert_same):
        for label, name in zip("abab", self.NAMES, strict=True):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / name).write_bytes((FILES / name).read_bytes())
        options = {"target_size": (64, 64), "shuffle": False, "class_mode": "sparse"}
        generator = tfpipe.ImageDataGenerator()
        ours = generator.flow_from_directory(tmp_path, **options)
        assert ours.samples == 4
        frame = pd.DataFrame({"filename": ours.filenames, "class": [n[0] for n in ours.filenames]})
        assert_same(ours[0], generator.flow_from_dataframe(frame, tmp_path, **options)[0])
        images = dict(zip(ours.filenames, ours[0][0], strict=True))
        np.testing.assert_allclose(images["a/MR_small.dcm"], decoded("MR_small.dcm"), atol=1e-4)
        rgb = pixel_array(pydicom.dcmread(FILES / "SC_rgb_rle.dcm"), index=0)
        expected = np.asarray(Image.fromarray(rgb).resize((64, 64), Image.Resampling.NEAREST))
        np.testing.assert_array_equal(images["b/SC_rgb_rle.dcm"], expected)

    def test_warns_once(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/x.dcm").write_bytes((FILES / "MR_small.dcm").read_bytes())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tfpipe.ImageDataGenerator().flow_from_directory(tmp_path, target_size=(8, 8))[0]
        said = [str(w.message) for w in caught if "are decoded by pydicom" in str(w.message)]
        assert len(said) == 1
