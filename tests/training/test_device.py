"""How a device is prepared for training."""

import pytest
import torch

from tune_robust.training.device import prepare_convolutions


@pytest.fixture(autouse=True)
def cudnn(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)


def test_cudnn_times_its_algorithms_on_a_gpu_alone():
    prepare_convolutions(torch.device("cpu"))
    assert not torch.backends.cudnn.benchmark
    prepare_convolutions(torch.device("cuda:1"))
    assert torch.backends.cudnn.benchmark


def test_not_where_deterministic_algorithms_are_asked_for(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    prepare_convolutions(torch.device("cuda"))
    assert not torch.backends.cudnn.benchmark


def test_not_where_pytorch_is_to_be_deterministic(request):
    torch.use_deterministic_algorithms(True)
    request.addfinalizer(lambda: torch.use_deterministic_algorithms(False))
    prepare_convolutions(torch.device("cuda"))
    assert not torch.backends.cudnn.benchmark
