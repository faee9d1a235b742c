"""What tfpipe reads and trains, in a child process that may have NumPy behavior switched on.

    python tests/numpy_behavior.py RESULTS SWITCH WHEN [--quick]

`test_numpy_behavior.py` compares the results with those of a process that never called the switch. WHEN is
"before", or "after" all data sets are made, when none of them is read yet.
"""

import argparse
import io
import os
import pickle
import struct
import tempfile
import warnings
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe.codecs import formats
from tfpipe.ops import warp, warp_spec
from tfpipe.ops.matrix import affine_matrix
from tfpipe.ops.resize_spec import INTERPOLATIONS, ResizeSpec, resizer

HEIGHT, WIDTH = 13, 22
SWITCHES = {
    "never": None,
    "legacy": {},
    "prefer_float32": {"prefer_float32": True},
    "off": {"dtype_conversion_mode": "off"},
}


def pixels(height=HEIGHT, width=WIDTH, channels=3, seed=0):
    rows, columns = np.mgrid[:height, :width]
    planes = [rows * (7 + c) + columns * (11 - c) + 90 * (rows > columns) for c in range(channels)]
    noise = np.random.default_rng(seed).integers(0, 64, [height, width, channels])
    return ((np.stack(planes, -1) + noise) % 256).astype(np.uint8)


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def bmp(bits, data, compression=0, palette=b"", masks=b""):
    colors = len(palette) // 4
    info = (40, WIDTH, HEIGHT, 1, bits, compression, len(data), 0, 0, colors, 0)
    rest = struct.pack("<IiiHHIIiiII", *info) + masks + palette
    start = 14 + len(rest)
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + rest + data


def run_lengths(high):
    """Rows of runs and of literal indices, with a jump, as 8-bit RLE; `high` is the largest index."""
    rows = []
    for row in range(HEIGHT):
        runs = [(5, row % high), (WIDTH - 10, (row * 3) % high)]
        literal = [(row + i) % high for i in range(4)]
        coded = b"".join(bytes(run) for run in runs) + bytes([0, 4, *literal])
        rows.append(coded + (bytes([0, 2, 1, 0]) if row % 3 == 0 else b"") + b"\0\0")
    return b"".join(rows) + b"\0\1"


