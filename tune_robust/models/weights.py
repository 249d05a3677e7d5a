"""Pretrained ImageNet weights of torchvision, downloaded or from a file, except the last layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from tune_robust.config import ModelConfig
from tune_robust.errors import UserError

State = Mapping[str, Tensor]


def load_weights(features: nn.Module, config: ModelConfig, *, download: bool) -> None:
    """Initialise ``features`` with ``config.weights``, if it names any.

    The last layer (``fc``) is not loaded, and neither is the first convolution if ``stem: cifar``
    replaces it.

    Raises:
        UserError: there are no such weights, they cannot be downloaded, or they do not fit.
    """
    if config.weights is None:
        return
    fetched = config.weights == "imagenet"
    state = _published(config.name, download) if fetched else _from_file(Path(config.weights))
    replaced = ("fc.", "conv1.") if config.stem == "cifar" else ("fc.",)
    state = {key: value for key, value in state.items() if not key.startswith(replaced)}
    wrong = _misfits(features.state_dict(), state, replaced)
    if wrong:
        raise UserError(
            f"model.weights: {config.weights} does not fit {config.name}: {'; '.join(wrong[:3])}. "
            "Expected the names and shapes of torchvision's "
            f"torchvision.models.{config.name}().state_dict(). Images of one channel need "
            "model.stem: cifar, whose first convolution is newly initialised"
        )
    features.load_state_dict(state, strict=False)


def _misfits(own: State, given: State, replaced: tuple[str, ...]) -> list[str]:
    """List what ``given`` lacks, what has another shape, and what it has in addition to ``own``."""
    # Files saved before PyTorch 0.4.1 do not count batches; the count is not used here.
    needed = [k for k in own if not k.startswith(replaced) and not k.endswith("batches_tracked")]
    missing = [f"it has no {key}" for key in needed if key not in given]
    reshaped = [
        f"{key} is {tuple(given[key].shape)} and should be {tuple(own[key].shape)}"
        for key in needed
        if key in given and given[key].shape != own[key].shape
    ]
    return [*missing, *reshaped, *(f"{key} is too much" for key in given if key not in own)]


def _from_file(path: Path) -> State:
    path = path.expanduser()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(
            f"model.weights: cannot read {path}: {error.strerror or error}. Give a file of "
            "torchvision's weights, or imagenet to download them"
        ) from error
    except Exception as error:  # the type depends on where the unpickler fails
        raise UserError(_not_weights(path)) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(_not_weights(path))
    return state


def _not_weights(path: Path) -> str:
    return (
        f"model.weights: {path} is not a file of weights alone (a state_dict that torch.save "
        "wrote), and nothing else is loaded. Save one: torch.save(network.state_dict(), path)"
    )


def _published(name: str, download: bool) -> State:
    """Return torchvision's weights of ``name``, from its cache or downloaded into it."""
    from torchvision.models import get_model_weights

    url = get_model_weights(name)["IMAGENET1K_V1"].url
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not download and not cached.exists():
        raise UserError(_undelivered(name, url, cached, "downloading is off"))
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(_undelivered(name, url, cached, str(error))) from error


def _undelivered(name: str, url: str, cached: Path, reason: str) -> str:
    return (
        f"model.weights: imagenet: the weights of {name} are not here ({reason}). Download {url} "
        f"where there is a network, and put it at {cached}, or set model.weights to its path"
    )
