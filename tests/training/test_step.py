"""A step whose parts of a batch perturb the weights on their own: m-sharpness on one device."""

import pytest
import torch

from tests.methods.networks import batches, groups
from tests.methods.recipes import Recipe
from tests.references.sharpness_aware import ReferenceSharpnessAware
from tune_robust.config import TrainConfig, parse_config
from tune_robust.errors import UserError
from tune_robust.training.step import Step


def step_of(recipe, micro_batch):
    parameters = [*recipe.model.parameters()]
    return Step(recipe.forward, recipe.batch_loss, recipe.optimizer, parameters, micro_batch)


def written_out(recipe, x, y, size):
    """The mean of the gradients of the parts, each with a perturbation of its own."""
    sam, saner = recipe.config.sam, recipe.config.saner
    settings = sam.model_dump(exclude={"rho_schedule", "sync", "micro_batch"})
    settings["adaptive"] = None if sam.adaptive == "none" else sam.adaptive
    settings["alpha"] = saner.alpha if saner else None
    slow = ReferenceSharpnessAware(groups(recipe.model), model=recipe.model, **settings)
    total = {}
    for part_x, part_y in zip(x.split(size), y.split(size), strict=True):
        slow.gradients(recipe.closure(part_x, part_y))
        for p in recipe.model.parameters():
            if p.grad is not None:
                total[p] = total.get(p, 0) + p.grad * len(part_y) / len(y)
    for p, gradient in total.items():
        p.grad = gradient
    slow.descend()


@pytest.mark.parametrize("size", [4, 5, 12, 99])
@pytest.mark.parametrize(
    "parts", [{"method": "sam"}, {"method": "saner"}, {"method": "gsam_saner"}, {"method": "asam"}]
)
def test_equals_the_parts_written_out(parts, size):
    ours, theirs = Recipe(**parts), Recipe(**parts)
    step = step_of(ours, size)
    ((x, y),) = batches(1)
    taken = step(x, y)
    written_out(theirs, x, y, size)
    for one, other in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)
    assert ours.optimizer.passes == 2
    assert taken.logits.shape == (12, 3)


def test_the_plans_of_the_parts_are_joined():
    step = step_of(Recipe("slaw", sam={"rho": 0.1}), 5)
    ((x, y),) = batches(1)
    taken = step(x, y)
    assert taken.plan.weights.shape == taken.plan.epsilon.shape == (12,)


@pytest.mark.parametrize(
    ("sam", "says"),
    [
        ({"micro_batch": 16, "sync": True}, "leave one of the two out"),
        ({"micro_batch": 16, "variant": "vasso"}, "expected variant sam or gsam"),
    ],
)
def test_what_contradicts_parts_is_refused(sam, says):
    with pytest.raises(UserError, match=says):
        parse_config({"method": "sam", "sam": sam})


def test_a_config_of_an_earlier_version_has_no_parts():
    assert TrainConfig(method="sam").sam.micro_batch is None
