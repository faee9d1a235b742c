"""The frozen specification that every door translates its arguments into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_bool, check_int, check_one_of
from tfpipe.fields.field import Kind, Layout
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.fields.mask import check_mask_dtype
from tfpipe.ops.kernels import KERNELS
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.cache import check_cache
from tfpipe.pipeline.order import BALANCES
from tfpipe.pipeline.saving import SaveSpec
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize

DATA_FORMATS = ("channels_last", "channels_first")
TARGETS = ("dict", "tuple")
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8")

_MOST_IN_FLOAT16 = 65504
_MOST_CALLS = 4096

# Samples that are delivered one by one are still finished together, because a batch for each of them
# would cost another 0.3 ms per sample.
_TOGETHER = 32


def dtype_name(dtype: Any) -> str:
    """Returns the name of a dtype of images, given by its name or as NumPy's or TensorFlow's object.

    >>> dtype_name(tf.uint8)
    'uint8'
    """
    if dtype is float or (isinstance(dtype, str) and dtype == "float"):
        dtype = "float64"  # as NumPy has it; TensorFlow makes it float32
    try:
        name = tf.as_dtype(dtype).name
    except (TypeError, ValueError):  # TensorFlow's own message names no argument
        name = dtype
    check_one_of("dtype", name, DTYPES)
    return str(name)


def check_holds(dtype: str, standardize: Standardize) -> None:
    """Raises `ValueError` if a dtype cannot hold what images of 0..255 become.

    >>> check_holds("uint8", Standardize(rescale=1))
    """
    rescale = standardize.rescale or 1
    if dtype == "uint8" and standardize.centers_and_scales:
        raise ValueError(
            "dtype='uint8' holds whole numbers from 0 to 255, and centering or dividing by a standard "
            "deviation gives other numbers. Received: dtype='uint8', "
            f"{', '.join(standardize.centers_and_scales)}. Choose dtype='float32'."
        )
    if dtype == "uint8" and rescale != 1:
        raise ValueError(
            "dtype='uint8' holds whole numbers from 0 to 255, so the images cannot be rescaled. Received: "
            f"dtype='uint8', rescale={rescale!r}. Choose dtype='float32', or leave rescale out and put "
            f"keras.layers.Rescaling({rescale!r}) first in the model."
        )
    if dtype == "float16" and 255 * abs(rescale) > _MOST_IN_FLOAT16:
        raise ValueError(
            f"dtype='float16' holds numbers up to {_MOST_IN_FLOAT16}, and 255 becomes {255 * rescale:g}. "
            f"Received: dtype='float16', rescale={rescale!r}. Choose dtype='float32' or 'bfloat16'."
        )


@dataclass(frozen=True)
class PipelineSpec:
    """Everything that decides what the batches are, except the source.

    Attributes:
        image: how files become images; None for arrays, which keep their size.
        label: the encoding of the targets.
        mask_dtype: of masks: "int32" for class ids, the values as they are stored (the indices of a palette);
            "float32" for gray values in 0..1.
        targets: what y is where there are masks and labels: "dict" for {"segmentation_masks": masks,
            "labels": labels}, "tuple" for (masks, labels).
        fields: the kinds of further columns of the source, by name. A column that the layout does not name is
            not delivered.
        layout: what the model is given; None: images, labels or masks, weights and paths, as far as there
            are any.
        shared_augment: whether the images of a sample, if it has several, are augmented by the same draws;
            otherwise each has draws of its own.
        batch_size: samples per batch; the last batch may have fewer.
        batched: False, with a batch size of 1, for samples without a batch dimension.
        drop_remainder: leave out a last batch that is not full, so that every shape is static, as TPUs need.
        augment: random transforms of the training samples, an `Augment`. A validation subset is never
            augmented.
        standardize: what is done to every image after augmentation, in both subsets; a `Standardize`.
        shuffle: a new order each epoch.
        balance: the number of training samples per class in each epoch. "oversample": as many of every class
            as of the largest, by repeating samples; "undersample": as many of every class as of the smallest,
            with different samples each epoch; None: the samples as they are.
        cache: where to keep decoded images, before augmentation, so that later epochs need not decode them:
            "memory", or the path of a directory. None: decode them in each epoch.
        include_paths: add the path of each sample as the last item of a batch, for example to show it beside
            a prediction.
        seed: of every random number, 0 <= seed < 2**63; drawn by default.
        dtype: of the images: "float16", "bfloat16", "float32", "float64" or "uint8".
        data_format: "channels_last" or "channels_first".
        errors: what happens to a file that cannot be used.
        save: where to write each image as it leaves the pipeline; None: nowhere.
        num_parallel_calls: number of samples prepared at once. None or `tf.data.AUTOTUNE`: one more than
            there are cores; on a worker of a tf.data service, as many as it has cores. Fewer leave cores to
            a model that trains on them. More help with files on a network disk, since each sample has a
            thread that may wait; with files on a local disk they are slower, and each holds a whole image in
            memory. Never changes a batch.
        prefetch: number of batches prepared ahead; `tf.data.AUTOTUNE` leaves the number to tf.data. These
            batches and the samples being prepared take all the memory that grows with the batch size. Never
            changes a batch.
        ram_budget: the most bytes that the buffers and a cache in memory may take. If they may take more,
            making the data set is an error; None: no limit. Images that are not resized yet are not counted.
        kernels: what images are resized and moved with: "native", the kernels in C that tfpipe has if there
            was a C compiler at its installation; "tensorflow", TensorFlow's operations; "auto", the kernels
            in C if they were built. 8-bit images are resized to the same bits; others agree to 0.01 of 255.
        deterministic: must be True. Order and pixels are functions of (seed, epoch, index), whatever the
            number of threads.
    """

    image: ImageSpec | None = None
    label: LabelSpec = field(default_factory=LabelSpec)
    mask_dtype: str = "int32"
    targets: str = "dict"
    fields: Mapping[str, Kind] = field(default_factory=dict)
    layout: Layout | None = None
    augment: Augment = field(default_factory=Augment)
    shared_augment: bool = True
    standardize: Standardize = field(default_factory=Standardize)
    batch_size: int = 32
    batched: bool = True
    drop_remainder: bool = False
    shuffle: bool = True
    balance: str | None = None
    cache: str | None = None
    include_paths: bool = False
    seed: int = field(default_factory=seeds.draw_seed)
    dtype: str = "float32"
    data_format: str = "channels_last"
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    save: SaveSpec | None = None
    num_parallel_calls: int | None = None
    prefetch: int = 2
    ram_budget: int | None = None
    kernels: str = "auto"
    deterministic: bool = True

    def __post_init__(self) -> None:
        check_mask_dtype(self.mask_dtype)
        check_one_of("targets", self.targets, TARGETS)
        check_int("batch_size", self.batch_size, 1)
        check_bool("batched", self.batched)
        if self.augment.mixes and not self.batched:
            raise ValueError(
                "MixUp and CutMix mix the samples of a batch. Received: batch_size=None. Pass a batch_size; "
                "dataset.unbatch() then gives the mixed samples one by one."
            )
        if self.num_parallel_calls is not None:
            check_int("num_parallel_calls", self.num_parallel_calls, 1)
            if self.num_parallel_calls > _MOST_CALLS:
                raise ValueError(
                    f"num_parallel_calls must be at most {_MOST_CALLS}, because each call takes a thread. "
                    f"Received: num_parallel_calls={self.num_parallel_calls}."
                )
        check_int("prefetch", self.prefetch, tf.data.AUTOTUNE)
        if self.ram_budget is not None:
            check_int("ram_budget", self.ram_budget, 1)
            if self.prefetch == tf.data.AUTOTUNE:
                raise ValueError(
                    "With ram_budget, prefetch must be a number of batches, not AUTOTUNE. Received: "
                    f"ram_budget={self.ram_budget}, prefetch={self.prefetch}."
                )
        check_bool("drop_remainder", self.drop_remainder)
        check_bool("shuffle", self.shuffle)
        check_bool("include_paths", self.include_paths)
        check_bool("shared_augment", self.shared_augment)
        check_one_of("balance", self.balance, BALANCES)
        check_cache(self.cache)
        check_one_of("kernels", self.kernels, KERNELS)
        check_one_of("dtype", self.dtype, DTYPES)
        check_holds(self.dtype, self.standardize)
        check_one_of("data_format", self.data_format, DATA_FORMATS)
        check_int("seed", self.seed, 0)
        if self.deterministic is not True:
            raise ValueError(
                "deterministic must be True, since order and pixels depend only on (seed, epoch, index), "
                "whatever the number of threads. Received: "
                f"deterministic={self.deterministic!r}. Leave it out."
            )

    @property
    def together(self) -> int:
        """The number of samples that are finished at once: a batch, if there are batches."""
        return self.batch_size if self.batched else _TOGETHER

    @property
    def compute_dtype(self) -> str:
        """The dtype of augmentation and standardization."""
        return "float64" if self.dtype == "float64" else "float32"

    @property
    def rescales_early(self) -> bool:
        """Whether the rescale goes into the compiled pass of the augmentation."""
        return bool(
            self.augment.changes_pixels
            and self.standardize.rescale
            and self.standardize.preprocessing_function is None
        )
