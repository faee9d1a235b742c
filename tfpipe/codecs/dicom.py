"""DICOM files as images of 0..255, by pydicom."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.checks import warn
from tfpipe.codecs.header_table import jpeg_size_of
from tfpipe.codecs.pillow import check_pixels
from tfpipe.console import printable

if TYPE_CHECKING:
    from pydicom import Dataset

# The most bytes that a deflated file may unpack to. pydicom itself would unpack one that fills the memory.
_MOST_INFLATED = 2**29

_FEW_LEVELS = 16  # of 256

# Value representations with a length of 4 bytes.
_LONG = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")


def decode_dicom(
    contents: bytes, max_pixels: int | None, value_range: str = "window"
) -> np.ndarray:
    """Decodes the first frame of a DICOM file, as a viewer shows it.

    Gray: stored values -> rescale slope and intercept (or the modality LUT) -> the first window (or
    the VOI LUT) -> 0..255 over the range that the window maps to. MONOCHROME1 is inverted, so that
    high is always white. Without a window, the range of the stored bits becomes 0..255, as with a
    16-bit PNG, so that files stay comparable with each other. Color: RGB, also from YBR or a palette.

    Args:
        contents: of the file.
        max_pixels: the largest rows * columns.
        value_range: which gray values become 0..255: `DecodeSpec.dicom_range`.

    Returns:
        uint8 [H, W, 1 or 3] where the stored 8 bits are shown as they are, else float32 in 0..255.
        Floating-point pixels keep their values.

    Raises:
        ValueError: the image has more than `max_pixels`.
        Exception: whatever pydicom raises for a damaged file, or one without an image.

    Source: DICOM PS3.3, C.7.6.3 and C.11.2.
    """
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    dataset = _read_dataset(contents)
    _require_image(dataset)
    check_pixels(int(dataset.Rows), int(dataset.Columns), max_pixels)
    check_pixels(*_encoded_size(dataset), max_pixels)
    stored = pixel_array(dataset, index=0)
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return _channels(stored.astype(np.float32))
    interpretation = str(dataset.PhotometricInterpretation)
    if interpretation == "PALETTE COLOR":
        color = apply_color_lut(stored, dataset)[..., :3]
        return _scaled(color, 0, np.iinfo(color.dtype).max)
    if stored.ndim == 3:
        return _scaled(stored, 0, 2 ** int(dataset.BitsStored) - 1)
    values, low, high = _as_displayed(stored, dataset, value_range == "window")
    if value_range == "minmax":
        low, high = float(values.min()), float(values.max())
    grey = _scaled(values, low, high)
    return 255 - grey if interpretation == "MONOCHROME1" else grey


def dicom_header(contents: bytes) -> tuple[str, int, int]:
    """Reads (mode, height, width) of a DICOM file, without its pixels; the mode by Pillow's names.

    Raises:
        ValueError: it holds no image.
        Exception: whatever pydicom raises for a damaged file.
    """
    dataset = _read_dataset(contents, stop_before_pixels=True)
    _require_image(dataset)
    deep = int(dataset.get("BitsAllocated") or 8) > 8
    gray = int(dataset.get("SamplesPerPixel") or 1) == 1
    palette = str(dataset.get("PhotometricInterpretation")) == "PALETTE COLOR"
    mode = "P" if palette else ("I;16" if deep else "L") if gray else "RGB"
    return mode, int(dataset.Rows), int(dataset.Columns)


def _require_image(dataset: Dataset) -> None:
    """Raises `ValueError` for what is not an image, such as a plan for radiotherapy or a report."""
    if "Rows" not in dataset or "Columns" not in dataset:
        kind = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
        name = f" ({kind.name})" if kind else ""
        raise ValueError(f"it is a DICOM file without an image{name}: leave it out")


def _read_dataset(contents: bytes, stop_before_pixels: bool = False) -> Dataset:
    """Reads the elements of a DICOM file, even if it begins without its preamble."""
    from pydicom import dcmread

    if contents[128:132] != b"DICM":
        contents = _preamble(contents) + contents
    _check_inflated(contents)
    dataset = dcmread(io.BytesIO(contents), stop_before_pixels=stop_before_pixels)
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        # Enhanced files keep the values of each frame here.
        for item in list(dataset.get(group, []))[:1]:
            for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for values in list(item.get(name, []))[:1]:
                    dataset.update(values)
    return dataset


def _preamble(contents: bytes) -> bytes:
    """Returns the beginning that a file lacks: the preamble, and how its elements are written."""
    is_explicit = contents[4:6].isalpha() and contents[4:6].isupper()  # a VR after the first tag
    syntax = b"1.2.840.10008.1.2" + (b".1" if is_explicit else b"\0")
    syntax += b"\0" * (len(syntax) % 2)
    return bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax


def _check_inflated(contents: bytes) -> None:
    """Raises `ValueError` if a deflated data set would fill the memory."""
    place = 132
    deflated = False
    while place + 12 <= len(contents):  # the elements of group 2, which are never deflated
        group, _, kind, length = struct.unpack_from("<HH2sH", contents, place)
        if group != 2:
            break
        place += 8
        if kind in _LONG:  # 4 bytes of length, after 2 unused ones
            (length,) = struct.unpack_from("<I", contents, place)
            place += 4
        deflated |= contents[place : place + length].rstrip(b"\0 ") == b"1.2.840.10008.1.2.1.99"
        place += length
    if deflated:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        inflate.decompress(contents[place:], _MOST_INFLATED)
        if inflate.unconsumed_tail:
            raise ValueError(f"its data set is larger than {_MOST_INFLATED:,} bytes when unpacked")


def _encoded_size(dataset: Dataset) -> tuple[int, int]:
    """Reads (height, width) of the JPEG or JPEG 2000 image inside, which may differ from the data set's.

    It is (0, 0) without such an image. Source: ITU-T T.800, A.5.1.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import UID

    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if "PixelData" not in dataset or not syntax.is_encapsulated:
        return 0, 0
    frames = int(dataset.get("NumberOfFrames") or 1)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=frames)
    if frame[4:12] == b"jP  \r\n\x87\n":
        frame = frame[max(frame.find(b"\xff\x4f\xff\x51"), 0) :]
    if frame[:4] == b"\xff\x4f\xff\x51":
        right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
        return max(bottom - top, 0), max(right - left, 0)
    return (jpeg_size_of(frame) if frame[:2] == b"\xff\xd8" else None) or (0, 0)


