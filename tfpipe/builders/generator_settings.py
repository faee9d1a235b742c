"""The arguments of `ImageDataGenerator`, as attributes, and what they do to single arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import keras
import numpy as np

from tfpipe.builders import classic_checks as checks
from tfpipe.builders.classic_specs import SUBSETS
from tfpipe.checks import check_number, check_one_of, is_share, warn
from tfpipe.keywords import suggests
from tfpipe.pipeline.spec import DATA_FORMATS, dtype_name
from tfpipe.sources.contents import content_ids
from tfpipe.sources.source import Source
from tfpipe.sources.splits import Holdout, split_rows
from tfpipe.sources.together import check_together, holdout_together
from tfpipe.transforms import arrays
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize, warn_of_unfitted

# Settings that None, False and an empty list turn off, as in the classic, which asks for their truth value.
_TRANSFORMS = (
    "rotation_range",
    "width_shift_range",
    "height_shift_range",
    "shear_range",
    "channel_shift_range",
    "horizontal_flip",
    "vertical_flip",
)
_STEPS = (
    "preprocessing_function",
    "rescale",
    "samplewise_center",
    "samplewise_std_normalization",
    "featurewise_center",
    "featurewise_std_normalization",
    "zca_whitening",
)


def _without_off(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Returns the fields of a specification, leaving out each of `names` whose value turns it off."""

    def is_off(value: Any) -> bool:
        # Not `not value`: an array of shifts has no truth value, and a 0 or a "" has to be checked.
        if isinstance(value, list | tuple | np.ndarray):
            return np.size(value) == 0
        return value is None or (isinstance(value, bool | np.bool_) and not value)

    return {name: v for name, v in values.items() if not (name in names and is_off(v))}


