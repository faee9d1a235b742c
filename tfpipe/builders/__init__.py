"""The doors: `ImageDataGenerator`, `image_dataset_from_...` and `folds`.

Each translates its spelling into the same source and the same specifications, and nothing else: no pixel
is touched here, and no other room knows these names.
"""
