"""A loop of the user's own as a generator: reports, checkpoints, and its end."""

import subprocess
import sys
import threading
import zipfile

import pytest

from tests.loops.parts import LOOP
from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.config import parse_config
from tune_robust.errors import ConfigError, UserError
from tune_robust.loops import read_loop_checkpoint, run_loop
from tune_robust.loops.checkpoints import unpack_loop_checkpoint
from tune_robust.own import collect_code, use_code


@pytest.fixture
def config_of(tmp_path):
    """The configuration of the loop in ``text``, with these settings."""

    def config_of(text=LOOP, **settings):
        folder = write_modules(tmp_path / "code", my_loop=text)
        use_code(collect_code(["my_loop:train"], folder))
        loop = {"name": "my_loop:train", "rate": 0.5, **settings}
        return parse_config({"loop": loop, "epochs": 4, "seed": 3})

    with forgotten():
        yield config_of


def untimed(results):
    return [
        {k: v for k, v in result.metrics.items() if k != "seconds"} | {"epoch": result.epoch}
        for result in results
    ]


def test_each_report_is_an_epoch_and_no_more_than_there_are(config_of):
    found = [*run_loop(config_of())]
    assert [result.epoch for result in found] == [1, 2, 3, 4]
    assert [result.metrics["gradient_evaluations"] for result in found] == [2, 4, 6, 8]
    seconds = [result.metrics["seconds"] for result in found]
    assert seconds == sorted(seconds)
    endless = "def train(config, trial):\n    while True:\n        trial.report({'x': 1})"
    assert len([*run_loop(config_of(endless))]) == 4


def test_it_goes_on_from_a_checkpoint_to_the_same_numbers(config_of, tmp_path):
    config, path = config_of(), tmp_path / "last.pt"
    whole = untimed(run_loop(config))
    running = run_loop(config)
    next(running)
    next(running).save(path, {"run": "r", "trial": "t0001"})
    running.close()
    stored = read_loop_checkpoint(path)
    assert (stored.epoch, stored.owner, len(stored.earlier)) == (
        2,
        {"run": "r", "trial": "t0001"},
        1,
    )
    assert untimed(run_loop(config, resume=path)) == whole[2:]
    with pytest.raises(UserError, match="belongs to another configuration"):
        next(run_loop(config_of(rate=0.1), resume=path))


def test_a_loop_that_is_closed_is_stopped_where_it_reports(config_of, tmp_path):
    text = """
        def train(config, trial):
            try:
                while True:
                    try:
                        trial.report({"x": 1})
                    except Exception:
                        pass
            finally:
                open(config["path"], "w").close()
    """
    path = tmp_path / "ended"
    running = run_loop(config_of(text, path=str(path)))
    next(running)
    before = threading.active_count()
    running.close()
    assert path.exists()
    assert threading.active_count() == before - 1


def test_a_loop_may_return_early(config_of):
    text = "def train(config, trial):\n    trial.report({'x': config['seed']})"
    (only,) = run_loop(config_of(text))
    assert only.metrics["x"] == 3
    assert only.metrics["gradient_evaluations"] == 1


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("def train(config, trial): 1 / 0", ZeroDivisionError, "division"),
        ("def train(config, trial): pass", UserError, "returned without a report"),
        ("def train(config): pass", UserError, r"called as loop\(config, trial\)"),
        ("def train(c, t): t.report({'x': 'high'})", TypeError, "x is 'high'; expected a number"),
        ("def train(c, t): t.report({'epoch': 1})", TypeError, "a metric called 'epoch'"),
        ("def train(c, t): t.report({'x': [1, 2]})", TypeError, "expected a number"),
    ],
)
def test_what_a_loop_does_wrong_is_raised(config_of, text, error, said):
    with pytest.raises(error, match=said):
        next(run_loop(config_of(text)))


def test_a_damaged_checkpoint_is_refused(config_of, tmp_path):
    path = tmp_path / "last.pt"
    next(run_loop(config_of())).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b'"epoch": 1') + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or not the checkpoint of a loop"):
        read_loop_checkpoint(path)
    with pytest.raises(UserError, match="there is no checkpoint"):
        read_loop_checkpoint(tmp_path / "none")


def test_a_checkpoint_writes_nothing_beside_its_folder(tmp_path):
    path = tmp_path / "planted.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("files/../../outside", "x")
        archive.writestr("files/inside", "x")
    (tmp_path / "a" / "b").mkdir(parents=True)
    unpack_loop_checkpoint(path, tmp_path / "a" / "b")
    assert not (tmp_path / "outside").exists()
    assert (tmp_path / "a" / "b" / "inside").exists()


def test_settings_of_the_built_in_loop_have_no_effect_beside_another():
    with pytest.raises(ConfigError, match="optimizer, batch_size: no effect beside loop"):
        parse_config({"loop": "a:b", "batch_size": 3, "optimizer": "adamw"})
    config = parse_config({"loop": "a:b", "data": {"seed": 4}})
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.mark.e2e
def test_a_search_of_a_loop_needs_no_torch():
    script = (
        "import sys; sys.modules['torch'] = None; import tune_robust.api.search, "
        "tune_robust.tuning.engine.preparing, tune_robust.tuning.engine.ray_backend, "
        "tune_robust.tuning.engine.loop_runner, tune_robust.tuning.engine.searching, "
        "tune_robust.runs.store, tune_robust.runs.upkeep, tune_robust.tuning.engine.conductor"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
