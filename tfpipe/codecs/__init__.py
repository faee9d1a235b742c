"""Bytes to pixels and back: every image format, its header, and the decoder that reads it.

The code here is given the bytes of one file, a `DecodeSpec`, and the suffixes of the source's files.
`decode.load` also passes the image through the function `finish`; the `ResizeSpec` beside it says how much of
a JPEG file `decoding="fast"` needs. The code must not know where the bytes came from, which sample they
belong to, or what happens to the pixels after the resize.
"""
