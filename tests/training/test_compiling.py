"""Networks that a process compiles one after the other."""

from functools import partial

import pytest
import torch
from torch.fx import GraphModule

from tune_robust.config import parse_config
from tune_robust.training import train

WIDTHS = (0.125, 0.25, 0.375, 0.5)


@pytest.fixture
def graphs(monkeypatch):
    """What is compiled, as it is; run as Python."""
    seen: list[GraphModule] = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    yield seen
    torch.compiler.reset()


def test_each_structure_is_compiled_once_and_however_many_there_are(graphs):
    document = {"method": "sam", "batch_size": 32, "compile": True, "threads": 1}
    document |= {"data": {"subset": 100, "validation": {"size": 30}}}

    def train_all(seed):
        for width in WIDTHS:
            model = {"name": "small_cnn", "width": width}
            next(train(parse_config(document | {"model": model, "seed": seed}), device="cpu"))
        return len(graphs)

    # The first pass, the second, and evaluation.
    assert train_all(seed=0) == 3 * len(WIDTHS)
    assert train_all(seed=1) == 3 * len(WIDTHS)
