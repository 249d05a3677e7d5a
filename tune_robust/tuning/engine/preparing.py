"""Before a search starts, decode the data and check that the networks fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tune_robust.config import TrainConfig
from tune_robust.data.cache_folder import cache_of
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.space import Space


def prepare(configs: Sequence[TrainConfig], storage: str) -> dict[str, Any]:
    """Decode the data once, and check that network and batches fit it, before any trial starts.

    Args:
        configs: one for each data set and label set, from ``one_of_each_data``.
        storage: the folder or URI of the runs, next to which the decoded data is cached.

    Returns:
        The entries of run.json: warnings about the data (``cautions``), and the number of images
        and the measured fraction of wrong labels of each part; the latter two only if all trials
        share them.

    Raises:
        UserError: the data is missing or damaged, or a network or batch size does not fit it.
    """
    from tune_robust.data import cautions, load_dataset, make_splits
    from tune_robust.training import check_fits

    found: list[str] = []
    for config in configs:
        dataset = load_dataset(config.data, cache_of(storage))
        splits = make_splits(config.data, dataset)
        check_fits(config, splits)
        found += cautions(config.data, dataset, splits)
    odd = {"cautions": list(dict.fromkeys(found))}
    if len(configs) > 1:
        return odd
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    known = config.data.truth_known
    return odd | {
        "images": {name: len(part) for name, part in parts.items()},
        "wrong_labels": {
            name: part.noisy.float().mean().item() if known else None
            for name, part in parts.items()
        },
    }


def one_of_each_data(space: Space) -> list[TrainConfig]:
    """Return a configuration for each data set and label set; only a grid has several."""
    varying = [dim for dim in space.dimensions if varies_labels(dim.path)]
    points = grid_points(space.dimensions) if varying else [{}]
    configs = (space.config_for(point) for point in points)
    return list({config.data.model_dump_json(): config for config in configs}.values())
