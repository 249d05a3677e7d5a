"""Whoever may write into a run's folder gets no code run by those who read it."""

import pickle
from pathlib import Path

import pytest
import torch

from tests.cli.command import run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path):
        self._mark = mark

    def __reduce__(self):
        return Path.touch, (self._mark,)


def plant(path, mark, write):
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Planted(mark), path)


def pickled(planted, path):
    path.write_bytes(pickle.dumps(planted))


def test_no_verb_executes_what_lies_in_a_run(tmp_path, searched):
    folder, mark = searched / "runs" / "r1", tmp_path / "executed"
    # As if killed in the middle of t0003.
    events = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    ended = next(n for n, e in enumerate(events) if b'"end"' in e and b"t0003" in e)
    (folder / "events.jsonl").write_bytes(b"".join(events[:ended]))
    for derived in ("trials.parquet", "epochs.parquet"):
        (folder / derived).unlink()
    for name in ("last.pt", "previous.pt", "best.pt"):
        for trial in (f"t{number:04d}" for number in range(1, 7)):
            write = torch.save if name == "last.pt" else pickled
            plant(folder / "checkpoints" / trial / name, mark, write)
    for name in ("tuner.pkl", "trainable.pkl", "searcher-state.pkl", "experiment_state.json"):
        plant(folder / "ray" / name, mark, pickled)
    pickled(Planted(mark), folder / "study.journal")

    assert pickle.loads(pickle.dumps(Planted(tmp_path / "works"))) is None
    assert (tmp_path / "works").exists(), "the trap does not work"
    run("status", "r1", cwd=searched)
    run("report", "r1", cwd=searched)
    run("compare", "r1", "r1", cwd=searched, code=None)
    run("export", "r1", cwd=searched)
    refused = run("export", "r1", "--checkpoint", cwd=searched, code=None)
    assert refused.returncode == 2, refused.stderr
    run("resume", "r1", "--no-dashboard", cwd=searched, code=None)
    assert not mark.exists()
