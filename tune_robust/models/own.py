"""Networks from elsewhere: the user's own, timm's and torchvision's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from tune_robust.config import OwnModel
from tune_robust.errors import UserError, nearest, unknown
from tune_robust.own import call_part, import_part

_SETTING = "model.name"


def own_network(
    settings: OwnModel,
    *,
    inputs: Tensor,
    classes: int,
    download: bool = True,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> nn.Module:
    """The network that ``settings`` name, its random weights drawn from torch's global generator.

    Args:
        settings: its name and arguments.
        inputs: (N, ...), of whose kind its inputs are.
        classes: K, the size of the output.
        download: whether pretrained weights may be downloaded.
        shapes: the shape of each input by name, if a sample has several.

    Raises:
        UserError: there is no such network, its arguments do not fit, or it is not a network.
    """
    library = settings.name.partition(":")[0]
    if library in _LIBRARIES:
        if inputs.ndim != 4:
            found = f"{inputs.dtype} {tuple(inputs.shape[1:])} each"
            raise UserError(
                f"{_SETTING}: {settings.name} takes images (C, H, W); the inputs are "
                f"{found if shapes is None else ', '.join(shapes)}. Choose mlp for the rows of a "
                "table, or a network of your own."
            )
        return _LIBRARIES[library](settings, inputs, classes, download)
    part = import_part(settings.name, _SETTING)
    network = call_part(
        part,
        settings.name,
        _SETTING,
        arguments=settings.arguments,
        offered=_offered(inputs, classes, shapes),
    )
    if not isinstance(network, nn.Module):
        raise UserError(
            f"{_SETTING}: {settings.name} returned {type(network).__name__}; expected a "
            "torch.nn.Module."
        )
    return network


def _offered(
    inputs: Tensor, classes: int, shapes: Mapping[str, tuple[int, ...]] | None
) -> dict[str, Any]:
    """What a constructor gets if it asks for it, by the names that are in use."""
    offered: dict[str, Any] = dict.fromkeys(("classes", "num_classes", "n_classes"), classes)
    if shapes is not None:
        return offered | {"input_shapes": dict(shapes)}
    channels, shape = inputs.shape[1], tuple(inputs.shape[1:])
    names = ("channels", "in_channels", "in_chans", "features", "in_features")
    offered |= dict.fromkeys(names, channels) | {"input_shape": shape}
    return offered | {"image_size": min(shape[1:])} if len(shape) == 3 else offered


def last_linear(network: nn.Module, name: str | None = None) -> nn.Linear:
    """The last linear layer of ``network``, or the one called ``name``.

    Raises:
        UserError: there is none.
    """
    layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Linear)}
    if name is not None and name not in layers:
        raise UserError(f"model.last_layer: {unknown('torch.nn.Linear', name, layers)}")
    if not layers:
        raise UserError(
            "sals needs the inputs of the last linear layer, and the network has no "
            "torch.nn.Linear. Use sals.scope: full."
        )
    return layers[name] if name is not None else [*layers.values()][-1]


class WithFeatures:
    """``network`` as a function: inputs -> its logits (B, K), and what its last layer was given.

    Args:
        network: any.
        layer: the last linear layer.
        forward: ``network`` itself, or what it was compiled to.
    """

    def __init__(
        self, network: nn.Module, layer: nn.Linear, forward: Callable[[Tensor], Tensor]
    ) -> None:
        self._forward = forward
        self._seen: list[Tensor] = []
        layer.register_forward_pre_hook(lambda _, given: self._note(given))
        self._classes = layer.out_features

    def _note(self, given: tuple[Tensor, ...]) -> None:
        self._seen[:] = given[:1]

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and features (B, D).

        Raises:
            UserError: the layer does not give the logits.
        """
        self._seen.clear()
        logits = self._forward(inputs)
        if not self._seen or self._seen[0].ndim != 2 or logits.shape[1] != self._classes:
            raise UserError(
                "sals needs the inputs (B, D) of the linear layer that gives the logits, and the "
                "last torch.nn.Linear of the network is another. Name it with model.last_layer, or "
                "use sals.scope: full."
            )
        return logits, self._seen.pop()


# --- timm -------------------------------------------------------------------------------------


