import numpy as np
import pandas as pd
import pytest

from analysis.figures.best_so_far import _best_so_far_info, best_so_far
from analysis.stored.run import load_run


@pytest.fixture
def path(build):
    return build.write(
        [
            build.trial(1, {}, origin="baseline", good=0.3, epochs=3),
            build.trial(2, {}, good=0.9, status="stopped", epochs=2),
            build.trial(3, {}, good=0.6, epochs=3),
        ]
    )


def test_trials_end_at_the_runs_cumulative_compute(path):
    run = load_run(path)
    info = _best_so_far_info(run)
    assert info.ended["spent"].tolist() == [3, 7, 13]
    assert info.ended["score"].tolist() == run.trials["objective"].tolist()


def test_compute_adds_up_in_the_order_recorded(path):
    """The trials ran side by side: their epochs alternate."""
    epochs = pd.read_parquet(path / "epochs.parquet")
    order = epochs.sort_values(["epoch", "trial"], ascending=[True, False], kind="stable")
    order.to_parquet(path / "epochs.parquet", index=False)
    info = _best_so_far_info(load_run(path))
    spent = dict(zip(info.ended["trial"], info.ended["spent"], strict=True))
    assert spent == {"t0002": 9, "t0003": 12, "t0001": 13}


def test_only_candidates_for_the_win_move_the_line(path):
    run = load_run(path)
    run.trials["objective"] = [0.3, 0.9, 0.6]
    info = _best_so_far_info(run)
    assert info.best.tolist() == [0.3, 0.6, 0.6]
    assert info.spent.tolist() == [3, 13, 13]
    assert info.baseline == 0.3


def test_a_loss_goes_down(build):
    space = build.space(objective={"metric": "val_loss", "mode": "min", "at": "last"})
    run = build.load([build.trial(i, {}) for i in (1, 2, 3)], space=space)
    run.trials["objective"] = [2.0, 3.0, 1.0]
    assert _best_so_far_info(run).best.tolist() == [2.0, 2.0, 1.0, 1.0]


def test_the_line_ends_at_the_winner(search_run):
    info = _best_so_far_info(search_run)
    done = search_run.trials.query("status == 'done'")
    assert info.best[-1] == done["objective"].max()
    assert info.spent[-1] == search_run.trials["gradient_evaluations"].sum()
    assert (np.diff(info.best) >= 0).all()


def test_without_an_ended_trial_there_is_no_line(build):
    figure = best_so_far(build.load([build.trial(1, {}, status="running")]))
    assert "best so far" not in [trace.name for trace in figure.data]
