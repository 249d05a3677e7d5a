"""Networks that a process compiles one after the other."""

import math
from functools import partial

import pytest
import torch
from torch.fx import GraphModule

from tune_robust.config import parse_config
from tune_robust.training import train

WIDTHS = (0.125, 0.25, 0.375, 0.5)


@pytest.fixture
def graphs(monkeypatch):
    """What is compiled, and the shapes of its inputs; run as Python."""
    seen: list[GraphModule] = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    yield seen
    torch.compiler.reset()


@pytest.mark.slow
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


@pytest.mark.slow
def test_no_dimension_becomes_a_variable_and_evaluation_has_one_shape(graphs):
    """Validation and test part are of 70 and 360 images, training batches of 32."""
    document = {"method": "sgd", "batch_size": 32, "compile": True, "threads": 1}
    document |= {"data": {"subset": 200, "validation": {"size": 70}}}
    for width in WIDTHS[:3]:
        model = {"name": "small_cnn", "width": width}
        next(train(parse_config(document | {"model": model}), device="cpu"))
    inputs = [
        node.meta["example_value"] for g in graphs for node in g.graph.nodes if _is_image(node)
    ]
    assert {tuple(value.shape) for value in inputs} == {(32, 1, 8, 8), (360, 1, 8, 8)}
    assert len(inputs) == 2 * 3


def _is_image(node):
    """Whether a node of a graph is the input that is the batch of images."""
    value = node.meta.get("example_value")
    return node.op == "placeholder" and getattr(value, "shape", ())[1:] == (1, 8, 8)


def test_filling_up_evaluation_batches_changes_no_figure(graphs):
    document = {"method": "sgd", "batch_size": 32, "threads": 1}
    document |= {"data": {"subset": 200, "validation": {"size": 70}}}
    plain, compiled = (
        next(train(parse_config(document | {"compile": compile_}), device="cpu")).metrics
        for compile_ in (False, True)
    )
    for name in ("train_loss", "val_loss", "val_accuracy", "test_accuracy", "test_ece"):
        assert compiled[name] == pytest.approx(plain[name], rel=1e-4), name


@pytest.mark.slow
def test_the_probe_runs_beside_a_compiled_network(monkeypatch):
    """Its two backward passes over one graph are more than compiled backward passes allow."""
    torch.compiler.reset()
    backend = "aot_eager_decomp_partition"  # donates buffers, and needs no C++ compiler
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    document = {"method": "saner", "batch_size": 32, "compile": True, "threads": 1}
    document |= {"saner": {"probe_every": 1}, "model": {"name": "small_cnn", "width": 0.125}}
    noise = {"kind": "symmetric", "rate": 0.5}
    document |= {"data": {"subset": 100, "validation": {"size": 30}, "noise": noise}}
    metrics = next(train(parse_config(document), device="cpu")).metrics
    torch.compiler.reset()
    assert math.isfinite(metrics["p_r_b"])
