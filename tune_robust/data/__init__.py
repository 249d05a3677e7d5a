"""Images and labels: the sources of images, the models of label noise, and the batches.

``images``        a data set and its parts
``sources``       one file per source of images
``noise``         one file per model of label noise
``loading``       load a data set from its source, through the cache
``compressed``    images that are decoded when they are needed
``splits``        the subset, the training and validation parts, and their label noise
``batches``       shuffled, augmented and normalised batches on the device
``cautions``      conditions of the data that make scores less meaningful
``summary``       a data set and its label noise in numbers
"""

from tune_robust.data.batches import Batches, evaluation_batches
from tune_robust.data.cautions import cautions
from tune_robust.data.images import UNKNOWN, Dataset, Images, LabelledImages, Splits
from tune_robust.data.loading import load_dataset
from tune_robust.data.splits import make_splits
from tune_robust.data.summary import Summary, summarise

__all__ = [
    "UNKNOWN",
    "Batches",
    "Dataset",
    "Images",
    "LabelledImages",
    "Splits",
    "Summary",
    "cautions",
    "evaluation_batches",
    "load_dataset",
    "make_splits",
    "summarise",
]
