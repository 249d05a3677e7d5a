"""What ending a search early loses is measured against the same search to its end."""

import pytest


@pytest.fixture(scope="module")
def stopping():
    import stopping

    return stopping


def test_a_search_that_ends_early_is_the_beginning_of_the_whole(stopping, monkeypatch):
    from tune_robust.tuning.strategy import stopping as rule

    recorded = stopping.recording("cifar10n")
    monkeypatch.setattr(rule, "THRESHOLD", 10.0)  # ends as soon as there is a model
    ended, whole = (
        stopping._search("random_promotion", recorded, 0, stop) for stop in ("auto", "never")
    )
    assert 20 <= len(ended.started) < len(whole.started) == 34
    assert whole.started[: len(ended.started)] == ended.started
    found = stopping.loss("random_promotion", recorded, 0)
    assert 0 < found.saved < 1
    assert found.score >= 0


def test_a_loss_of_two_tenths_of_a_point_is_little(stopping):
    losses = [stopping.Loss(0.5, 0.002, -0.01), stopping.Loss(0.0, 0.003, 0.03)]
    found = stopping.summary(losses)
    assert (found["little_lost"], found["ended_early"], found["n"]) == (1, 1, 2)
    assert found["mean_test"] == pytest.approx(0.01)
