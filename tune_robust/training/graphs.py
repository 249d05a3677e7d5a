"""Training steps as CUDA graphs: the kernels of a step are launched together, without Python.

This has not been verified on a GPU yet; ``gpu/verify.py`` compares it with ordinary steps there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from tune_robust.methods.sharpness_aware import SharpnessAware, StepKind
from tune_robust.training.step import Step, Taken

WARM_UP = 3
"""Ordinary steps of each kind before one is recorded: in the first ones, cuDNN chooses its
algorithms, and the optimizer and the running means create their state."""

Result = TypeVar("Result")


class Graphs(Protocol):
    """Records operations and runs them again on the same memory."""

    def beside(self) -> AbstractContextManager[None]:
        """Inside, operations run on the stream of the recording, ordered with those outside."""

    def record(self, operations: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        """Return a function that runs ``operations`` again, and their result, which it overwrites.

        The recording itself need not compute anything.
        """


class CudaGraphs:
    """CUDA graphs on one device with a common memory pool: each overwrites the others' results."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Inside, operations run on the stream of the recording, ordered with those outside."""
        outside = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            yield
        outside.wait_stream(self._stream)

    def record(self, operations: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        """Record ``operations``; nothing is computed before the first replay."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            result = operations()
        return graph.replay, result


def cuda_graphs(device: torch.device) -> Graphs | None:
    """Return a recorder of CUDA graphs on ``device``, None if it is not a GPU."""
    return CudaGraphs(device) if device.type == "cuda" else None


class Recorded(NamedTuple):
    """A recorded step: the function that runs it again, and the tensors of its results."""

    replay: Callable[[], None]
    taken: Taken


class GraphedStep:
    """Records each kind of ``step`` once and replays it from then on.

    Values that change between steps (batch, learning rate, radius, alpha, the running mean of
    SALS's sharpness) are written into tensors that the recorded operations read. The number of
    passes and the statistics are counted in Python, as for ordinary steps. All batches must have
    the same shape, and no parameter group may have a radius of its own.
    """

    def __init__(self, step: Step, graphs: Graphs) -> None:
        self._step, self._graphs = step, graphs
        self._steps: Counter[StepKind] = Counter()
        self._recorded: dict[StepKind, Recorded] = {}
        self._operands: Operands | None = None

    def __call__(self, inputs: Tensor, labels: Tensor) -> Taken:
        """Take a step on a batch, as ``Step`` does."""
        kind = self._step.optimizer.kind
        self._steps[kind] += 1
        if self._steps[kind] <= WARM_UP:
            with self._graphs.beside():
                return self._step(inputs, labels)
        if self._operands is None:
            self._operands = Operands(self._step, inputs, labels)
        if kind not in self._recorded:
            self._recorded[kind] = self._record(kind, self._operands)
        self._operands.write(inputs, labels)
        replay, recorded = self._recorded[kind]
        replay()
        optimizer = self._step.optimizer
        optimizer.passes += 1 + kind.two_passes
        taken = tree_map_only(Tensor, torch.clone, recorded)  # the next replay overwrites it
        optimizer.note(taken.seen)
        return taken

    def _record(self, kind: StepKind, operands: Operands) -> Recorded:
        optimizer = self._step.optimizer
        passes = optimizer.passes

        def operations() -> Taken:
            taken = self._step.compute(operands.inputs, operands.labels, kind)
            operands.keep_running()
            return taken

        with operands.in_place(optimizer):
            recorded = Recorded(*self._graphs.record(operations))
        optimizer.passes = passes
        return recorded


class Operands:
    """The tensors from which recorded steps read the values that change between steps.

    Create them after an ordinary step on a batch of the same shape.
    """

    def __init__(self, step: Step, inputs: Tensor, labels: Tensor) -> None:
        self._step = step
        self.inputs, self.labels = inputs.clone(), labels.clone()
        # Not of the inputs' own type, which may be integers.
        numbers = torch.zeros(2 + len(self._groups), device=inputs.device)
        self._rho, self._alpha, *self._rates = numbers.unbind()
        self._running = {name: _held(value, inputs) for name, value in self._state().items()}
        step.batch_loss.load_state_dict(self._running)

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return self._step.optimizer.param_groups

    def _state(self) -> dict[str, Any]:
        return self._step.batch_loss.state_dict()

    def write(self, inputs: Tensor, labels: Tensor) -> None:
        """Write the values of the next step, without a host sync."""
        optimizer = self._step.optimizer
        self.inputs.copy_(inputs)
        self.labels.copy_(labels)
        self._rho.fill_(optimizer.rho)
        self._alpha.fill_(1.0 if optimizer.alpha is None else optimizer.alpha)
        for rate, group in zip(self._rates, self._groups, strict=True):
            rate.fill_(group["lr"])
        for name, value in self._state().items():  # replaced by an ordinary step
            if value is not self._running[name]:
                self._running[name].copy_(value)
        self._step.batch_loss.load_state_dict(self._running)

    def keep_running(self) -> None:
        """Copy the running values to their tensors, as the last operations of a step."""
        for name, value in self._state().items():
            self._running[name].copy_(value)

    @contextmanager
    def in_place(self, optimizer: SharpnessAware) -> Iterator[None]:
        """Inside, steps read these tensors instead of numbers."""
        numbers, state = {"rho": optimizer.rho, "alpha": optimizer.alpha}, self._state()
        groups = [dict(group) for group in self._groups]
        vars(optimizer).update(rho=self._rho, alpha=self._alpha)
        for group, rate in zip(self._groups, self._rates, strict=True):
            group["lr"] = rate
            if "capturable" in group:  # of Adam, whose fused kernels always are
                group["capturable"] = True
        self._step.batch_loss.load_state_dict(self._running)
        try:
            yield
        finally:
            vars(optimizer).update(numbers)
            for group, before in zip(self._groups, groups, strict=True):
                group.update(before)
            self._step.batch_loss.load_state_dict(state)


def _held(value: Any, like: Tensor) -> Tensor:
    """Return ``value``, a number or a 0-dim tensor, in a tensor of its own."""
    return torch.as_tensor(value, dtype=torch.float32, device=like.device).clone()
