"""The 1,797 handwritten digits of 8x8 pixels that scikit-learn contains.

Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository; scikit-learn contains its test part. It has no official split, so a fixed stratified
selection of 360 images is the test set here.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from tune_robust.config import DataConfig
from tune_robust.data.drawing import stratified, stream
from tune_robust.data.images import Dataset, Images
from tune_robust.errors import UserError

TEST_SIZE = 360
_BRIGHTEST = 16


def locate(config: DataConfig) -> Sequence[Path]:
    """Return the file inside the installed scikit-learn; ``config.dir`` is not used."""
    spec = find_spec("sklearn")  # importing it takes a second
    if spec is None or spec.origin is None:
        raise UserError(
            "data.dataset: digits comes with scikit-learn, which is not installed. Install it: "
            "pip install scikit-learn"
        )
    return [Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"]


def decode(config: DataConfig, files: Sequence[Path]) -> Dataset:
    """Return 1,437 training and 360 test images with 1 channel of 8x8 pixels.

    The file is read in the same way as by ``sklearn.datasets.load_digits``: importing that function
    would take each worker of a search longer than many trials on digits take.
    """
    rows = np.loadtxt(files[0], delimiter=",")
    images = np.rint(rows[:, :-1] * (255 / _BRIGHTEST)).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = rows[:, -1].astype(np.int64)
    test = stratified(labels, TEST_SIZE, stream(0, "digits test"))
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Dataset(
        Images(torch.from_numpy(images[train]), torch.from_numpy(labels[train])),
        Images(torch.from_numpy(images[test]), torch.from_numpy(labels[test])),
        tuple(str(digit) for digit in range(10)),
    )
