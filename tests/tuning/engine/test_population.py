"""Whole searches with a population (pb2), simulated: equal compute, lineages, losses, refusals."""

import json

import pytest

from tests.tuning.simulated import peak, simulate, space, store_at
from tune_robust.api.resume import _changed
from tune_robust.config import parse_config
from tune_robust.errors import ConfigError, UserError
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.from_tables import record_of_tables
from tune_robust.runs.listing import list_runs
from tune_robust.runs.store import RunStore
from tune_robust.runs.tables import read_table
from tune_robust.spaces.space import load_space, parse_space
from tune_robust.tuning.engine.conductor import Conductor

TRAIN = {"data": {"dataset": "digits"}, "method": "saner", "optimizer": {"name": "sgd"}}
SEARCH = {
    "sam.rho": {"log_uniform": [0.01, 1.0]},
    "optimizer.lr": {"log_uniform": [0.01, 0.2]},
    "saner.k": {"int": [0, 5]},
}
BUDGET = {"trials": 8, "scheduler": "pb2"}


def searched(**changes):
    given = {"train": {**TRAIN, "epochs": 6}, "search": SEARCH, "budget": BUDGET}
    return space(**{"format": 2, "searcher": {"name": "qmc"}, **given, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder and the conductor of a search that is over."""
    path = tmp_path_factory.mktemp("population") / "r"
    return path, simulate(searched(baselines=[{"method": "sgd"}]), path)


def test_the_compute_is_that_of_as_many_complete_trainings_as_the_population_has_members(run):
    _, conductor = run
    progress = conductor.progress
    assert conductor.complete
    assert progress.spent == (8 + 1) * 12
    assert (progress.left, progress.remaining) == (0, 0)
    assert progress.counts == {"done": 8 + 1, "stopped": 5 * 2, "pending": 0}


def test_a_continuing_trial_has_the_epochs_after_the_one_it_continues(run):
    _, conductor = run
    continuing = [trial for trial in conductor.trials.values() if trial.continues]
    assert len(continuing) == 5 * 2
    for trial in continuing:
        parent = conductor.trials[trial.continues.trial]
        epoch = trial.continues.epoch
        assert min(trial.epochs) == epoch + 1
        assert trial.continues.gradient_evaluations == 2 * epoch
        assert trial.config["seed"] == parent.config["seed"]
        assert trial.values["saner.k"] == parent.values["saner.k"]
        *knots, last = trial.config["knots"]
        assert knots == parent.config["knots"]
        changed = {path: trial.values[path] for path in ("sam.rho", "optimizer.lr")}
        assert last == {"epoch": epoch, "set": changed}
        parse_config(trial.config)


def test_the_tables_and_the_log_say_what_a_trial_continues(run):
    path, conductor = run
    stored = read_table(path / "trials.parquet", ["continues"])["continues"].to_pylist()
    for found, trial in zip(stored, conductor.trials.values(), strict=True):
        if trial.continues is None:
            assert found is None
        else:
            assert json.loads(found) == trial.continues._asdict()
    with_log = {**conductor.trials}
    from_tables = record_of_tables(RunFolder(path)).trials
    assert {n: t.continues for n, t in from_tables.items()} == {
        n: t.continues for n, t in with_log.items()
    }
    [listed] = list_runs(str(path.parent))
    assert (listed.state, listed.ended, listed.total) == ("finished", 19, 19)


def test_a_lost_log_is_rebuilt_from_the_tables_without_training_anything_again(run, tmp_path):
    path, conductor = run
    copy = tmp_path / "r"
    copy.mkdir()
    for name in ("run.json", "trials.parquet", "epochs.parquet"):
        (copy / name).write_bytes((path / name).read_bytes())
    store = RunStore(RunFolder(copy), rebuild=True)
    assert not [line for line in store.recovered if "again" in line]
    again = Conductor(conductor.space, store, threads=1)
    assert again.complete
    assert again.progress.spent == conductor.progress.spent
    again.close()


def test_how_much_is_left_is_known_from_the_beginning(tmp_path):
    whole = 8 * 12
    for epochs in (0, 11, 30):
        conductor = simulate(searched(), tmp_path / str(epochs), stop_after=epochs)
        assert (conductor.progress.spent, conductor.progress.left) == (
            2 * epochs,
            whole - 2 * epochs,
        )


@pytest.mark.parametrize("failing", [{"t0003"}, {f"t000{n}" for n in range(1, 8)}])
def test_the_population_goes_on_without_members_that_fail(tmp_path, failing):
    def curve(trial, epoch):
        return None if trial.name in failing and epoch == 2 else peak(trial, epoch)

    conductor = simulate(searched(), tmp_path / "r", curve)
    assert conductor.complete
    counts = conductor.progress.counts
    assert counts["failed"] > 0
    assert counts["done"] == 8 - counts["failed"]
    assert conductor.progress.remaining == 0
    [listed] = list_runs(str(tmp_path))
    assert listed.state == "finished"


def test_failed_members_that_are_trained_again_join_the_population(tmp_path):
    simulate(searched(), tmp_path / "r", lambda trial, epoch: None if trial.number == 2 else 0.5)
    store = store_at(tmp_path / "r", searched())
    store.retry_failed()
    store.close()
    conductor = simulate(searched(), tmp_path / "r")
    assert conductor.complete
    assert conductor.trials["t0003"].status == "done"


def checkpoint(path, trial):
    return path / "checkpoints" / trial / "last.pt"


def test_a_trial_begins_with_a_copy_of_the_checkpoint_it_continues(tmp_path):
    path = tmp_path / "r"

    def saved(trial, epoch):
        """What training leaves beside the score."""
        file = checkpoint(path, trial.name)
        if trial.continues and epoch == trial.begins_after + 1:
            began.append((trial, file.read_text()))
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name("new")  # a checkpoint is never written over
        new.write_text(f"{trial.name} after epoch {epoch}")
        new.replace(file)
        return peak(trial, epoch)

    began = []
    conductor = simulate(searched(), path, saved)
    assert len(began) == 5 * 2
    for trial, content in began:
        found = trial.continues
        assert content == f"{found.trial} after epoch {found.epoch}"
    kept = [
        trial.name for trial in conductor.trials.values() if checkpoint(path, trial.name).exists()
    ]
    ends = {trial.name: trial.status for trial in conductor.trials.values()}
    assert {ends[name] for name in kept} == {"done"}


def test_a_copy_whose_trial_was_not_recorded_is_deleted(tmp_path):
    simulate(searched(), tmp_path / "r", stop_after=7)
    folder = RunFolder(tmp_path / "r")
    checkpoint(folder.path, "t0001").parent.mkdir(parents=True)
    checkpoint(folder.path, "t0001").write_text("of t0001")
    folder.copy_checkpoint("t0001", "t0009")
    folder.copy_checkpoint("t0002", "t0010")  # which has none
    assert checkpoint(folder.path, "t0009").read_text() == "of t0001"
    store_at(folder.path, searched()).close()
    assert not checkpoint(folder.path, "t0009").exists()
    assert checkpoint(folder.path, "t0001").exists()


def test_no_trials_can_be_added_to_a_population():
    document = searched().document()
    with pytest.raises(UserError, match=r"whose members train side by side.*budget.trials=16"):
        _changed(document, "+8", None)
    assert _changed(document, None, {"resources.cpus": 2}).budget.trials == 8


def test_the_searcher_of_a_population_is_qmc_unless_it_is_given():
    document = {**searched().document(), "searcher": {"seed": 3}}
    assert parse_space(document, source="mine").searcher.name == "qmc"
    assert (
        parse_space(document | {"searcher": {"name": "random"}}, source="mine").searcher.seed == 0
    )


def test_set_alone_makes_a_space_one_of_a_population():
    changed = load_space("saner_digits", overrides=["budget.scheduler=pb2", "budget.trials=8"])
    assert (changed.searcher.name, changed.budget.sentinels) == ("qmc", 0)
    with pytest.raises(ConfigError, match="found gp_mf; expected qmc or random"):
        load_space("saner_digits", overrides=["budget.scheduler=pb2", "searcher.name=gp_mf"])


REFUSED = {
    "budget.sentinels: found 2; expected 0, as the scheduler is pb2": {"sentinels": 2},
    "budget.stop: found auto; expected never": {"stop": "auto"},
    "budget.repeats: found auto; expected off": {"repeats": "auto"},
    "budget.hours: found 8; expected nothing": {"hours": 8},
    "budget.trials: found 1; expected at least 2": {"trials": 1},
    "budget.unit: found seconds; expected gradient_evaluations or epochs": {
        "unit": "seconds",
        "max": 9,
    },
    "budget.interval: found 1; expected at least 2, the compute of one epoch": {"interval": 1},
    "budget.interval: found 12; expected .* less than 12": {"interval": 12},
    "budget.interval: found 2.0; expected nothing: only the scheduler pb2": {
        "interval": 2,
        "scheduler": "asha",
    },
}


@pytest.mark.parametrize(("said", "budget"), REFUSED.items())
def test_budgets_that_do_not_fit_a_population_are_refused(said, budget):
    with pytest.raises(ConfigError, match=said):
        searched(budget=BUDGET | budget)


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("searcher.name: found tpe; expected qmc or random", {"searcher": {"name": "tpe"}}),
        ("none of those that can change is searched", {"search": {"saner.k": {"int": [0, 5]}}}),
        ("search.sam.rho: it includes 0", {"search": {"sam.rho": {"uniform": [0, 1]}}}),
        (
            "train.knots: the scheduler pb2 finds them",
            {"train": {**TRAIN, "epochs": 6, "knots": [{"epoch": 1, "set": {"sam.rho": 1}}]}},
        ),
        (
            "found pb2; expected auto, asha, median or none, as train.loop",
            {
                "train": {"loop": "mine:train", "epochs": 6},
                "search": {"loop.rho": SEARCH["sam.rho"]},
            },
        ),
    ],
)
def test_spaces_that_have_no_use_for_a_population_are_refused(said, changes):
    with pytest.raises(ConfigError, match=said):
        searched(**changes)
