"""Known points come from the other populations, never from the one that is searched."""

import pytest

NAME = "digits_symmetric_0"


@pytest.fixture(scope="module")
def known_points():
    import known_points

    return known_points


def test_good_points_are_the_best_of_other_populations_and_misleading_ones_the_worst(
    known_points, monkeypatch
):
    others = ["digits_instance_0", "digits_asymmetric_1"]
    monkeypatch.setattr(known_points, "recorded", lambda mark: [NAME, *others])

    def ranks(way, seed):
        points = known_points.known_points(NAME, way, seed)
        assert 0 < len(points) <= known_points.POINTS
        places = [
            [trial.values for trial in known_points._ranked(known_points.recording(other), way)]
            for other in others
        ]
        return [{order.index(point) for order in places}
                for point in points]  # fmt: skip

    assert all(0 in found for found in ranks("good", 0))
    assert all(0 in found for found in ranks("misleading", 0))
    assert not {*map(str, known_points.known_points(NAME, "misleading", 0))} & {
        *map(str, known_points.known_points(NAME, "good", 0))
    }
    assert known_points.known_points(NAME, "none", 0) == []
    assert known_points.known_points(NAME, "good", 0) == known_points.known_points(NAME, "good", 0)


def test_ratios_are_to_the_same_searches_without_known_points(known_points, monkeypatch):
    trials = known_points.recording(NAME).pool.trials
    best = max(trials, key=lambda trial: trial.last["val_accuracy"])
    compute = {"none": 0.2, "good": 0.1, "misleading": None}

    def searches(name, way, seeds):
        score = best.last["val_accuracy"]
        end = known_points.Finish(best.name, score, compute[way] or 0.0)
        return [[end] if compute[way] else []] * seeds

    monkeypatch.setattr(known_points, "searches", searches)
    rows = list(known_points.rows([NAME], 2))
    assert [row["ratio"] for row in rows] == pytest.approx([1.0, 0.5, 5.0])
    accuracy = best.last["test_accuracy"]
    assert [row["test_accuracy"]["0.1"] for row in rows] == pytest.approx([0.0, accuracy, 0.0])
    whole = known_points.overall(rows, "good")
    assert (whole["ratio"], whole["low"], whole["high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert "x 0.50" in known_points.line("all, good", whole)
