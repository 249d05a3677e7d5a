"""One case: a run is damaged, every verb is run on it, and what must not be is looked for."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from safetensors.torch import load_file
from typer.main import get_command
from typer.testing import CliRunner

import tune_robust as tr
from tests.fuzz.damage import damage
from tests.fuzz.runs import SPACE, Curves, Truth, build, truth, weights_of
from tune_robust.cli import app
from tune_robust.config import parse_config
from tune_robust.errors import UserError
from tune_robust.runs.checkpoints import Owner, open_checkpoints
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_record
from tune_robust.runs.trial import ENDED
from tune_robust.spaces.objective import objective_of

QUICK = (
    ("status", "RUN"),
    ("status", "RUN", "--json"),
    ("export", "RUN"),
    ("export", "RUN", "--format", "json"),
    ("export", "RUN", "--format", "csv"),
    ("export", "RUN", "--top", "1", "--checkpoint", "--out", "WEIGHTS"),
    ("resume", "RUN", "--no-dashboard"),
    ("resume", "RUN", "--no-dashboard", "--rebuild-log"),
    ("status", "RUN", "--json"),
    ("confirm", "RUN", "--top", "1", "--seeds", "2", "--no-dashboard"),
    ("resume", "CONFIRM", "--no-dashboard"),
)
SLOW = (
    ("report", "RUN"),
    ("compare", "RUN", "OTHER"),
    ("replay", "RUN", "--seeds", "1"),
    ("search", "--space", "SPACE", "--name", "warm", "--storage", "NEW", "--warm-start", "RUN"),
)

_COMMAND_MADE_ONCE = mock.patch("typer.testing._get_command", return_value=get_command(app))
"""To make it for each verb would take longer than the verb."""


class Fuzzer:
    """Holds the whole runs, in ``home``, of which each case damages a copy."""

    def __init__(self, home: Path):
        self._home = home
        build(home / "whole")
        (home / "space.yaml").write_text(yaml.safe_dump(SPACE.document()))
        self._truth = {name: truth(home / "whole" / name) for name in ("finished", "interrupted")}

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
        self, verb: tuple[str, ...], case: Path, known: Truth | None, slow: bool
    ) -> Iterator[str]:
        run, weights = case / "runs" / "r", case / "weights"
        places = {
            "RUN": run,
            "CONFIRM": run / "confirm",
            "OTHER": self._home / "whole" / "finished",
            "WEIGHTS": weights,
            "SPACE": self._home / "space.yaml",
            "NEW": case / "new",
        }
        shutil.rmtree(weights, ignore_errors=True)
        with _without_training(reports=slow), _COMMAND_MADE_ONCE:
            result = CliRunner().invoke(app, [str(places.get(word, word)) for word in verb])
        if problem := _unexpected(result.exception):
            yield f"{' '.join(verb)}: {problem}"
        if known is None:
            return
        if "--json" in verb and result.exit_code == 0:
            yield from _unknown_numbers(json.loads(result.stdout)["trials"], known["search"])
        if result.exit_code == 0:
            yield from _foreign_weights(weights, known["search"])
        if verb[:2] == ("resume", "RUN"):
            yield from _unknown_tables(run, known["search"])
            yield from _foreign_checkpoints(run)
        elif verb[0] in ("confirm", "resume"):
            yield from _unknown_tables(run / "confirm", known["confirmation"])


@contextlib.contextmanager
def _without_training(*, reports: bool) -> Iterator[None]:
    """Everything but the training: a resumed search ends as soon as it has begun.

    ``reports``: whether it then writes its report, which takes longer than all else.
    """
    engine = "tune_robust.tuning.engine"
    written = ("tune_robust.cli.summary.finish", "tune_robust.api.confirm._refresh_report")
    with contextlib.ExitStack() as patched:
        # An interrupted command ignores Ctrl-C until its process ends.
        patched.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        for function in () if reports else written:
            patched.enter_context(mock.patch(function, return_value=None))
        for function, result in (
            (f"{engine}.preparing.prepare", {}),
            (f"{engine}.searching._cluster", contextlib.nullcontext()),
        ):
            patched.enter_context(mock.patch(function, return_value=result))
        begun = mock.patch(f"{engine}.searching._run_trials", side_effect=_begun)
        patched.enter_context(begun)
        patched.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


def _begun(*given: Any) -> None:
    begin = given[-1]
    begin()


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


def _unknown_numbers(trials: list[dict], known: Curves) -> Iterator[str]:
    for trial in trials:
        whole = known.get(trial["trial"], {})
        if trial["epoch"] and trial["metrics"] != whole.get(trial["epoch"]):
            yield f"status shows {trial['trial']} at epoch {trial['epoch']} as it never was"


def _unknown_tables(run: Path, known: Curves) -> Iterator[str]:
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
        if trial.status == "done" and trial.epochs.keys() != known.get(name, {}).keys():
            yield f"{name} is done at epoch {max(trial.epochs, default=0)}"


def _foreign_checkpoints(run: Path) -> Iterator[str]:
    """What the trials that are not over would go on from."""
    try:
        folder, trials = RunFolder(run), read_record(RunFolder(run)).trials
        owners = {
            name: Owner(folder.id, name, parse_config(trial.config, name))
            for name, trial in trials.items()
            if trial.status not in ENDED
        }
    except (UserError, OSError):
        return
    for name, owner in owners.items():
        found = open_checkpoints(folder.checkpoints(name), objective_of(SPACE), owner).newest()
        if found is None:
            continue
        epoch, weights = found[1].epoch, found[1].state["model"]["weight"]
        if not weights.equal(weights_of(name, epoch)):
            yield f"{name} would go on at epoch {epoch} from weights that are not its own"


def _foreign_weights(weights: Path, known: Curves) -> Iterator[str]:
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
