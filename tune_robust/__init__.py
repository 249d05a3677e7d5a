"""Find the training configuration that generalises best under wrong labels.

    import tune_robust as tr

    run = tr.search("saner_digits", name="first", trials=12)
    run.trials, run.epochs  # data frames
    tr.confirm(run, top=3, seeds=5)
    tr.report(run)

This module exports the public names. Each is imported when it is first used, so that ``import
tune_robust`` is fast and imports neither PyTorch nor Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import version

    from analysis.stored.run import Run
    from tune_robust import figures
    from tune_robust.api.audit import audit
    from tune_robust.api.compare import compare
    from tune_robust.api.confirm import confirm
    from tune_robust.api.export import export
    from tune_robust.api.plan import plan
    from tune_robust.api.replay import replay
    from tune_robust.api.report import report, write_figures
    from tune_robust.api.resume import resume
    from tune_robust.api.runs import load_run
    from tune_robust.api.search import search
    from tune_robust.api.sensitivity import sensitivity
    from tune_robust.api.spaces import load_space
    from tune_robust.api.status import list_runs, status
    from tune_robust.config import TrainConfig
    from tune_robust.errors import UserError
    from tune_robust.methods import SharpnessAware
    from tune_robust.training import train

    __version__ = version("tune-robust")

_MODULES = {
    # run a search
    "plan": "tune_robust.api.plan",
    "search": "tune_robust.api.search",
    "resume": "tune_robust.api.resume",
    "confirm": "tune_robust.api.confirm",
    "replay": "tune_robust.api.replay",
    # look at what it found
    "load_run": "tune_robust.api.runs",
    "Run": "analysis",
    "list_runs": "tune_robust.api.status",
    "status": "tune_robust.api.status",
    "report": "tune_robust.api.report",
    "write_figures": "tune_robust.api.report",
    "compare": "tune_robust.api.compare",
    "sensitivity": "tune_robust.api.sensitivity",
    "export": "tune_robust.api.export",
    "audit": "tune_robust.api.audit",
    # describe and train one configuration
    "load_space": "tune_robust.api.spaces",
    "train": "tune_robust.training",
    "TrainConfig": "tune_robust.config",
    "SharpnessAware": "tune_robust.methods",
    "UserError": "tune_robust.errors",
}

__all__ = [
    "Run",
    "SharpnessAware",
    "TrainConfig",
    "UserError",
    "__version__",
    "audit",
    "compare",
    "confirm",
    "export",
    "figures",
    "list_runs",
    "load_run",
    "load_space",
    "plan",
    "replay",
    "report",
    "resume",
    "search",
    "sensitivity",
    "status",
    "train",
    "write_figures",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("tune-robust")
    elif name == "figures":
        value = import_module("tune_robust.figures")
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'tune_robust' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
