"""From a source and a specification to the requested data set, or the pair of data sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfpipe.builders.check_first import without_bad_files
from tfpipe.console import say
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import splits, together
from tfpipe.sources.class_weights import of_samples
from tfpipe.sources.contents import content_ids
from tfpipe.sources.source import Source
from tfpipe.transforms.augment import Augment


@dataclass(frozen=True)
class Share:
    """The part of a source that is requested.

    Attributes:
        subset: "training", "validation", "both" or None for all.
        fraction: of the samples, for validation; 0 < fraction < 1 if there is a subset.
        stratify: keep the class proportions in both subsets (needs scikit-learn).
        keep_duplicates_together: "exact": no image is in both subsets under two names. Files of equal size
            are read and compared; then those of equal contents are moved to one side, and others in their
            place. None: files are not compared.
        class_weights: "balanced", or {class name or id: weight}: adds the weight of each training sample as
            the third item of each batch.
        class_output: with outputs by name, the one whose classes `stratify`, `balance` and `class_weights`
            mean.
        seeded: whether the user gave the seed of the split.
    """

    subset: str | None = None
    fraction: float = 0.0
    stratify: bool = False
    keep_duplicates_together: str | None = None
    class_weights: Any = None
    class_output: str | None = None
    seeded: bool = True

    def __post_init__(self) -> None:
        together.check_together(self.keep_duplicates_together)
        if self.keep_duplicates_together is not None and self.subset is None:
            raise ValueError(
                "keep_duplicates_together='exact' needs a split: pass validation_split and subset. For "
                "folds: tfpipe.folds(..., keep_duplicates_together='exact')."
            )


def deliver(
    source: Source, spec: PipelineSpec, share: Share, verbose: bool
) -> ImageDataset | list[ImageDataset]:
    """Returns the data set of a part of a source; a list of two for "both".

    Args:
        source: all samples.
        spec: what is done to them. Only training samples are changed at random.
        share: the requested part.
        verbose: print how many samples there are.

    Raises:
        ValueError: the split leaves a part empty.
    """
    parts = _parts(source, spec, share)
    for name, part in parts.items():
        if share.subset is not None and verbose:
            say(f"Using {len(part)} files for {name}.")
        if not len(part):
            raise ValueError(
                f"validation_split={share.fraction!r} of {len(source)} image(s) leaves none for {name}. "
                f"Pass a {'larger' if name == 'validation' else 'smaller'} one, or use more images."
            )
    datasets = []
    for name, part in parts.items():
        part, of_part = without_bad_files(part, spec)
        if name == "validation":
            of_part = for_validation(of_part, shuffle=spec.shuffle and len(parts) == 1)
        else:
            part = with_class_weights(part, share.class_weights)
        datasets.append(ImageDataset(part, of_part))
    return datasets if len(datasets) > 1 else datasets[0]


def _parts(source: Source, spec: PipelineSpec, share: Share) -> dict[str, Source]:
    """Returns training and validation, or only the requested one; without a subset all is training."""
    if share.subset is None:
        return {"training": source}
    strata = strata_of(source, share.stratify)
    if strata.any and not share.seeded and share.subset != "both":
        raise ValueError(
            "A split with stratify=True or groups is made at random, even with shuffle=False. Pass a `seed`, "
            "to make sure that there is no overlap between the training and validation subset, or ask for "
            f"subset='both'. Received: seed=None, subset={share.subset!r}."
        )
    contents = None if share.keep_duplicates_together is None else content_ids(source.images)
    if contents is not None and strata.groups is not None:
        strata = together.with_contents(strata, contents)
    cut = splits.holdout(
        len(source),
        share.fraction,
        seed=spec.seed,
        shuffle=spec.shuffle,
        strata=strata,
    )
    if contents is not None and strata.groups is None:
        cut = together.holdout_together(cut, contents, strata.labels)
    rows = {"training": cut.training, "validation": cut.validation}
    asked = tuple(rows) if share.subset == "both" else (share.subset,)
    return {name: source.take(rows[name]) for name in asked}


def strata_of(source: Source, stratify: bool) -> splits.Strata:
    """Returns what a split of a source keeps: its groups, and if `stratify` its class proportions.

    Labels that the user has given may have gaps, or be negative.

    Raises:
        ValueError: with `stratify`, a sample does not have exactly one class.
    """
    if not stratify:
        return splits.Strata(groups=source.groups)
    targets, names = source.classes
    if not isinstance(targets, np.ndarray) or targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            "stratify=True needs one class per sample: label_mode 'int', 'binary' or 'categorical'."
        )
    distinct, labels = np.unique(targets, return_inverse=True)
    shown = [names[label] if names else str(label) for label in distinct.tolist()]
    return splits.Strata(labels, shown, source.groups)


def with_class_weights(source: Source, class_weights: Any) -> Source:
    """Returns `source` with the weight of each sample by its class, if class weights are given."""
    if class_weights is None:
        return source
    weights = of_samples(source, class_weights)
    if source.class_output is None:
        return source.with_columns(weight=weights)
    masks = [name.removeprefix("mask_") for name in source.masks]
    names = ["segmentation_masks"] if masks == ["mask"] else masks
    # Keras would give an output that is missing here the weights of another.
    ones = {f"weight_{n}": np.ones(len(source), np.float32) for n in (*names, *source.output_names)}
    given = {**ones, **source.named("weight_"), f"weight_{source.class_output}": weights}
    return source.with_columns(**given)


def for_validation(spec: PipelineSpec, *, shuffle: bool = False) -> PipelineSpec:
    """Returns the specification for validation samples: as they are, each once."""
    return replace(spec, augment=Augment(), balance=None, shuffle=shuffle)
