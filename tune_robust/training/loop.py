"""The training loop: a generator that yields one result per epoch."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tune_robust.config import (
    OwnModel,
    SwaConfig,
    TrainConfig,
    file_settings,
    own_parts,
    parse_config,
)
from tune_robust.data import (
    Batches,
    LabelledImages,
    Splits,
    evaluation_batches,
    load_dataset,
    make_splits,
)
from tune_robust.errors import UserError
from tune_robust.methods import (
    BatchLoss,
    WeightAverage,
    build_optimizer,
    lr_factor,
    mixed_batches,
    sample_loss,
    saner_alpha,
    scheduled,
    sharpness_aware,
    swa_lr_factor,
)
from tune_robust.methods.mixing import Batch
from tune_robust.models import Classifier, WithFeatures, last_linear
from tune_robust.training.checkpoints import (
    Checkpoint,
    Copies,
    read_checkpoint,
    write_checkpoint,
)
from tune_robust.training.compiling import compiled
from tune_robust.training.device import (
    autocast,
    choose_device,
    fits_images,
    memory_format,
    peak_memory_mb,
    prepare_convolutions,
    wait_for,
)
from tune_robust.training.evaluation import (
    Evaluation,
    Reliability,
    evaluate,
    information,
    predictions,
)
from tune_robust.training.graphs import GraphedStep, cuda_graphs
from tune_robust.training.network import network_for
from tune_robust.training.observation import Observation
from tune_robust.training.probe import PROBED, probe, probe_part
from tune_robust.training.processes import ALONE, NETWORK, Processes
from tune_robust.training.step import Step
from tune_robust.training.trying import try_parts

EVALUATION_BATCH = 1024
"""The largest number of images that are evaluated at once."""

EVALUATION_VALUES = 2**24
"""The largest number of values of inputs that are evaluated at once: 111 images of 224x224."""

_SEEDS_APART = 1_000_003
"""The difference between the seeds of two processes, larger than any number of epochs."""

_log = logging.getLogger(__name__)

_Batch = TypeVar("_Batch")


@dataclass(frozen=True)
class EpochResult:
    """One finished epoch, counted from 1.

    ``metrics`` has the names of tune_robust.metrics.METRICS and is NaN where a metric does not
    apply. ``save(path, owner=None)`` writes a checkpoint from which ``train(..., resume=path)``
    continues; call it before asking the generator for the next epoch, or call that of
    ``snapshot()`` at any time. ``checkpoint()`` returns what it writes. ``model`` is the network
    that was evaluated: the one with the averaged weights once averaging has begun. Epochs are
    counted through all bootstrap rounds. ``reliability`` describes the calibration of the network
    on the test images; ``validation_probabilities`` float32 (N, K) are its predictions for the
    validation images.
    """

    epoch: int
    metrics: dict[str, float]
    reliability: Reliability
    model: nn.Module
    checkpoint: Callable[[], Checkpoint]
    validation_probabilities: Tensor

    def save(self, path: Path, owner: dict[str, str | None] | None = None) -> None:
        """Write a checkpoint of this epoch, which belongs to the trial ``owner``, if any."""
        write_checkpoint(Path(path), replace(self.checkpoint(), owner=owner))

    def snapshot(self, copies: Copies | None = None) -> EpochResult:
        """Return this result with a copy of the state, on the host, which ``save`` then writes.

        Call it before asking the generator for the next epoch. ``model`` stays the network that is
        being trained. With the same ``copies`` in each epoch, copying is several times as fast, and
        a snapshot can be saved until the one after the next is made.
        """
        copied = (copies or Copies()).of(self.checkpoint())
        return replace(self, checkpoint=lambda: copied)


def train(
    config: TrainConfig,
    *,
    resume: Path | None = None,
    device: str | None = None,
    splits: Splits | None = None,
    stop: Event | None = None,
    processes: Processes = ALONE,
) -> Iterator[EpochResult]:
    """Train with ``config`` and yield after each epoch.

    On a CPU, the numbers depend only on the configuration (including its number of threads): a run
    resumed from epoch e equals the uninterrupted run bit for bit.

    Args:
        config: the configuration of the run.
        resume: a checkpoint of the same configuration from which to continue. Knots from its epoch
            on may differ.
        device: ``cpu``, ``cuda``, ``cuda:1``; by default a GPU if there is one.
        splits: the data, if the caller has loaded them already; by default they are loaded here.
        stop: once another thread has set it, the generator ends before the next batch, and what was
            trained since the last result is lost.
        processes: this process among those that train together; see ``train_together``.

    Returns:
        A generator of one ``EpochResult`` per epoch.

    Raises:
        UserError: the data, the checkpoint or the configuration do not fit.
    """
    run = _Run(config, choose_device(device), splits, stop, processes)
    if resume is not None:
        run.restore(read_checkpoint(resume, run.device), resume)
    while run.epoch < config.total_epochs:
        try:
            metrics = run.train_epoch()
        except _Stopped:
            return
        yield EpochResult(
            run.epoch,
            metrics,
            run.reliability,
            run.evaluated,
            run.checkpoint,
            run.validation_probabilities,
        )


class _Stopped(Exception):
    """The caller has asked for no more epochs."""


def check_fits(config: TrainConfig, splits: Splits) -> None:
    """Build the network and the batches, to find what would fail in each trial.

    No optimizer is made: creating torch's first one takes longer than everything else here. Parts
    of the user's own take a step as well.

    Raises:
        UserError: the network or the batches do not fit the data, or a part of the user's own does
            not do what it should.
    """
    if own_parts(config):
        try_parts(config, splits)
    else:
        network_for(config, splits.train, len(splits.classes))
    _batches(config, splits.train, splits.mean, splits.std, torch.Generator())


def _evaluation_batch(config: TrainConfig, splits: Splits) -> int:
    """Return how many images to evaluate at once; a compiled network also computes missing ones.

    Fewer than ``EVALUATION_BATCH`` if they are large, but not fewer than in a training step, which
    takes more memory for each.
    """
    values = math.prod(splits.train.input_shape)
    most = min(EVALUATION_BATCH, max(config.batch_size, EVALUATION_VALUES // values))
    largest = max(len(splits.validation), len(splits.test))
    return min(most, largest) if config.compile else most


Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Inputs (B, ...) -> logits (B, K) and the features (B, D) that the last layer saw."""


