"""Train one network in several processes of this machine, one for each device."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import torch
from torch import distributed

from tune_robust.config import DataConfig, TrainConfig
from tune_robust.data import Splits, load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.training.loop import EpochResult, train
from tune_robust.training.processes import Processes

Load = Callable[[], Splits]
"""Loads the data in a process that follows; it is pickled."""

_PATIENCE = {"gloo": timedelta(minutes=30), "nccl": timedelta(minutes=10)}
"""How long a process waits for the others, by backend.

They may be compiling, or their epoch's checkpoint may still be on its way. gloo sees at once that a
process is gone; NCCL does not, and ends the process that waits when this time is over.
"""

_SAYS_WHY = 5.0
"""Seconds in which the others say why they have ended, once this process has lost them."""

_OF_THE_GROUP = (RuntimeError, distributed.DistBackendError, distributed.DistNetworkError)
"""The errors of a process whose others are gone."""

_LOOPBACK = "lo0" if os.uname().sysname == "Darwin" else "lo"


class ProcessLost(Exception):
    """A process of a training has ended without an error of its own: it was killed."""


def train_together(
    config: TrainConfig,
    size: int,
    *,
    load: Load | None = None,
    device: str | None = None,
    resume: Path | None = None,
    splits: Splits | None = None,
    stop: Event | None = None,
) -> Iterator[EpochResult]:
    """Train with ``config`` in ``size`` processes, of which this one leads, as ``train`` does.

    Batches, steps and learning rates are those of one process: each process trains on its equal
    part of every batch, and the gradients are averaged. SAM perturbs the weights in each process
    with the gradient of its part (m-sharpness), unless ``sam.sync`` is set. BatchNorm, SALS and LAW
    see the part of their process, and the running statistics of BatchNorm are averaged after each
    epoch. The images of an evaluation are divided among the processes. A checkpoint of any number
    of processes can be continued by any other.

    Each process has a GPU of its own if this machine has as many, else all compute on the CPU. They
    talk to each other through the loopback interface alone.

    Args:
        config: the configuration of the run, whose ``batch_size`` can be divided by ``size``.
        size: the number of processes, at least 2.
        load: called in every process to load the data; by default from the configuration.
        device: ``cpu`` to leave GPUs alone.
        resume: a checkpoint of the same configuration from which to continue.
        splits: the data of this process, if the caller has loaded them already.
        stop: as of ``train``.

    Returns:
        A generator of one ``EpochResult`` per epoch. Closing it ends the other processes.

    Raises:
        UserError: as of ``train``.
        ProcessLost: another process was killed, or this one cannot reach it.
    """
    load = load or partial(_load, config.data)
    on_gpus = device != "cpu" and torch.cuda.is_available() and torch.cuda.device_count() >= size
    with tempfile.TemporaryDirectory(prefix="tune-robust-") as folder:
        jobs = [
            _Job(config, Processes(rank, size), load, resume, f"{folder}/store", on_gpus)
            for rank in range(size)
        ]
        with _Followers(jobs[1:]) as followers:
            splits = splits or load()
            followers.wait_until_loaded()
            try:
                with _joined(jobs[0]):
                    yield from _results(jobs[0], splits, stop)
            except (UserError, torch.OutOfMemoryError):
                raise
            except Exception as error:
                if (reason := followers.reason()) is None:
                    raise
                raise reason from error


def _load(data: DataConfig) -> Splits:
    return make_splits(data, load_dataset(data))


class _Job(NamedTuple):
    """What a process needs to take part; ``store`` is the file through which they meet."""

    config: TrainConfig
    processes: Processes
    load: Load
    resume: Path | None
    store: str
    on_gpus: bool

    @property
    def device(self) -> str:
        return f"cuda:{self.processes.rank}" if self.on_gpus else "cpu"


def _results(job: _Job, splits: Splits, stop: Event | None) -> Iterator[EpochResult]:
    return train(
        job.config,
        resume=job.resume,
        device=job.device,
        splits=splits,
        stop=stop,
        processes=job.processes,
    )


@contextmanager
def _joined(job: _Job) -> Iterator[None]:
    """Belong to PyTorch's default process group while inside."""
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = _LOOPBACK
    if job.on_gpus:
        torch.cuda.set_device(job.device)
    rank, size = job.processes
    backend = "nccl" if job.on_gpus else "gloo"
    distributed.init_process_group(
        backend,
        init_method=f"file://{job.store}",
        rank=rank,
        world_size=size,
        timeout=_PATIENCE[backend],
    )
    try:
        with warnings.catch_warnings():
            # Of convolutions of one channel, whose gradients have two equal layouts.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield
    finally:
        distributed.destroy_process_group()


class _Followers:
    """The other processes, which end with this object's context or with this process."""

    def __init__(self, jobs: Sequence[_Job]):
        self._jobs = jobs
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> _Followers:
        # A process without threads, which has imported what takes long, forks the others.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "torch._dynamo"])
        for job in self._jobs:
            ours, theirs = context.Pipe()
            process = context.Process(target=_follow, args=(job, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            process.kill()
            process.join()
            process.close()
            pipe.close()

    def wait_until_loaded(self) -> None:
        """Return when every process has loaded the data, and is about to join the group."""
        for number in range(len(self._pipes)):
            error = self._said(number, None)
            if error is not None:
                raise error

    def reason(self) -> Exception | None:
        """Return the error of another process because of which this one could not go on, if any."""
        for number in range(len(self._pipes)):
            told = self._said(number, _SAYS_WHY)
            if told is not None and type(told) not in _OF_THE_GROUP:
                return told
        return None

    def _said(self, number: int, patience: float | None) -> Exception | None:
        """Return the error that a process has sent, if any, or that it was lost."""
        pipe, process = self._pipes[number], self._processes[number]
        try:
            return pipe.recv() if pipe.poll(patience) else None
        except EOFError:
            process.join(_SAYS_WHY)
            return ProcessLost(
                f"process {number + 2} of {len(self._pipes) + 1} of the trial was lost"
                + _how(process.exitcode)
            )


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f" (signal {-code}): it was killed, by a user or because the memory was full"
    return f" (exit code {code})"


def _follow(job: _Job, pipe: Connection) -> None:
    """Train along, say what went wrong, and end with the process that leads."""
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    try:
        splits = job.load()
        pipe.send(None)
        with _joined(job):
            for _ in _results(job, splits, None):
                pass
    except Exception as error:
        with suppress(OSError):
            pipe.send(_sendable(error))


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(str(error))
    return error


def _end_with(pipe: Connection) -> None:
    """End this process when the one that leads has ended, which closes its end of the pipe."""
    with suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)
