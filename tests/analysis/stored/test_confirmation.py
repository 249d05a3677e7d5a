import json

import pytest

from analysis import load_run
from analysis.stored.confirmation import read_confirmation
from tune_robust.errors import UserError
from tune_robust.statistics import Estimate


def row(trial, **changes):
    between = {"n": 5, "mean": 0.01, "sd": 0.01, "low": -0.002, "high": 0.022}
    given = {
        "trial": trial,
        "origin": "sampled",
        "n": 5,
        "mean": 0.44,
        "sd": 0.01,
        "low": 0.43,
        "high": 0.45,
        "behind_leader": between,
        "probability_best": 0.6,
        "optimism": 0.02,
    }
    return {**given, **changes}


@pytest.fixture
def confirmed(build):
    def write(*rows, **changes):
        path = build.write(build.search(6))
        (path / "confirm").mkdir()
        document = {"format": 1, "conclusion": "Told.", "trials": [*rows], **changes}
        (path / "confirm" / "confirmation.json").write_text(json.dumps(document))
        return load_run(path)

    return write


def test_the_leader_its_ties_and_the_best_searched_are_told_apart(confirmed):
    apart = {"n": 5, "mean": 0.1, "sd": 0.01, "low": 0.05, "high": 0.15}
    found = read_confirmation(
        confirmed(
            row("t0001", origin="baseline", behind_leader=None, leads=True),
            row("t0002"),
            row("t0003", behind_leader=apart),
            row("t0004", mean=None, low=None, high=None, n=0),
        )
    )
    assert found.leader.trial == "t0001"
    assert found.leader.estimate == Estimate(5, 0.44, 0.01, 0.43, 0.45)
    assert found.searched.trial == "t0002"
    assert [trial.trial for trial in found.ties] == ["t0002"]
    assert [trial.trial for trial in found.trials] == ["t0001", "t0002", "t0003"]


def test_one_seed_tells_no_tie(confirmed):
    alone = {"n": 1, "mean": 0.01, "sd": None, "low": None, "high": None}
    found = read_confirmation(confirmed(row("t0001"), row("t0002", behind_leader=alone)))
    assert found.ties == ()


def test_none_without_a_file_or_a_score(build, confirmed):
    assert read_confirmation(build.load(build.search(6), name="other")) is None
    assert read_confirmation(confirmed(row("t0001", mean=None, low=None, high=None))) is None


@pytest.mark.parametrize(
    ("rows", "changes", "named"),
    [
        ([row("t0001", mean="0.44")], {}, r"trials\.0\.mean"),
        ([row("t0001", mean=1e999)], {}, r"trials\.0\.mean"),
        ([row("t0001", n=-1)], {}, r"trials\.0\.n"),
        ([{"trial": "t0001"}], {}, r"trials\.0\.n: Field required"),
        ([], {"format": 2}, "format"),
        ([], {"trials": "none"}, "trials"),
    ],
)
def test_damage_is_named_with_its_place(confirmed, rows, changes, named):
    with pytest.raises(UserError, match=rf"is damaged \({named}.*tune-robust confirm .*a new one"):
        read_confirmation(confirmed(*rows, **changes))