def check_levels(path: str, max_pixels: int | None) -> None:
    """Warns if a gray file without a window takes only a few of the levels 0..255."""
    try:
        with open(path, "rb") as file:
            contents = file.read()
        dataset = _read_dataset(contents, stop_before_pixels=True)
        if int(dataset.get("SamplesPerPixel") or 1) > 1 or not _lacks_window(dataset):
            return
        levels = int(np.ptp(decode_dicom(contents, max_pixels))) + 1
    except Exception:  # an epoch says which file cannot be read, and why
        return
    if 1 < levels <= _FEW_LEVELS:
        warn(
            f"The DICOM file {printable(path)!r} has no window, and its values take {levels} of the 256 "
            "levels of gray, which stand for all that its stored bits can hold. Pass dicom_range='minmax' to "
            "give all levels to the values of each file, or 'stored' to keep them, without this warning."
        )


def _lacks_window(dataset: Dataset) -> bool:
    return not dataset.get("VOILUTSequence") and "WindowWidth" not in dataset


def _as_displayed(
    stored: np.ndarray, dataset: Dataset, windowed: bool
) -> tuple[np.ndarray, float, float]:
    """Returns gray values after rescale and window, and the values that are black and white."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    bits, signed = int(dataset.BitsStored), int(dataset.get("PixelRepresentation") or 0)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    values = apply_modality_lut(stored, dataset)
    if dataset.get("ModalityLUTSequence"):
        low, high = 0, 2 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    elif values is not stored:  # rescaled
        ends = [
            end * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
            for end in (low, high)
        ]
        low, high = min(ends), max(ends)
    if not windowed:
        return values, low, high
    if dataset.get("VOILUTSequence"):
        low, high = 0, 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
    return apply_voi_lut(values, dataset), low, high


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scales values of low..high to 0..255: uint8 if they are that already, else float32."""
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return _channels(values)
    scaled = (values.astype(np.float64) - low) * (255.0 / max(high - low, 1e-12))
    return _channels(np.clip(scaled, 0, 255).astype(np.float32))


def _channels(values: np.ndarray) -> Any:
    return np.ascontiguousarray(values if values.ndim == 3 else values[..., None])
