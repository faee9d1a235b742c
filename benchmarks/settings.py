"""What is compared: which loaders, on which photographs, doing what, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIZE = (224, 224)
BATCH = 64

AUGMENTED = {
    "rescale": 1 / 255,
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 10,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}


@dataclass(frozen=True)
class Setting:
    """One comparison: every peer does the same work with its own means.

    Attributes:
        title: of its table.
        photos: the set that is read: "small" or "camera".
        peers: names in `peers.PEERS`; the first is what the others are divided by.
        generator: arguments of the classic generator.
        interpolation: of the resize, as the classic names it.
    """

    title: str
    photos: str
    peers: tuple[str, ...]
    generator: dict[str, Any]
    interpolation: str = "nearest"


SETTINGS = {
    "small": Setting(
        "Small photographs (520x419, 70 kB) to 224x224, one-hot labels",
        "small",
        (
            "classic",
            "classic_fit",
            "keras",
            "torchvision",
            "tfpipe",
            "tfpipe_fit",
            "tfpipe_memory",
            "tfpipe_disk",
            "libjpeg_turbo",
        ),
        {},
    ),
    "bilinear": Setting(
        "The same, interpolation='bilinear' (antialiased, Pillow's pixels)",
        "small",
        ("classic", "tfpipe"),
        {},
        "bilinear",
    ),
    "camera": Setting(
        "Camera photographs (2000x1500, 780 kB) to 224x224, one-hot labels",
        "camera",
        (
            "classic",
            "keras",
            "torchvision",
            "tfpipe",
            "tfpipe_fast",
            "tfpipe_shards",
            "tfpipe_shards_jpeg",
            "libjpeg_turbo",
            "libjpeg_turbo_scaled",
        ),
        {},
    ),
    "camera_bilinear": Setting(
        "Camera photographs, interpolation='bilinear' (antialiased, Pillow's pixels)",
        "camera",
        ("classic", "tfpipe"),
        {},
        "bilinear",
    ),
    "camera_bicubic": Setting(
        "Camera photographs, interpolation='bicubic' (antialiased, Pillow's pixels)",
        "camera",
        ("classic", "tfpipe"),
        {},
        "bicubic",
    ),
    "camera_lanczos": Setting(
        "Camera photographs, interpolation='lanczos' (antialiased, Pillow's pixels)",
        "camera",
        ("classic", "tfpipe"),
        {},
        "lanczos",
    ),
    "augmented": Setting(
        "Small photographs with rotation, shifts, shear, zoom, flip and rescale",
        "small",
        ("classic", "keras_layers", "torchvision", "tfpipe"),
        AUGMENTED,
    ),
    "errors": Setting(
        "Small photographs, all of them sound: `on_error`, `tfpipe check`",
        "small",
        ("classic", "tfpipe_raise", "tfpipe_skip", "tfpipe_check"),
        {},
    ),
}


@dataclass(frozen=True)
class Target:
    """`peer` in `setting` is to be at least `times` the speed of `base`, of the same round."""

    setting: str
    peer: str
    base: str
    times: float
    note: str = ""


TARGETS = (
    Target("small", "tfpipe", "classic", 2.2, "exact pixels"),
    Target("small", "tfpipe", "keras", 1.25, "exact pixels"),
    Target("small", "tfpipe", "libjpeg_turbo", 0.84, "decode alone, on all cores"),
    Target("camera", "tfpipe", "libjpeg_turbo", 1.0, "decode alone, on all cores"),
    Target("augmented", "tfpipe", "classic", 7.5, ""),
    Target("augmented", "tfpipe", "keras_layers", 6.0, ""),
    Target("bilinear", "tfpipe", "classic", 3.0, "Pillow's pixels"),
    Target("camera_bilinear", "tfpipe", "classic", 3.0, "Pillow's pixels"),
    Target("camera_bicubic", "tfpipe", "classic", 3.0, "Pillow's pixels"),
    Target("camera_lanczos", "tfpipe", "classic", 3.0, "Pillow's pixels"),
    Target("camera", "tfpipe_fast", "classic", 4.0, "decoding='fast'"),
    Target("small", "tfpipe_memory", "classic", 10.0, "from the second epoch on"),
    Target("small", "tfpipe_disk", "classic", 10.0, "from the second epoch on"),
    Target("camera", "tfpipe_shards", "classic", 10.0, "packed once, raw"),
    Target("errors", "tfpipe_skip", "tfpipe_raise", 0.95, "all files sound"),
    Target("errors", "tfpipe_check", "tfpipe_raise", 1.0, "a training epoch"),
)
