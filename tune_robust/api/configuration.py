"""Load the configuration of one training run, and compare the run with an exported trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tune_robust.config import TrainConfig, own_parts, parse_config
from tune_robust.metrics import TIMINGS, finite_or_none
from tune_robust.own import collect_code, use_code, used_code
from tune_robust.spaces.locations import locate_config
from tune_robust.spaces.overrides import Overrides, apply_overrides
from tune_robust.spaces.yaml_text import read_yaml


class Exported(NamedTuple):
    """The results of an exported trial: ``metrics``, None for NaN, after ``epoch`` (from 1)."""

    epoch: int
    metrics: Mapping[str, float | None]

    def differing(self, metrics: Mapping[str, float]) -> dict[str, tuple[float | None, ...]]:
        """Return the exported and the new value of each metric that differs, by name.

        Metrics are compared to the last bit, except those that depend on the machine.
        """
        now = finite_or_none(metrics)
        return {
            name: (value, now.get(name))
            for name, value in self.metrics.items()
            if name not in TIMINGS and value != now.get(name)
        }


class Configuration(NamedTuple):
    """A configuration and, if it belongs to an exported trial, the results of that trial.

    ``processes`` is the number of processes of each trial of the run that it was exported from.
    """

    config: TrainConfig
    exported: Exported | None
    processes: int = 1


def load_configuration(
    path: str | Path, *, settings: Overrides = (), code: str | Path | None = None
) -> Configuration:
    """Load a training configuration, also from a file written by ``export``.

    Args:
        path: a YAML file.
        settings: changes, as a mapping from key paths to values or as ``path=value``. With
            changes, it is no longer the configuration of the exported trial, and ``exported`` is
            None.
        code: the folder with the modules of its own parts, which can be imported from then on; by
            default the folder ``code`` that ``export`` wrote beside the file, else the working
            directory.

    Raises:
        UserError: there is no such file, or it is not valid; the message has every problem with its
            key path.
    """
    path = Path(path)
    document = read_yaml(path)
    given = document.get("train", document) if isinstance(document, dict) else document
    located, changes = locate_config(given, settings, path.expanduser().absolute().parent)
    config = parse_config(apply_overrides(located, changes), str(path))
    provenance, result = (document.get(name) or {} for name in ("provenance", "result"))
    _use_code(config, path, "code" in provenance, code)
    # Earlier versions wrote it beside the metrics.
    processes = provenance.get("processes") or result.get("processes") or 1
    if settings or "epoch" not in result or "metrics" not in result:
        return Configuration(config, None, processes)
    return Configuration(config, Exported(result["epoch"], result["metrics"]), processes)


def _use_code(config: TrainConfig, path: Path, exported: bool, given: str | Path | None) -> None:
    """Make the code of own parts importable, by default what was ``exported`` beside ``path``."""
    beside = path.expanduser().absolute().parent / "code"
    folder = beside if given is None and exported and beside.is_dir() else given
    use_code(collect_code(own_parts(config).values(), folder))


def uses_other_code(path: str | Path) -> bool:
    """Whether this process uses other code than the trial that was exported to ``path``."""
    document = read_yaml(Path(path))
    before = (document.get("provenance") or {}).get("code") or {}
    code = used_code()
    return code is not None and before.get("hash", code.hash) != code.hash
