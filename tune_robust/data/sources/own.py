"""Data that a function of the user's own loads, and scikit-learn's bundled data sets.

``own.contracts.DataLoader`` says what such a function returns. Nothing is kept in the cache: every
process calls it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tune_robust.config import DataConfig
from tune_robust.data.fields import Fields
from tune_robust.data.images import Dataset, Images
from tune_robust.data.sources.labels import check_labels, numbered_classes
from tune_robust.errors import UserError, nearest, unknown
from tune_robust.own import call_part, import_part

KEYS = ("inputs", "labels", "test_inputs", "test_labels", "classes", "noisy_labels")

_SETTING = "data.dataset"


def load_own(config: DataConfig) -> Dataset:
    """What the function ``config.dataset`` loads, called with ``config.options``.

    Raises:
        UserError: there is no such function, it fails, or what it returns is not as it should be.
    """
    name = config.dataset
    found = _scikit_learn(config) if name.startswith("sklearn:") else _called(config)
    parts = _as_mapping(found, name)
    labels = _labels(parts["labels"], "labels", name)
    test_labels = _labels(parts.get("test_labels", labels[:0]), "test_labels", name)
    classes = _classes(parts.get("classes"), labels, name)
    for key, values in (("labels", labels), ("test_labels", test_labels)):
        check_labels(values.numpy(), len(classes), partial("{}: {}[{}]".format, name, key))
    inputs, fields = _packed(parts["inputs"], "inputs", name)
    test_inputs = inputs[:0]
    if "test_inputs" in parts:
        test_inputs, test_fields = _packed(parts["test_inputs"], "test_inputs", name)
        _check_same_kind((inputs, fields), (test_inputs, test_fields), name)
    for key, tensor, values in (("", inputs, labels), ("test_", test_inputs, test_labels)):
        if len(tensor) != len(values):
            raise UserError(
                f"{_SETTING}: {name} returned {len(tensor)} {key}inputs and {len(values)} "
                f"{key}labels; each input needs one."
            )
    if not len(inputs):
        raise UserError(f"{_SETTING}: {name} returned no inputs.")
    given = _given_labels(config, parts.get("noisy_labels", {}), labels, classes)
    train = Images(inputs, labels, given, fields=fields)
    return Dataset(train, Images(test_inputs, test_labels, fields=fields), classes)


def _called(config: DataConfig) -> Any:
    load = import_part(config.dataset, _SETTING)
    return call_part(load, config.dataset, "data.options", arguments=config.options)


def _scikit_learn(config: DataConfig) -> dict[str, Any]:
    """``sklearn:load_breast_cancer`` and its like: rows of a table, standardised later."""
    name = config.dataset.partition(":")[2]
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise UserError(
            f"{_SETTING}: {config.dataset} comes with scikit-learn, which is not installed. "
            "Install it: pip install scikit-learn"
        ) from error
    loaders = [n for n in datasets.__all__ if n.startswith(("load_", "fetch_", "make_"))]
    if name not in loaders:
        told = unknown("function of sklearn.datasets", name, loaders)
        raise UserError(f"{_SETTING}: {config.dataset}: {told}")
    load = getattr(datasets, name)
    found = call_part(load, config.dataset, "data.options", arguments=config.options)
    if isinstance(found, tuple):
        return {"inputs": found[0], "labels": found[1]}
    target = np.asarray(found["target"])
    if target.dtype.kind == "f":
        raise UserError(
            f"{_SETTING}: {config.dataset} is a regression data set: its target is {target.dtype}. "
            "Expected classes."
        )
    parts = {"inputs": np.asarray(found["data"]), "labels": target}
    names = found.get("target_names")
    return parts if names is None else parts | {"classes": [str(each) for each in names]}


def _as_mapping(found: Any, name: str) -> Mapping[str, Any]:
    if isinstance(found, tuple) and len(found) == 2:
        return {"inputs": found[0], "labels": found[1]}
    if not isinstance(found, Mapping):
        raise UserError(
            f"{_SETTING}: {name} returned {type(found).__name__}; expected (inputs, labels), or a "
            f"dict with keys among {', '.join(KEYS)}."
        )
    for key in found:
        if key not in KEYS:
            raise UserError(
                f"{_SETTING}: {name} returned the key {key!r}.{nearest(key, KEYS)} Allowed: "
                f"{', '.join(KEYS)}."
            )
    missing = [key for key in KEYS[:2] if found.get(key) is None]
    half = ("test_inputs" in found) != ("test_labels" in found)
    if missing or half:
        lacks = missing or ["test_inputs and test_labels together, or neither"]
        raise UserError(f"{_SETTING}: {name} returned a dict without {' and '.join(lacks)}.")
    return found


def _tensor(given: Any, key: str, name: str) -> Tensor:
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{_SETTING}: {name} returned {key} of type {type(given).__name__}; expected a tensor "
            f"or a NumPy array of numbers ({error})."
        ) from error
    return tensor.detach().cpu()


def _packed(given: Any, key: str, name: str) -> tuple[Tensor, Fields | None]:
    """Return the inputs (N, ...); of a dict of several, their records (N, R) and their fields."""
    if not isinstance(given, Mapping):
        return _inputs(given, key, name), None
    wrong = [each for each in given if not isinstance(each, str) or not each.isidentifier()]
    if wrong or not given:
        raise UserError(
            f"{_SETTING}: {name} returned {key} with {f'the key {wrong[0]!r}' if wrong else 'no'} "
            "inputs; expected a dict from names, by which the network takes them, to tensors."
        )
    several = {each: _field(given[each], f"{key}[{each!r}]", name) for each in given}
    sizes = {each: len(tensor) for each, tensor in several.items()}
    if len({*sizes.values()}) > 1:
        raise UserError(
            f"{_SETTING}: {name} returned {key} of different lengths: "
            f"{', '.join(f'{each} has {size}' for each, size in sizes.items())}. Each sample needs "
            "one of each."
        )
    fields = Fields.of(several)
    return fields.packed(several), fields


def _field(given: Any, key: str, name: str) -> Tensor:
    """Return one of several inputs, which may also be one number or truth value for each sample."""
    tensor = _tensor(given, key, name)
    if tensor.ndim == 0:
        raise UserError(f"{_SETTING}: {name} returned {key} as one number; expected (N, ...).")
    if tensor.dtype == torch.bool:
        return tensor.contiguous()
    if tensor.ndim == 1:
        return _inputs(tensor[:, None], key, name)[:, 0].contiguous()
    return _inputs(tensor, key, name)


def _inputs(given: Any, key: str, name: str) -> Tensor:
    """uint8, float32 or int64, (N, ...), contiguous."""
    tensor = _tensor(given, key, name)
    if tensor.ndim < 2 or tensor.dtype == torch.bool or tensor.is_complex():
        raise UserError(
            f"{_SETTING}: {name} returned {key} of {tensor.dtype} {tuple(tensor.shape)}; expected "
            "(N, ...), at least two dimensions, of uint8 (pixels), floating-point numbers, or "
            "integers (token ids)."
        )
    if _is_channels_last(tensor):
        raise UserError(
            f"{_SETTING}: {name} returned {key} of uint8 {tuple(tensor.shape)}, which are images "
            "(N, H, W, C); expected (N, C, H, W). Move the channels: "
            "torch.as_tensor(images).permute(0, 3, 1, 2)."
        )
    if tensor.is_floating_point():
        wrong = int((~tensor.isfinite()).sum())
        if wrong:
            raise UserError(
                f"{_SETTING}: {name} returned {key} with {wrong} values that are NaN or infinite. "
                "Fill them in, or leave out those rows."
            )
        return tensor.float().contiguous()
    return tensor.contiguous() if tensor.dtype == torch.uint8 else tensor.long().contiguous()


def _is_channels_last(tensor: Tensor) -> bool:
    """Return whether uint8 (N, ...) have their channels last, as image libraries return them."""
    if tensor.dtype != torch.uint8 or tensor.ndim != 4:
        return False
    return tensor.shape[3] in (1, 3) and tensor.shape[1] not in (1, 3)


def _labels(given: Any, key: str, name: str) -> Tensor:
    tensor = _tensor(given, key, name)
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise UserError(
            f"{_SETTING}: {name} returned {key} of {tensor.dtype} {tuple(tensor.shape)}; expected "
            "(N,), whole numbers from 0 to K - 1."
        )
    return tensor.long()


def _classes(given: Any, labels: Tensor, name: str) -> tuple[str, ...]:
    if given is None:
        return numbered_classes(labels.numpy(), partial("{}: labels[{}]".format, name))
    return tuple(str(each) for each in given)


def _check_same_kind(
    inputs: tuple[Tensor, Fields | None], test_inputs: tuple[Tensor, Fields | None], name: str
) -> None:
    one, other = (
        str(fields or f"{tensor.dtype} {tuple(tensor.shape[1:])}")
        for tensor, fields in (inputs, test_inputs)
    )
    if one != other:
        raise UserError(
            f"{_SETTING}: {name} returned inputs of {one} and test_inputs of {other} each. They "
            "must agree."
        )


def _given_labels(
    config: DataConfig, noisy: Any, labels: Tensor, classes: Sequence[str]
) -> Tensor | None:
    """The labels that ``noise: {kind: given, key: ...}`` names, (N,)."""
    noise, name = config.noise, config.dataset
    if noise.kind != "given" or noise.key is None or noise.file is not None:
        return None
    if noise.key not in noisy:
        raise UserError(
            f"data.noise.key: {name}: {unknown('label set in noisy_labels', noise.key, noisy)}"
        )
    given = _labels(noisy[noise.key], f"noisy_labels[{noise.key!r}]", name)
    if len(given) != len(labels):
        raise UserError(
            f"data.noise.key: {name} returned {len(given)} noisy labels {noise.key!r} for "
            f"{len(labels)} inputs."
        )
    check_labels(given.numpy(), len(classes), partial("{}: {}[{}]".format, name, noise.key))
    return given
