"""Bytes to pixels and back: every image format, its header, and the decoder that reads it.

The code here is given the bytes of one file and a `DecodeSpec`. It must not know where the bytes came from,
which sample they belong to, or what happens to the pixels afterwards.
"""
