"""`ImageDataGenerator`: the classic's names and defaults; its spellings live here and nowhere else."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfpipe import frames, sources
from tfpipe.checks import check_bool, check_number, check_one_of, did_you_mean
from tfpipe.dataset import ImageDataset
from tfpipe.formats import CLASSIC_SUFFIXES
from tfpipe.labels import LabelSpec
from tfpipe.pipeline import DATA_FORMATS, DTYPES, ImageSpec, PipelineSpec
from tfpipe.saving import SaveSpec
from tfpipe.sources import Source

DIRECTORY_CLASS_MODES = ("categorical", "binary", "sparse", "input", None)
DATAFRAME_CLASS_MODES = (
    "binary",
    "categorical",
    "input",
    "multi_output",
    "raw",
    "sparse",
    None,
)
SUBSETS = ("training", "validation", None)

# The classic's word for each encoding of `LabelSpec`.
_ENCODINGS = {
    "categorical": "one_hot",
    "binary": "index",
    "sparse": "index",
    "raw": "value",
    "multi_output": "outputs",
    "input": "image",
    None: None,
}
_NOT_YET = {
    "featurewise_center": False,
    "samplewise_center": False,
    "featurewise_std_normalization": False,
    "samplewise_std_normalization": False,
    "zca_whitening": False,
    "zca_epsilon": 1e-6,
    "rotation_range": 0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "brightness_range": None,
    "shear_range": 0.0,
    "zoom_range": 0.0,
    "channel_shift_range": 0.0,
    "fill_mode": "nearest",
    "cval": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
    "rescale": None,
    "preprocessing_function": None,
    "interpolation_order": 1,
}


class ImageDataGenerator:
    """Batches of images from a directory, a dataframe or arrays, as Keras' class of this name.

    Every parameter means what it means there. The pixel work is done by one `tf.data` graph, so
    what the `flow...` methods return is a `tf.data.Dataset`; see `ImageDataset`.

    Args:
        data_format: "channels_last", "channels_first", or None for Keras' setting.
        validation_split: the share of the samples, 0 <= share < 1, that `subset="validation"` takes.
        dtype: of the batches; None for Keras' floatx.

    Raises:
        ValueError: an argument is out of its range; the message names it and what is allowed.
        NotImplementedError: an argument of augmentation or standardisation, which are not here yet.

    >>> generator = ImageDataGenerator(validation_split=0.25)
    >>> batches = generator.flow(np.zeros([8, 4, 6, 3]), np.arange(8), batch_size=3,
    ...                          subset="training", ignore_class_split=True)
    >>> x, y = batches[0]
    >>> x.shape, y.shape, len(batches)
    ((3, 4, 6, 3), (3,), 2)
    """

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
        given = locals()
        for name, neutral in _NOT_YET.items():
            if given[name] != neutral:
                raise NotImplementedError(f"{name} is not supported yet. Received: {given[name]!r}.")
            setattr(self, name, given[name])
        self.data_format = data_format or keras.config.image_data_format()
        check_one_of("data_format", self.data_format, DATA_FORMATS)
        self.dtype = tf.as_dtype(dtype or keras.config.floatx()).name
        check_one_of("dtype", self.dtype, DTYPES)
        check_number("validation_split", validation_split)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                "`validation_split` must be strictly between 0 and 1. "
                f"Received: validation_split={validation_split!r}."
            )
        self._validation_split = validation_split
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean = None
        self.std = None
        self.zca_whitening_matrix = None

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> ImageDataset:
        """Batches of images in memory.

        Args:
            x: images [n, H, W, C] ([n, C, H, W] with channels_first), or a pair (images, misc) where misc
                is an array [n, ...] or a list of them that travels with the images.
            y: targets [n, ...]; they keep their dtype.
            batch_size: samples in a batch; the last one may be short.
            shuffle: a new order each epoch.
            sample_weight: [n].
            seed: of the order; None draws one.
            save_to_dir: a folder in which each image is written as it leaves the pipeline.
            save_prefix, save_format: of the files written.
            ignore_class_split: allow a subset that lacks some of the labels.
            subset: "training", "validation" or None for all.

        Returns:
            An `ImageDataset` of x, (x, y) or (x, y, weights).

        Raises:
            ValueError: lengths differ, x is not of rank 4, the two subsets have different labels.
        """
        fraction = self._fraction(subset)
        misc: list[np.ndarray] = []
        if isinstance(x, tuple | list):
            x, others = x
            misc = [np.asarray(o) for o in (others if isinstance(others, list) else [others])]
            for other in misc:
                if len(x) != len(other):
                    raise ValueError(
                        "All of the arrays in `x` should have the same length. Found a pair with: "
                        f"len(x[0]) = {len(x)}, len(x[?]) = {len(other)}"
                    )
        images = self._image_array(x)
        y = None if y is None else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        for name, column, label in (("y", y, "`y` (labels)"), ("sample_weight", weights, None)):
            if column is not None and len(column) != len(images):
                raise ValueError(
                    f"`x` (images tensor) and {label or '`sample_weight`'} should have the same "
                    f"length. Found: x.shape = {images.shape}, {name}.shape = {column.shape}"
                )
        if weights is not None:
            self._check_weights(weights, y is not None)
        count = sources.split_count(len(images), fraction)
        if (
            subset is not None
            and y is not None
            and not ignore_class_split
            and not np.array_equal(np.unique(y[:count]), np.unique(y[count:]))
        ):
            raise ValueError(
                "Training and validation subsets have different number of classes after the split. "
                "If your numpy arrays are sorted by the label, you might want to shuffle them, or "
                "pass ignore_class_split=True."
            )
        source = sources.from_arrays(images, misc, y, weights, fraction=fraction, subset=subset)
        dataset = self._dataset(
            source,
            LabelSpec("value" if y is not None else None),
            None,
            batch_size,
            shuffle,
            seed,
            _save_spec(save_to_dir, save_prefix, save_format),
        )
        return _with_attributes(dataset, subset=subset, split=self._split(subset))

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> ImageDataset:
        """Batches of the images below a directory that has one sub-folder a class.

        Args:
            directory: a local folder, or one behind a scheme such as gs://.
            target_size: (height, width) that every image is resized to, in pixels.
            color_mode: "grayscale", "rgb" or "rgba".
            classes: the sub-folders to take, in the order of their ids. Default: all, sorted.
            class_mode: "categorical" (one-hot [B, K]), "binary" or "sparse" (class ids [B]), "input"
                (y is x) or None (no y).
            batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset: as for `flow`; the
                split is taken from each class on its own.
            follow_links: go into links to folders below a class.
            interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos", Pillow's.
            keep_aspect_ratio: crop the centre to the ratio of `target_size` first.

        Returns:
            An `ImageDataset` of x or (x, y).

        Raises:
            FileNotFoundError: there is no such directory.
            ValueError: an argument is not one of those allowed; a name in `classes` has no folder.
        """
        check_one_of("class_mode", class_mode, DIRECTORY_CLASS_MODES)
        image = ImageSpec(target_size, color_mode, interpolation, keep_aspect_ratio)
        save = _save_spec(save_to_dir, save_prefix, save_format)
        source = sources.from_directory(
            directory,
            CLASSIC_SUFFIXES,
            classes=classes,
            follow_links=follow_links,
            fraction=self._fraction(subset),
            subset=subset,
        )
        _say(f"Found {len(source)} images belonging to {len(source.class_names)} classes.")
        label = LabelSpec(_ENCODINGS[class_mode], self.dtype, len(source.class_names))
        dataset = self._dataset(source, label, image, batch_size, shuffle, seed, save)
        return _with_attributes(
            dataset,
            directory=directory,
            class_mode=class_mode,
            subset=subset,
            split=self._split(subset),
            **_image_attributes(image),
        )

    def flow_from_dataframe(
        self,
        dataframe: pd.DataFrame | str | os.PathLike[str],
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        keep_aspect_ratio: bool = False,
        **deprecated: Any,
    ) -> ImageDataset:
        """Batches of the images that a dataframe names.

        Args:
            dataframe: a frame, or the path of a .csv or .parquet file. It is not changed.
            directory: where relative names start; absolute ones work with or without it.
            x_col: the column of file names, all str.
            y_col: the column of labels, or a list of columns for "raw" and "multi_output".
            weight_col: the column of sample weights, numbers; a third item of each batch.
            classes: the classes in the order of their ids; rows of others are dropped. Default: the
                labels that occur, sorted.
            class_mode: "categorical" (labels str, list or tuple; one-hot or multi-hot [B, K]), "binary"
                (2 classes) or "sparse" (class ids [B]), "raw" (the column as it is, [B] or [B, columns]),
                "multi_output" (a tuple, one array a column), "input" (y is x) or None (no y).
            subset: the split is taken over all rows that are left, in their order.
            validate_filenames: drop rows whose file is no image by its suffix or not there, and warn.
            target_size, color_mode, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format,
                interpolation, keep_aspect_ratio: as for `flow_from_directory`.
            **deprecated: `has_ext`, `sort` and `drop_duplicates` warn and do nothing.

        Returns:
            An `ImageDataset` of x, (x, y) or (x, y, weights).

        Raises:
            KeyError: the frame has no such column.
            TypeError: a column holds the wrong type; an unknown keyword.
            ValueError: an argument is not one of those allowed; "binary" without exactly 2 classes.
        """
        class_mode = _check_deprecated(class_mode, deprecated)
        check_one_of("class_mode", class_mode, DATAFRAME_CLASS_MODES)
        check_bool("validate_filenames", validate_filenames)
        image = ImageSpec(target_size, color_mode, interpolation, keep_aspect_ratio)
        save = _save_spec(save_to_dir, save_prefix, save_format)
        fraction = self._fraction(subset)
        has_classes = class_mode in ("binary", "categorical", "sparse")
        has_labels = has_classes or class_mode in ("raw", "multi_output")
        text = [x_col, y_col] if has_classes and isinstance(y_col, str) else [x_col]
        frame = frames.read_frame(dataframe, text)
        _check_columns(frame, x_col, y_col if has_labels else None, weight_col, classes, class_mode)
        source = frames.from_dataframe(
            frame,
            CLASSIC_SUFFIXES,
            directory=os.fspath(directory or ""),
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            targets={"raw": "values", "multi_output": "outputs"}.get(
                class_mode, "classes" if has_classes else None
            ),
            classes=classes,
            validate_filenames=validate_filenames,
            fraction=fraction,
            subset=subset,
        )
        _check_binary(source, class_mode, classes)
        _say(
            f"Found {len(source)} {'validated' if validate_filenames else 'non-validated'} image "
            "filenames"
            + (f" belonging to {len(source.class_names)} classes." if has_classes else ".")
        )
        label = LabelSpec(_ENCODINGS[class_mode], self.dtype, len(source.class_names))
        dataset = self._dataset(source, label, image, batch_size, shuffle, seed, save)
        return _with_attributes(
            dataset,
            directory=directory or "",
            class_mode=class_mode,
            subset=subset,
            split=self._split(subset),
            **_image_attributes(image),
        )

    def _dataset(
        self,
        source: Source,
        label: LabelSpec,
        image: ImageSpec | None,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        save: SaveSpec | None,
    ) -> ImageDataset:
        return ImageDataset(
            source,
            PipelineSpec(
                image=image,
                label=label,
                batch_size=batch_size,
                shuffle=shuffle,
                seed=seed,
                dtype=self.dtype,
                data_format=self.data_format,
                save=save,
            ),
        )

    def _fraction(self, subset: str | None) -> float:
        """The validation share, checked against the subset asked for."""
        check_one_of("subset", subset, SUBSETS)
        if subset is not None and not self._validation_split:
            raise ValueError(
                f"subset={subset!r} needs a validation_split: pass "
                "ImageDataGenerator(validation_split=0.2). Received: validation_split="
                f"{self._validation_split!r}."
            )
        return self._validation_split or 0.0

    def _split(self, subset: str | None) -> tuple[float, float] | None:
        """The classic's `split` attribute."""
        share = self._validation_split
        return {None: None, "validation": (0, share), "training": (share, 1)}[subset]

    def _image_array(self, x: Any) -> np.ndarray:
        """Images as [n, H, W, C] in uint8 or `dtype`, whichever is smaller."""
        images = np.asarray(x)
        if images.ndim != 4:
            raise ValueError(
                "Input data in `flow` should have rank 4, [n, height, width, channels]. You passed "
                f"an array with shape {images.shape}"
            )
        channels = images.shape[self.channel_axis]
        if channels not in (1, 3, 4):
            warnings.warn(
                f'flow is set to use the data format convention "{self.data_format}" (channels on '
                f"axis {self.channel_axis}), i.e. expected either 1, 3, or 4 channels on axis "
                f"{self.channel_axis}. However, it was passed an array with shape {images.shape} "
                f"({channels} channels).",
                stacklevel=3,
            )
        if images.dtype != np.uint8:
            images = images.astype(tf.as_dtype(self.dtype).as_numpy_dtype, copy=False)
        return images.transpose(0, 2, 3, 1) if self.channel_axis == 1 else images

    @staticmethod
    def _check_weights(weights: np.ndarray, has_labels: bool) -> None:
        if not has_labels:
            raise ValueError("sample_weight needs labels: pass y too, or leave sample_weight out.")
        if weights.dtype.kind not in "biuf" or not np.isfinite(weights).all():
            raise ValueError("sample_weight must hold finite numbers. Received NaN or others.")


