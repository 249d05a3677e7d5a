import sys

import numpy as np
import pytest

from analysis.figures.learning_curves import _learning_curves_info, learning_curves


def test_every_trial_has_a_curve_and_a_role(build):
    run = build.load(
        [
            build.trial(1, {}, origin="baseline"),
            build.trial(2, {"sam.rho": 0.5, "saner.alpha": 0.1}),
            build.trial(3, {"sam.rho": 0.1, "saner.alpha": 0.1}),
            build.trial(4, {"sam.rho": 0.1}, status="stopped", epochs=5),
            build.trial(5, {"sam.rho": 1.5}, status="failed", epochs=2),
            build.trial(6, {"sam.rho": 0.3}, status="running", epochs=9),
        ]
    )
    info = _learning_curves_info(run)
    assert {curve.trial: curve.role for curve in info.curves} == {
        "t0001": "baseline",
        "t0002": "winner",
        "t0003": "done",
        "t0004": "stopped",
        "t0005": "failed",
        "t0006": "unfinished",
    }
    assert {curve.trial for curve in info.diagnostic} == {"t0001", "t0002"}
    stopped = next(curve for curve in info.curves if curve.trial == "t0004")
    np.testing.assert_array_equal(stopped.x, [2, 4, 6, 8, 10])


def test_the_ceiling_is_what_a_perfect_model_gets(search_run):
    assert _learning_curves_info(search_run).ceiling == pytest.approx(0.5)


def test_many_points_are_thinned_but_never_the_winners(build, monkeypatch):
    # The package's function hides its module of the same name.
    monkeypatch.setattr(sys.modules["analysis.figures.learning_curves"], "_POINTS", 100)
    info = _learning_curves_info(build.load(build.search(30)))
    faint = [curve for curve in info.curves if curve.role not in ("winner", "baseline")]
    assert sum(len(curve.x) for curve in faint) < 200
    done = next(curve for curve in faint if curve.role == "done")
    assert done.x[-1] == 80
    winner = next(curve for curve in info.curves if curve.role == "winner")
    assert len(winner.x) == 40


def test_without_test_accuracy_there_is_one_panel(build):
    run = build.load(build.search(6))
    run.epochs["test_accuracy"] = np.nan
    assert _learning_curves_info(run).diagnostic == []
    assert "yaxis2" not in learning_curves(run).layout


def test_a_role_is_one_trace_however_many_trials(build):
    figure = learning_curves(build.load(build.search(80)))
    assert len(figure.data) <= 8  # the ceiling is one
    baseline = next(trace for trace in figure.data if trace.name == "baseline")
    assert baseline.line.dash == "dash"
