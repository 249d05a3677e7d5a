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

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tune_robust.config import DataConfig, GivenNoise, HumanNoise, NoNoise
from tune_robust.data.cache import read_tensors, write_tensors
from tune_robust.data.drawing import stream
from tune_robust.data.images import Images
from tune_robust.data.locking import one_at_a_time
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

    A file that the noise names is searched for in the data folder first. Instance noise of images
    that stay compressed is stored beside their index, since all of them are decoded to draw it.

    Raises:
        UserError: the noise does not fit the data set.
    """
    noise = config.noise
    if isinstance(noise, HumanNoise | GivenNoise) and noise.file is not None:
        noise = noise.model_copy(update={"file": str(beside_the_data(config, noise.file))})

    def draw() -> np.ndarray:
        return MODELS[noise.kind](noise, source, classes, parts, stream(config.seed, "noise"))

    if noise.kind == "instance" and source.index_file is not None:
        settings = [noise.model_dump(), config.seed, *map(len, parts)]
        depends = json.dumps(settings).encode() + b"".join(part.tobytes() for part in parts)
        return _stored(source.index_file, depends, draw)
    return draw()


def _stored(index: Path, depends: bytes, draw: Callable[[], np.ndarray]) -> np.ndarray:
    """Return ``draw()``, stored beside ``index`` for all processes.

    ``depends``: what else the labels depend on.
    """
    key = hashlib.sha256(depends).hexdigest()[:16]
    path = index.with_name(f"labels-{key}.safetensors")
    with one_at_a_time(path):
        found = read_tensors(path)
        if found is None:
            labels = draw()
            write_tensors(path, {"labels": torch.from_numpy(labels)}, {}, [index])
            return labels
    return found[0]["labels"].numpy()
