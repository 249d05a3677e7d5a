"""The data of tests/training/test_presets.py, which other processes import for their own."""

from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError


def of(config):
    return make_splits(config.data, load_dataset(config.data))


def missing():
    raise UserError("the data is not on this machine.")
