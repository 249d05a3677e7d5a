"""A damaged or lost log made whole again: of its whole lines and of the tables."""

import json
import random
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.errors import UserError
from tune_robust.runs.completeness import LogIncomplete
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.log import LogDamaged, sealed, seed_of
from tune_robust.runs.reader import read_record
from tune_robust.runs.store import RunStore

SPACE = space(
    train={"data": {"dataset": "digits"}, "epochs": 6, "optimizer": {"name": "sgd"}},
    search={
        "method": {"choice": ["sam", "saner"]},
        "sam.rho": {"log_uniform": [0.1, 1.0]},
        "saner.k": {"int": [0, 5], "when": {"method": "saner"}},
    },
    baselines=[{"method": "sgd"}],
    budget={"trials": 8, "scheduler": "asha", "grace": 2, "reduction": 2},
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "r"
    simulate(SPACE, path)
    return path


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "r")
    return RunFolder(tmp_path / "r")


def told(record):
    """All that a record says, but for the reasons that tables do not keep."""
    trials = {
        t.name: (t.origin, t.values, t.config, t.status, t.epochs) for t in record.trials.values()
    }
    return trials, [*record.history]


def lines_of(folder):
    return folder.events.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("lost", ["missing", "empty", "short"])
def test_a_lost_log_is_refused_and_rebuilt_from_the_tables(folder, lost):
    whole = told(read_record(folder))
    tables = {path: path.read_bytes() for path in (folder.trials, folder.epochs)}
    if lost == "missing":
        folder.events.unlink()
    else:
        folder.events.write_bytes(b"".join(lines_of(folder)[: 9 if lost == "short" else 0]))
    with pytest.raises(
        LogIncomplete, match=r"(?s)trials.parquet has 8 trials.*--rebuild-log"
    ) as error:
        RunStore(folder, recover=True)
    assert str(folder.events) in str(error.value)
    assert tables == {path: path.read_bytes() for path in tables}
    RunStore(folder, rebuild=True).close()
    assert told(read_record(folder)) == whole


def test_a_run_without_a_log_is_read_from_its_tables(folder):
    whole = told(read_record(folder))
    folder.events.unlink()
    assert told(read_record(folder)) == whole


@pytest.mark.parametrize("seed", range(12))
def test_lines_that_are_damaged_are_restored_from_the_tables(folder, seed):
    whole, draw = told(read_record(folder)), random.Random(seed)
    lines = lines_of(folder)
    for _ in range(3):
        place = draw.randrange(len(lines))
        match draw.choice(["damage", "remove", "invent"]):
            case "damage":
                lines[place] = lines[place].replace(b"0", b"1")
            case "remove":
                del lines[place]
            case "invent":
                lines.insert(place, b"nonsense\n")
    damaged = b"".join(lines)
    folder.events.write_bytes(damaged)
    with pytest.raises((LogDamaged, LogIncomplete)):
        RunStore(folder)
    assert folder.events.read_bytes() == damaged
    store = RunStore(folder, recover=True, rebuild=True)
    store.close()
    assert "the damaged log is kept as events.jsonl.damaged" in store.recovered
    assert folder.events.with_name("events.jsonl.damaged").read_bytes() == damaged
    assert told(read_record(folder))[0] == whole[0]


@pytest.mark.parametrize("log", ["missing", "empty"])
@pytest.mark.parametrize("table", ["missing", "damaged", "another run's"])
def test_a_run_that_lost_its_log_and_its_table_is_not_begun_anew(folder, tmp_path, log, table):
    checkpoint = Path(folder.checkpoints("t0001")) / "last.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"trained")
    folder.events.unlink() if log == "missing" else folder.events.write_bytes(b"")
    if table == "missing":
        folder.trials.unlink()
    elif table == "damaged":
        folder.trials.write_bytes(folder.trials.read_bytes()[:-9])
    else:
        simulate(SPACE, tmp_path / "other")
        shutil.copy(tmp_path / "other" / "trials.parquet", folder.trials)
    with pytest.raises(LogIncomplete, match="although the search has begun"):
        RunStore(folder, recover=True)
    with pytest.raises(UserError):
        RunStore(folder, rebuild=True)
    with pytest.raises(UserError):
        read_record(folder)
    assert checkpoint.exists()


def test_the_tables_of_another_run_are_not_believed(tmp_path):
    """Those of one that was finished would end the trials of one that was interrupted."""
    simulate(SPACE, tmp_path / "finished")
    simulate(SPACE, tmp_path / "r", stop_after=20)
    folder = RunFolder(tmp_path / "r")
    whole = told(read_record(folder))
    for table in (folder.trials, folder.epochs):
        shutil.copy(tmp_path / "finished" / table.name, table)
    assert told(read_record(folder)) == whole
    folder.events.write_bytes(b"nonsense\n" + folder.events.read_bytes())
    RunStore(folder, recover=True).close()
    assert told(read_record(folder)) == whole


