"""Formats that no file has are left out of the graph; what the files are when it is made is what counts."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe.codecs.formats import BMP, GIF, JPEG, PNG
from tfpipe.sources import first_bytes
from tfpipe.sources.source import Files

SIZE = (6, 8)


@pytest.fixture
def photos(tmp_path, write, picture):
    for i in range(4):
        write(tmp_path / "a" / f"{i}.jpg", picture(9, 11, seed=i))
    return tmp_path


def make(directory, **options):
    options = {"image_size": SIZE, "batch_size": 4, "shuffle": False, "verbose": False} | options
    return tfpipe.image_dataset_from_directory(directory, label_mode=None, **options)


def ops_of(dataset):
    """The operations of the whole graph of a data set, functions included."""
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(dataset._as_serialized_graph().numpy())
    functions = [node.op for function in graph.library.function for node in function.node_def]
    return functions + [node.op for node in graph.node]


class TestFormatsSeen:
    def test_all_of_them(self, photos, write):
        write(photos / "a" / "4.png")
        files = Files(str(photos / "a"), sorted(os.listdir(photos / "a")))
        assert files.formats == {JPEG, PNG}

    @pytest.mark.parametrize("content", [None, b"", b"no image", b"\xff\xd8"])
    def test_a_file_that_is_not_known_may_be_anything(self, photos, content):
        paths = [str(photos / "a" / "0.jpg"), str(photos / "a" / "other.jpg")]
        if content is not None:
            (photos / "a" / "other.jpg").write_bytes(content)
        assert first_bytes.formats_seen(paths) is None

    def test_what_must_not_be_opened_is_not(self, photos):
        fifo = str(photos / "a" / "fifo.jpg")
        os.mkfifo(fifo)  # to open it would hang
        assert first_bytes.formats_seen([fifo], [fifo]) is None

    @pytest.mark.parametrize("limit", ["_MOST_FILES", "_MOST_SECONDS"])
    def test_a_long_look_is_given_up(self, photos, monkeypatch, limit):
        monkeypatch.setattr(first_bytes, limit, -1)
        assert first_bytes.formats_seen([str(photos / "a" / "0.jpg")]) is None

    def test_a_worker_of_a_cluster_does_not_look(self, photos, monkeypatch):
        paths = [str(photos / "a" / "0.jpg")]
        assert first_bytes.formats_seen(paths) == {JPEG}
        monkeypatch.setenv("TF_CONFIG", "{}")
        assert first_bytes.formats_seen(paths) is None

    def test_remote_files_are_not_opened(self):
        assert first_bytes.formats_seen(["gs://bucket/a.jpg"]) is None


class TestGraph:
    @pytest.mark.slow
    def test_it_holds_the_decoders_that_its_files_need(self, photos, monkeypatch):
        needed = ops_of(make(photos))
        assert needed.count("DecodeJpeg") == 1
        assert not {"DecodeGif", "DecodePng", "DecodeWebP"} & set(needed)
        monkeypatch.setattr(first_bytes, "_MOST_FILES", -1)
        every = ops_of(make(photos))
        assert {"DecodeGif", "DecodePng"} <= set(every)
        assert len(needed) < len(every) / 2

    @pytest.mark.parametrize(("kind", "known"), [("PNG", PNG), ("GIF", GIF), ("BMP", BMP)])
    def test_a_file_with_the_suffix_of_another_format_is_read(self, photos, picture, kind, known):
        image = picture(9, 11, channels=1, seed=7)[..., 0]
        Image.fromarray(image).save(photos / "a" / "2.jpg", kind)
        dataset = make(photos, color_mode="grayscale", image_size=(9, 11))
        assert known in Files(str(photos), ["a/2.jpg"]).formats
        np.testing.assert_array_equal(next(iter(dataset))[2, ..., 0], image)

    @pytest.mark.slow
    def test_the_same_batches_as_with_every_decoder(self, photos, write, monkeypatch):
        write(photos / "a" / "4.png")
        few = [batch.numpy() for batch in make(photos)]
        monkeypatch.setattr(first_bytes, "_MOST_FILES", -1)
        for batch, other in zip(few, make(photos), strict=True):
            np.testing.assert_array_equal(batch, other)

    def test_a_file_that_became_another_format_is_named(self, photos, picture):
        dataset = make(photos)
        Image.fromarray(picture(9, 11)).save(photos / "a" / "1.jpg", "GIF")
        expected = r"1.jpg': its content is GIF, which it was not when the data set was made: make it again"
        with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
            next(iter(dataset))
        assert next(iter(make(photos))).shape == (4, *SIZE, 3)

    def test_under_skip_it_is_left_out_and_said(self, photos, picture):
        dataset = make(photos, on_error="skip")
        Image.fromarray(picture(9, 11)).save(photos / "a" / "1.jpg", "BMP")
        with pytest.warns(UserWarning, match="its content is BMP, which it was not"):
            assert next(iter(dataset)).shape == (3, *SIZE, 3)
