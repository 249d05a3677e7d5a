import numpy as np

from analysis.figures.memorisation import _memorisation_info, memorisation


def test_the_winner_stands_beside_the_baseline(search_run):
    info = _memorisation_info(search_run)
    assert [fit.role for fit in info.fits] == ["winner", "baseline"]
    won, baseline = info.fits
    assert won.noisy_fit[-1] < 0.2 < 0.9 < baseline.noisy_fit[-1]
    np.testing.assert_array_equal(won.epochs, np.arange(1, 41))


def test_a_baseline_that_wins_stands_alone(build):
    run = build.load([build.trial(1, {}, origin="baseline", good=1.0)])
    assert [fit.role for fit in _memorisation_info(run).fits] == ["winner"]


def test_without_wrong_labels_it_says_so(build):
    run = build.load(build.search(5))
    run.epochs["noisy_fit"] = np.nan
    assert _memorisation_info(run).fits == []
    assert "wrong labels" in memorisation(run).layout.annotations[0].text


def test_before_a_trial_has_ended_nothing_is_shown(build):
    assert _memorisation_info(build.load([build.trial(1, {}, status="running")])).fits == []
