"""Two processes do what the SAM paper says: each perturbs with its own gradient, and the gradients
there are averaged."""

import multiprocessing

import pytest
import torch

from tests.methods.networks import batches, groups
from tests.methods.recipes import TWO_PASSES, Recipe
from tests.methods.two_processes import STEPS, WORLD, shares, work
from tests.references.sharpness_aware import ReferenceSharpnessAware
from tune_robust.config import PRESETS
from tune_robust.training import train_together

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("fork server of multiprocessing"),
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    start = torch.multiprocessing.start_processes
    # Both are forked from one process, which is also that of tests/training/test_together.py.
    multiprocessing.set_forkserver_preload(
        [work.__module__, train_together.__module__, "torch._dynamo"]
    )
    start(work, (str(folder),), nprocs=WORLD, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


def written_out(method):
    """One replica after the other, in one process; SLAW's running mean is each process's own."""
    replicas = [Recipe(method) for _ in range(WORLD)]
    sam = replicas[0].config.sam
    settings = {"rho": 0.0}
    if sam:
        settings = sam.model_dump(exclude={"rho_schedule", "sync", "micro_batch"})
        settings["adaptive"] = None if sam.adaptive == "none" else sam.adaptive
        saner = replicas[0].config.saner
        settings["alpha"] = saner.alpha if saner else None
    slow = [ReferenceSharpnessAware(groups(r.model), model=r.model, **settings) for r in replicas]
    for x, y in batches(STEPS):
        for rank, (replica, optimizer) in enumerate(zip(replicas, slow, strict=True)):
            optimizer.gradients(replica.closure(*shares(x, y, rank)))
        for together in zip(*(r.model.parameters() for r in replicas), strict=True):
            if together[0].grad is not None:
                mean = sum(p.grad for p in together) / WORLD
                for p in together:
                    p.grad = mean.clone()
        for optimizer in slow:
            optimizer.descend()
    return dict(replicas[0].model.named_parameters())


@pytest.mark.parametrize("method", PRESETS)
def test_equals_the_reference_written_out(results, method):
    for name, expected in written_out(method).items():
        for rank in range(WORLD):
            ours = results[rank][method]["weights"][name]
            torch.testing.assert_close(ours, expected.detach(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", PRESETS)
def test_the_processes_keep_the_same_weights_to_the_bit(results, method):
    one, other = (results[rank][method] for rank in range(WORLD))
    assert all(torch.equal(w, other["weights"][n]) for n, w in one["weights"].items())
    assert one["batch_norm"] == other["batch_norm"] == STEPS + 1


@pytest.mark.parametrize("method", TWO_PASSES)
def test_the_processes_skip_a_step_together(results, method):
    """The overflow was in the first pass of one of them, whose gradients nobody else sees."""
    for rank in range(WORLD):
        assert results[rank][method]["same"]
        assert results[rank][method]["skipped"] == 1