def _forward(config: TrainConfig, model: nn.Module) -> Forward:
    """``model`` as a function; of networks from elsewhere, features only where SALS needs them."""
    if isinstance(model, Classifier):
        features = compiled(model.features) if config.compile else model.features
        head = model.head

        def of_classifier(inputs: Tensor) -> tuple[Tensor, Tensor]:
            found = features(inputs)
            return head(found), found

        return of_classifier
    whole = compiled(model) if config.compile else model
    if config.sals is not None and config.sals.scope == "last_layer":
        return WithFeatures(model, last_linear(model, _last_layer(config)), whole)

    def of_any(inputs: Tensor) -> tuple[Tensor, Tensor]:
        logits = whole(inputs)
        return logits, logits  # nothing looks at the features

    return of_any


def _last_layer(config: TrainConfig) -> str | None:
    """Return the name of the network's last layer, if the configuration gives one."""
    return config.model.last_layer if isinstance(config.model, OwnModel) else None


def _batches(
    config: TrainConfig,
    part: LabelledImages,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    generator: torch.Generator,
    processes: Processes = ALONE,
) -> Batches:
    """Return the training batches of ``part``, or a process's part of them."""
    return Batches(
        part,
        config.batch_size,
        augment=config.data.augment,
        mean=mean,
        std=std,
        generator=generator,
        memory_format=memory_format(config),
        share=processes,
    )


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        splits: Splits | None,
        stop: Event | None = None,
        processes: Processes = ALONE,
    ):
        self.config, self.device, self._stop = config, device, stop or Event()
        self._processes = processes
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        prepare_convolutions(device)
        torch.manual_seed(config.seed)
        splits = splits or make_splits(config.data, load_dataset(config.data))
        on_host = not fits_images(device, splits.image_bytes)
        self.train_part, self.validation, self.test = (
            part.to(device, on_host=on_host)
            for part in (splits.train, splits.validation, splits.test)
        )
        self.mean, self.std, self.classes = splits.mean, splits.std, len(splits.classes)
        self._evaluation_batch = _evaluation_batch(config, splits)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.reliability: Reliability = []
        self.validation_probabilities = torch.empty(0)
        self.average: WeightAverage | None = None
        self.totals = {"gradient_evaluations": 0.0, "seconds": 0.0, "skipped_steps": 0.0}
        self._begin_round(self.train_part.labels)

    def _begin_round(self, labels: Tensor) -> None:
        """Prepare to train on ``labels``: with a new network, or with the current one."""
        if self.epoch == 0 or self.config.bootstrap_network == "fresh":
            self._build()
        if self.config.average is not None:
            self.average = WeightAverage(self.config.average, self.model)
        self._train_on(labels)

    def _build(self) -> None:
        """Build a new network and everything that belongs to it."""
        config, device = self.config, self.device
        model = network_for(config, self.train_part, self.classes)
        self.model = model.to(device).to(memory_format=memory_format(config))
        self._pass = _forward(config, self.model)
        self._together = None
        if self._processes.several:
            unused = isinstance(config.model, OwnModel)
            self._together = self._processes.together(self.model, self._pass, unused=unused)
        self.parameters = [*self.model.parameters()]
        self.batch_loss = BatchLoss(
            sals=config.sals,
            law=config.law,
            label_smoothing=config.label_smoothing,
            smoothing_over=config.label_smoothing_over,
            loss=sample_loss(config.loss),
        )
        self._build_optimizer()
        self.base_lr = self.optimizer.param_groups[0]["lr"]

    def _build_optimizer(self) -> None:
        config = self.config
        base = build_optimizer(config.optimizer, self.parameters, self.device)
        last = _last_layer(config)
        self.optimizer = sharpness_aware(
            base,
            sam=config.sam,
            saner=config.saner,
            model=self._together or self.model,
            last_layer=NETWORK + last if last and self._together else last,
        )
        micro_batch = None if config.sam is None else config.sam.micro_batch
        step = Step(self.forward, self.batch_loss, self.optimizer, self.parameters, micro_batch)
        graphed = config.cuda_graphs and not self._processes.several
        graphs = cuda_graphs(self.device) if graphed else None
        self._step = step if graphs is None else GraphedStep(step, graphs)

    def _train_on(self, labels: Tensor) -> None:
        self.labels = labels
        part = replace(self.train_part, labels=labels)
        self.batches = _batches(
            self.config, part, self.mean, self.std, self.generator, self._processes
        )
        self.steps = len(self.batches)

    @property
    def evaluated(self) -> nn.Module:
        """Return the evaluated network: the one with averaged weights once averaging has begun."""
        return self.average.model if self.average and self.average.begun else self.model

    @property
    def round_epoch(self) -> int:
        """Return the number of finished epochs of the current round."""
        return self.epoch % self.config.epochs

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, K) and features (B, D), the input of the last layer, to train on."""
        with autocast(self.config, self.device):
            return self._pass(inputs) if self._together is None else self._together(inputs)

    def train_epoch(self) -> dict[str, float]:
        """Train and evaluate one epoch, count it, and return its metrics."""
        began = time.perf_counter()
        if self.epoch and self.round_epoch == 0:
            self._begin_round(self._predictions())
        self._set_schedules()
        if self._processes.rank:  # or the processes would drop out the same features
            torch.manual_seed(self.config.seed + _SEEDS_APART * self._processes.rank + self.epoch)
        observed = Observation(self.train_part, self._processes)
        passes = self.optimizer.passes
        self.model.train()
        self._set_mode("train")
        for step, (inputs, labels, indices) in enumerate(self._mixed_batches()):
            self._set_learning_rate(step)
            observed.add(indices, self._step(inputs, labels))
            self._update_average(step)
        self._set_mode("eval")
        self._agree()
        wait_for(self.device)
        trained = time.perf_counter() - began
        if self.average and self.average.begun:
            with autocast(self.config, self.device):
                self.average.complete(self.model, (inputs for inputs, _, _ in self.batches))
            self._processes.average(self.average.model.buffers())
        if self.config.mixup or self.evaluated is not self.model:
            observed.predicted(self._predictions())
        metrics = observed.metrics()
        self.epoch += 1
        self.totals["gradient_evaluations"] += (self.optimizer.passes - passes) / self.steps
        metrics |= self._step_statistics() | self._evaluations(metrics.pop("train_accuracy"))
        metrics |= self._probed()
        self.totals["seconds"] += time.perf_counter() - began
        images = self.steps * self.config.batch_size
        metrics |= self.totals | {
            "images_per_second": images / trained,
            "peak_memory_mb": peak_memory_mb(self.device),
        }
        self.history.append(metrics)
        return metrics

    def _agree(self) -> None:
        """Give all processes the means of what each has kept of its own parts of the batches."""
        if self._processes.several:
            self._processes.average(self.model.buffers())
            self._processes.average(self.optimizer.gradient_means)
            state = self.batch_loss.state_dict()
            means = {n: self._processes.mean(value, self.device) for n, value in state.items()}
            self.batch_loss.load_state_dict(means)

    def _set_mode(self, mode: str) -> None:
        """Tell the optimizer to train or to evaluate: schedule-free ones keep two sets of weights.

        Others have no such methods.
        """
        switch = getattr(self.optimizer.base_optimizer, mode, None)
        if switch is not None:
            switch()

    def _mixed_batches(self) -> Iterable[Batch]:
        batches = self._until_stopped(self.batches)
        if self.config.mixup is None:
            return batches
        return mixed_batches(
            batches,
            self.steps,
            alpha=self.config.mixup.alpha,
            classes=self.classes,
            generator=self.generator,
        )

    def _update_average(self, step: int) -> None:
        if self.average:
            done = step + 1
            progress = (self.round_epoch + done / self.steps) / self.config.epochs
            self.average.update(self.model, progress, epoch_over=done == self.steps)

    def _set_schedules(self) -> None:
        now = self.config.after(self.epoch)
        sam, saner = now.sam, now.saner
        if now.optimizer.lr is not None:  # else the default of an optimizer from elsewhere
            self.base_lr = now.optimizer.lr
        epoch = self.round_epoch
        progress = epoch / self.config.epochs
        if sam is not None:
            factor = scheduled(sam.rho_schedule, progress=progress, epoch=epoch)
            self.optimizer.rho = sam.rho * factor
        if saner is not None:
            factor = scheduled(saner.alpha_schedule, progress=progress, epoch=epoch)
            k = saner.ramp_epochs(self.config.epochs)
            self.optimizer.alpha = saner_alpha(saner.alpha * factor, k, epoch, saner.ramp)

    def _set_learning_rate(self, step: int) -> None:
        steps = self.config.epochs * self.steps
        progress = (self.round_epoch * self.steps + step) / steps
        lr = self.base_lr * self._lr_factor(progress, 1 / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def _lr_factor(self, progress: float, step: float) -> float:
        average = self.config.average
        if isinstance(average, SwaConfig) and average.cycles:
            return swa_lr_factor(average, progress, step)
        return lr_factor(self.config.lr_schedule, progress, step)

    def _step_statistics(self) -> dict[str, float]:
        statistics = self._processes.means(self.optimizer.read_statistics(), self.device)
        self.totals["skipped_steps"] += statistics.pop("skipped_steps")
        sals = self.config.sals is not None
        return statistics | {
            "sals_mean_sharpness": float(self.batch_loss.mean_sharpness) if sals else torch.nan,
            "rho": self.optimizer.rho,
            "alpha": torch.nan if self.optimizer.alpha is None else self.optimizer.alpha,
            "lr": self.optimizer.param_groups[0]["lr"],
        }

    def _probe_every(self) -> int:
        saner = self.config.saner
        return self.config.probe_every or (saner.probe_every if saner is not None else 0)

    def _probed(self) -> dict[str, float]:
        """Compare the gradients of correctly and wrongly labelled images in some epochs."""
        every = self._probe_every()
        if not every or self.epoch % every:
            return dict.fromkeys(PROBED, torch.nan)
        part = replace(self.train_part, labels=self.labels)
        samples = probe_part(part, self.config.seed + self.epoch)
        if not len(samples):
            return dict.fromkeys(PROBED, torch.nan)
        inputs, labels = next(self._in_order(samples, len(samples)))
        rate = part.noisy.float().mean().item()
        return probe(self.model, self.optimizer, self._uncompiled(self.model), inputs, labels, rate)

    def _evaluations(self, train_accuracy: float) -> dict[str, float]:
        validation, test = self._evaluate(self.validation), self._evaluate(self.test)
        self.reliability = test.reliability
        self.validation_probabilities = validation.probabilities
        informed = information(validation.probabilities, self.validation.labels)
        return {
            "val_accuracy": validation.accuracy,
            "val_loss": validation.loss,
            "val_information": informed[0],
            "val_information_error": informed[1],
            "val_accuracy_clean": validation.accuracy_true,
            "test_accuracy": test.accuracy,
            "test_loss": test.loss,
            "test_ece": test.ece,
            "generalization_gap": train_accuracy - test.accuracy,
        }

    def _evaluate(self, part: LabelledImages) -> Evaluation:
        batches = self._in_order(part, self._evaluation_batch)
        return evaluate(self.evaluated, batches, part.true_labels, self._logits)

    def _predictions(self) -> Tensor:
        """Return the classes that the evaluated network predicts for the training images."""
        batches = self._in_order(self.train_part, self._evaluation_batch)
        return predictions(self.evaluated, batches, self._logits)

    def _in_order(self, part: LabelledImages, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        layout = memory_format(self.config)
        batches = evaluation_batches(part, batch_size, self.mean, self.std, layout)
        return self._until_stopped(batches)

    def _until_stopped(self, batches: Iterable[_Batch]) -> Iterator[_Batch]:
        for batch in batches:
            if self._stop.is_set():
                raise _Stopped
            yield batch

    def _logits(self, inputs: Tensor) -> Tensor:
        """The logits of the evaluated network: the averaged one once averaging has begun."""
        return self._processes.logits(self._own_logits, inputs, self.classes)

    def _own_logits(self, inputs: Tensor) -> Tensor:
        if self.evaluated is not self.model:
            return self._uncompiled(self.evaluated)(inputs)
        if not self.config.compile:
            return self._evaluated_pass(inputs)
        # A batch that is not full would be compiled separately, so it is padded with zeros.
        size = self._processes.part_of(self._evaluation_batch)
        full = inputs.new_zeros(size, *inputs.shape[1:])
        full = full.contiguous(memory_format=memory_format(self.config))
        full[: len(inputs)] = inputs
        return self._evaluated_pass(full)[: len(inputs)]

    def _evaluated_pass(self, inputs: Tensor) -> Tensor:
        with autocast(self.config, self.device):
            return self._pass(inputs)[0]

    def _uncompiled(self, model: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return ``model``, inputs -> logits, for rare calls or those with two backward passes."""

        def forward(inputs: Tensor) -> Tensor:
            with autocast(self.config, self.device):
                return model(inputs)

        return forward

    def checkpoint(self) -> Checkpoint:
        """Return everything that the rest of the run depends on; the next step changes its tensors.

        ``model`` has the evaluated weights and ``network`` the trained ones. Without averaging
        these are the same tensors and are stored once.
        """
        own_labels = self.labels is not self.train_part.labels
        state = {
            "model": self.evaluated.state_dict(),
            "network": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "labels": self.labels if own_labels else None,
            "optimizer": self.optimizer.state_dict(),
            "objective": self.batch_loss.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "totals": dict(self.totals),
        }
        config = self.config.model_dump(mode="json")
        *earlier, metrics = self.history
        return Checkpoint(self.epoch, metrics, config, state, self.reliability, earlier)

    def restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Continue from ``checkpoint``."""
        config = continued_config(checkpoint, self.config, path)
        if config != self.config:
            self.config = config
            self._build_optimizer()
        state: dict[str, Any] = checkpoint.state
        self.model.load_state_dict(state["network"])
        if self.average:
            self.average.load_state_dict(state["average"])
        if state["labels"] is not None:
            self._train_on(state["labels"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batch_loss.load_state_dict(state["objective"])
        self._restore_generator(state["generator"].cpu(), checkpoint.epoch, path)
        torch.set_rng_state(state["random"].cpu())
        self.totals = dict(state["totals"])
        self.epoch, self.history = checkpoint.epoch, [*checkpoint.earlier, checkpoint.metrics]
        self.reliability = checkpoint.reliability

    def _restore_generator(self, state: Tensor, epoch: int, path: Path) -> None:
        """Continue with the random state ``state``, or with a new one on another kind of device.

        Generators of different kinds of devices are not compatible.
        """
        if len(state) == len(self.generator.get_state()):
            self.generator.set_state(state)
            return
        self.generator.manual_seed(self.config.seed + epoch)
        _log.warning(
            "%s was saved on another kind of device than this one (%s), and its random numbers "
            "cannot be used here. Training continues with new ones, seeded with train.seed + %d: "
            "the result will differ slightly from that of an uninterrupted run.",
            path,
            self.device.type,
            epoch,
        )


def continued_config(checkpoint: Checkpoint, config: TrainConfig, path: Path) -> TrainConfig:
    """Return the configuration with which a run of ``config`` continues from ``checkpoint``.

    Raises:
        UserError: the checkpoint, which is at ``path``, belongs to another configuration.
    """
    # Parsed, since settings newer than the checkpoint have their defaults in it.
    saved = parse_config(checkpoint.config, str(path))
    if _by_earlier_preset(checkpoint.config, config):
        config = config.model_copy(update={"sam": saved.sam})
    before, wanted = (_until(checkpoint.epoch, each) for each in (saved, config))
    _check_same(before.model_dump(mode="json"), wanted.model_dump(mode="json"), path)
    return config


def _until(epoch: int, config: TrainConfig) -> TrainConfig:
    """Return ``config`` without the knots that have no effect up to ``epoch``."""
    return config.model_copy(update={"knots": tuple(k for k in config.knots if k.epoch < epoch)})


def _by_earlier_preset(saved: dict[str, Any], config: TrainConfig) -> bool:
    """Return whether an earlier version's preset filled ``sam``; its run keeps that rule.

    The presets ``asam`` and ``asam_saner`` then scaled tensors by their shape, under the same name.
    """
    adaptive = (saved.get("sam") or {}).get("adaptive")
    return adaptive == "asam" and config.method in ("asam", "asam_saner")


def _check_same(saved: dict, wanted: dict, path: Path) -> None:
    """Refuse a checkpoint of another configuration: schedules depend on the whole configuration.

    The folders of files may differ, since data may be moved and paths used to be relative.
    """
    saved, wanted = _without_folders(saved), _without_folders(wanted)
    differing = [key for key in wanted if saved.get(key) != wanted[key]]
    if differing:
        raise UserError(
            f"{path} belongs to another configuration: {', '.join(differing)} differ. "
            "Resume it with the configuration it was saved with."
        )


def _without_folders(config: dict[str, Any]) -> dict[str, Any]:
    """Return ``config`` (nested mappings) with only the last component of each path in it."""
    copy = json.loads(json.dumps(config))
    for path in file_settings():
        *parents, last = path.split(".")
        part = copy
        for key in parents:
            part = part.get(key) or {}
        if isinstance(part.get(last), str):
            part[last] = Path(part[last]).expanduser().absolute().name
    return copy
