"""Images in records: any of them by its index, equal to the file's, and named when it is damaged."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.image import ImageSpec
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline import plan as pipeline_plan
from tfpipe.pipeline.feeds import Feeds
from tfpipe.pipeline.plan import order_of
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import readers
from tfpipe.sources.record import FRAME, record_header, serialized
from tfpipe.sources.source import Records, Source, Stored

SHAPE = (5, 7, 3)


def encoded(image, encoding):
    if encoding == "raw":
        return image.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, encoding)
    return buffer.getvalue()


def write_shards(folder, images, encoding, per_shard=3):
    """TensorFlow's own writer; the places of the records are reckoned from the format's framing."""
    shards, shard, offset, length, headers = [], [], [], [], []
    for first in range(0, len(images), per_shard):
        shards.append(f"{folder}/{len(shards)}.tfrecord")
        place = 0
        with tf.io.TFRecordWriter(shards[-1]) as writer:
            for image in images[first : first + per_shard]:
                fields = {"image": encoded(image, encoding)}
                headers.append(record_header(1, len(headers), fields))
                record = serialized(headers[-1], fields)
                writer.write(record)
                shard.append(len(shards) - 1)
                offset.append(place)
                length.append(len(record) + FRAME)
                place += length[-1]
    headers = [header.numbers for header in headers]
    columns = [np.array(column, np.int64) for column in (shard, offset, length, headers)]
    names = [f"{i}.png" for i in range(len(images))]
    return Records(shards, *columns, names, Stored(encoding, "uint8", SHAPE))


@pytest.fixture(scope="module")
def images(picture):
    return [picture(*SHAPE, seed=number) for number in range(8)]


class TestRecords:
    @pytest.mark.parametrize("encoding", ["raw", "png"])
    @pytest.mark.parametrize("scheme", ["", "ram://"])
    def test_every_index_gives_its_image(self, images, tmp_path, encoding, scheme):
        folder = f"{scheme}{tmp_path}"
        tf.io.gfile.makedirs(folder)
        records = write_shards(folder, images, encoding)
        spec = PipelineSpec(
            ImageSpec(resize=ResizeSpec(SHAPE[:2])), seed=3, batch_size=3, dtype="uint8"
        )
        dataset = ImageDataset(Source.of(records), spec)
        order = order_of(dataset._plan, 0)
        found = np.concatenate([batch.numpy() for batch in dataset])
        np.testing.assert_array_equal(found, np.stack(images)[order])

    def test_taken_rows_are_those_images(self, images, tmp_path):
        records = write_shards(tmp_path, images, "raw").take(np.array([6, 1]))
        read = readers.record_reader(records, ["image"], Feeds().column).read
        assert [read(tf.constant(i))["image"].numpy() for i in (0, 1)] == [
            images[6].tobytes(),
            images[1].tobytes(),
        ]
        assert records.paths == [f"{tmp_path}/2.tfrecord: 6.png", f"{tmp_path}/0.tfrecord: 1.png"]

    def test_a_damaged_record_is_an_error_that_names_it(self, images, tmp_path):
        records = write_shards(tmp_path, images, "raw")
        with open(records.shards[1], "r+b") as file:
            file.seek(int(records.offset[4]) + 40)
            file.write(b"\xff\x00\xff")
        spec = PipelineSpec(ImageSpec(resize=ResizeSpec(SHAPE[:2])), shuffle=False)
        plan = pipeline_plan.plan(Source.of(records), spec)
        place = f"1.tfrecord at byte {records.offset[4]}"
        path, _ = plan.loader.describe_failure(tf.constant(4, tf.int64))
        assert place in path.numpy().decode()
        with pytest.raises(tf.errors.InvalidArgumentError, match="its checksum is wrong") as caught:
            list(ImageDataset(Source.of(records), spec))
        assert place in str(caught.value)

    def test_a_whole_record_that_is_no_image_says_so(self, tmp_path):
        no_image = np.frombuffer(b"no image", np.uint8)
        for encoding, words in (
            ("raw", "its 8 bytes are not 5 x 7 x 3 values"),
            ("png", "of no format that is read here (8 bytes)"),
        ):
            records = write_shards(tmp_path, [no_image], "raw")
            records = replace(records, stored=Stored(encoding, "uint8", SHAPE))
            spec = PipelineSpec(ImageSpec(resize=ResizeSpec(SHAPE[:2])), shuffle=False)
            with pytest.raises(tf.errors.InvalidArgumentError) as caught:
                list(ImageDataset(Source.of(records), spec))
            assert "0.tfrecord at byte 0" in str(caught.value)
            assert words in str(caught.value)
