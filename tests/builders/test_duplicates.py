"""`keep_duplicates_together` on every door that splits: no content is in both subsets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tfpipe
from tfpipe import ImageDataGenerator
from tfpipe.builders import folds, generator_settings, split_and_build
from tfpipe.cli import cli
from tfpipe.sources.contents import content_ids

pytestmark = pytest.mark.one_profile

COPIES = 12  # of 20 images per class, each there once more under another name


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """Two classes of 20 images and copies of 12 of them, far from each other by name."""
    top = tmp_path_factory.mktemp("copies")
    for number, name in enumerate(["cat", "dog"]):
        for i in range(20):
            write(top / name / f"a{i:02}.png", picture(6, 8, seed=100 * number + i))
        for i in range(COPIES):
            copy = top / name / f"b{i:02}.png"
            copy.write_bytes((top / name / f"a{i:02}.png").read_bytes())
    return top


@pytest.fixture(scope="module")
def frame(folder):
    paths = sorted(str(path) for path in folder.rglob("*.png"))
    table = pd.DataFrame({"filename": paths, "class": [path.split("/")[-2] for path in paths]})
    return table.sample(frac=1, random_state=0, ignore_index=True)


def shared(training, validation):
    """How many contents of validation are in training, too."""
    contents = [
        {Path(path).read_bytes() for path in dataset.source.images.paths}
        for dataset in (training, validation)
    ]
    return len(contents[0] & contents[1])


def patient(path):
    """The class, a or b, and the number of three images in a row: a copy is of another patient."""
    folder, name = path.split("/")[-2:]
    return f"{folder} {name[0]} {int(name[1:3]) // 3}"


def both(door, source, keep="exact", **options):
    options = {"validation_split": 0.25, "subset": "both", "seed": 1, "verbose": False} | options
    return door(source, keep_duplicates_together=keep, **options)


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"stratify": True}], ids=str)
class TestFunctions:
    def check(self, door, source, options):
        assert shared(*both(door, source, None, **options))
        training, validation = both(door, source, **options)
        assert shared(training, validation) == 0
        assert (len(training.source), len(validation.source)) == (48, 16)
        alone = both(door, source, **options | {"subset": "validation"})
        assert alone.filenames == validation.filenames
        if "stratify" in options:
            assert sorted(validation.source.targets.tolist()) == [0] * 8 + [1] * 8

    def test_directory(self, folder, options):
        self.check(tfpipe.image_dataset_from_directory, folder, options)

    def test_dataframe(self, frame, options):
        self.check(tfpipe.image_dataset_from_dataframe, frame, options)


@pytest.mark.slow
def test_shards(folder, tmp_path):
    everything = tfpipe.image_dataset_from_directory(
        folder, image_size=(6, 8), shuffle=False, verbose=False
    )
    tfpipe.pack(everything, tmp_path)
    for keep in (None, "exact"):
        parts = both(tfpipe.image_dataset_from_shards, tmp_path, keep)
        pixels = [
            {image.tobytes() for images, _ in part.take(-1) for image in images.numpy()}
            for part in parts
        ]
        assert bool(pixels[0] & pixels[1]) == (keep is None)


def test_packed_by_the_command(folder, tmp_path):
    arguments = [
        "pack",
        str(folder),
        str(tmp_path),
        "--image-size",
        "6x8",
        "--encoding",
        "png",
        "-q",
    ]
    arguments += ["--keep-duplicates-together"]
    assert "needs --validation-split" in CliRunner().invoke(cli, arguments).output
    run = CliRunner().invoke(cli, [*arguments, "--validation-split", "0.25"])
    assert run.exit_code == 0, run.output
    packed = tfpipe.image_dataset_from_shards(tmp_path, shuffle=False, verbose=False)
    ids = content_ids(packed.source.images)
    names = [
        tfpipe.image_dataset_from_shards(tmp_path, split=split, verbose=False).source.images.names
        for split in ("training", "validation")
    ]
    assert list(map(len, names)) == [48, 16]
    of_name = dict(zip(packed.source.images.names, ids.tolist(), strict=True))
    of_split = [{of_name[name] for name in part} for part in names]
    assert not of_split[0] & of_split[1]


def test_with_groups_both_are_kept(folder):
    parts = both(tfpipe.image_dataset_from_directory, folder, groups=patient)
    groups = [{patient(path) for path in part.source.images.paths} for part in parts]
    assert shared(*parts) == 0
    assert not groups[0] & groups[1]


class TestGenerator:
    def flows(self, method, *args, **options):
        generator = ImageDataGenerator(validation_split=0.25)
        for keep in (None, "exact"):
            if keep:
                generator.keep_duplicates_together = keep
            yield [
                getattr(generator, method)(*args, **options, subset=subset)
                for subset in ("training", "validation")
            ]

    @pytest.mark.parametrize("method", ["flow_from_directory", "flow_from_dataframe"])
    def test_files(self, folder, frame, method):
        source = folder if method == "flow_from_directory" else frame
        plain, kept = self.flows(method, source)
        assert shared(*plain)
        assert shared(*kept) == 0
        assert [flow.samples for flow in kept] == [flow.samples for flow in plain] == [48, 16]
        if method == "flow_from_directory":
            assert sorted(kept[1].classes) == sorted(plain[1].classes)  # each class by itself

    def test_arrays(self, picture):
        images = [picture(4, 5, seed=i % 20) for i in range(40)]
        plain, kept = self.flows("flow", np.stack(images), shuffle=False)
        contents = [
            [{image.tobytes() for image in flow.x} for flow in flows] for flows in (plain, kept)
        ]
        assert contents[0][0] & contents[0][1]
        assert not contents[1][0] & contents[1][1]
        assert len(kept[1].x) == 10

    def test_without_a_subset_nothing_is_compared(self, folder, monkeypatch):
        monkeypatch.setattr(generator_settings, "content_ids", None)
        generator = ImageDataGenerator(validation_split=0.25)
        generator.keep_duplicates_together = "exact"
        assert generator.flow_from_directory(folder).samples == 64

    def test_rejects(self, folder):
        generator = ImageDataGenerator(validation_split=0.25)
        generator.keep_duplicates_together = "near"
        with pytest.raises(ValueError, match="must be one of None, 'exact'. Received: .*'near'"):
            generator.flow_from_directory(folder, subset="training")


class TestFolds:
    @pytest.mark.parametrize("options", [{}, {"stratify": True}, {"groups": "patient"}], ids=str)
    def test_no_two_folds_share_a_content(self, frame, options):
        frame = frame.assign(patient=[patient(path) for path in frame["filename"]])
        made = tfpipe.folds(frame, k=4, keep_duplicates_together="exact", verbose=False, **options)
        sizes = []
        for training, validation in made:
            assert shared(training, validation) == 0
            sizes.append(len(validation.source))
        assert sum(sizes) == 64
        assert options.get("groups") or sizes == [16] * 4

    def test_a_column_that_parts_them_is_an_error(self, frame):
        frame = frame.assign(fold=[path[-7] for path in frame["filename"]])  # a or b
        with pytest.raises(ValueError, match="needs equal files in one fold.*a.*png"):
            list(tfpipe.folds(frame, "fold", keep_duplicates_together="exact", verbose=False))


class TestOption:
    def test_nothing_is_read_unless_asked_for(self, folder, frame, monkeypatch):
        for module in (split_and_build, folds, generator_settings):
            monkeypatch.setattr(module, "content_ids", None)
        both(tfpipe.image_dataset_from_directory, folder, None)
        next(tfpipe.folds(frame, k=2, verbose=False))

    def test_needs_a_split(self, folder):
        with pytest.raises(ValueError, match="needs a split: pass validation_split and subset"):
            tfpipe.image_dataset_from_directory(folder, keep_duplicates_together="exact")

    def test_rejects(self, folder):
        with pytest.raises(
            ValueError, match="keep_duplicates_together must be one of None, 'exact'"
        ):
            both(tfpipe.image_dataset_from_directory, folder, keep=True)
