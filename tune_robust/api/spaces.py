"""Load a search space: a built-in one, a YAML file, or plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tune_robust.errors import UserError
from tune_robust.spaces.locations import locate_space
from tune_robust.spaces.overrides import Overrides, plain
from tune_robust.spaces.space import Space, parse_space
from tune_robust.spaces.space import load_space as load_named_space

SpaceLike: TypeAlias = str | Path | Mapping[str, Any] | Space
"""A built-in space's name, the path of a YAML file, the plain data of one, or a loaded space."""


def load_space(
    space: SpaceLike,
    *,
    trials: int | None = None,
    settings: Overrides | None = None,
    data_dir: str | Path | None = None,
    download: bool = True,
) -> Space:
    """Load and check a search space.

    Args:
        space: the name of a built-in space, the path of a YAML file, or the same as a mapping.
        trials: the number of trials of the search; short for ``budget.trials``.
        settings: changes, as a mapping from key paths to values:
            ``{"train.epochs": 10, "search.sam.rho": {"log_uniform": [0.1, 1.0]}}``. A value of
            None under ``search.`` removes that dimension.
        data_dir: the folder of the data set; short for ``train.data.dir``.
        download: whether missing data may be downloaded; short for ``train.data.download``.

    Returns:
        The resolved and validated space.

    Raises:
        UserError: there is no such space, or it is not valid; the message has every problem with
            its key path.
    """
    overrides = _with_shorthands(settings, trials, data_dir, download)
    if isinstance(space, str | Path):
        return load_named_space(space, overrides=overrides)
    if isinstance(space, Space):
        document, overrides = locate_space(space.document(), overrides, Path.cwd())
        return parse_space(document, source=f"space {space.name}", overrides=overrides)
    if isinstance(space, Mapping):
        name = space.get("name", "without a name")
        document, overrides = locate_space(plain(space), overrides, Path.cwd())
        return parse_space(document, source=f"space {name}", overrides=overrides)
    raise UserError(
        f"a space is given by its name, the path of a YAML file or a dict, not by "
        f"{type(space).__name__}: {space!r}."
    )


def _with_shorthands(
    settings: Overrides | None, trials: int | None, data_dir: str | Path | None, download: bool
) -> Overrides:
    """Return the settings and those of the other arguments, which have precedence."""
    short: dict[str, Any] = {}
    if data_dir is not None:
        short["train.data.dir"] = str(Path(data_dir).expanduser().resolve())
    if not download:
        short["train.data.download"] = False
    if trials is not None:
        short["budget.trials"] = trials
    if settings is None or isinstance(settings, Mapping):
        return {**(settings or {}), **short}
    return [*settings, *(f"{path}={json.dumps(value)}" for path, value in short.items())]
