"""A `fit` that resumes where it was stopped: model, optimizer and the place in the input."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.checks import check_int, check_one_of, warn
from tfpipe.dataset import fingerprint as prints
from tfpipe.dataset.checkpoints import Checkpoints
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.keywords import suggests
from tfpipe.pipeline.plan import batches_of

CHANGED = ("raise", "warn")

_FINGERPRINT = "run.json.gz"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_RATE = "optimizer.learning_rate"


@suggests
class ResumableFit(keras.callbacks.Callback):
    """Saves a running `fit` every `save_freq` batches, and resumes from there when it is started again.

    `keras.callbacks.BackupAndRestore` saves the model but not the place in the input; this saves both. A run
    that was killed in the middle of an epoch and started again with the same command ends with the same
    weights as a run that was never stopped. The order and the augmentation of an `ImageDataset` are functions
    of (seed, epoch, index), so its place is two whole numbers.

    Args:
        dataset: the training data, the same object that `fit` is given. Make it with a seed.
        directory: where the last two checkpoints are kept, and a fingerprint of the run. Each run needs a
            directory of its own.
        save_freq: "epoch", or the number of batches between two checkpoints.
        changed: what to do if the checkpoint is of a run with other files, labels, options, another model or
            optimizer. "raise": stop with an error that lists what changed. "warn": continue with what is new.
            If the data changed, the epoch that was interrupted begins again; a learning rate is the new
            one; an optimizer of another class begins without a history.

    Raises:
        TypeError: dataset is not an `ImageDataset`.
        ValueError: save_freq is neither "epoch" nor a number of batches; Keras runs on a backend other than
            TensorFlow; or, when training begins, the checkpoint is of another run, no checkpoint can be read,
            or steps_per_epoch is not the length of the data set.

    If the last checkpoint is damaged, training resumes from the one before, with a warning. For weights that
    are equal bit for bit, the model must be deterministic too: use
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
        changed: str = "raise",
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
        check_one_of("changed", changed, CHANGED)
        self._every = None if isinstance(save_freq, str) else save_freq
        self._dataset = dataset
        self._changed = changed
        self._kept = Checkpoints(os.fspath(directory))
        self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._position = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Batches of the epoch that are done.
        self._batches = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seed = tf.Variable(dataset.seed, dtype=tf.int64, trainable=False)
        # Batches that the epoch has, as far as that was known when it began. Counted again while it runs,
        # files that are left out would end it sooner or later, depending on how far it was read ahead.
        self._length = tf.Variable(0, dtype=tf.int64, trainable=False)
        # The samples that on_error="skip" has left out so far.
        self._skipped = tf.Variable(np.zeros(0, np.int64), shape=[None], trainable=False)
        self._first = 0
        # A fingerprint that is written once a checkpoint of this run is there.
        self._new_print: prints.Fingerprint | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.params.get("steps") not in (None, len(self._dataset)):
            raise ValueError(
                f"ResumableFit needs epochs of the whole data set, {len(self._dataset)} batches. "
                f"Received: steps_per_epoch={self.params['steps']}. Leave it out."
            )
        self._build()
        self._first = 0
        self._seed.assign(self._dataset.seed)
        # Listed by hand, because Keras' own tracking leaves out the state of Dropout's random numbers.
        self._state: dict[str, Any] = {
            "model": [variable.value for variable in self.model.variables],
            "optimizer": [variable.value for variable in self.model.optimizer.variables],
            "epoch": self._epoch,
            "position": self._position,
            "batches": self._batches,
            "seed": self._seed,
            "length": self._length,
            "skipped": self._skipped,
        }
        self._checkpoint = tf.train.Checkpoint(**self._state)
        now: prints.Fingerprint = {
            "data": prints.of_data(self._dataset.source, self._dataset.spec),
            "model": prints.of_model(self.model),
            "optimizer": prints.of_optimizer(self.model.optimizer),
        }
        path = self._kept.newest()
        if path is None:
            # Before the first checkpoint, so that there is none without it.
            self._kept.write(_FINGERPRINT, prints.as_bytes(now))
            return
        reader = tf.train.load_checkpoint(path)
        changes = self._changes(now, reader)
        self._restore(path, reader, changes)
        self.model._initial_epoch = int(self._epoch.value())  # as BackupAndRestore tells fit
        self._first = int(self._position.value())

    def _changes(self, now: prints.Fingerprint, reader: Any) -> list[prints.Change]:
        """Returns what changed since the checkpoint was written; raises `ValueError`, or warns of it."""
        directory = self._kept.directory
        try:
            content = self._kept.read(_FINGERPRINT)
            reason = "is missing, as it is after an earlier version of tfpipe"
            before = None if content is None else prints.from_bytes(content)
        except ValueError as err:
            before, reason = None, f"cannot be read ({err})"
        if before is None:
            self._new_print = now
            before = {"data": {"seed": str(int(reader.get_tensor("seed" + _VALUE)))}}
            warn(
                f"The file {self._kept.path(_FINGERPRINT)!r} {reason}. "
                "Training resumes, but only the seed could be compared."
            )
        changes = prints.changes_between(before, now)
        rate = self._rate_of(reader)
        # Callbacks change it during training, and a second fit of the program begins with that.
        changes = [c for c in changes if c.name != _RATE or now[c.part][_RATE] != rate]
        if not changes:
            return []
        self._new_print = now
        listed = "".join(f"\n  {change.text}" for change in changes)
        if self._changed == "raise":
            raise ValueError(
                f"The checkpoints in {directory!r} are of another run. What changed:{listed}\n"
                "Start it as it was to resume, choose another directory to start from the beginning, or "
                "pass changed='warn' to continue with what is new."
            )
        warn(
            f"The checkpoints in {directory!r} are of another run, and training continues with what is new. "
            f"What changed:{listed}"
        )
        return changes

    def _rate_of(self, reader: Any) -> str | None:
        """Returns the learning rate in a checkpoint, as a fingerprint has it; None for a schedule."""
        rate = getattr(self.model.optimizer, "_learning_rate", None)
        for number, variable in enumerate(self.model.optimizer.variables):
            name = f"optimizer/{number}{_VALUE}"
            if variable is rate and reader.has_tensor(name):
                return prints.as_text(reader.get_tensor(name))
        return None

    def _restore(self, path: str, reader: Any, changes: list[prints.Change]) -> None:
        names = {change.name for change in changes}
        state = dict(self._state)
        rate = None
        if "optimizer" in names:
            del state["optimizer"]
        elif _RATE in names and self._rate_of(reader) is not None:
            rate = float(self.model.optimizer.get_config()["learning_rate"])
        for name in ("model", "optimizer"):
            if name in state:
                _check_fits(path, reader, name, state[name])
        self._length.assign(self._dataset._count)
        for name in ("length", "skipped"):
            if not reader.has_tensor(name + _VALUE):  # an earlier version
                del state[name]
        restored = tf.train.Checkpoint(**state).restore(path)
        restored.assert_existing_objects_matched().expect_partial()
        if rate is not None:
            self.model.optimizer.learning_rate = rate
        if any(change.part == "data" for change in changes):
            # The place is one in another order.
            self._position.assign(0)
            self._batches.assign(0)
            self._skipped.assign(np.zeros(0, np.int64))
        self._seed.assign(self._dataset.seed)
        skipping = self._dataset._plan.skipping
        if skipping is not None and tf.size(self._skipped):
            skipping.skipped.note(self._skipped.value())

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
        self._before = int(self._batches.value()) if self._begin else 0
        if not self._begin:
            self._length.assign(batches_of(self._dataset._plan, epoch))
        self._saved = 0
        self._epoch.assign(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = batch + 1
        # Counted in batches, not in positions, which files that are left out take too.
        rest = int(self._length.value()) - self._before - done
        if self._every and done - self._saved >= self._every and rest > 0:
            self._saved = done
            epoch = int(self._epoch.value())
            self._position.assign(self._dataset.position_after(epoch, self._begin, done))
            self._batches.assign(self._before + done)
            self._save()
        may_be_short = self._begin or self._dataset._plan.skipping is not None
        if may_be_short and rest <= 0 and not self.model.stop_training:
            # The epoch began in the middle, or files were left out. If fit asked for one more batch, the
            # optimizer would count a step for it. 1, not True, because an EarlyStopping that sets True
            # means it.
            self.model.stop_training = 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.stop_training is not True:
            self.model.stop_training = False
        self._epoch.assign(epoch + 1)
        self._position.assign(0)
        self._batches.assign(0)
        self._save()

    def _save(self) -> None:
        skipping = self._dataset._plan.skipping
        if skipping is not None:
            self._skipped.assign(skipping.skipped.indices())
        self._kept.save(self._checkpoint)
        if self._new_print is not None:
            self._kept.write(_FINGERPRINT, prints.as_bytes(self._new_print))
            self._new_print = None


def _check_fits(path: str, reader: Any, name: str, variables: list[Any]) -> None:
    """Raises `ValueError` unless a checkpoint has a value for each variable of the model or optimizer."""
    shapes = reader.get_variable_to_shape_map()
    there = {key for key in shapes if key.startswith(f"{name}/")}
    for number, variable in enumerate(variables):
        key = f"{name}/{number}{_VALUE}"
        shape = shapes.get(key)
        if shape is None or shape != variable.shape.as_list() or len(there) != len(variables):
            raise ValueError(
                f"The checkpoint {path!r} does not fit the {name}: it has {len(there)} variables, where the "
                f"{name} has {len(variables)}; variable {number} has the shape {shape}, where the {name} has "
                f"{variable.shape.as_list()}. Make the {name} as it was to resume, or choose another "
                "directory to start from the beginning."
            )
