"""Ray's trainable of loops, driven by hand: checkpoints, restarts and errors as results."""

import pytest
from ray.tune.utils.util import flatten_dict

from tests.loops.parts import LOOP
from tests.own.fresh import forgotten
from tests.own.parts import write_modules
from tune_robust.config import parse_config
from tune_robust.own import collect_code
from tune_robust.tuning.engine.loop_runner import LoopRunner
from tune_robust.tuning.engine.ray_backend import metrics_of

pytest.importorskip("ray.tune")


@pytest.fixture
def runner():
    runner = object.__new__(LoopRunner)
    with forgotten():
        yield runner
        runner.cleanup()


def job(tmp_path, known=0, **settings):
    loop = {"name": "my_loop:train", "rate": 0.5, **settings}
    return {
        "run": "ours",
        "trial": "t0001",
        "label": "t0001",
        "config": parse_config({"loop": loop, "epochs": 4}).model_dump(mode="json"),
        "checkpoints": str(tmp_path / "checkpoints" / "t0001"),
        "objective": {"metric": "distance", "mode": "min", "at": "last"},
        "known": known,
    }


def begin(runner, tmp_path, text=LOOP, **changes):
    code = collect_code(["my_loop:train"], write_modules(tmp_path / "code", my_loop=text))
    runner.setup(job(tmp_path, **changes), code=code)


def untimed(results):
    return [
        r | {"metrics": {k: v for k, v in r["metrics"].items() if k != "seconds"}} for r in results
    ]


def test_a_restarted_trial_reports_its_checkpoint_and_goes_on(runner, tmp_path):
    begin(runner, tmp_path / "whole")
    whole = untimed(runner.step() for _ in range(4))
    assert runner.step() == {"trial": "t0001", "returned": True}
    begin(runner, tmp_path / "lost")
    runner.step(), runner.step()
    runner.reset_config(job(tmp_path / "lost", known=2))
    assert untimed(runner.step() for _ in range(3)) == whole[1:]
    runner.reset_config(job(tmp_path / "lost", known=0))
    assert [runner.step()["epoch"] for _ in range(4)] == [1, 2, 3, 4]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(runner, tmp_path):
    begin(runner, tmp_path)
    runner.step(), runner.step()
    runner.cleanup()
    (tmp_path / "checkpoints" / "t0001" / "last.pt").write_bytes(b"PK")
    runner.reset_config(job(tmp_path, known=2))
    assert "epoch 1, from previous.pt" in runner.step()["note"]
    assert runner.step()["epoch"] == 1


def test_an_error_of_the_loop_is_a_result(runner, tmp_path):
    begin(runner, tmp_path, "def train(config, trial): 1 / 0")
    found = runner.step()
    assert "ZeroDivisionError" in found["error"]
    assert 'my_loop.py", line 1' in found["error"]


def test_its_metrics_reach_the_search_under_their_names(runner, tmp_path):
    begin(runner, tmp_path)
    found = metrics_of(flatten_dict(runner.step()))  # as Ray Tune gives it to its scheduler
    assert found.keys() == {"distance", "gradient_evaluations", "seconds"}


@pytest.mark.parametrize(
    ("message", "expected"), [("CUDA error: out of memory", True), ("out of luck", False)]
)
def test_a_gpu_that_is_too_small_is_told_from_other_errors(runner, tmp_path, message, expected):
    begin(runner, tmp_path, f'def train(config, trial):\n    raise RuntimeError("{message}")\n')
    result = runner.step()
    assert result["out_of_memory"] is expected
    assert message in result["error"]


def test_broken_cuda_ends_the_process(runner, tmp_path):
    failed = "CUDA error: an illegal memory access was encountered"
    begin(runner, tmp_path, f'def train(config, trial):\n    raise RuntimeError("{failed}")\n')
    with pytest.raises(RuntimeError, match="illegal memory access"):
        runner.step()
