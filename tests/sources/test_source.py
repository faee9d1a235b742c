"""Listing files and cutting splits, without a graph."""

import os
import warnings

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.sources import arrays, directory, listing
from tfpipe.sources.source import Files, Source, joined

pytestmark = pytest.mark.one_profile


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


class TestImageFiles:
    def test_order_is_by_folder_then_name(self, tmp_path):
        for name in ["z.png", "a/2.png", "a/10.png", "a-b/1.png", "a/c/1.png", "B/1.png", "Z.png"]:
            touch(tmp_path / name)
        assert listing.image_files(str(tmp_path), ("png",)) == [
            "Z.png",
            "z.png",
            "B/1.png",
            "a/10.png",
            "a/2.png",
            "a-b/1.png",
            "a/c/1.png",
        ]

    def test_which_names_are_images(self, tmp_path):
        for name in ["a.PNG", "b.Jpg", "c.png.txt", "oddpng", ".d.png", ".git/e.png", "f.tar.png"]:
            touch(tmp_path / name)
        (tmp_path / "folder.png").mkdir()
        found = listing.image_files(str(tmp_path), ("png", "jpg"))
        assert found == ["a.PNG", "b.Jpg", "f.tar.png"]

    def test_links(self, tmp_path):
        touch(tmp_path / "top/own/1.png")
        touch(tmp_path / "elsewhere/2.png")
        (tmp_path / "top/linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "top/own/loop").symlink_to(tmp_path / "top")
        (tmp_path / "top/file.png").symlink_to(tmp_path / "elsewhere/2.png")
        top = str(tmp_path / "top")
        assert listing.image_files(top, ("png",)) == ["file.png", "own/1.png"]
        followed = listing.image_files(top, ("png",), follow_links=True)
        assert followed == ["file.png", "linked/2.png", "own/1.png"]

    def test_two_links_that_point_at_each_other_end(self, tmp_path):
        touch(tmp_path / "a/1.png")
        touch(tmp_path / "b/2.png")
        (tmp_path / "a/to_b").symlink_to(tmp_path / "b")
        (tmp_path / "b/to_a").symlink_to(tmp_path / "a")
        found = listing.image_files(str(tmp_path / "a"), ("png",), follow_links=True)
        assert found == ["1.png", "to_b/2.png"]

    def test_names_what_is_no_regular_file(self, tmp_path):
        touch(tmp_path / "a.png")
        os.mkfifo(tmp_path / "pipe.png")
        os.mkfifo(tmp_path / "other")
        (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
        (tmp_path / "zero.png").symlink_to("/dev/zero")
        with pytest.warns(UserWarning) as caught:
            assert listing.image_files(str(tmp_path), ("png",)) == ["a.png"]
        (message,) = [str(w.message) for w in caught]
        assert "Left out 3 file(s)" in message
        assert "'dangling.png', 'pipe.png', 'zero.png'" in message

    def test_a_link_back_into_a_plain_folder_ends(self, tmp_path):
        touch(tmp_path / "cat" / "sub" / "deep" / "1.png")
        (tmp_path / "cat/sub/deep/loop").symlink_to(tmp_path / "cat/sub")
        (tmp_path / "cat/other").symlink_to(tmp_path / "cat/sub/deep")
        names = listing.image_files(str(tmp_path / "cat"), ("png",), follow_links=True)
        assert names == ["other/1.png", "sub/deep/1.png"]

    def test_one_scan_a_folder_and_no_stat_a_file(self, tmp_path, monkeypatch):
        for folder in ("a", "a/b", "c"):
            for i in range(20):
                touch(tmp_path / folder / f"{i}.png")
        calls = []

        def counted(name, function):
            def wrapper(path, *args, **kwargs):
                calls.append((name, os.fspath(path)))
                return function(path, *args, **kwargs)

            return wrapper

        for name in ("stat", "lstat", "scandir", "listdir"):
            monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
        for name in ("isfile", "isdir", "exists", "islink"):
            monkeypatch.setattr(os.path, name, counted(name, getattr(os.path, name)))
        assert len(listing.image_files(str(tmp_path), ("png",))) == 60
        assert sorted(path for name, path in calls if name == "scandir") == [
            str(tmp_path / folder) for folder in ("", "a", "a/b", "c")
        ]
        assert not [call for call in calls if call[1].endswith(".png")]

        calls.clear()
        paths = [str(tmp_path / "c" / f"{i}.png") for i in range(40)]
        assert listing.are_files(paths) == [True] * 20 + [False] * 20
        assert calls == [("scandir", str(tmp_path / "c"))]


class TestAreFiles:
    def test_values(self, tmp_path, monkeypatch):
        touch(tmp_path / "a.png")
        (tmp_path / "folder.png").mkdir()
        (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
        (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "pipe.png")
        names = ["a.png", "folder.png", "link.png", "dangling.png", "pipe.png", "b.png", "no/a.png"]
        expected = [True, False, True, False, False, False, False]
        assert listing.are_files(str(tmp_path / name) for name in names) == expected
        monkeypatch.chdir(tmp_path)
        assert listing.are_files(names) == expected
        assert listing.are_files(["./a.png", "folder.png/../a.png"]) == [True, True]


class TestSchemes:
    def test_ram(self):
        for name in ["cats/1.png", "cats/sub/2.PNG", "cats/.3.png", "dogs/4.txt"]:
            path = f"ram:///listing/{name}"
            tf.io.gfile.makedirs(os.path.dirname(path))
            with tf.io.gfile.GFile(path, "w") as file:
                file.write("x")
        top = "ram:///listing"
        assert directory.class_folders(top) == ["cats", "dogs"]
        assert listing.image_files(f"{top}/cats", ("png",)) == ["1.png", "sub/2.PNG"]
        paths = [f"{top}/cats/1.png", f"{top}/cats/sub", f"{top}/no/1.png"]
        assert listing.are_files(paths) == [True, False, False]
        with pytest.raises(FileNotFoundError, match="ram:///listing/mice"):
            directory.class_folders(f"{top}/mice")

    def test_rejects_a_scheme_that_nothing_serves(self):
        with pytest.raises(ValueError, match="No file system is registered for nosuch://") as error:
            directory.class_folders("nosuch://bucket/train")
        assert "'nosuch://bucket/train'" in str(error.value)
        assert "ram" in str(error.value)

    def test_join(self):
        assert listing.join("gs://bucket/train", "cats", "1.png") == "gs://bucket/train/cats/1.png"
        assert listing.join("data/", "1.png") == "data/1.png"
        assert listing.join("", "1.png") == "1.png"


class TestTake:
    def test_every_column_alike(self):
        source = Source.of(
            Files("d", ["a", "b", "c"]),
            (np.array([1, 2, 3]), np.array([[1], [2], [3]])),
            np.array([0.1, 0.2, 0.3]),
            class_names=("x",),
        ).take(np.array([2, 0]))
        assert source.images.paths == ["d/c", "d/a"]
        assert [column.tolist() for column in source.targets] == [[3, 1], [[3], [1]]]
        assert source.weights.tolist() == [0.3, 0.1]
        assert source.class_names == ("x",)

    def test_joined(self):
        parts = [
            Source.of(
                Files(top, ["1.png", "2.png"], {"2.png": "it is a FIFO"}),
                masks=Files("masks", [f"{top}.png"] * 2, {f"{top}.png": "it is a device"}),
                frame_rows=np.array(rows),
            )
            for top, rows in (("a", [3, 1]), ("b", [0, 2]))
        ]
        whole = joined(parts)
        assert whole.images.paths == ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
        assert whole.images.refused == dict.fromkeys(["a/2.png", "b/2.png"], "it is a FIFO")
        assert whole.masks["mask"].paths == ["masks/a.png"] * 2 + ["masks/b.png"] * 2
        assert set(whole.masks["mask"].refused) == {"masks/a.png", "masks/b.png"}
        assert whole.frame_rows.tolist() == [3, 1, 0, 2]
        with pytest.raises(ValueError, match="all have or all lack weights, groups, and masks"):
            joined([parts[0], Source.of(Files("", ["c.png"]))])

    def test_lists_of_ids(self):
        source = Source.of(Files("d", ["a", "b"]), [[0, 1], []])
        assert source.take(np.array([1, 0])).targets == [[], [0, 1]]

    def test_arrays_are_views(self):
        images, misc = np.arange(24).reshape(4, 2, 3, 1), np.arange(4)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = arrays.from_arrays(images, [misc], misc, misc, fraction=0.5, subset="training")
        assert np.shares_memory(source.images.images, images)
        assert source.images.images[0, 0, 0, 0] == 12
        assert [c.tolist() for c in (source.columns["misc_0"], source.targets, source.weights)] == [
            [2, 3]
        ] * 3
