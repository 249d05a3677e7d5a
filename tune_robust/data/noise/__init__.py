"""Models of label noise.

A noise model is a function ``(noise, source, classes, parts, generator) -> labels``:

- ``noise``: its settings;
- ``source``: the training source, Images with N true labels, complete and in its own order, so
  that the random numbers of an image do not depend on the subset and the split;
- ``classes``: the K class names;
- ``parts``: disjoint positions in the source, one array per part; exact counts hold in each part;
- ``generator``: the random stream to draw from;
- returns int64 labels (N,) in [0, K), which differ from the true labels only inside the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tune_robust.config import DataConfig, GivenNoise, HumanNoise, NoNoise
from tune_robust.data.drawing import stream
from tune_robust.data.images import Images
from tune_robust.data.naming import beside_the_data
from tune_robust.data.noise.asymmetric import asymmetric
from tune_robust.data.noise.given import given
from tune_robust.data.noise.human import human
from tune_robust.data.noise.instance import instance
from tune_robust.data.noise.symmetric import symmetric


def clean(
    noise: NoNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the true labels: no noise."""
    return source.labels.numpy()


MODELS: dict[str, Callable[..., np.ndarray]] = {
    "none": clean,
    "symmetric": symmetric,
    "asymmetric": asymmetric,
    "instance": instance,
    "human": human,
    "given": given,
}
"""By ``noise.kind``."""


def noisy_labels(
    config: DataConfig, source: Images, classes: Sequence[str], parts: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the labels (N,) of the source's images under ``config.noise`` with ``config.seed``.

    A file that the noise names is searched for in the data folder first.

    Raises:
        UserError: the noise does not fit the data set.
    """
    noise = config.noise
    if isinstance(noise, HumanNoise | GivenNoise) and noise.file is not None:
        noise = noise.model_copy(update={"file": str(beside_the_data(config, noise.file))})
    return MODELS[noise.kind](noise, source, classes, parts, stream(config.seed, "noise"))