def _timm(settings: OwnModel, inputs: Tensor, classes: int, download: bool) -> nn.Module:
    """``weights``: the tag of pretrained ones, as in augreg_in21k, or ``default``."""
    try:
        import timm
    except ImportError as error:
        raise UserError(
            f"{_SETTING}: {settings.name} needs timm, which is not installed. Install it: "
            "pip install 'tune-robust[timm]'"
        ) from error
    name, arguments = settings.name.partition(":")[2], settings.arguments
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        known = timm.list_models()
        raise UserError(
            f"{_SETTING}: timm has no network {architecture!r}.{nearest(architecture, known)} It "
            f"has {len(known)}: timm.list_models() names them."
        )
    weights = arguments.pop("weights", None)
    if weights is not None:
        arguments["pretrained"] = True
        name = name if weights == "default" else f"{architecture}.{weights}"
    _check_download(settings, bool(arguments.get("pretrained")), download)
    published = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    if published is not None and published.fixed_input_size:
        arguments.setdefault("img_size", tuple(inputs.shape[2:]))
    arguments |= {"num_classes": classes, "in_chans": inputs.shape[1]}
    return call_part(timm.create_model, settings.name, _SETTING, name, arguments=arguments)


def _check_download(settings: OwnModel, pretrained: bool, download: bool) -> None:
    if pretrained and not download:
        raise UserError(
            f"model.weights: the pretrained weights of {settings.name} come from a download, and "
            "downloading is off. Leave weights out, or --no-download."
        )


# --- torchvision --------------------------------------------------------------------------------


def _torchvision(settings: OwnModel, inputs: Tensor, classes: int, download: bool) -> nn.Module:
    """``weights``: by torchvision's own names, as in IMAGENET1K_V1, or DEFAULT."""
    from torchvision import models

    name, arguments = settings.name.partition(":")[2], settings.arguments
    classifiers = models.list_models(module=models)
    if name not in classifiers:
        raise UserError(f"{_SETTING}: {unknown('classifier of torchvision', name, classifiers)}")
    weights = arguments.pop("weights", None)
    size = {} if weights is not None else {"num_classes": classes}
    network = call_part(
        models.get_model_builder(name), settings.name, _SETTING, arguments=size | arguments
    )
    if weights is not None:
        network.load_state_dict(_published(name, str(weights), download))
        _replace_last(network, classes)
    first, conv = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    if conv.in_channels != inputs.shape[1]:
        _set(network, first, _with_size(conv, inputs.shape[1], conv.out_channels))
    return network


def _published(name: str, weights: str, download: bool) -> dict[str, Any]:
    from torchvision.models import get_model_weights

    known = get_model_weights(name)
    if weights not in known.__members__:
        kind = f"set of weights of {name}"
        raise UserError(f"model.weights: {unknown(kind, weights, known.__members__)}")
    url = known[weights].url
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    try:
        if not download and not cached.exists():
            raise OSError("downloading is off")
        return known[weights].get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"model.weights: {weights} of {name} are not here ({error}). Download {url} where "
            f"there is a network, and put it at {cached}"
        ) from error


def _replace_last(network: nn.Module, classes: int) -> None:
    """Another last layer, of ``classes`` outputs, its weights drawn afresh."""
    kinds = nn.Linear | nn.Conv2d
    name, last = [(n, m) for n, m in network.named_modules() if isinstance(m, kinds)][-1]
    if isinstance(last, nn.Linear):
        _set(network, name, nn.Linear(last.in_features, classes, last.bias is not None))
    elif isinstance(last, nn.Conv2d):  # squeezenet
        _set(network, name, _with_size(last, last.in_channels, classes))


def _with_size(conv: nn.Conv2d, inputs: int, outputs: int) -> nn.Conv2d:
    """The same convolution of images with other channels, its weights drawn afresh."""
    settings: dict[str, Any] = {
        "kernel_size": conv.kernel_size,
        "stride": conv.stride,
        "padding": conv.padding,
        "dilation": conv.dilation,
    }
    return nn.Conv2d(inputs, outputs, bias=conv.bias is not None, **settings)


def _set(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)


_LIBRARIES: dict[str, Callable[[OwnModel, Tensor, int, bool], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
}
