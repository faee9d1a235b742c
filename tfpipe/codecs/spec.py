"""The specification of how the bytes of files become pixels."""

from __future__ import annotations

from dataclasses import dataclass

from tfpipe.checks import MAX_PIXELS, check_bool, check_int, check_one_of
from tfpipe.ops.color_modes import COLOR_MODES

DECODINGS = ("exact", "keras", "fast")
DICOM_RANGES = ("window", "minmax", "stored")


@dataclass(frozen=True)
class DecodeSpec:
    """How the bytes of a file become pixels.

    Attributes:
        color_mode: "grayscale", "rgb" or "rgba".
        decoding: "exact" for Pillow's pixels, "keras" for the JPEG pixels of Keras' function, "fast" to
            decode JPEG files at the smallest of 1, 1/2, 1/4 and 1/8 of their size that covers the size they
            are resized to.
        max_pixels: an image with more is refused by its header, before it is decoded; None: any size.
        exif_orientation: turn each image as its EXIF data say. Keras, and the classic, ignore them.
        dicom_range: which values of a gray DICOM image become 0..255. "window": its first window, or the
            range of its stored bits if it has none; "minmax": its smallest to its largest value; "stored":
            the range of its stored bits, so that files stay comparable with each other.
    """

    color_mode: str = "rgb"
    decoding: str = "exact"
    max_pixels: int | None = MAX_PIXELS
    exif_orientation: bool = False
    dicom_range: str = "window"

    def __post_init__(self) -> None:
        check_one_of("color_mode", self.color_mode, COLOR_MODES)
        check_one_of("decoding", self.decoding, DECODINGS)
        check_bool("exif_orientation", self.exif_orientation)
        check_one_of("dicom_range", self.dicom_range, DICOM_RANGES)
        if self.max_pixels is not None:
            check_int("max_pixels", self.max_pixels, 1)

    @property
    def channels_to_ask_for(self) -> int:
        """The number of channels to ask a decoder of TensorFlow's for; 0: those of the file.

        Decoders that convert by themselves save a step where they do it as Pillow does: gray to RGB and
        dropped alpha are the same everywhere, gray from JPEG's own luma or libpng's is not.
        """
        if self.color_mode == "grayscale":
            return 1 if self.decoding == "keras" else 0
        return 3
