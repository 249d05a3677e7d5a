"""Labels by human annotators for CIFAR: CIFAR-10N and CIFAR-100N (Wei et al. 2022)."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tune_robust.config import HumanNoise
from tune_robust.data.images import Images
from tune_robust.data.noise.replacing import check_order, checked, replaced
from tune_robust.data.pickles import ARRAY_GLOBALS, quiet_old_pickles
from tune_robust.errors import UserError, unknown

TRUE_LABELS = {"noisy_coarse_label": "clean_coarse_label"}
"""The key of the true labels for a key of noisy ones; ``clean_label`` for all other keys."""

HOME = "https://github.com/UCSC-REAL/cifar-10-100n (folder data/)"


def human(
    noise: HumanNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the labels ``noise.key`` of ``noise.file``; they do not depend on a seed.

    Raises:
        UserError: the file cannot be read, or its true labels are not those of the source.
    """
    found = read_labels(Path(noise.file))
    true_key = TRUE_LABELS.get(noise.key, "clean_label")
    for key in (noise.key, true_key):
        if key not in found:
            raise UserError(f"{noise.file}: {unknown('label set', key, found)}")
    name = f"{noise.file} ({noise.key})"
    labels = checked(found[noise.key], source, len(classes), name)
    true = checked(found[true_key], source, len(classes), f"{noise.file} ({true_key})")
    check_order(true, source, name)
    return replaced(source, labels, parts)


def read_labels(path: Path) -> dict[str, np.ndarray]:
    """Read the label sets of a CIFAR-N file, by key.

    The file is a pickle; only arrays and plain values are loaded from it.

    Raises:
        UserError: the file is missing, damaged or contains anything else.
    """
    if not path.is_file():
        raise UserError(
            f"data.noise.file: there is no {path}. Download it from {HOME} and put it next to the "
            "data, or name where it is."
        )
    try:
        with torch.serialization.safe_globals(ARRAY_GLOBALS), quiet_old_pickles():
            found = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): np.asarray(labels) for key, labels in found.items()}
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(_unreadable(path, reason)) from error
    except (AttributeError, TypeError) as error:
        raise UserError(_unreadable(path, "it holds no label sets")) from error


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"{path} is not a file of CIFAR-N labels ({reason}). It may be truncated or another file: "
        f"download it again from {HOME}."
    )