@pytest.mark.parametrize("version", ["today's", "earlier", "earliest"])
def test_the_log_of_another_run_is_not_believed(folder, tmp_path, version):
    whole = told(read_record(folder))
    other = RunFolder(tmp_path / "other")
    simulate(SPACE, other.path, lambda trial, epoch: 0.123)
    lines = lines_of(other)
    if version == "earlier":  # its lines had a checksum and did not name the run
        lines = written_without_run(lines, other.id)
    elif version == "earliest":  # they had no checksum either
        lines = [re.sub(rb', "(run|crc)": "[0-9a-f]{8}"', b"", line) for line in lines]
    folder.events.write_bytes(b"".join(lines))
    store = RunStore(folder, recover=True)
    store.close()
    assert told(read_record(folder)) == whole
    why = "it was changed" if version == "earliest" else "it may belong to another run"
    assert f"line 2 was left out: {why}" in store.recovered


def test_lines_that_do_not_name_their_run_are_kept_behind_an_unbroken_beginning(folder):
    lines = written_without_run(lines_of(folder), folder.id)
    whole = told(read_record(folder))
    lines[-1] = lines[-1].replace(b"done", b"stopped")
    folder.events.write_bytes(b"".join(lines))
    for table in (folder.trials, folder.epochs):
        table.unlink()
    store = RunStore(folder, recover=True)
    store.close()
    assert store.recovered[0] == f"line {len(lines)} was left out: it was changed"
    assert told(read_record(folder))[1] == whole[1]


def test_the_end_of_another_runs_log_is_not_believed(folder, tmp_path):
    whole = told(read_record(folder))
    other = RunFolder(tmp_path / "other")
    simulate(SPACE, other.path, lambda trial, epoch: 0.123)
    folder.events.write_bytes(b"".join([*lines_of(folder)[:9], *lines_of(other)[9:]]))
    RunStore(folder, recover=True).close()
    assert told(read_record(folder))[0] == whole[0]


def written_without_run(lines, run_id):
    made, checksum = [], seed_of(run_id)
    for line in lines:
        event = json.loads(line)
        del event["crc"], event["run"]
        sealed_line, checksum = sealed(event, checksum)
        made.append(sealed_line)
    return made


def test_a_line_whose_checksum_was_damaged_is_no_line_of_an_earlier_version(folder):
    """Also where no line before it is whole."""
    whole = told(read_record(folder))
    lines = lines_of(folder)[:5]
    lines[:4] = [line.replace(b"0", b"1") for line in lines[:4]]
    lines[4] = lines[4].replace(b'"crc"', b'"crk"').replace(b"val_accuracy", b"val_accurazy")
    folder.events.write_bytes(b"".join(lines))
    RunStore(folder, rebuild=True).close()
    assert told(read_record(folder)) == whole


def test_without_tables_a_trial_whose_epochs_have_a_gap_is_trained_again(folder):
    for table in (folder.trials, folder.epochs):
        table.unlink()
    lines = lines_of(folder)
    at = next(i for i, x in enumerate(lines) if b'"trial": "t0002"' in x and b'"epoch": 1,' in x)
    lines[at] = lines[at].replace(b"val_accuracy", b"val_accurazy")
    folder.events.write_bytes(b"".join(lines))
    store = RunStore(folder, recover=True)
    assert f"line {at + 1} was left out: it was changed" in store.recovered
    assert "t0002 lacks epochs and will be trained again" in store.recovered
    assert (store.trials["t0002"].status, store.trials["t0002"].epochs) == ("pending", {})
    store.close()
    whole = simulate(SPACE, folder.path)
    assert whole.complete


def test_the_end_of_a_trial_says_which_epoch_was_its_last(folder):
    """So that a lost last line is no result of an earlier epoch."""
    for table in (folder.trials, folder.epochs):
        table.unlink()
    lines = lines_of(folder)
    end = next(i for i, x in enumerate(lines) if b'"status": "done"' in x)
    name = json.loads(lines[end])["trial"]
    last = max(i for i in range(end) if name.encode() in lines[i] and b'"epoch"' in lines[i])
    del lines[last]
    folder.events.write_bytes(b"".join(lines))
    store = RunStore(folder, recover=True)
    assert store.trials[name].status == "interrupted"
    store.close()


def test_damaged_tables_are_derived_again(folder):
    before = pd.read_parquet(folder.epochs)
    folder.epochs.write_bytes(b"nonsense")
    folder.trials.unlink()
    simulate(SPACE, folder.path)
    pd.testing.assert_frame_equal(pd.read_parquet(folder.epochs), before)
    assert folder.trials.exists()
