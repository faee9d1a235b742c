"""Records as files of their own: every damage is seen."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.sources import record_file as module
from tfpipe.sources.record_file import (
    bytes_of_file,
    fault_of_file,
    is_record_file,
    record_file,
)

SET, INDEX, VALUES = -5, 7, np.arange(30, dtype=np.uint8)


def written(set_=SET, index=INDEX, values=VALUES):
    return record_file(set_, tf.constant(index, tf.int64), tf.constant(values)).numpy()


def is_sound(contents):
    contents = tf.constant(contents)
    return bool(is_record_file(contents, SET, tf.constant(INDEX, tf.int64), len(VALUES)))


class TestFiles:
    def test_what_is_written_is_read(self):
        contents = written()
        assert is_sound(contents)
        np.testing.assert_array_equal(bytes_of_file(tf.constant(contents)), VALUES)

    def test_the_bytes_behind_the_header_are_the_values(self):
        """So that a file never depends on how TensorFlow serializes a tensor."""
        contents = written()
        assert contents[:64] == contents[:24] + b" " * 19 + b"7" + contents[44:64]
        assert contents[:24] == b"tfpipe 2fffffffffffffffb"
        assert contents[64:] == VALUES.tobytes()

    def test_a_graph_writes_the_same(self):
        in_graph = tf.function(lambda index: record_file(SET, index, tf.constant(VALUES)))
        assert in_graph(tf.constant(INDEX, tf.int64)).numpy() == written()

    def test_every_changed_byte_is_seen(self):
        contents = written()
        for place in range(len(contents)):
            changed = contents[:place] + bytes([contents[place] ^ 1]) + contents[place + 1 :]
            assert not is_sound(changed), place

    @pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 93, 95])
    def test_so_is_every_length(self, length):
        contents = (written() + b"more")[:length]
        assert not is_sound(contents)
        assert fault_of_file(contents, SET, INDEX, len(VALUES)) == (
            f"it has {length} bytes instead of 94"
        )

    def test_so_is_another_set_or_index(self):
        for other in (written(set_=-6), written(index=8)):
            assert not is_sound(other)
            assert "another image" in fault_of_file(other, SET, INDEX, len(VALUES))

    def test_so_is_another_version(self, monkeypatch):
        monkeypatch.setattr(module, "VERSION", 1)
        older = written()
        monkeypatch.undo()
        assert not is_sound(older)
        assert "version" in fault_of_file(older, SET, INDEX, len(VALUES))

    def test_a_version_of_two_digits_has_the_same_place(self, monkeypatch):
        monkeypatch.setattr(module, "VERSION", 12)
        assert written()[:10] == b"tfpipe12ff"
        assert len(written()) == 94
