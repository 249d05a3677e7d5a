"""Settings that change while training: what they are in each epoch, and resuming at a knot."""

import pytest
import torch

from tests.training.test_loop import config, metrics_of, same
from tests.training.test_loop import splits as splits  # a fixture
from tune_robust.config import parse_config
from tune_robust.errors import ConfigError, UserError
from tune_robust.training import train

FIRST = {"epoch": 1, "set": {"sam.rho": 0.3, "optimizer.lr": 0.02}}
SECOND = {"epoch": 3, "set": {"saner.alpha": 0.125, "optimizer.lr": 0.2}}


def bent(*knots, **changes):
    """Rho 0.1, alpha 0.5 and a learning rate of 0.05 at first, all constant without knots."""
    settings = {"epochs": 4, "lr_schedule": {"kind": "constant"}, "knots": list(knots)}
    return config("saner", **{**settings, "saner": {"alpha": 0.5, "k": 0}} | changes)


def column(results, name):
    return [result.metrics[name] for result in results]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_each_epoch_has_the_settings_of_the_knots_before_it(splits, optimizer):
    settings = bent(FIRST, SECOND, optimizer={"name": optimizer, "lr": 0.05})
    results = [*train(settings, splits=splits)]
    assert column(results, "rho") == [0.1, 0.3, 0.3, 0.3]
    assert column(results, "alpha") == [0.5, 0.5, 0.5, 0.125]
    assert column(results, "lr") == [0.05, 0.02, 0.02, 0.2]


def test_a_setting_acts_as_if_it_had_been_given_at_once(splits, tmp_path):
    """The first epoch with a knot before it is the first epoch of a run with its settings."""
    path = tmp_path / "first.pt"
    started = next(train(bent(), splits=splits))
    started.save(path)
    turned = train(bent({"epoch": 1, "set": {"optimizer.lr": 0.02}}), splits=splits, resume=path)
    kept = train(bent(), splits=splits, resume=path)
    before = {name: value.clone() for name, value in started.model.state_dict().items()}
    steps = [
        torch.cat([(model[n] - before[n]).flatten() for n in before if n.endswith("weight")])
        for model in (next(results).model.state_dict() for results in (turned, kept))
    ]
    # The same batches and directions at first, in steps of two fifths of the length.
    assert 0.3 < steps[0].norm() / steps[1].norm() < 0.6


@pytest.mark.parametrize("knots", [(FIRST, SECOND), (SECOND,)])
def test_training_from_scratch_equals_continuing_another_run_at_a_knot(splits, tmp_path, knots):
    whole = [*train(bent(*knots), splits=splits)]
    epoch = knots[-1]["epoch"]
    other = {"epoch": epoch, "set": {"sam.rho": 1.5}}
    prefix = train(bent(*knots[:-1], other), splits=splits)
    for _ in range(epoch):
        result = next(prefix)
    result.save(tmp_path / "last.pt")
    torch.manual_seed(1234)
    rest = [*train(bent(*knots), splits=splits, resume=tmp_path / "last.pt")]
    assert same(metrics_of(rest), metrics_of(whole[epoch:]))
    ours, theirs = rest[-1].model.state_dict(), whole[-1].model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_that_was_trained_with_another_knot_is_refused(splits, tmp_path):
    results = train(bent(FIRST), splits=splits)
    next(results), next(results).save(tmp_path / "last.pt")
    with pytest.raises(UserError, match="another configuration: knots differ"):
        next(train(bent(), splits=splits, resume=tmp_path / "last.pt"))


def test_knots_count_their_epochs_through_all_rounds(splits):
    settings = bent(SECOND, epochs=2, bootstrap_rounds=2)
    results = [*train(settings, splits=splits)]
    assert column(results, "lr") == [0.05, 0.05, 0.05, 0.2]


def test_a_radius_of_0_takes_one_pass(splits):
    settings = bent({"epoch": 1, "set": {"sam.rho": 0.0}}, {"epoch": 3, "set": {"sam.rho": 0.1}})
    results = [*train(settings, splits=splits)]
    assert column(results, "gradient_evaluations") == [2, 3, 4, 6]
    assert settings.gradient_evaluations == 6


@pytest.mark.parametrize(
    ("knots", "said"),
    [
        ([SECOND, FIRST], r"the epochs of knots are \[3, 1\]: each must be after the one before"),
        ([FIRST, FIRST], r"the epochs of knots are \[1, 1\]"),
        ([{**FIRST, "epoch": 4}], "a knot is at epoch 4, and the run ends after epoch 4"),
        ([{**FIRST, "epoch": 0}], r"knots\.0\.epoch: found 0; expected greater than or equal to 1"),
        ([{"epoch": 1, "set": {}}], r"knots\.0\.set"),
        ([{"epoch": 1, "set": {"sam.roh": 1}}], "found 'sam.roh'.*Did you mean 'sam.rho'"),
        ([{"epoch": 1, "set": {"optimizer.lr": 0}}], "sets optimizer.lr: found 0.0; expected"),
        ([{"epoch": 1, "set": {"saner.alpha": 3}}], "sets saner.alpha: found 3.0; expected"),
    ],
)
def test_knots_that_cannot_be_are_refused(knots, said):
    with pytest.raises(ConfigError, match=said):
        bent(*knots)


def test_a_knot_of_a_part_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"sets sam\.rho, and there is no sam: leave it out"):
        parse_config({"method": "sgd", "epochs": 4, "knots": [FIRST]})