def write_files(folder):
    """Writes the folders that the cases read: one for each format, and one of several classes."""
    image = Image.fromarray(pixels())
    gray = Image.fromarray(pixels(channels=1)[..., 0])
    turned = Image.Exif()
    turned[0x0112] = 6
    words = np.random.default_rng(3).integers(0, 2**16, [HEIGHT, WIDTH], np.uint16)
    palette = pixels(1, 256, 4, seed=4).tobytes()
    fields = struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    frames = [Image.fromarray(np.roll(pixels(), 5 * n)).quantize(60) for n in range(2)]
    files = {
        "jpg": {
            "rgb": saved(image, "JPEG", quality=90),
            "gray": saved(gray, "JPEG"),
            "cmyk": saved(image.convert("CMYK"), "JPEG"),
            "turned": saved(image, "JPEG", exif=turned),
        },
        "png": {
            "rgb": saved(image, "PNG"),
            "rgba": saved(Image.fromarray(pixels(channels=4)), "PNG"),
            "la": saved(Image.fromarray(pixels(channels=2), "LA"), "PNG"),
            "deep": saved(Image.fromarray(words), "PNG"),
            "palette": saved(image.quantize(30), "PNG"),
            "really-gif": saved(frames[0], "GIF"),
        },
        "gif": {
            "still": saved(frames[0], "GIF"),
            "moving": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            "transparent": saved(frames[0], "GIF", transparency=3),
        },
        "bmp": {
            "rgb": saved(image, "BMP"),
            "palette": saved(image.quantize(30), "BMP"),
            "bits": saved(image.convert("1"), "BMP"),
            "rle8": bmp(8, run_lengths(256), 1, palette),
            "rle4": bmp(4, run_lengths(16), 2, palette[:64]),
            "555": bmp(16, words.tobytes()),
            "565": bmp(16, words.tobytes(), 3, masks=fields),
            "alpha": saved(Image.fromarray(pixels(channels=4)), "BMP"),
        },
        "webp": {
            "lossless": saved(image, "WEBP", lossless=True),
            "alpha": saved(Image.fromarray(pixels(channels=4)), "WEBP", lossless=True),
        },
        "tif": {"rgb": saved(image, "TIFF"), "deep": saved(Image.fromarray(words), "TIFF")},
        "ppm": {"rgb": saved(image, "PPM")},
    }
    if formats.library_of(formats.of_suffix("jxl")):
        data = Path(__file__).parent / "data"
        files["jxl"] = {name: (data / f"{name}.jxl").read_bytes() for name in ("rgb", "container")}
    for suffix, contents in files.items():
        for name, content in contents.items():
            path = folder / "formats" / suffix / "a" / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for number, (name, count) in enumerate([("cat", 3), ("dog", 5), ("Emu", 2)]):
        for i in range(count):
            seed = 10 * number + i
            for kind, channels in (("images", 3), ("masks", 1), ("spoiled", 3)):
                path = folder / kind / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                array = pixels(HEIGHT + i, WIDTH + number, channels, seed)
                array = array // 64 if kind == "masks" else array
                Image.fromarray(array[..., 0] if channels == 1 else array).save(path)
    (folder / "spoiled/dog/1.png").write_bytes(b"no image")
    whole = (folder / "spoiled/dog/3.png").read_bytes()
    (folder / "spoiled/dog/3.png").write_bytes(whole[: len(whole) // 2])


# The cases. Each makes something, and returns the function that reads it.

DIRECTORY = {"image_size": (10, 12), "batch_size": 4, "seed": 5, "verbose": False}
FLOW = {"target_size": (10, 12), "batch_size": 4, "seed": 5}
CLASSIC = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 3,
    "shear_range": 10.0,
    "zoom_range": 0.3,
    "channel_shift_range": 20.0,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
}
BEYOND = {
    "width_shift_range": [1, 4],
    "crop_scale": (0.3, 1),
    "contrast_range": (0.5, 2),
    "saturation_range": (0, 2),
    "hue_range": 0.3,
    "cutout": 0.8,
    "cutout_value": 77.0,
    "fill_mode": "constant",
    "interpolation_order": 3,
}
RAND = {"rand_augment": (4, 9)}
MIXES = {"mixup_alpha": 0.3, "cutmix_alpha": 1.0, "horizontal_flip": True}


def directory(folder, **options):
    return tfpipe.image_dataset_from_directory(str(folder), **DIRECTORY | options)


def augmented(folder, ranges, **options):
    return directory(folder, augment=tfpipe.Augment(**ranges), **options)


def flow(folder, settings=None, **options):
    generator = tfpipe.ImageDataGenerator(**settings or {})
    return generator.flow_from_directory(str(folder), **FLOW | options)


def frame_of(folder):
    names = [f"cat/{i}.png" for i in range(3)] + [f"dog/{i}.png" for i in range(5)]
    frame = pd.DataFrame({"filename": names, "class": list("aaabbbbb")})
    return frame.assign(weight=np.arange(8) / 4, a=range(8), b=np.arange(8) / 3)


def from_frame(folder):
    options = {"x_col": "filename", "y_col": ["a", "b"], "label_mode": "multi_output"}
    return tfpipe.image_dataset_from_dataframe(
        frame_of(folder), str(folder / "images"), **options, **DIRECTORY
    )


def flow_of_frame(folder):
    return tfpipe.ImageDataGenerator().flow_from_dataframe(
        frame_of(folder), str(folder / "images"), weight_col="weight", **FLOW
    )


def arrays(divisor=1.0):
    return np.stack([pixels(6, 7, 3, seed) for seed in range(10)]).astype("float32") / divisor


def flow_of_arrays(settings, divisor=1.0):
    generator = tfpipe.ImageDataGenerator(**settings)
    generator.fit(arrays(divisor))
    x = (arrays(divisor), np.arange(20.0).reshape(10, 2))
    return generator.flow(x, np.arange(10), sample_weight=np.ones(10), batch_size=4, seed=5)


def saving(folder):
    (folder / "saved").mkdir()
    settings = {"rescale": np.float64(1 / 255), "horizontal_flip": True}
    return flow(folder / "images", settings, save_to_dir=str(folder / "saved"))


def preprocessing(folder, function):
    return flow(folder / "images", {"preprocessing_function": function})


def datasets(folder, quick):
    """{name: what makes a data set}"""
    images = folder / "images"
    every_format = sorted((folder / "formats").iterdir())
    quickly = {
        "gif": partial(directory, folder / "formats/gif", label_mode=None),
        "classic": partial(flow, images, CLASSIC, class_mode="sparse"),
    }
    if quick:
        return quickly
    masks = {"masks": str(folder / "masks"), "label_mode": "int"}
    first = {"data_format": "channels_first", "label_mode": "categorical"}
    stratified = {"validation_split": 0.4, "subset": "validation", "stratify": True}
    zca = {"zca_whitening": True, "dtype": "float64"}
    return quickly | {
        "function": partial(augmented, images, BEYOND),
        **{
            f"format {path.name}": partial(directory, path, label_mode=None)
            for path in every_format
        },
        "rgba": partial(flow, folder / "formats", color_mode="rgba", exif_orientation=True),
        "gray": partial(flow, folder / "formats", color_mode="grayscale", interpolation="box"),
        "exif": partial(directory, folder / "formats/jpg", exif_orientation=True, max_pixels=999),
        "fast": partial(directory, folder / "formats/jpg", decoding="fast", image_size=(5, 6)),
        "rand_augment": partial(augmented, images, RAND),
        "mixes": partial(augmented, images, MIXES, label_mode="categorical"),
        "float64": partial(augmented, images, CLASSIC, dtype="float64"),
        "uint8": partial(augmented, images, CLASSIC, dtype="uint8"),
        "masks": partial(augmented, images, CLASSIC, **masks),
        "masks float32": partial(augmented, images, CLASSIC, **masks, mask_dtype="float32"),
        "oversample": partial(directory, images, balance="oversample"),
        "undersample": partial(directory, images, balance="undersample", drop_remainder=True),
        "weights": partial(directory, images, class_weights="balanced", **first),
        "paths": partial(directory, images, include_paths=True, batch_size=None),
        "stratified": partial(directory, images, **stratified),
        "input": partial(flow, images, class_mode="input", keep_aspect_ratio=True),
        "skip": partial(directory, folder / "spoiled", on_error="skip", max_errors=4),
        "memory": partial(directory, images, cache="memory"),
        "kept": partial(directory, images, cache=str(folder / "kept")),
        "frame": partial(from_frame, folder),
        "weighted frame": partial(flow_of_frame, folder),
        "featurewise": partial(flow_of_arrays, {"featurewise_std_normalization": True} | CLASSIC),
        "samplewise": partial(flow_of_arrays, {"samplewise_std_normalization": True}),
        "zca": partial(flow_of_arrays, zca),
        "0..1": partial(flow_of_arrays, {"brightness_range": (0.5, 1.5)}, 255.0),
        "saved": partial(saving, folder),
        "NumPy function": partial(preprocessing, folder, lambda x: np.ascontiguousarray(x[::-1])),
        "tensor function": partial(preprocessing, folder, tf.image.per_image_standardization),
        "seek": lambda: flow(images).starting_at(1, 1),
    }


def batches(dataset):
    """Reads a data set in every way; `map` ends a loop that would not end."""
    read = {"epochs": [list(dataset.map(lambda *batch: batch)) for _ in range(2)]}
    if dataset.spec.errors.skips:
        return read | {"skipped": dataset.skipped}
    return read | {"first": dataset[0], "next": [next(dataset) for _ in range(2)]}


def others(folder, quick):
    """{name: what makes a function that reads}, of what is not a data set."""
    images = folder / "images"
    quickly = {"fit": lambda: partial(trained, flow(images, CLASSIC, class_mode="sparse"))}
    if quick:
        return quickly
    validation = {"shuffle": False}
    return quickly | {
        "validated": lambda: partial(trained, directory(images), directory(images, **validation)),
        "fit of a generator": lambda: partial(statistics, flow(images)),
        "layer": layer,
        "methods": lambda: methods,
        "resized": lambda: resized,
        "warped": lambda: warped,
        "shards": lambda: partial(packed, folder, directory(images)),
        "check": lambda: partial(checked, folder / "spoiled"),
        "resumed": lambda: partial(resumed, flow(images)),
    }


def trained(dataset, validation=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((10, 12, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(dataset, validation_data=validation, epochs=2, verbose=0).history
    return [model.get_weights(), history, model.predict(dataset, verbose=0)]


def layer():
    layers = [
        tfpipe.layers.Augment(seed=3, **CLASSIC | BEYOND),
        tfpipe.layers.Augment(seed=3, dtype="float64", **RAND),
    ]
    return lambda: [
        each(kind, training=True)
        for each in layers
        for kind in (arrays(), arrays()[0].astype("uint8"))
    ]


def resized():
    """Every interpolation, in a graph."""
    specs = [
        ResizeSpec((5, 40), kernel, resampling=resampling, aspect=aspect, **options)
        for kernel, resampling, aspect, options in (
            *((name, "pillow", "stretch", {}) for name in INTERPOLATIONS["pillow"]),
            *((name, "tensorflow", "stretch", {}) for name in INTERPOLATIONS["tensorflow"]),
            ("bicubic", "pillow", "crop", {}),
            ("bicubic", "tensorflow", "crop", {"antialias": True}),
            ("bilinear", "tensorflow", "pad", {"fill_value": 9.5}),
        )
    ]
    kinds = (pixels(), pixels(channels=4).astype("float32"))
    return [
        tf.function(resizer(spec), autograph=False)(tf.constant(image))
        for spec in specs
        for image in kinds
    ]


def warped():
    """Every fill mode and order."""
    image = tf.constant(pixels())
    matrix = affine_matrix(HEIGHT, WIDTH, theta=50.0, tx=9.5, zx=1.7)
    return [
        warp.affine_transform(image, matrix, order=order, fill_mode=mode, cval=99.0)
        for mode in warp_spec.FILL_MODES
        for order in warp_spec.ORDERS
    ]


def packed(folder, dataset):
    tfpipe.pack(dataset, folder / "shards", samples_per_shard=4, verbose=False)
    options = {"batch_size": 4, "seed": 5, "verbose": False}
    augment = tfpipe.Augment(rotation_range=20)
    return batches(tfpipe.image_dataset_from_shards(folder / "shards", augment=augment, **options))


def checked(folder):
    report = tfpipe.check(str(folder), verbose=False)
    return [[Path(problem.path).name, problem.kind, problem.reason] for problem in report.problems]


def methods():
    generator = tfpipe.ImageDataGenerator(samplewise_center=True, zca_whitening=True, **CLASSIC)
    image = arrays()[0]
    params = generator.get_random_transform(image.shape, seed=4)
    generator.fit(arrays(), augment=True, rounds=2, seed=3)
    return [
        params,
        generator.apply_transform(image, params),
        generator.random_transform(image.astype("uint8"), seed=4),
        generator.standardize(image.copy()),
    ]


def statistics(dataset):
    generator = tfpipe.ImageDataGenerator(featurewise_std_normalization=True)
    generator.fit(dataset)
    return [generator.mean, generator.std]


def resumed(dataset):
    mapped = dataset.map(lambda *batch: batch)
    iterator, again = iter(mapped), iter(mapped)
    next(iterator)
    with tempfile.TemporaryDirectory() as where:
        path = tf.train.Checkpoint(iterator=iterator).write(os.path.join(where, "here"))
        tf.train.Checkpoint(iterator=again).read(path)
        return list(again)


def plain(value):
    """Returns what was read with arrays in place of tensors, ready to be compared and pickled."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(part) for part in value)
    return np.array(value.numpy()) if hasattr(value, "numpy") else value


def result_of(read):
    try:
        return plain(read())
    except Exception as error:  # whatever the switch may bring about
        return f"{type(error).__name__}: {error}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("switch", choices=SWITCHES)
    parser.add_argument("when", choices=["before", "after"])
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    def switch():
        if SWITCHES[arguments.switch] is not None:
            tf.experimental.numpy.experimental_enable_numpy_behavior(**SWITCHES[arguments.switch])

    with tempfile.TemporaryDirectory() as top:
        os.chdir(top)  # results hold paths
        folder = Path("files")
        write_files(folder)
        if arguments.when == "before":
            switch()
        readers = {
            name: partial(batches, make())
            for name, make in datasets(folder, arguments.quick).items()
        }
        readers |= {name: make() for name, make in others(folder, arguments.quick).items()}
        if arguments.when == "after":
            switch()
        results = {name: result_of(read) for name, read in readers.items()}
    with open(arguments.results, "wb") as file:
        pickle.dump(results, file)


if __name__ == "__main__":
    main()
