"""`ImageDataGenerator`: the classic's names and defaults, which live here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfpipe import console, seeds
from tfpipe.builders import classic_checks as checks
from tfpipe.builders.check_first import without_bad_files
from tfpipe.builders.classic_specs import (
    CLASS_MODES,
    DATAFRAME_CLASS_MODES,
    DIRECTORY_CLASS_MODES,
    false_if_none,
    image_attributes,
    image_spec,
)
from tfpipe.builders.generator_settings import GeneratorSettings
from tfpipe.builders.options import FILE_SPECS, SYNONYMS, FileOptions
from tfpipe.checks import check_bool, check_int, check_one_of
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.console import say
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.dataset.iterators import (
    DataFrameIterator,
    DirectoryIterator,
    Iterator,
    NumpyArrayIterator,
)
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.keywords import routed, suggests, takes
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.saving import SaveSpec
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import table
from tfpipe.sources.arrays import from_arrays
from tfpipe.sources.dataframe import from_dataframe
from tfpipe.sources.directory import from_directory
from tfpipe.sources.source import Source
from tfpipe.transforms import statistics
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import warn_of_unfitted

if TYPE_CHECKING:
    from typing_extensions import Unpack


@suggests
class ImageDataGenerator(GeneratorSettings):
    """Batches of images from a directory, a dataframe or arrays, like Keras' class of this name.

    Every parameter means what it means there. The pixel work is done by one `tf.data` graph, so
    what the `flow...` methods return is a `tf.data.Dataset` as well; see `Iterator`.

    Args:
        rotation_range, width_shift_range, height_shift_range, brightness_range, shear_range,
            zoom_range, channel_shift_range, fill_mode, cval, horizontal_flip, vertical_flip,
            interpolation_order: the random transforms; see `Augment`.
        featurewise_center, samplewise_center, featurewise_std_normalization,
            samplewise_std_normalization, zca_whitening, rescale, preprocessing_function: what is
            done after them; see `Standardize`. Each std flag turns its center flag on, and ZCA turns on
            `featurewise_center`, with a warning. The feature-wise steps need `fit`.
        zca_epsilon: added to the singular values of the ZCA.
        data_format: "channels_last", "channels_first", or None for Keras' setting.
        validation_split: the fraction of the samples, 0 <= fraction < 1, that `subset="validation"` takes.
            With the attribute `keep_duplicates_together = "exact"`, no image is in both subsets under two
            names.
        dtype: of the batches; None for Keras' floatx.

    Raises:
        ValueError: an argument is out of its range; the message names it and what is allowed.

    >>> generator = ImageDataGenerator(validation_split=0.25)
    >>> batches = generator.flow(np.zeros([8, 4, 6, 3]), np.arange(8), batch_size=3,
    ...                          subset="training", ignore_class_split=True)
    >>> x, y = batches[0]
    >>> x.shape, y.shape, len(batches)
    ((3, 4, 6, 3), (3,), 2)
    """

    @suggests
    def fit(
        self,
        x: Any,
        augment: bool = False,
        rounds: int = 1,
        seed: int | None = None,
        *,
        verbose: bool = True,
    ) -> None:
        """Computes `mean`, `std` and `zca_whitening_matrix`, as the flags require.

        The statistics are of the images as they are before the feature-wise steps: after augmentation (if
        `augment`), preprocessing_function, rescale and the sample-wise steps. They take one streaming pass in
        float64, which holds nothing but the ZCA sums in memory.

        Args:
            x: images [n, H, W, C] ([n, C, H, W] with channels_first), or an `ImageDataset`, such as
                `generator.flow_from_directory(...)`, whose files need not fit in memory. A data set gives
                the images and their size; augmentation and standardization are this generator's.
            augment: whether to transform the images at random.
            rounds: passes over the data, if `augment`.
            seed: of the random transforms; None draws one from NumPy's global generator.
            verbose: whether to show a progress bar, in a terminal, if it takes a while.

        Raises:
            ValueError: x is not of rank 4, or is empty.
        """
        check_int("rounds", rounds, 1)
        if augment:
            transforms = ("random_transform", "get_random_transform", "apply_transform")
            self._check_own("the batches of fit", *transforms)
        if not isinstance(x, ImageDataset):
            in_order = PipelineSpec(shuffle=False, seed=0)
            x = ImageDataset(from_arrays(self._image_array("fit", x)), in_order)
        images = x.images_only(
            augment=self.augment if augment else Augment(),
            standardize=replace(
                self.standardization,
                featurewise_center=False,
                featurewise_std_normalization=False,
                zca_whitening=False,
            ),
            seed=seeds.as_seed(seed) if augment else 0,
            dtype="float64" if self.dtype == "float64" else "float32",
            data_format=self.data_format,
        )
        passes = rounds if augment else 1
        with console.shown(verbose), console.bar("Fitting", passes * len(images)) as advance:
            found = statistics.fit(
                _each_batch(images, passes, advance),
                self.channel_axis,
                self.zca_epsilon if self.zca_whitening else None,
            )
        dtype = tf.as_dtype(images.dtype).as_numpy_dtype
        shape = (1, 1, -1) if self.channel_axis == 3 else (-1, 1, 1)
        if self.featurewise_center:
            self.mean = found.mean.reshape(shape).astype(dtype)
        if self.featurewise_std_normalization:
            self.std = found.std.reshape(shape).astype(dtype)
        if found.zca_whitening_matrix is not None:
            self.zca_whitening_matrix = found.zca_whitening_matrix.astype(dtype)

    @suggests
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
    ) -> NumpyArrayIterator:
        """Returns batches of images that are in memory.

        Args:
            x: images [n, H, W, C] ([n, C, H, W] with channels_first), or a pair (images, misc) where misc
                is an array [n, ...], or a list of them, that goes to the model with the images.
            y: targets [n, ...]; they keep their dtype.
            batch_size: samples per batch; the last batch may have fewer.
            shuffle: a new order each epoch.
            sample_weight: a weight for each sample, [n]; ignored without y, with a warning.
            seed: of the order and the augmentation; None draws one from NumPy's global generator.
            save_to_dir: a folder to which each image is written as it leaves the pipeline.
            save_prefix: what the names of the files written begin with.
            save_format: their format, such as "png" or "jpeg".
            ignore_class_split: allow a subset that lacks some of the labels.
            subset: "training", "validation" or None for all.

        Returns:
            An `Iterator` of x, (x, y) or (x, y, weights).

        Raises:
            ValueError: lengths differ; x is not of rank 4; the two subsets have different labels.
        """
        fraction = self._fraction(subset)
        misc: list[np.ndarray] = []
        if isinstance(x, tuple | list):
            if len(x) != 2:
                raise ValueError(
                    "x must be an array of images, or a pair (images, misc). "
                    f"Received a {type(x).__name__} of {len(x)}: make it one array with np.stack."
                )
            x, others = x
            others = others if isinstance(others, list) else [others]
            misc = [checks.as_column(f"misc {n} of x", o) for n, o in enumerate(others)]
        y = None if y is None else checks.as_column("y", y)
        checks.check_no_nan("y", y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        checks.check_lengths(np.asarray(x), misc, y, weights)
        images = self._image_array("flow", x)
        if weights is not None:
            weights = checks.weights_of(weights, y is not None)
        if subset is not None and y is not None and not ignore_class_split:
            checks.check_same_labels(y, fraction)
        source = from_arrays(images, misc, y, weights, **self._listed(subset))
        source = self._subset_of(source, subset)
        save_options = (save_to_dir, save_prefix, save_format)
        dataset = self._dataset(
            NumpyArrayIterator,
            source,
            LabelSpec("value" if y is not None else None),
            None,
            batch_size,
            shuffle,
            seed,
            save_options,
        )
        return self._with_attributes(dataset, subset)

    @takes(FileOptions, *FILE_SPECS, synonyms=SYNONYMS)
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
        **options: Unpack[FileOptions],
    ) -> DirectoryIterator:
        """Returns batches of the images below a directory that has one sub-folder per class.

        Args:
            directory: a local folder, or one with a scheme such as gs://.
            target_size: (height, width) that every image is resized to, in pixels.
            color_mode: "grayscale", "rgb" or "rgba".
            classes: the sub-folders to take, in the order of their ids. Default: all, sorted. ["."] takes the
                files of the directory itself and below, as one class.
            class_mode: "categorical" (one-hot [B, K]), "binary" or "sparse" (class ids [B]), "input"
                (y is x) or None (no y).
            batch_size, shuffle, seed, save_to_dir, save_prefix, save_format: as for `flow`.
            subset: "training", "validation" or None for all; each class is split by itself.
            follow_links: follow links to folders below a class.
            interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos", as in Pillow.
            keep_aspect_ratio: first crop the center of each image to the aspect ratio of `target_size`.

        Returns:
            An `Iterator` of x or (x, y).

        Raises:
            FileNotFoundError: there is no such directory.
            ValueError: an argument is not one of those allowed; a name in `classes` has no folder.
        """
        check_one_of("class_mode", class_mode, DIRECTORY_CLASS_MODES)
        given = routed(options, *FILE_SPECS)
        image = image_spec(
            target_size, color_mode, interpolation, keep_aspect_ratio, given[DecodeSpec]
        )
        save_options = (save_to_dir, save_prefix, save_format)
        errors = ErrorPolicy(**given[ErrorPolicy])
        source = from_directory(
            directory,
            KNOWN_SUFFIXES,
            classes=classes,
            follow_links=follow_links,
            **self._listed(subset),
        )
        source = self._subset_of(source, subset, by_class=True)
        say(f"Found {len(source)} images belonging to {len(source.class_names)} classes.")
        label = LabelSpec(CLASS_MODES[class_mode][1], self.dtype, len(source.class_names))
        dataset = self._dataset(
            DirectoryIterator, source, label, image, batch_size, shuffle, seed, save_options, errors
        )
        return self._with_attributes(
            dataset,
            subset,
            directory=directory,
            class_mode=class_mode,
            **image_attributes(image),
        )

    @takes(FileOptions, *FILE_SPECS, also=tuple(checks.DEPRECATED), synonyms=SYNONYMS)
    def flow_from_dataframe(
        self,
        dataframe: pd.DataFrame | str | os.PathLike[str],
        directory: str | os.PathLike[str] | None = None,
        x_col: Any = "filename",
        y_col: Any = "class",
        weight_col: Any = None,
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
        **options: Unpack[FileOptions],
    ) -> DataFrameIterator:
        """Returns batches of the images that a dataframe names.

        Args:
            dataframe: a dataframe, or the path of a .csv or .parquet file. It is not changed.
            directory: the folder of relative names; absolute names work with or without it.
            x_col: the column of file names, all str. The name of a column may be a str, an int, or a tuple in
                a frame whose column names have several levels.
            y_col: the column of labels, or a list of columns for "raw" and "multi_output".
            weight_col: the column of sample weights, numbers, which become the third item of each batch;
                ignored without labels, with a warning.
            classes: the classes in the order of their ids; rows of other classes are dropped.
                Default: the labels that occur, sorted.
            class_mode: "categorical" (labels str, list or tuple; one-hot or multi-hot [B, K]), "binary"
                (2 classes) or "sparse" (class ids [B]), "raw" (the column as it is, [B] or [B, columns]),
                "multi_output" (a tuple with one array per column), "input" (y is x) or None (no y).
            subset: the split is taken over all rows that are left, in their order.
            validate_filenames: drop rows whose file is missing or does not have the suffix of an image, and
                warn.
            target_size, color_mode, batch_size, shuffle, seed, save_to_dir, save_prefix, save_format,
                interpolation, keep_aspect_ratio: as for `flow_from_directory`.

        `has_ext`, `sort` and `drop_duplicates`, which the classic once took, only warn.

        Returns:
            An `Iterator` of x, (x, y) or (x, y, weights).

        Raises:
            KeyError: the dataframe has no such column.
            TypeError: a column holds the wrong type; an unknown keyword.
            ValueError: an argument is not one of those allowed; "binary" without exactly 2 classes.
        """
        class_mode = checks.check_deprecated(class_mode, options)
        check_one_of("class_mode", class_mode, DATAFRAME_CLASS_MODES)
        check_bool("validate_filenames", false_if_none(validate_filenames))
        given = routed(options, *FILE_SPECS)
        image = image_spec(
            target_size, color_mode, interpolation, keep_aspect_ratio, given[DecodeSpec]
        )
        save_options = (save_to_dir, save_prefix, save_format)
        errors = ErrorPolicy(**given[ErrorPolicy])
        of_split = self._listed(subset)
        targets, encoding = CLASS_MODES[class_mode]
        has_classes = targets == "classes"
        text = table.text_columns(x_col, y_col, has_classes=has_classes)
        frame = table.read_frame(dataframe, text)
        checks.check_class_columns(
            frame, x_col, None if targets is None else y_col, weight_col, classes, class_mode
        )
        source = from_dataframe(
            frame,
            KNOWN_SUFFIXES,
            directory=os.fspath(directory or ""),
            x_col=x_col,
            y_col=y_col,
            weight_col=None if class_mode is None else weight_col,
            targets=targets,
            classes=classes,
            validate_filenames=validate_filenames,
            **of_split,
        )
        source = self._subset_of(source, subset)
        checks.check_binary_classes(source, class_mode, classes)
        say(
            f"Found {len(source)} {'validated' if validate_filenames else 'non-validated'} image "
            "filenames"
            + (f" belonging to {len(source.class_names)} classes." if has_classes else ".")
        )
        label = LabelSpec(encoding, self.dtype, len(source.class_names))
        dataset = self._dataset(
            DataFrameIterator, source, label, image, batch_size, shuffle, seed, save_options, errors
        )
        return self._with_attributes(
            dataset,
            subset,
            directory=directory or "",
            class_mode=class_mode,
            **image_attributes(image),
        )

    def _dataset(
        self,
        kind: type[Iterator],
        source: Source,
        label: LabelSpec,
        image: ImageSpec | None,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        save_options: tuple[Any, str, str],
        errors: ErrorPolicy | None = None,
    ) -> Iterator:
        self._check_own("batches", "get_random_transform", "apply_transform", "standardize")
        warn_of_unfitted(self.standardization, "The step is left out, even if fit is called later.")
        spec = PipelineSpec(
            image=image,
            label=label,
            augment=self.augment,
            standardize=self.standardization,
            batch_size=batch_size,
            shuffle=false_if_none(shuffle),
            seed=seeds.as_seed(seed),
            dtype=self.dtype,
            data_format=self.data_format,
            save=SaveSpec.of(*save_options),
            errors=errors or ErrorPolicy(),
        )
        dataset = kind(*without_bad_files(source, spec))
        dataset.__dict__ |= {"image_data_generator": self, "save_options": save_options}
        return dataset

    def _with_attributes(
        self, dataset: Iterator, subset: str | None, **attributes: Any
    ) -> Iterator:
        """Returns the data set with the attributes that the classic's iterators have."""
        dataset.__dict__ |= attributes | {"subset": subset, "split": self._split(subset)}
        return dataset

    def _check_own(self, what: str, *names: str) -> None:
        """Raises `ValueError` for methods of a subclass that `what` would bypass."""
        for name in names:
            method = getattr(getattr(self, name), "__func__", None)
            if method is not getattr(ImageDataGenerator, name):
                raise ValueError(
                    f"This {type(self).__name__} has its own {name}, but {what} are made in the graph, "
                    "which would not call it. Write it as a preprocessing_function, or use dataset.map(...)."
                )


def _each_batch(
    images: ImageDataset, passes: int, advance: console.Advance
) -> Generator[np.ndarray, None, None]:
    for _ in range(passes):
        for batch in images:
            yield batch.numpy()
            advance(1)
