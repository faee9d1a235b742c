"""The frozen specifications that both doors translate their arguments into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_bool, check_int, check_one_of
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.cache import check_cache
from tfpipe.pipeline.order import BALANCES
from tfpipe.pipeline.saving import SaveSpec
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize

DATA_FORMATS = ("channels_last", "channels_first")
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8")

# Samples that are delivered one by one are finished together nevertheless: a batch for each of them
# would cost another 0.3 ms a sample.
_TOGETHER = 32


def dtype_name(dtype: Any) -> str:
    """The name of a dtype of images, given by its name or as NumPy's or TensorFlow's object.

    >>> dtype_name(tf.uint8)
    'uint8'
    """
    if dtype is float or (isinstance(dtype, str) and dtype == "float"):
        dtype = "float64"  # as NumPy has it; TensorFlow makes it float32
    try:
        name = tf.as_dtype(dtype).name
    except (TypeError, ValueError):  # TensorFlow's own words name no argument
        name = dtype
    check_one_of("dtype", name, DTYPES)
    return str(name)


@dataclass(frozen=True)
class PipelineSpec:
    """Everything but the source that decides what the batches are.

    Attributes:
        image: for a source of files; None for arrays, which keep their size.
        label: the encoding of the targets.
        batch_size: samples in a batch; the last one may be short.
        batched: False, with a batch size of 1, for samples without a batch dimension.
        drop_remainder: leave a short last batch out, so that every shape is static, as TPUs need.
        augment: random transforms of the training samples, an `Augment`; a validation subset gets none.
        standardize: what is done to every image after that, in both subsets; a `Standardize`.
        shuffle: a new order each epoch.
        balance: "oversample": each epoch of the training samples has every class as often as the largest,
            its samples repeated; "undersample": as often as the smallest, other samples each epoch; None:
            the samples as they are.
        cache: keep decoded images, before augmentation, from the first epoch on: "memory", or a directory;
            None: decode them in each epoch.
        include_paths: make the path of each sample the last item of a batch, to stand beside a prediction.
        seed: of every random number, 0 <= seed < 2**63; drawn by default.
        dtype: of the images: "float16", "bfloat16", "float32", "float64" or "uint8".
        data_format: "channels_last" or "channels_first".
        errors: what becomes of a file that cannot be used.
        save: write each image as it leaves the pipeline; None: do not.
        num_parallel_calls: number of samples prepared at once; None, and `tf.data.AUTOTUNE`: one more than
            there are cores, on a worker of a tf.data service as many as it has. Fewer leave cores to a model
            that trains on them. More have a thread each, for files on a network disk; from a local one they
            are slower, and each holds a whole image. Never changes a batch.
        prefetch: number of batches made ahead; `tf.data.AUTOTUNE` leaves it to tf.data. With the samples
            that are being prepared, they are all the memory that grows with the size of a batch. Never
            changes a batch.
        ram_budget: bytes that the buffers, and a cache in memory, may take: an error where they may take
            more; None: no limit. Images that are not resized yet are not counted.
        deterministic: True: order and pixels are functions of (seed, epoch, index), whatever the number of
            threads.
    """

    image: ImageSpec | None = None
    label: LabelSpec = field(default_factory=LabelSpec)
    augment: Augment = field(default_factory=Augment)
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
    deterministic: bool = True

    def __post_init__(self) -> None:
        check_int("batch_size", self.batch_size, 1)
        check_bool("batched", self.batched)
        if self.augment.mixes and not self.batched:
            raise ValueError(
                "MixUp and CutMix mix the samples of a batch. Received: batch_size=None. Give a batch_size; "
                "dataset.unbatch() takes the mixed batches apart again."
            )
        if self.num_parallel_calls is not None:
            check_int("num_parallel_calls", self.num_parallel_calls, 1)
        check_int("prefetch", self.prefetch, tf.data.AUTOTUNE)
        if self.ram_budget is not None:
            check_int("ram_budget", self.ram_budget, 1)
            if self.prefetch == tf.data.AUTOTUNE:
                raise ValueError(
                    "ram_budget needs a number of batches as prefetch, not AUTOTUNE. Received: "
                    f"ram_budget={self.ram_budget}, prefetch={self.prefetch}."
                )
        check_bool("drop_remainder", self.drop_remainder)
        check_bool("shuffle", self.shuffle)
        check_bool("include_paths", self.include_paths)
        check_one_of("balance", self.balance, BALANCES)
        check_cache(self.cache)
        check_one_of("dtype", self.dtype, DTYPES)
        check_one_of("data_format", self.data_format, DATA_FORMATS)
        check_int("seed", self.seed, 0)
        if self.deterministic is not True:
            raise ValueError(
                "deterministic must be True: order and pixels are functions of (seed, epoch, index), "
                "whatever the number of threads. Received: "
                f"deterministic={self.deterministic!r}. Leave it out."
            )

    @property
    def together(self) -> int:
        """How many samples are finished at once: a batch, where there are batches."""
        return self.batch_size if self.batched else _TOGETHER

    @property
    def compute_dtype(self) -> str:
        """The dtype of augmentation and standardisation."""
        return "float64" if self.dtype == "float64" else "float32"

    @property
    def rescales_early(self) -> bool:
        """Whether the rescale goes into the compiled pass of the augmentation."""
        return bool(
            self.augment.changes_pixels
            and self.standardize.rescale
            and self.standardize.preprocessing_function is None
        )
