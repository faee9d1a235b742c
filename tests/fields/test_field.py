"""tfpipe.fields.field: a kind of field that the package does not know travels through every stage.

A new kind is one module in `fields`; here it is one class in a test.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.field import Kind, Layout, listed
from tfpipe.fields.label import LabelSpec
from tfpipe.fields.number import Number
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.source import Arrays, Source
from tfpipe.transforms.augment import Augment

N = 5


@dataclass(frozen=True)
class Words(Kind):
    """The number of words of each text: [B, 1]."""

    separator: str = " "

    def held(self, column):
        return np.array([text.encode() for text in column], object)

    def load(self, rows):
        return tf.strings.split(rows, self.separator)

    def finish(self, batch, finish):
        return batch.row_lengths()[:, tf.newaxis]


@pytest.fixture
def source():
    images = Arrays(np.arange(N * 12, dtype=np.float32).reshape(N, 2, 2, 3))
    texts = np.array(
        ["one", "two words", "now three words", "one", "as many as five words"], object
    )
    return Source.of(images, np.arange(N)).with_columns(
        caption=texts, age=np.arange(N, dtype=np.float32) / 2
    )


def dataset(source, layout, **options):
    spec = PipelineSpec(
        label=LabelSpec("value"),
        fields={"caption": Words(), "age": Number()},
        layout=layout,
        **{"batch_size": 3, "shuffle": False, **options},
    )
    return ImageDataset(source, spec)


X = {"picture": "image", "words": "caption", "years": "age"}


class TestOwnKind:
    def test_loop_and_subscript_give_it_where_the_layout_says(self, source):
        made = dataset(source, Layout(X, "label"))
        (x, y), (last, _) = made
        assert x["words"].numpy().tolist() == [[1], [2], [3]]
        assert last["words"].numpy().tolist() == [[1], [5]]
        assert (x["years"].numpy().tolist(), y.numpy().tolist()) == ([0, 0.5, 1], [0, 1, 2])
        again, _ = made[0]
        for name, values in x.items():
            np.testing.assert_array_equal(values, again[name])

    def test_what_the_layout_does_not_name_is_left_out(self, source):
        images, years = next(iter(dataset(source, Layout("image", "age"))))
        assert (images.shape, years.shape) == ((3, 2, 2, 3), (3,))

    def test_it_goes_with_its_image_when_shuffled_split_and_augmented(self, source):
        made = dataset(
            source.take(np.array([4, 2, 0])),
            Layout(X, "label"),
            shuffle=True,
            seed=3,
            augment=Augment(horizontal_flip=True),
        )
        words = {0: 1, 2: 3, 4: 5}
        for x, y in made:
            assert x["words"][:, 0].numpy().tolist() == [words[label] for label in y.numpy()]
            assert (x["years"].numpy() * 2 == y.numpy()).all()

    def test_graphs_of_other_kinds_are_not_shared(self, source):
        first, second = (
            PipelineSpec(
                label=LabelSpec("value"),
                fields={"caption": Words(separator)},
                layout=Layout("caption"),
                shuffle=False,
            )
            for separator in (" ", "o")
        )
        counts = [next(iter(ImageDataset(source, spec)))[0, 0] for spec in (first, second)]
        assert [int(count) for count in counts] == [1, 2]

    def test_numbers_are_mixed_as_the_images_are(self, source):
        made = dataset(source, Layout(X, "age"), augment=Augment(mixup_alpha=0.4), seed=1)
        x, y = next(iter(made))
        np.testing.assert_array_equal(x["years"], y)
        np.testing.assert_allclose(
            x["picture"][:, 0, 0, 0] / 24, y, atol=1e-5
        )  # 24 per half a year

    def test_what_it_cannot_be_mixed_is_said(self, source):
        with pytest.raises(ValueError, match="Received: labels that are not numbers"):
            list(dataset(source, Layout("image", "caption"), augment=Augment(mixup_alpha=0.4)))


def test_names_in_the_order_of_the_layout():
    assert listed(({"b": "image", "a": ("x", "y")}, (), ("weight",))) == [
        "image",
        "x",
        "y",
        "weight",
    ]
