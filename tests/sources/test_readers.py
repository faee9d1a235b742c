"""Images in records: any of them by its index, equal to the file's, and named when it is damaged."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.codecs.spec import DecodeSpec
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.image import ImageSpec
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline import plan as pipeline_plan
from tfpipe.pipeline.feeds import Feeds
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import readers
from tfpipe.sources.source import Records, Source

SHAPE = (5, 7, 3)


def encoded(image, encoding):
    if encoding == "raw":
        return image.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, encoding)
    return buffer.getvalue()


def write_shards(folder, images, encoding, per_shard=3):
    """TensorFlow's own writer; the places of the records are reckoned from the format's framing."""
    shards, shard, offset, length = [], [], [], []
    for first in range(0, len(images), per_shard):
        shards.append(f"{folder}/{len(shards)}.tfrecord")
        place = 0
        with tf.io.TFRecordWriter(shards[-1]) as writer:
            for image in images[first : first + per_shard]:
                value = tf.train.BytesList(value=[encoded(image, encoding)])
                feature = {"image": tf.train.Feature(bytes_list=value)}
                record = tf.train.Example(
                    features=tf.train.Features(feature=feature)
                ).SerializeToString()
                writer.write(record)
                shard.append(len(shards) - 1)
                offset.append(place)
                length.append(len(record) + 16)
                place += length[-1]
    columns = [np.array(column, np.int64) for column in (shard, offset, length)]
    names = [f"{i}.png" for i in range(len(images))]
    return Records(shards, *columns, names, encoding, SHAPE)


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
        order = dataset.index_array
        found = np.concatenate([batch.numpy() for batch in dataset])
        np.testing.assert_array_equal(found, np.stack(images)[order])

    def test_taken_rows_are_those_images(self, images, tmp_path):
        records = write_shards(tmp_path, images, "raw").take(np.array([6, 1]))
        read = readers.reader(records, DecodeSpec(), Feeds().column).read
        assert [read(tf.constant(i)).numpy() for i in (0, 1)] == [
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

    def test_a_whole_record_that_is_no_image_says_so(self, images, tmp_path):
        records = write_shards(tmp_path, images, "png")
        with tf.io.TFRecordWriter(records.shards[0]) as writer:
            value = tf.train.BytesList(value=[b"no image"])
            feature = {"image": tf.train.Feature(bytes_list=value)}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
        path, reason = readers.reader(records, DecodeSpec(), Feeds().column).describe(
            tf.constant(0, tf.int64)
        )
        assert path.numpy().decode().endswith("0.tfrecord at byte 0")
        assert "of no format that is read here (8 bytes)" in reason.numpy().decode()
