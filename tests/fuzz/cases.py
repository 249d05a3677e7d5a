"""One case: a run is damaged, every verb is run on it, and what must not be is looked for."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from safetensors.torch import load_file
from typer.testing import CliRunner

import tune_robust as tr
from tests.fuzz.damage import damage
from tests.fuzz.runs import build, truth, weights_of
from tune_robust.cli import app
from tune_robust.errors import UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_record

QUICK = (
    ("status",),
    ("status", "--json"),
    ("export", "--format", "json"),
    ("export", "--format", "csv"),
    ("export", "--top", "1", "--checkpoint", "--out", "WEIGHTS"),
    ("resume", "--no-dashboard"),
    ("resume", "--no-dashboard", "--rebuild-log"),
    ("status", "--json"),
)
SLOW = (("report",), ("compare", "OTHER"))


class Fuzzer:
    """Holds the whole runs, in ``home``, of which each case damages a copy."""

    def __init__(self, home: Path):
        self._home = home
        build(home / "whole")
        self._truth = {
            name: truth(RunFolder(home / "whole" / name)) for name in ("finished", "interrupted")
        }

    def run(self, chance: random.Random, *, slow: bool) -> list[str]:
        """One case; what is wrong, nothing if all is well."""
        case = self._home / "case"
        shutil.rmtree(case, ignore_errors=True)
        name = chance.choice(("finished", "interrupted"))
        shutil.copytree(self._home / "whole" / name, case / "runs" / "r")
        outside = case / "outside"
        for precious in ("precious", "precious/t0001", "precious/t0009", "precious/photos"):
            (outside / precious).mkdir(parents=True, exist_ok=True)
            (outside / precious / "file").write_text(f"what is in {precious}")
        before = _contents(outside)
        told, on_purpose = damage(chance, case / "runs" / "r", outside)
        if not told:
            return []
        wrong = [
            problem
            for verb in (*QUICK, *(SLOW if slow else ()))
            for problem in self._verb(verb, case, None if on_purpose else self._truth[name], slow)
        ]
        if _contents(outside) != before:
            wrong.append("a file outside the run was changed")
        return [f"{name}, {'; '.join(told)}: {problem}" for problem in wrong]

    def _verb(
        self, verb: tuple[str, ...], case: Path, known: dict | None, slow: bool
    ) -> Iterator[str]:
        run, weights = case / "runs" / "r", case / "weights"
        places = {"OTHER": str(self._home / "whole" / "finished"), "WEIGHTS": str(weights)}
        arguments = [places.get(word, word) for word in verb]
        shutil.rmtree(weights, ignore_errors=True)
        with _without_training(reports=slow):
            result = CliRunner().invoke(app, [arguments[0], str(run), *arguments[1:]])
        if problem := _unexpected(result.exception):
            yield f"{' '.join(verb)}: {problem}"
        if known is None:
            return
        if verb == ("status", "--json") and result.exit_code == 0:
            yield from _unknown_numbers(json.loads(result.stdout)["trials"], known)
        if result.exit_code == 0:
            yield from _foreign_weights(weights, known)
        if verb[0] == "resume":
            yield from _unknown_tables(run, known)


@contextlib.contextmanager
def _without_training(*, reports: bool) -> Iterator[None]:
    """Everything but the training: a resumed search ends as soon as it would begin.

    ``reports``: whether it then writes its report, which takes longer than all else.
    """
    finish = mock.patch("tune_robust.cli.summary.finish", return_value=None)
    engine = "tune_robust.tuning.engine"
    with (
        contextlib.nullcontext() if reports else finish,
        mock.patch(f"{engine}.preparing.prepare", return_value={}),
        mock.patch(f"{engine}.searching._cluster", return_value=contextlib.nullcontext()),
        mock.patch(f"{engine}.searching._run_trials", return_value=None),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _unexpected(error: BaseException | None) -> str | None:
    """A traceback that a user would see."""
    if error is None or isinstance(error, SystemExit | UserError):
        return None
    if isinstance(error, OSError) and error.filename is not None:
        return None
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "/tune_robust/" in frame.filename or "/analysis/" in frame.filename
    ]
    where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:150]}"


def _unknown_numbers(trials: list[dict], known: dict) -> Iterator[str]:
    for trial in trials:
        whole = known.get(trial["trial"], {})
        if trial["epoch"] and trial["metrics"] != whole.get(trial["epoch"]):
            yield f"status shows {trial['trial']} at epoch {trial['epoch']} as it never was"


def _unknown_tables(run: Path, known: dict) -> Iterator[str]:
    try:
        epochs = tr.load_run(run).epochs
        record = read_record(RunFolder(run))
    except (UserError, OSError):
        return
    for row in epochs.to_dict("records"):
        whole = known.get(row["trial"], {}).get(row["epoch"])
        if whole is None or row["val_accuracy"] != whole["val_accuracy"]:
            yield f"the tables have {row['trial']} at epoch {row['epoch']} as it never was"
    for name, trial in record.trials.items():
        if trial.status == "done" and max(trial.epochs, default=0) != max(known[name]):
            yield f"{name} is done at epoch {max(trial.epochs, default=0)}"


def _foreign_weights(weights: Path, known: dict) -> Iterator[str]:
    for path in weights.glob("*.safetensors"):
        trial = path.stem.rpartition("_")[2]
        own = weights_of(trial, max(known[trial]))
        if not load_file(path)["weight"].equal(own):
            yield f"the weights exported for {trial} are not its own"


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