class GeneratorSettings:
    """The settings of an `ImageDataGenerator`, and its methods that need no data set."""

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Any = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.brightness_range = brightness_range
        self.shear_range = shear_range
        self.zoom_range = zoom_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.interpolation_order = interpolation_order
        self.zoom_range = list(self.augment.zoom_range)

        self.preprocessing_function = preprocessing_function
        self.rescale = rescale
        self.samplewise_center = samplewise_center
        self.samplewise_std_normalization = samplewise_std_normalization
        self.featurewise_center = featurewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.zca_whitening_matrix: np.ndarray | None = None
        check_number("zca_epsilon", zca_epsilon, minimum=0)
        Standardize(**self._standardize_fields())
        self._override_flags()

        self.data_format = data_format or keras.config.image_data_format()
        check_one_of("data_format", self.data_format, DATA_FORMATS)
        self.dtype = dtype_name(dtype or keras.config.floatx())
        if validation_split and not is_share(validation_split):
            raise ValueError(
                "`validation_split` must be strictly between 0 and 1. "
                f"Received: validation_split={validation_split!r}."
            )
        self._validation_split = validation_split
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)

    @property
    def augment(self) -> Augment:
        """The random transforms, from the attributes as they are now.

        Transforms that the classic does not have, such as `crop_scale`, are off unless they are set as
        attributes.
        """
        values: dict[str, Any] = {f.name: getattr(self, f.name, f.default) for f in fields(Augment)}
        return Augment(**_without_off(values, _TRANSFORMS))

    @property
    def standardization(self) -> Standardize:
        """What is done after augmentation, from the attributes as they are now."""
        return Standardize(**self._standardize_fields())

    def _standardize_fields(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(Standardize)}
        return _without_off(values, _STEPS)

    def _override_flags(self) -> None:
        """Sets the flags that others need, with a warning: the center flag of each std flag and of ZCA."""
        overrides = (
            ("zca_whitening", "featurewise_center", True),
            ("zca_whitening", "featurewise_std_normalization", False),
            ("featurewise_std_normalization", "featurewise_center", True),
            ("samplewise_std_normalization", "samplewise_center", True),
        )
        for cause, flag, value in overrides:
            if getattr(self, cause) and bool(getattr(self, flag)) is not value:
                setattr(self, flag, value)
                warn(
                    f"This ImageDataGenerator specifies `{cause}`, which overrides setting of "
                    f"`{flag}`.",
                )

    @suggests
    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None
    ) -> dict[str, Any]:
        """Draws the parameters of one random transform.

        Args:
            img_shape: of one image, as `data_format` lays it out.
            seed: equal seeds give equal parameters; None draws one from NumPy's global generator.

        Returns:
            theta and shear in degrees, tx (columns) and ty (rows) in pixels, zx, zy, flip_horizontal,
            flip_vertical, channel_shift_intensity and brightness. If they are off, they are 0, 0, 0, 0,
            1, 1, 0, 0, None and None.
        """
        height, width = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        return arrays.random_params(self.augment, height, width, seed)

    @suggests
    def apply_transform(self, x: np.ndarray, transform_parameters: dict[str, Any]) -> np.ndarray:
        """Applies a transform to one image; see `get_random_transform` for its parameters.

        Args:
            x: [H, W, C], or [C, H, W] with channels_first.
            transform_parameters: missing parameters are neutral, unknown ones are ignored.

        Returns:
            A new array of the same shape and dtype.

        Raises:
            ValueError: x is not of rank 3.
        """
        return arrays.transform_array(x, transform_parameters, self.augment, self.channel_axis == 1)

    @suggests
    def random_transform(self, x: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Applies a random transform to one image.

        Args:
            x: the image [H, W, C] ([C, H, W] with channels_first).
            seed: as for `get_random_transform`.
        """
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    @suggests
    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Standardizes one image or a batch, as a new array.

        Feature-wise steps that were not fitted are left out, with a warning.

        Args:
            x: the image, or the batch.
        """
        warn_of_unfitted(self.standardization)
        return arrays.standardize_array(x, self.standardization, self.dtype)

    def _fraction(self, subset: str | None) -> float:
        """Returns the fraction for validation, checked against the subset."""
        check_one_of("subset", subset, SUBSETS)
        if subset is not None and not self._validation_split:
            raise ValueError(
                f"subset={subset!r} needs a validation_split: pass "
                "ImageDataGenerator(validation_split=0.2). Received: validation_split="
                f"{self._validation_split!r}."
            )
        return self._validation_split or 0.0

    def _listed(self, subset: str | None) -> dict[str, Any]:
        """Returns what a source is told of the split; nothing if it is made after the files are compared."""
        fraction = self._fraction(subset)
        return {} if self._keeps_together else {"fraction": fraction, "subset": subset}

    @property
    def _keeps_together(self) -> bool:
        keep_duplicates_together = getattr(self, "keep_duplicates_together", None)
        check_together(keep_duplicates_together)
        return keep_duplicates_together is not None

    def _subset_of(self, source: Source, subset: str | None, *, by_class: bool = False) -> Source:
        """Returns the subset of a source, where `keep_duplicates_together` has left that to do.

        Args:
            source: all samples.
            subset: "training", "validation" or None.
            by_class: whether the classic splits each class by itself.
        """
        if subset is None or not self._keeps_together:
            return source
        labels = source.targets if by_class else np.zeros(len(source), np.int64)
        parts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        heads = [
            rows[split_rows(len(rows), self._fraction(subset), "validation")] for rows in parts
        ]
        validation = np.concatenate([np.zeros(0, np.int64), *heads])
        cut = Holdout(np.setdiff1d(np.arange(len(source)), validation), validation)
        cut = holdout_together(cut, content_ids(source.images), labels if by_class else None)
        return source.take(getattr(cut, subset))

    def _split(self, subset: str | None) -> tuple[float, float] | None:
        """Returns the classic's `split` attribute."""
        share = self._validation_split
        return {None: None, "validation": (0, share), "training": (share, 1)}[subset]

    def _image_array(self, where: str, x: Any) -> np.ndarray:
        """Returns images as [n, H, W, C] in uint8, or in the dtype of computation; `dtype` comes last."""
        images = np.asarray(x)
        checks.check_rank_and_channels(where, images, self.channel_axis, self.data_format)
        if images.dtype != np.uint8:
            images = images.astype("float64" if self.dtype == "float64" else "float32", copy=False)
        return images.transpose(0, 2, 3, 1) if self.channel_axis == 1 else images
