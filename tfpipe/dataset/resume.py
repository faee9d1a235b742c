"""A `fit` that resumes where it was stopped: model, optimizer and the place in the input."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf

from tfpipe.checks import check_int
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.keywords import suggests


@suggests
class ResumableFit(keras.callbacks.Callback):
    """Saves a running `fit` every `save_freq` batches, and resumes from there when it is started again.

    `keras.callbacks.BackupAndRestore` saves the model but not the place in the input; this saves both. A run
    that was killed in the middle of an epoch and started again with the same command ends with the same
    weights as a run that was never stopped. The order and the augmentation of an `ImageDataset` are functions
    of (seed, epoch, index), so its place is two whole numbers.

    Args:
        dataset: the training data, the same object that `fit` is given. Make it with a seed.
        directory: where the last two checkpoints are kept.
        save_freq: "epoch", or the number of batches between two checkpoints.

    Raises:
        TypeError: dataset is not an `ImageDataset`.
        ValueError: save_freq is neither "epoch" nor a number of batches; Keras runs on a backend other than
            TensorFlow; or, when training begins, the checkpoint is from another seed, or steps_per_epoch is
            not the length of the data set.

    For weights that are equal bit for bit, the model must be deterministic too: use
    `keras.utils.set_random_seed` and `tf.config.experimental.enable_op_determinism`. The metrics of the epoch
    that was interrupted cover only its remaining batches.

    >>> import numpy as np, tempfile
    >>> from tfpipe import ImageDataGenerator
    >>> dataset = ImageDataGenerator().flow(np.zeros([8, 2, 3, 1]), np.zeros(8), seed=1)
    >>> model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> keep = ResumableFit(dataset, tempfile.mkdtemp(), save_freq=100)
    >>> history = model.fit(dataset, epochs=2, callbacks=[keep], verbose=0, shuffle=False)
    """

    def __init__(
        self,
        dataset: ImageDataset,
        directory: str | os.PathLike[str],
        save_freq: int | str = "epoch",
    ) -> None:
        super().__init__()
        if not isinstance(dataset, ImageDataset):
            raise TypeError(
                "dataset must be the tfpipe.ImageDataset that fit is given. "
                f"Received: {type(dataset).__name__}."
            )
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "ResumableFit needs Keras' TensorFlow backend, since it saves a tf.train.Checkpoint. "
                f"Received: backend={keras.backend.backend()!r}. Use keras.callbacks.BackupAndRestore, and "
                "dataset.seek(epoch) in a callback's on_epoch_begin."
            )
        if save_freq != "epoch" and not dataset._in_order:
            raise ValueError(
                "save_freq must be 'epoch' if service workers prepare the data set, because the order of its "
                f"batches is not known. Received: save_freq={save_freq!r}."
            )
        if save_freq != "epoch":
            check_int("save_freq", save_freq, 1)
        self._every = None if isinstance(save_freq, str) else save_freq
        self._dataset = dataset
        self._directory = os.fspath(directory)
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._position = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Batches of the epoch that are done.
        self._batches = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seed = tf.Variable(dataset.seed, dtype=tf.int64, trainable=False)
        self._first = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.params.get("steps") not in (None, len(self._dataset)):
            raise ValueError(
                f"ResumableFit needs epochs of the whole data set, {len(self._dataset)} batches. "
                f"Received: steps_per_epoch={self.params['steps']}. Leave it out."
            )
        self._build()
        checkpoint = tf.train.Checkpoint(
            # Listed by hand, because Keras' own tracking leaves out the state of Dropout's random numbers.
            model=[variable.value for variable in self.model.variables],
            optimizer=[variable.value for variable in self.model.optimizer.variables],
            epoch=self._epoch,
            position=self._position,
            batches=self._batches,
            seed=self._seed,
        )
        self._manager = tf.train.CheckpointManager(checkpoint, self._directory, max_to_keep=2)
        if self._manager.latest_checkpoint is None:
            return
        checkpoint.restore(self._manager.latest_checkpoint).assert_existing_objects_matched()
        if int(self._seed) != self._dataset.seed:
            raise ValueError(
                f"The checkpoint in {self._directory!r} is of a data set with seed {int(self._seed)}, "
                f"but this one has seed {self._dataset.seed}. Make it with the seed of the checkpoint to "
                "resume, or choose another directory to start from the beginning."
            )
        self.model._initial_epoch = int(self._epoch)  # as BackupAndRestore tells fit
        self._first = int(self._position)

    def _build(self) -> None:
        """Makes the variables that a checkpoint holds, which fit itself makes only at the first batch."""
        if not self.model.built:
            x = self._dataset.element_spec
            x = x[0] if isinstance(x, tuple) else x
            self.model.build(tf.nest.map_structure(lambda spec: tuple(spec.shape), x))
        self.model.optimizer.build(self.model.trainable_variables)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Set, not counted: fit under MirroredStrategy makes one iterator more than there are epochs.
        self._dataset.seek_position(epoch, self._first)
        self._begin, self._first = self._first, 0
        self._before = int(self._batches) if self._begin else 0
        self._saved = 0
        self._epoch.assign(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = batch + 1
        # Counted in batches, not in positions, which files that are left out take too.
        rest = len(self._dataset) - self._before - done
        if self._every and done - self._saved >= self._every and rest > 0:
            self._saved = done
            epoch = int(self._epoch)
            self._position.assign(self._dataset.position_after(epoch, self._begin, done))
            self._batches.assign(self._before + done)
            self._manager.save()
        if self._begin and rest == 0 and not self.model.stop_training:
            # The epoch began in the middle. If fit asked for one more batch, the optimizer would
            # count a step for it. 1, not True, because an EarlyStopping that sets True means it.
            self.model.stop_training = 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.stop_training is not True:
            self.model.stop_training = False
        self._epoch.assign(epoch + 1)
        self._position.assign(0)
        self._batches.assign(0)
        self._manager.save()
