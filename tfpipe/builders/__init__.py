"""The doors: `ImageDataGenerator`, `image_dataset_from_...` and `folds`.

Each translates its arguments into the same kinds of source and specification, and the graph does the rest.
The exceptions are methods of `ImageDataGenerator` that the classic has too: `fit`, `apply_transform`,
`random_transform` and `standardize` compute on arrays, with the functions of `transforms`. No package on a
lower line knows these names.
"""
