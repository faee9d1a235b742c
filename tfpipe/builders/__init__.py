"""The doors: `ImageDataGenerator`, `image_dataset_from_...` and `folds`.

Each translates its arguments into the same kinds of source and specification, and does nothing else. No
pixel is touched here, and no other package knows these names.
"""
