"""Damaged and hostile files, and a child process that decodes them: what kills it is seen by its parent."""

import io
import json
import os
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(__file__).parent / "data"
BIG = 60_000  # pixels of each side of an oversized image


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def dicom_file():
    import pydicom

    return (Path(pydicom.__file__).parent / "data/test_files/MR_small_RLE.dcm").read_bytes()


def sound():
    """{suffix: a sound file}, of each format that is read here."""
    from tfpipe.codecs import formats
    from tfpipe.codecs.pillow import add_plugins

    add_plugins()
    rows, columns = np.mgrid[:48, :64]
    pixels = np.stack([rows * 5, columns * 3, rows * columns], -1).astype(np.uint8)
    image = Image.fromarray(pixels)
    frames = [Image.fromarray(np.roll(pixels, n)).quantize(60) for n in range(3)]
    kinds = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF", "ppm": "PPM"}
    kinds |= {"avif": "AVIF", "jp2": "JPEG2000", "heic": "HEIF"}
    files = {suffix: saved(image, kind) for suffix, kind in kinds.items()}
    files["gif"] = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    files["dcm"] = dicom_file()
    files["jxl"] = (DATA / "rgb.jxl").read_bytes()
    return {s: content for s, content in files.items() if formats.library_of(formats.of_suffix(s))}


def patched(content, place, data):
    return content[:place] + data + content[place + len(data) :]


def oversized(files):
    """{name: a file whose header says 60,000 x 60,000, and which holds hardly anything}."""
    big4, big2 = struct.pack(">I", BIG), struct.pack(">H", BIG)
    little4, little2 = struct.pack("<I", BIG), struct.pack("<H", BIG)
    jpeg = files["jpg"]
    gif = files["gif"]
    frame = gif.index(b",", 13 + 3 * 64)
    tiff_entries = b"".join(
        struct.pack("<HHII", *entry)
        for entry in [
            (256, 4, 1, BIG),
            (257, 4, 1, BIG),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, 8),
            (277, 3, 1, 1),
            (278, 4, 1, BIG),
            (279, 4, 1, 100),
        ]
    )
    result = {
        "big.jpg": patched(jpeg, jpeg.index(b"\xff\xc0") + 5, big2 * 2),
        "big.png": patched(files["png"], 16, big4 * 2),
        "big.bmp": patched(files["bmp"], 18, little4 * 2),
        "screen.gif": patched(gif, 6, little2 * 2),
        "frame.gif": patched(gif, frame + 5, little2 * 2),
        "big.tif": b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + tiff_entries + bytes(200),
        "big.ppm": b"P6 60000 60000 255\n" + bytes(100),
        "big.webp": b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
        + struct.pack("<I", BIG - 1)[:3] * 2
        + files["webp"][12:],
        "frames.gif": gif[:-1] + gif[frame:-1] * 3 + b";",
    }
    size = struct.pack(">II", 48, 64)
    jp2 = files["jp2"].replace(size, big4 * 2)
    result["big.jp2"] = jp2.replace(struct.pack(">II", 64, 48), big4 * 2)
    result["big.avif"] = files["avif"].replace(struct.pack(">II", 64, 48), big4 * 2)
    # Coded at a multiple of 64, and cropped.
    result["big.heic"] = files["heic"].replace(struct.pack(">II", 64, 64), big4 * 2)
    rows = files["dcm"].index(b"\x28\0\x10\0US\x02\0") + 8
    columns = files["dcm"].index(b"\x28\0\x11\0US\x02\0") + 8
    result["big.dcm"] = patched(patched(files["dcm"], rows, little2), columns, little2)
    if "jxl" in files:
        # A header of large sides: 30 bits each, no ratio.
        bits = 0 | 3 << 1 | (BIG - 1) << 3 | 0 << 33 | 3 << 36 | (BIG - 1) << 38
        result["big.jxl"] = b"\xff\x0a" + bits.to_bytes(9, "little") + files["jxl"][6:]
    return result


def damaged(files):
    """{name: content}: each sound file cut short, with bits changed, empty, behind another suffix."""
    result = {}
    suffixes = list(files)
    for number, (suffix, content) in enumerate(files.items()):
        for share in (10, 50, 90, 99):
            result[f"{share}.{suffix}"] = content[: len(content) * share // 100]
        for seed in range(6):
            result[f"flipped{seed}.{suffix}"] = with_flips(content, [seed, number])
        result[f"empty.{suffix}"] = b""
        other = suffixes[(number + 1) % len(suffixes)]
        result[f"really-{suffix}.{other}"] = content
    return result


def with_flips(content, seed):
    """Some bits changed, anywhere or in the first bytes; or a part doubled, left out, or overwritten."""
    generator = np.random.default_rng(seed)
    octets = np.frombuffer(content, np.uint8).copy()
    reach = len(octets) if generator.random() < 0.5 else min(len(octets), 64)
    for _ in range(generator.integers(1, 12)):
        octets[generator.integers(reach)] ^= 1 << generator.integers(8)
    begin, end = np.sort(generator.integers(0, len(octets), 2))
    kind = generator.integers(6)
    if kind == 0:
        octets = np.concatenate([octets[:end], octets[begin:]])
    elif kind == 1:
        octets = np.concatenate([octets[:begin], octets[end:]])
    elif kind == 2:
        octets[begin:end] = generator.choice([0, 255])
    return octets.tobytes()


def random_case(files, seed):
    """(suffix, content): a damaged file, or random bytes behind the beginning of a format."""
    generator = np.random.default_rng(seed)
    suffix = list(files)[generator.integers(len(files))]
    content = files[suffix]
    if generator.random() < 0.2:
        keep = generator.integers(0, 40)
        return suffix, content[:keep] + generator.bytes(generator.integers(0, 500))
    return suffix, with_flips(content, int(generator.integers(2**31)))


def memory():
    """The most that this process has held until now, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    """Reads a line of JSON with a seed and a count; decodes as many cases, and answers with a line."""
    import warnings

    from tfpipe.fields.image import explain

    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    files = sound()
    for suffix, content in files.items():
        words = explain(content, suffixes=frozenset({suffix}))
        if words is not None:
            sys.exit(f"a sound {suffix}: {words}")
    before = memory()
    for line in sys.stdin:
        request = json.loads(line)
        if "seed" in request:
            numbers = range(request["count"])
            cases = [random_case(files, [request["seed"], number]) for number in numbers]
        else:
            every = damaged(files) | oversized(files)
            cases = [(name.rpartition(".")[2], content) for name, content in every.items()]
        slowest, words = 0.0, []
        for suffix, content in cases:
            start = time.process_time()
            words.append(explain(content, suffixes=frozenset({suffix})))
            slowest = max(slowest, time.process_time() - start)
        print(
            json.dumps({"words": words, "seconds": slowest, "MiB": memory() - before}),
            file=answers,
            flush=True,
        )


if __name__ == "__main__":
    main()
