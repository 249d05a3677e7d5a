"""By what a search selects, how sure that is, and selecting by something else."""

import numpy as np
import pytest

from tests.tuning.simulated import simulate, space
from tune_robust.errors import UserError
from tune_robust.information import information_error, label_information
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.reader import read_trials
from tune_robust.spaces.space import Space
from tune_robust.tuning.winners.criterion import check_recorded, selecting_by, selection
from tune_robust.tuning.winners.export import winners

NOISY = {"dataset": "digits", "noise": {"kind": "symmetric", "rate": 0.4}}


def noisy_space(**changes):
    return space(train={"data": NOISY, "method": "saner", "epochs": 6}, **changes)


def with_information(trial, epoch, metrics):
    """Trials lose information as they gain accuracy."""
    informed = 1 - metrics["val_accuracy"] / 2
    return {**metrics, "val_information": informed, "val_information_error": 0.01}


def without_information(trial, epoch, metrics):
    return {name: value for name, value in metrics.items() if name != "val_information"}


def finished(trials):
    return [trial for trial in trials if trial.status == "done"]


def test_noisy_validation_labels_are_judged_by_information_unless_the_space_says_otherwise():
    assert noisy_space().objective.metric == "val_information"
    assert noisy_space(objective={"metric": "val_accuracy"}).objective.metric == "val_accuracy"
    assert noisy_space(objective={"metric": None}).objective.metric == "val_information"
    assert noisy_space(objective={"at": "best"}).objective.at == "best"
    assert space().objective.metric == "val_accuracy"


@pytest.mark.parametrize(
    "change", [{"validation": {"labels": "clean"}}, {"noise": {"kind": "symmetric", "rate": 0.0}}]
)
def test_right_validation_labels_are_judged_by_accuracy(change):
    train = {"data": {**NOISY, **change}, "method": "saner", "epochs": 6}
    assert space(train=train).objective.metric == "val_accuracy"


def test_noise_in_some_trials_alone_counts_too():
    data = {**NOISY, "noise": {"kind": "symmetric", "rate": 0.0}}
    searched = space(
        train={"data": data, "method": "sam", "epochs": 6},
        search={"data.noise.rate": {"grid": [0.0, 0.4]}},
        budget={"trials": 2, "scheduler": "none"},
        searcher={"name": "grid"},
    )
    assert searched.objective.metric == "val_information"


def test_a_search_selects_and_resumes_by_information(tmp_path):
    searched = noisy_space()
    simulate(searched, tmp_path, metrics=with_information, stop_after=4)
    again = Space.from_document(RunFolder(tmp_path).read_meta()["space"])
    assert again == searched
    trials = [*simulate(again, tmp_path, metrics=with_information).trials.values()]
    accuracies = [trial.last["val_accuracy"] for trial in finished(trials)]
    assert winners(trials, again)[0].last["val_accuracy"] == min(accuracies)
    by_accuracy = winners(trials, selecting_by(again, "val_accuracy"))[0]
    assert by_accuracy.last["val_accuracy"] == max(accuracies)


def test_a_run_of_an_earlier_version_keeps_its_metric(tmp_path):
    """Its document names the accuracy, and its epochs have no information."""
    stored = noisy_space(objective={"metric": "val_accuracy"}).document()
    del stored["record"]
    earlier = Space.from_document(stored)
    assert earlier.objective.metric == "val_accuracy"
    assert earlier.record.predictions == ()
    simulate(earlier, tmp_path, stop_after=4, metrics=without_information)
    simulate(earlier, tmp_path, metrics=without_information)
    trials = read_trials(RunFolder(tmp_path)).values()
    check_recorded(trials, earlier)
    assert selection(trials, earlier, 100).metric == "val_accuracy"
    with pytest.raises(UserError, match="did not record val_information"):
        check_recorded(trials, selecting_by(earlier, "val_information"))


def test_trials_within_two_standard_errors_are_level(tmp_path):
    searched = noisy_space()
    trials = [*simulate(searched, tmp_path, metrics=with_information).trials.values()]
    found = selection(trials, searched)
    assert (found.metric, found.error) == ("val_information", 0.01)
    values = {trial.name: trial.last["val_information"] for trial in finished(trials)}
    close = {name for name, value in values.items() if value >= found.value - 0.02}
    assert {found.trial, *found.level} == close
    assert f"Best by val_information: {found.trial}" in found.sentence()


def test_the_error_of_an_accuracy_is_of_the_number_of_images(tmp_path):
    searched = space()
    trials = [
        *simulate(searched, tmp_path, lambda trial, epoch: 0.1 * epoch).trials.values(),
    ]
    assert selection(trials, searched).error is None
    found = selection(trials, searched, 100)
    assert found.error == pytest.approx((found.value * (1 - found.value) / 100) ** 0.5)
    assert len(found.level) == len(finished(trials)) - 1
    assert "other trials are within two standard errors" in found.sentence()


def sharing_one_confusion(trial, epoch, metrics):
    """Every trial predicts either of two neighbouring classes, which are equally frequent labels.

    They agree with each other as little as with the labels, beyond the confusion that they share.
    """
    generator = np.random.default_rng(int(trial.name[1:]))
    true = np.arange(1000) % 10
    predicted = true + (generator.random(1000) < 0.5)
    labels = true + (np.random.default_rng(0).random(1000) < 0.5)
    counts = np.zeros((10, 10))
    np.add.at(counts, (predicted % 10, labels % 10), 1)
    found = float(label_information(counts)), float(information_error(counts))
    return {**metrics, "val_information": found[0], "val_information_error": found[1]}


def test_trials_that_all_share_one_confusion_are_said_to_be_undecided(tmp_path):
    searched = noisy_space()
    trials = [*simulate(searched, tmp_path / "a", metrics=sharing_one_confusion).trials.values()]
    found = selection(trials, searched)
    assert found.undecided
    assert "by val_information, so it cannot help to select one" in found.caution()
    assert "share the same confusion" in found.caution()
    told = [*simulate(searched, tmp_path / "b", metrics=with_information).trials.values()]
    found = selection(told, searched)
    assert not found.undecided
    assert found.caution() is None


@pytest.mark.parametrize(
    ("by", "message"),
    [("test_accuracy", "must not be used for selection"), ("val_acuracy", "val_accuracy")],
)
def test_other_metrics_are_refused(by, message):
    with pytest.raises(UserError, match=message):
        selecting_by(space(), by)


def test_a_repeated_winner_has_the_mean_of_its_seeds_with_an_interval(tmp_path):
    def curve(trial, epoch):
        return 0.5 + 0.2 * trial.values["saner.alpha"] + 0.03 * (trial.config["seed"] % 3)

    budget = {"trials": 16, "scheduler": "none", "repeats": "auto"}
    searched = space(budget=budget, searcher={"name": "random"})
    simulate(searched, tmp_path / "r", curve)
    trials = read_trials(RunFolder(tmp_path / "r"))
    found = selection(trials.values(), searched, 400)
    same = [t.last["val_accuracy"] for t in trials.values() if found.trial in (t.name, t.repeats)]
    assert found.seeds == len(same) > 1
    assert found.value == pytest.approx(sum(same) / len(same))
    assert found.low < found.value < found.high
    assert f"the mean of {len(same)} seeds (95 % interval" in found.sentence()
    assert not any(trials[name].repeats for name in found.level)
