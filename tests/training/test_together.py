"""Two processes train as one: the batches, the steps and the checkpoints are the same."""

import copy
import multiprocessing
from contextlib import closing
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from tests.training.splits import missing, of
from tests.training.test_presets import config, lasting
from tune_robust.errors import UserError
from tune_robust.methods import build_optimizer
from tune_robust.methods.batch_norm import statistics_paused, tracking_modules
from tune_robust.training import ProcessLost, train, train_together
from tune_robust.training.loop import _Run

pytestmark = [
    pytest.mark.xdist_group("fork server of multiprocessing"),
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo"),
]

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def splits():
    return of(config("sgd"))


@pytest.fixture
def together(splits):
    return partial(train_together, size=2, load=partial(of, config("sgd")), splits=splits)


def gradient(network, x, y):
    loss = F.cross_entropy(network(x), y)
    return torch.autograd.grad(loss, [*network.parameters()])


def averaged(gradients):
    mean = [sum(each) / len(gradients) for each in zip(*gradients, strict=True)]
    return [mean] * len(gradients)


def at(network, grads, rho, x, y):
    """The gradient at the weights moved by ``rho`` along ``grads``."""
    before = copy.deepcopy(network.state_dict())
    norm = torch.cat([g.flatten() for g in grads]).norm()
    with torch.no_grad():
        for parameter, g in zip(network.parameters(), grads, strict=True):
            parameter += rho * g / norm
    with statistics_paused(tracking_modules(network)):
        found = gradient(network, x, y)
    network.load_state_dict(before)
    return found


def written_out(settings, splits):
    """SAM in two replicas of the network, one after the other, each on its half of the batch."""
    run = _Run(settings, CPU, splits)
    replicas = [run.model.train(), copy.deepcopy(run.model).train()]
    optimizers = [build_optimizer(settings.optimizer, r.parameters(), CPU) for r in replicas]
    for _ in range(settings.epochs):
        for inputs, labels, _ in run.batches:
            halves = [*zip(inputs.chunk(2), labels.chunk(2), strict=True)]
            first = [gradient(r, *half) for r, half in zip(replicas, halves, strict=True)]
            if settings.sam.sync:
                first = averaged(first)
            pairs = zip(replicas, first, halves, strict=True)
            second = averaged([at(r, g, settings.sam.rho, *half) for r, g, half in pairs])
            for replica, optimizer, grads in zip(replicas, optimizers, second, strict=True):
                for parameter, grad in zip(replica.parameters(), grads, strict=True):
                    parameter.grad = grad
                optimizer.step()
    return replicas[0]


@pytest.mark.parametrize("sync", [False, True])
def test_equals_sam_written_out_on_two_halves_of_each_batch(splits, together, sync):
    settings = config("sam", lr_schedule={"kind": "constant"})
    settings = settings.model_copy(update={"sam": settings.sam.model_copy(update={"sync": sync})})
    *_, last = together(settings)
    expected = dict(written_out(settings, splits).named_parameters())
    for name, parameter in last.model.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-5)
    assert last.metrics["gradient_evaluations"] == 4
    assert last.metrics["clean_fit"] + last.metrics["fit_gap"] > 0  # of all samples: not NaN


def test_checkpoints_of_one_form_go_on_in_another(tmp_path, splits, together):
    settings = config("slaw", average={"kind": "ema"})
    alone, paired = [], []
    for results, found, name in (
        (train(settings, splits=splits), alone, "alone.pt"),
        (together(settings), paired, "paired.pt"),
    ):
        for result in results:
            if result.epoch == 1:
                result.save(tmp_path / name)
            found.append(result)
    resumed = next(together(settings, resume=tmp_path / "paired.pt"))
    assert lasting(resumed) == lasting(paired[1])
    for result in (
        next(train(settings, splits=splits, resume=tmp_path / "paired.pt")),
        next(together(settings, resume=tmp_path / "alone.pt")),
    ):
        assert result.epoch == 2
        assert result.metrics["val_loss"] == pytest.approx(alone[1].metrics["val_loss"], rel=0.1)


def test_a_lost_process_is_an_error_of_its_own(together):
    with closing(together(config("sgd"))) as results:
        next(results)
        multiprocessing.active_children()[0].kill()
        with pytest.raises(ProcessLost, match=r"process 2 of 2 .* lost \(signal 9\)"):
            next(results)
    assert not multiprocessing.active_children()


def test_the_error_of_another_process_is_raised(splits):
    with pytest.raises(UserError, match="not on this machine"):
        next(train_together(config("sgd"), 2, load=missing, splits=splits))


def test_a_batch_that_cannot_be_divided_is_refused(together):
    with pytest.raises(UserError, match=r"33 cannot be divided among 2 .* such as 32"):
        next(together(config("sgd", batch_size=33)))
