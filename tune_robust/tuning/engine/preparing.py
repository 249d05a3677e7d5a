"""Before a search starts, decode the data and check that the networks fit it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tune_robust.cache_folder import cache_of
from tune_robust.config import TrainConfig, own_parts
from tune_robust.loops import check_loop
from tune_robust.runs.folder import RunFolder
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.space import Space


def prepare(
    configs: Sequence[TrainConfig], storage: str, own: Iterable[TrainConfig] = ()
) -> dict[str, Any]:
    """Decode the data once, and check that network and batches fit it, before any trial starts.

    Args:
        configs: one for each data set and label set, from ``one_of_each_data``.
        storage: the folder or URI of the runs, next to which the decoded data is cached.
        own: one for each choice of the user's own parts, from ``one_of_each_own``. They take a step
            on the data of the last of ``configs``.

    Returns:
        The entries of run.json: warnings about the data (``cautions``), and the number of images
        and the measured fraction of wrong labels of each part; the latter two only if all trials
        share them.

    Raises:
        UserError: the data is missing or damaged, or a network or batch size does not fit it.
    """
    from tune_robust.data import cautions, load_dataset, make_splits
    from tune_robust.training import check_fits, slow_imports

    found: list[str] = []
    for config in configs:
        dataset = load_dataset(config.data, cache_of(storage))
        splits = make_splits(config.data, dataset)
        check_fits(config, splits)
        found += cautions(config.data, dataset, splits)
    for config in own:
        check_fits(config, splits)
        found += slow_imports(config)
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


def prepare_space(space: Space, storage: str, new: RunFolder | None = None) -> dict[str, Any]:
    """Prepare a search, as ``prepare`` says, and see that a ``new`` run fits on the disk.

    Of a loop of the user's own, only that it can be called is seen.

    Raises:
        UserError: as ``prepare`` says, or not even one trial at a time would fit.
    """
    if space.has_loop:
        for config in space.examples:
            check_loop(config)
        return {}
    found = prepare(one_of_each_data(space), storage, one_of_each_own(space))
    if new is not None:
        from tune_robust.runs.disk import check_disk

        check_disk(space, new, cache_of(storage), concurrency=1)
    return found


def prepare_configs(configs: Sequence[TrainConfig], storage: str) -> None:
    """Prepare the training of ``configs``, one of each data set, as ``prepare`` does.

    Raises:
        UserError: as ``prepare`` says.
    """
    loops = [config for config in configs if config.loop is not None]
    for config in loops:
        check_loop(config)
    if not loops:
        prepare(configs, storage, [config for config in configs if own_parts(config)])


def one_of_each_data(space: Space) -> list[TrainConfig]:
    """Return a configuration for each data set and label set; only a grid has several."""
    if space.own_parts:  # their arguments may all be searched
        given = {c.data.model_copy(update=_ANY).model_dump_json(): c for c in space.examples}
        return list(given.values())
    varying = [dim for dim in space.dimensions if varies_labels(dim.path)]
    points = grid_points(space.dimensions) if varying else [{}]
    configs = (space.config_for(point) for point in points)
    return list({config.data.model_dump_json(): config for config in configs}.values())


_ANY: dict[str, Any] = {"augment": "none", "seed": 0}
"""What data sets may differ in and be loaded once."""


def one_of_each_own(space: Space) -> list[TrainConfig]:
    """One configuration for each choice of parts from elsewhere, and of their arguments' ends."""
    examples = {config.model_dump_json(include=_OWN): config for config in space.examples}
    return list(examples.values()) if space.own_parts else []


_OWN: Any = {"data": {"augment"}, "model": True, "loss": True, "optimizer": True}
"""The settings that may be parts from elsewhere."""
