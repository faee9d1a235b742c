"""Decodes the run lengths of BMP files, without a loop over the runs."""

from __future__ import annotations

import tensorflow as tf

# Pixels that are written at once. It bounds the few arrays that have an entry for each of them.
_MOST_STEPS = 2**20


def decode_rle(
    contents: tf.Tensor, start: tf.Tensor, height: tf.Tensor, width: tf.Tensor, nibbles: tf.Tensor
) -> tf.Tensor:
    """Decodes the indices of a run-length encoded BMP file.

    A code has two bytes: (n, v) writes v n times; (0, 0) ends the row; (0, 1) ends the image; (0, 2) and two
    more bytes move right and up; (0, n) is followed by n indices as they are, padded to an even number of
    bytes. Pixels that no code writes are 0.

    Args:
        contents: string scalar, the file.
        start: int32, where the codes begin.
        height, width: int32, of the image.
        nibbles: bool, whether it is RLE4, where v holds two indices that alternate.

    Returns:
        uint8 [height, width], the first row of the file first.

    Raises:
        tf.errors.InvalidArgumentError: the codes end before the image does.

    Source: Bitmap Compression in the Windows GDI documentation.

    >>> codes = tf.constant(bytes([3, 7, 0, 0, 1, 9, 0, 1]))
    >>> decode_rle(codes, tf.constant(0), tf.constant(2), tf.constant(3), tf.constant(False)).numpy()
    array([[7, 7, 7],
           [9, 0, 0]], dtype=uint8)
    """
    octets = tf.io.decode_raw(tf.strings.substr(contents, start, -1), tf.uint8)
    octets = tf.concat([tf.cast(octets, tf.int32), [0, 1]], 0)  # an end, in case the file has none
    size = tf.size(octets)

    # If a code began at each byte, where would the next one begin?
    first, second = octets, tf.concat([octets[1:], [0]], 0)
    literal = (first == 0) & (second > 2)
    stored = tf.where(nibbles, (second + 1) // 2, second)
    length = tf.where(literal, 2 + (stored + 1) // 2 * 2, 2)
    length = tf.where((first == 0) & (second == 2), 4, length)
    following = tf.minimum(tf.range(size) + length, size)
    following = tf.where((first == 0) & (second == 1), size, following)
    at = _chain(following)

    first, second, literal = (tf.gather(values, at) for values in (first, second, literal))
    ends_row, moves = (first == 0) & (second == 0), (first == 0) & (second == 2)
    count = tf.where(literal, second, first)
    behind = tf.concat([octets, tf.zeros([4], tf.int32)], 0)
    right = tf.where(moves, tf.gather(behind, at + 2), 0)
    up = tf.where(moves, tf.gather(behind, at + 3), 0)

    # Where each code begins to write. In 64 bits, because the sums of a hostile file pass 2**31.
    row = tf.cumsum(tf.cast(up + tf.cast(ends_row, tf.int32), tf.int64), exclusive=True)
    step = tf.cast(count + right, tf.int64)
    along = tf.cumsum(step, exclusive=True)
    row_starts = tf.concat([[0], tf.boolean_mask(along + step, ends_row)], 0)
    rows_before = tf.cumsum(tf.cast(ends_row, tf.int32), exclusive=True)
    column = along - tf.gather(row_starts, rows_before)

    ended = at[-1] < size - 2  # by a code of the file, not by the one appended above
    at_end = row + tf.cast(column >= tf.cast(width, tf.int64), tf.int64)
    whole = ended | (at_end[-1] >= tf.cast(height, tf.int64))
    check = tf.debugging.Assert(whole, ["The run lengths end before the image does."])

    # At most what is left of the row.
    room = tf.clip_by_value(tf.cast(width, tf.int64) - column, 0, 255)
    count = tf.minimum(count, tf.cast(room, tf.int32))
    lines = tf.maximum(_MOST_STEPS // width, 1)
    chunks = (height + lines - 1) // lines

    def chunk(number: tf.Tensor) -> tf.Tensor:  # uint8 [lines * width]
        top = tf.cast(number, tf.int64) * tf.cast(lines, tf.int64)
        bottom = tf.minimum(top + tf.cast(lines, tf.int64), tf.cast(height, tf.int64))
        here = slice(*tf.unstack(tf.searchsorted(row, tf.stack([top, bottom]))))
        n = count[here]
        offset = tf.range(tf.reduce_sum(n)) - tf.repeat(tf.cumsum(n, exclusive=True), n)
        is_literal = tf.repeat(literal[here], n)
        of_code = tf.repeat(at[here], n)
        inside = tf.where(nibbles, offset // 2, offset)
        source = tf.where(is_literal, of_code + 2 + inside, of_code + 1)
        values = tf.gather(behind, tf.minimum(source, size))
        of_pair = tf.where(offset % 2 == 0, values // 16, values % 16)
        values = tf.cast(tf.where(nibbles, of_pair, values), tf.uint8)
        begin = tf.cast(row[here] - top, tf.int32) * width + tf.cast(column[here], tf.int32)
        place = tf.repeat(begin, n) + offset
        empty = tf.zeros([lines * width], tf.uint8)
        return tf.tensor_scatter_nd_update(empty, place[:, None], values)

    with tf.control_dependencies([check] if check is not None else []):
        numbers = tf.range(chunks)
    parts = tf.map_fn(chunk, numbers, fn_output_signature=tf.uint8, parallel_iterations=1)
    return tf.reshape(tf.reshape(parts, [-1])[: height * width], [height, width])


def _chain(following: tf.Tensor) -> tf.Tensor:
    """Returns 0, following[0], following[following[0]], ... to the end, int32 [k].

    Args:
        following: int32 [n], each above its own place; n is the end.

    It takes log2(n) steps, since each step doubles the known part of the chain. One step per code would take
    seconds for a large file.

    >>> _chain(tf.constant([2, 4, 3, 4])).numpy().tolist()
    [0, 2, 3]
    """
    end = tf.size(following)

    def double(chain: tf.Tensor, jump: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.concat([chain, tf.gather(jump, chain)], 0), tf.gather(jump, jump)

    chain, _ = tf.while_loop(
        lambda chain, jump: chain[-1] < end,
        double,
        [tf.zeros([1], tf.int32), tf.concat([following, [end]], 0)],
        shape_invariants=[tf.TensorShape([None]), tf.TensorShape([None])],
    )
    return tf.boolean_mask(chain, chain < end)
