"""What the further processes of a trial begin with. Imports no Ray, which takes a while."""

from __future__ import annotations

import pickle
from pathlib import Path

from tune_robust.config import DataConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.own import Code, register_functions, use_code


def load_splits(data: DataConfig, cache: Path, code: Code | None, functions: bytes = b"") -> Splits:
    """Make the user's own parts known in this process, and load the split of the trial.

    Args:
        data: the data of the trial.
        cache: the folder of decoded data sets.
        code: the source of the user's own parts.
        functions: those that are not in files, by name and pickled, if there are any.
    """
    use_code(code)
    if functions:
        register_functions(pickle.loads(functions))
    return make_splits(data, load_dataset(data, cache))
