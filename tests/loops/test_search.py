"""A search over a loop of the user's own: early stopping, the store, report, replay and export."""

import math
import shutil
import threading

import pytest

import tune_robust as tr
from tests.loops.parts import LOOP, SPACE
from tests.loops.simulated import search
from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.api.configuration import load_configuration, uses_other_code
from tune_robust.api.own_code import with_loop
from tune_robust.api.spaces import load_space
from tune_robust.errors import UserError
from tune_robust.loops import run_loop
from tune_robust.own import collect_code, use_code
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.runs.store import RunStore
from tune_robust.tuning.engine.conductor import Conductor


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A finished search of twelve trials and a baseline."""
    folder = tmp_path_factory.mktemp("loops")
    budget = {**SPACE["budget"], "trials": 12, "sentinels": 1}
    space = load_space(SPACE | {"budget": budget, "baselines": [{"rate": 0.05}]})
    with forgotten():
        code = collect_code(space.own_parts, write_modules(folder, my_loop=LOOP))
        use_code(code)
        search(space, folder / "r1")
        store = RunFolder(folder / "r1")
        store.write_meta(store.read_meta() | {"code": code.document()})
        yield folder / "r1"


def test_weak_trials_are_stopped_by_what_they_report(place):
    trials = read_trials(RunFolder(place)).values()
    statuses = [trial.status for trial in trials]
    assert {*statuses} == {"done", "stopped"}
    done = [t.last["distance"] for t in trials if t.status == "done"]
    stopped = [t.last["distance"] for t in trials if t.status == "stopped"]
    assert min(stopped) > min(done)
    assert all(t.last["gradient_evaluations"] == 16 for t in trials if t.status == "done")


def test_its_metrics_are_in_the_tables_and_the_report(place):
    run = tr.load_run(place)
    assert run.epochs["distance"].notna().all()
    winner = run.trials.sort_values("objective").iloc[0]
    assert winner["distance"] == winner["objective"]
    page = tr.report(run, out=place.parent / "report.html").read_text()
    assert "loop.rate" in page
    assert "digits" not in page


def test_the_stored_epochs_rebuild_what_the_scheduler_knew(place):
    folder = RunFolder(place)
    space = load_space(tr.load_run(place).space)
    store = RunStore(folder)
    conductor = Conductor(space, store, threads=1)
    assert conductor.complete
    conductor.close()


def test_a_winner_is_exported_with_its_code_and_trains_to_the_same_numbers(place, tmp_path):
    (path,) = tr.export(place, top=1, out=tmp_path)
    assert "small_cnn" not in path.read_text()
    with forgotten():
        config, exported, _ = load_configuration(path)
        assert not uses_other_code(path)
        *_, last = run_loop(config)
    assert exported.differing(last.metrics) == {}
    (tmp_path / "code" / "my_loop.py").write_text("train = print")
    with forgotten():
        load_configuration(path)
        assert uses_other_code(path)


def test_another_scheduler_is_replayed_on_the_recorded_loop(place):
    found = tr.replay(place, schedulers=["asha", "none"], seeds=2)
    assert len(found["combinations"]) == 2


def test_two_runs_of_a_loop_compare(place, tmp_path):
    shutil.copytree(place, tmp_path / "r2")
    found = tr.compare(place, tmp_path / "r2", out=tmp_path / "page.html")
    (scene,) = found.scenes
    assert scene.label == "my_loop:train"
    assert "digits" not in (tmp_path / "page.html").read_text()


def own(config, trial):
    trial.report({"distance": math.pi})


def test_a_function_of_a_module_goes_by_its_name_and_others_as_they_are():
    with forgotten():
        space, folder = with_loop({"search": {}, "train": {"epochs": 3}}, own, None)
        assert space == {
            "name": "own",
            "search": {},
            "train": {"loop": "tests.loops.test_search:own", "epochs": 3},
        }
        assert (folder / "tests" / "loops" / "test_search.py").exists()

        def inside(config, trial):
            trial.report({"distance": 1})

        space, _ = with_loop({}, inside, None)
        assert space["train"]["loop"] == "__main__:inside"
        with pytest.raises(UserError, match=r"goes with a space that is given as a dict"):
            with_loop("saner_digits", own, None)


def test_a_function_that_cannot_be_pickled_is_refused():
    lock = threading.Lock()

    def locked(config, trial):
        with lock:
            trial.report({"distance": 1})

    with forgotten(), pytest.raises(UserError, match=r"'.*locked' cannot be sent to the processes"):
        with_loop({}, locked, None)
