"""The example of text: token ids through a small transformer."""

from pathlib import Path

import pytest

from tests.own.fresh import forgotten
from tune_robust.api.own_code import new_code
from tune_robust.spaces.space import load_space
from tune_robust.training import train

FOLDER = Path(__file__).parents[2] / "examples" / "text"


@pytest.mark.slow
def test_a_transformer_learns_what_is_code_and_what_is_prose():
    space = load_space(
        FOLDER / "text.yaml", overrides={"train.epochs": 2, "train.data.noise": "none"}
    )
    values = {"sam.rho": 0.05, "model.layers": 1, "model.dimension": 32}
    with forgotten():
        assert [*new_code(space, FOLDER).files] == ["my_text.py"]
        *_, last = train(space.config_for(values), device="cpu")
    assert last.metrics["test_accuracy"] > 0.65
