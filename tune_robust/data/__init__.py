"""Images and labels: where they come from, which labels are wrong, and how batches are made.

``images``        what a dataset and its parts are
``sources``       one file per source of images
``noise``         one file per model of label noise
``loading``       a source, decoded, by way of the cache
``splits``        subset, training and validation part, noise
``batches``       shuffled, augmented, normalised batches on the device
``cautions``      what is odd about the data of a run
``summary``       a dataset and its label noise in numbers
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
