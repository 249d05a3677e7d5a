"""The judges: what each must get right, and how their choices are measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.stored.axes import axes_of
from analysis.stored.run import Run
from tests.references import judges as references
from tune_robust.spaces.objective import Objective


@pytest.fixture(scope="module")
def judges():
    import judges

    return judges


def run_of(settings):
    """Twelve finished trials, with one setting each."""
    names = [f"t{number:04d}" for number in range(1, len(settings) + 1)]
    space = {"search": {"sam.rho": {"uniform": [0, 1]}}}
    trials = pd.DataFrame({"trial": names, "status": "done", "sam.rho": settings, "seed": 1})
    trials["gradient_evaluations"] = 10.0
    epochs = pd.DataFrame({"trial": names, "epoch": 1, "gradient_evaluations": 10.0})
    epochs["val_accuracy"] = 0.5
    objective = Objective(metric="val_accuracy", mode="max", at="last")
    axes = axes_of(space["search"])
    return Run(Path("r"), "r", {"space": space}, trials, epochs, objective, axes, "r")


@pytest.fixture(scope="module")
def crowd(judges):
    """Twelve trials of falling quality on 600 images, a third of whose labels are wrong."""
    generator = np.random.default_rng(0)
    true = generator.integers(0, 4, 600)
    given = np.where(generator.random(600) < 0.33, generator.integers(0, 4, 600), true)
    quality = np.linspace(0.95, 0.3, 12)
    wrong = generator.random((12, 600)) > quality[:, None]
    predicted = np.where(wrong, generator.integers(0, 4, (12, 600)), true)
    probabilities = 0.04 + 0.84 * np.eye(4)[predicted]
    recent = (predicted == given).mean(1)
    run = run_of(1 - quality)
    return judges.Crowd(probabilities, given, true, quality, 1 - quality, recent, run)


def test_every_judge_ranks_independent_trials(judges, crowd):
    for name, scores in crowd.scores().items():
        assert scores.shape == (12,), name
        assert judges.correlation(scores, crowd.test) > 0.9, name


def test_a_judge_is_no_function_of_the_order_of_trials(judges, crowd):
    """Halves are drawn by place, and so may differ a little."""
    turned = crowd.only(np.arange(12)[::-1]).scores()
    for name, scores in crowd.scores().items():
        if "halves" not in name:
            assert turned[name][::-1] == pytest.approx(scores, abs=1e-6), name


def test_hidden_populations_are_judged_as_by_plain_code(judges):
    """On populations that were not used to develop the judges, and on few of their images."""
    from judge_formulas import ROUNDS, consensus, label_information
    from populations import load

    for name in ("digits_asymmetric_0", "cifar10_worse_0"):
        population = load(name)
        assert population.population.mark == "report"
        crowd = judges.crowd_of(population).only(np.arange(0, 60, 6))
        probabilities, given = crowd.probabilities[:, :150], crowd.given[:150]
        informed = label_information(probabilities, given)
        agreed = consensus(probabilities, given)
        for trial in range(0, 10, 3):
            counts = np.zeros((10, 10), int)
            np.add.at(counts, (probabilities[trial].argmax(1), given), 1)
            plain = references.label_information(counts.tolist())
            assert informed[trial] == pytest.approx(plain, abs=1e-9)
            plain = references.consensus(probabilities.tolist(), given.tolist(), trial, ROUNDS)
            assert agreed[trial] == pytest.approx(plain, abs=1e-6)


def test_scores_are_smoothed_over_settings(judges, crowd):
    """A trial that is good by chance is drawn towards those with similar settings."""
    scores = crowd.scores()["noisy accuracy"].copy()
    usual = scores[8]
    scores[8] += 0.2
    smooth = judges.smoothed(crowd.run, "val_accuracy", scores)
    assert usual < smooth[8] < usual + 0.15
    few = crowd.only(np.arange(3))
    assert (judges.smoothed(few.run, "val_accuracy", scores[:3]) == scores[:3]).all()


def test_regret_is_against_the_best_of_the_trials_there(judges, crowd):
    assert judges.regret(np.arange(12), crowd.test) == pytest.approx(65)
    assert judges.regret(np.arange(2), crowd.only(np.array([3, 5])).test) == pytest.approx(
        100 * (crowd.test[3] - crowd.test[5])
    )


def test_subsets_of_all_trials_are_all_trials(judges, crowd):
    assert judges.subset_regrets(crowd, 12, 2)["noisy accuracy"] == pytest.approx(
        judges.regrets(crowd)["noisy accuracy"]
    )


def test_cases_change_labels_or_trials(judges, crowd):
    assert (judges.case(crowd, "true labels").given == crowd.true).all()
    for rate in (60, 80):
        wrong = judges.case(crowd, f"{rate} % noise").given != crowd.true
        assert 100 * wrong.mean() == pytest.approx(rate, abs=6)
    many = crowd.only(np.repeat(np.arange(12), 2))
    assert judges.case(many, "memorisers").test.max() < many.test.max()


def test_the_summary_pairs_with_noisy_accuracy(judges):
    def population(baseline, other):
        return {"regret": {judges.BASELINE: baseline, "other": other}}

    found = judges.summary([population(3.0, 1.0), population(5.0, 4.0)])
    assert found["difference"]["other"]["mean"] == pytest.approx(-1.5)
    assert found["regret"][judges.BASELINE]["worst"] == 5.0
    assert found["difference"]["other"]["n"] == 2
