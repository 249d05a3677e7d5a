"""CUDA graphs' stand-in on a CPU: operations are recorded, not computed, and replayed in place."""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only


class Tape(TorchDispatchMode):
    """Every operation with the memory that it read and wrote.

    As a CUDA graph it sees neither Python's decisions nor its numbers, and a tensor whose storage
    is exchanged later is read where it lay.
    """

    def __init__(self):
        super().__init__()
        self.operations, self.before = [], {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        args, kwargs = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs or {}))
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("a number was read while steps are recorded: CUDA would fail")
        for tensor in written(function, args, kwargs):
            self.before.setdefault(tensor.data_ptr(), (tensor, tensor.clone()))
        result = function(*args, **kwargs)
        self.operations.append((function, args, kwargs, result))
        return result

    def undo(self):
        """Put back all that was overwritten: a CUDA graph computes nothing while it is recorded."""
        for tensor, before in self.before.values():
            tensor.copy_(before)

    def replay(self):
        for function, args, kwargs, result in self.operations:
            again = function(*args, **kwargs)
            if not any(a.alias_info for a in function._schema.returns):
                for old, new in zip(tensors(result), tensors(again), strict=True):
                    old.copy_(new)


def written(function, args, kwargs):
    for place, argument in enumerate(function._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        overwrites = argument.alias_info is not None and argument.alias_info.is_write
        if overwrites or argument.name in ("running_mean", "running_var"):  # which is not declared
            yield from tensors(value)


def tensors(tree):
    return [t for t in tree_flatten(tree)[0] if isinstance(t, torch.Tensor)]


class TapedGraphs:
    """What ``tune_robust.training.graphs.Graphs`` asks for."""

    def __init__(self):
        self.recorded = 0

    def beside(self):
        return contextlib.nullcontext()

    def record(self, operations):
        self.recorded += 1
        with Tape() as tape:
            result = operations()
        tape.undo()
        return tape.replay, result
