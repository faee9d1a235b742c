"""tfpipe.fields.text: text beside an image reaches the model as it stands in the table."""

import keras
import numpy as np
import pytest

from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.field import Layout
from tfpipe.fields.label import LabelSpec
from tfpipe.fields.text import Text
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.source import Arrays, Source
from tfpipe.transforms.augment import Augment

TEXTS = np.array(["a cat", "ein Käse", "", "猫 と 犬", "a dog"], object)


def dataset(texts=TEXTS, layout=None, **options):
    images = Arrays(np.zeros([len(texts), 2, 3, 1], np.float32))
    source = Source.of(images, np.arange(len(texts))).with_columns(caption=texts)
    layout = layout or Layout({"image": "image", "caption": "caption"}, "label")
    spec = PipelineSpec(
        label=LabelSpec("value"), fields={"caption": Text()}, layout=layout, batch_size=2, **options
    )
    return ImageDataset(source, spec)


class TestText:
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_goes_with_its_sample(self, shuffle):
        pairs = [
            pair for x, y in dataset(shuffle=shuffle) for pair in zip(x["caption"], y, strict=True)
        ]
        assert {int(y): text.numpy().decode() for text, y in pairs} == dict(enumerate(TEXTS))

    def test_keras_tokenizes_it(self):
        vectorize = keras.layers.TextVectorization(vocabulary=["cat", "dog"])
        ids = [vectorize(x["caption"]).numpy() for x, _ in dataset(shuffle=False)]
        assert ids[0].tolist() == [[1, 2], [1, 1]]

    @pytest.mark.parametrize("missing", [None, np.nan, 3, b"bytes"])
    def test_what_is_not_a_str_is_named(self, missing):
        with pytest.raises(ValueError, match=r"a str in every row.*row 1"):
            dataset(np.array(["a", missing], object))

    def test_cannot_be_mixed(self):
        with pytest.raises(ValueError, match="Received: text"):
            dataset(layout=Layout("image", "caption"), augment=Augment(mixup_alpha=0.2))
