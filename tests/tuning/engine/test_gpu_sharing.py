"""How many trials share a GPU, decided on measurements that are made up."""

import pytest

from tests.tuning.simulated import space
from tune_robust.data import load_dataset, make_splits
from tune_robust.tuning.engine.gpu_probe import EVALUATED, costliest, shortened
from tune_robust.tuning.engine.gpu_sharing import Memory, measure_sharing

SMALL = Memory(trial=500, context=500, total=80_000)


def gains(*factors):
    """Throughput of 1, 2, 4, ... trials, each so many times the one before."""
    rates, rate = {}, 1000.0
    for doublings, factor in enumerate((1.0, *factors)):
        rate *= factor
        rates[2**doublings] = rate
    return rates.__getitem__


@pytest.mark.parametrize(
    ("memory", "throughput", "at_most", "expected"),
    [
        (SMALL, gains(1.9, 1.5, 1.05), 64, 4),  # stops where it no longer pays
        (SMALL, gains(1.09), 64, 1),
        (SMALL, gains(1.1), 2, 2),
        (SMALL, gains(2.0, 2.0), 7, 4),  # CPUs for seven
        (Memory(24_000, 500, 80_000), gains(2.0), 64, 2),  # only 2 fit in nine tenths
        (Memory(36_000, 500, 80_000), gains(), 64, 1),
        (Memory(90_000, 500, 80_000), gains(), 64, 1),  # the trial itself will say so
        (SMALL, {1: 1000.0, 2: 1900.0, 4: 0.0}.__getitem__, 64, 2),  # 4 ran out of memory
    ],
)
def test_more_trials_as_long_as_they_fit_and_pay(memory, throughput, at_most, expected):
    sharing = measure_sharing(memory, throughput, at_most=at_most)
    assert sharing.trials == expected
    assert sharing.fraction == 1 / expected


def test_it_says_what_it_measured():
    described = measure_sharing(SMALL, gains(1.9, 1.05), at_most=64).describe()
    for promised in ("2 per GPU", "1000 of 80000 MB", "1 at once 1000, 2 at once 1900"):
        assert promised in described


def test_the_costliest_has_the_largest_batch_and_network(tmp_path):
    search = {
        "batch_size": {"choice": [32, 256, 64]},
        "method": {"choice": ["sgd", "sam"]},
    }
    train = {
        "data": {"dataset": "digits"},
        "model": {"name": "small_cnn"},
        "epochs": 6,
    }
    known = [{"batch_size": 256, "method": "sam"}]
    config = costliest(space(search=search, train=train, known=known), tmp_path)
    assert (config.batch_size, config.passes_per_step) == (256, 2)


def test_a_shortened_run_has_as_many_images_as_asked_for(tmp_path):
    config = space().config_for({}).data
    splits = shortened(make_splits(config, load_dataset(config, tmp_path)), 100)
    part = splits.train
    assert len(part.images) == len(part.labels) == len(part.true_labels) == 100
    assert len(splits.test) <= EVALUATED
