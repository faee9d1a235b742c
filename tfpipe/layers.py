"""Keras layers that do inside a model, on its device, what the pipeline does on the host.

model = keras.Sequential([tfpipe.layers.Augment(rotation_range=20, horizontal_flip=True), ...])
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, fields
from typing import Any

import keras
import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_bool
from tfpipe.keywords import check_known, with_keywords
from tfpipe.transforms import augment, draws
from tfpipe.transforms.motion import apply


@keras.saving.register_keras_serializable(package="tfpipe")
class Augment(keras.layers.Layer):
    """The random transforms of `tfpipe.Augment`, on batches, while a model trains.

    Each image of each batch gets its own parameters, drawn as in the pipeline, and the pipeline's own
    functions apply them, on the GPU if there is one. In `predict`, `evaluate` and wherever `training` is
    False, images pass unchanged. The numbers drawn are a function of the seed and of the number of batches
    before. That number is saved with the model, so a resumed `fit` continues the draws.

    Args:
        seed: int, or None to draw one from NumPy's global generator. Two layers with the same seed draw
            the same.
        unit_range: whether images are in 0..1, not in 0..255; matters for brightness, contrast, saturation
            and RandAugment.
        name, trainable, dtype: as in any layer. Images are computed in float32 (in float64 under "float64")
            and leave in the layer's compute dtype, so in float16 under "mixed_float16".
        **ranges: the arguments of `tfpipe.Augment`, except `mixup_alpha` and `cutmix_alpha`, which need the
            labels and stay with the data set.

    Call it with images [B, H, W, C] or one image [H, W, C] of any real dtype, with known H, W and C. The
    result has the same shape.

    Raises:
        ValueError: `tfpipe.Augment` refuses a range, MixUp or CutMix is on, or Keras runs on a backend
            other than TensorFlow.

    >>> layer = Augment(horizontal_flip=True, rotation_range=20, seed=1)
    >>> images = tf.ones([2, 4, 4, 3])
    >>> layer(images, training=True).shape, layer.augment.rotation_range
    (TensorShape([2, 4, 4, 3]), 20)
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        unit_range: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **ranges: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        known = [field.name for field in fields(augment.Augment)]
        check_known("Augment", ranges, ["seed", "unit_range", "name", "trainable", "dtype", *known])
        self.augment = augment.Augment(**ranges)
        if self.augment.mixes:
            raise ValueError(
                "mixup_alpha and cutmix_alpha mix labels too, which a layer does not see. Received: "
                f"mixup_alpha={self.augment.mixup_alpha!r}, cutmix_alpha={self.augment.cutmix_alpha!r}. "
                "Pass them to the data set: image_dataset_from_directory(..., augment=...)."
            )
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "tfpipe.layers.Augment needs Keras' TensorFlow backend. Received: backend="
                f"{keras.backend.backend()!r}. Augment in the data set instead."
            )
        check_bool("unit_range", unit_range)
        self.unit_range = bool(unit_range)
        self.seed = seeds.as_seed(seed)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) not in (3, 4) or None in input_shape[-3:]:
            raise ValueError(
                "Images must be [B, H, W, C] or [H, W, C], with known H, W and C. Received: "
                f"shape={tuple(input_shape)}. Pass their size to keras.Input."
            )
        # A variable, so that it is saved with the model and counts in a compiled step, too.
        self.batches = self.add_weight(
            name="batches",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        images = tf.convert_to_tensor(images)
        if not training or not self.augment.changes_pixels:
            return tf.cast(images, self.compute_dtype)
        batch = images if images.shape.rank == 4 else images[tf.newaxis]
        key = seeds.fold_in(seeds.stream_key(self.seed, "augment"), self.batches.value)
        replica = tf.distribute.get_replica_context()
        if replica is not None:  # each replica of a strategy draws for its own images
            key = seeds.fold_in(key, tf.cast(replica.replica_id_in_sync_group, tf.int64))
        self.batches.assign_add(1)
        numbers = tf.random.stateless_uniform(
            [tf.shape(batch)[0], draws.NUMBERS], key, 0, 1, tf.float64, alg="philox"
        )
        params = draws.parameters(self.augment, numbers, *batch.shape[1:3])
        result = self.transform(batch, params)
        return result if images.shape.rank == 4 else result[0]

    def transform(self, images: tf.Tensor, params: dict[str, Any]) -> tf.Tensor:
        """Transforms a batch by parameters that were drawn, with `motion.apply`.

        Args:
            images: [B, H, W, C].
            params: as `draws.parameters` returns them.
        """
        if images.dtype not in (tf.uint8, tf.float64):
            images = tf.cast(images, tf.float64 if self.compute_dtype == "float64" else tf.float32)
        changed = apply(images, params, self.augment, unit_range=self.unit_range)
        return tf.cast(changed, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"seed": self.seed, "unit_range": self.unit_range}
        return {**super().get_config(), **own, **asdict(self.augment)}


# So that `help()` and editors show the ranges, too.
_MIXTURES = ("mixup_alpha", "cutmix_alpha")
_RANGES = inspect.signature(augment.Augment).parameters.values()
with_keywords(Augment.__init__, [p for p in _RANGES if p.name not in _MIXTURES])