def _check_deprecated(class_mode: str | None, keywords: dict[str, Any]) -> str | None:
    """Warns of what the classic took once; returns the class mode by its name of today."""
    remedies = {
        "has_ext": "filenames in the dataframe have to match the exact filenames on disk",
        "sort": "with shuffle=False batches come in the order of the dataframe",
        "drop_duplicates": "use pandas.DataFrame.drop_duplicates",
    }
    for name in keywords:
        if name not in remedies:
            known = [*remedies, *ImageDataGenerator.flow_from_dataframe.__annotations__]
            raise TypeError(
                f"flow_from_dataframe() got an unexpected keyword argument {name!r}."
                + did_you_mean(name, known)
            )
        warnings.warn(
            f"{name} is deprecated and ignored: {remedies[name]}.", DeprecationWarning, stacklevel=3
        )
    if class_mode == "other":
        warnings.warn(
            '`class_mode="other"` is deprecated, please use `class_mode="raw"`.',
            DeprecationWarning,
            stacklevel=3,
        )
        return "raw"
    return class_mode


def _check_columns(
    frame: pd.DataFrame,
    x_col: str,
    y_col: Any,
    weight_col: str | None,
    classes: Sequence[str] | None,
    class_mode: str | None,
) -> None:
    """Raises or warns where the columns do not fit the class mode, in the classic's words."""
    if class_mode == "multi_output" and not isinstance(y_col, list):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col must be a list. Received {type(y_col).__name__}.'
        )
    frames.check_columns(frame, x_col=x_col, y_col=y_col, weight_col=weight_col)
    if not frames.all_strings(frame[x_col]):
        raise TypeError(f"All values in column x_col={x_col} must be strings.")
    if class_mode in ("binary", "sparse") and not frames.all_strings(frame[y_col]):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col="{y_col}" column values must be strings.'
        )
    if class_mode == "categorical" and not (
        frames.all_strings(frame[y_col])
        or all(isinstance(label, str | list | tuple) for label in frame[y_col])
    ):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col="{y_col}" column values must be type string, '
            "list or tuple."
        )
    if classes and class_mode in ("input", "multi_output", "raw", None):
        warnings.warn(
            f'`classes` will be ignored given the class_mode="{class_mode}"', stacklevel=3
        )
    if class_mode == "binary" and classes and len(set(classes)) != 2:
        raise ValueError(
            f'If class_mode="binary" there must be 2 classes. {len(set(classes))} class/es were '
            "given."
        )
    if weight_col is not None:
        column = frame[weight_col]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")
        if class_mode is None:
            raise ValueError(
                f"weight_col={weight_col!r} needs labels, and class_mode=None has none: choose a "
                "class_mode, or leave weight_col out."
            )


def _check_binary(source: Source, class_mode: str | None, classes: Any) -> None:
    # After files that are not there were dropped: the classic counts classes of theirs too.
    found = len(source.class_names)
    if class_mode == "binary" and not classes and found != 2 and len(source):
        raise ValueError(
            f'If class_mode="binary" there must be 2 classes. Found {found} classes.'
        )


def _save_spec(directory: str | None, prefix: str, format: str) -> SaveSpec | None:
    return None if directory is None else SaveSpec(os.fspath(directory), str(prefix), format)


def _image_attributes(image: ImageSpec) -> dict[str, Any]:
    return {
        "target_size": image.size,
        "color_mode": image.color_mode,
        "interpolation": image.interpolation,
        "keep_aspect_ratio": image.keep_aspect_ratio,
    }


def _with_attributes(dataset: ImageDataset, **attributes: Any) -> ImageDataset:
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def _say(message: str) -> None:
    """Prints unless `keras.config.disable_interactive_logging()` was called."""
    if keras.config.is_interactive_logging_enabled():
        print(message)
