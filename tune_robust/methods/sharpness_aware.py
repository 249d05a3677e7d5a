"""An optimizer that turns one step of any other optimizer into the two passes of SAM."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from tune_robust.config import SamConfig, SanerConfig
from tune_robust.errors import UserError, unknown
from tune_robust.methods.batch_norm import statistics_paused, tracking_modules
from tune_robust.methods.numbers import readable
from tune_robust.methods.perturbation import (
    ADAPTIVE,
    global_norm,
    moved_weights,
    overflowed,
    weights_at,
)
from tune_robust.methods.reweighting import GroupRule
from tune_robust.methods.step_statistics import (
    Seen,
    StepStatistics,
    sampled,
    sampled_fractions,
)
from tune_robust.methods.tensors import Tensors, gradients
from tune_robust.methods.variants import (
    VARIANTS,
    GradientMeans,
    friendly,
    narrow_gap_,
    variance_suppressed,
)

Closure = Callable[[], Tensor]


class StepKind(NamedTuple):
    """The decisions taken in Python for a step; steps of one kind run the same operations.

    Attributes:
        two_passes: the radius is above 0 in some parameter group.
        reweights: SANER changes the second gradients.
        measures_groups: the fractions of SANER's groups are measured.
    """

    two_passes: bool
    reweights: bool
    measures_groups: bool


class SharpnessAware(Optimizer):
    """SAM, its variants and SANER around any PyTorch optimizer.

    Each ``step(closure)`` computes the gradient at ``w``, moves the weights by ``rho`` in the
    direction in which the loss rises, computes the gradient there, restores the weights bit for
    bit, and lets the base optimizer take a step with the second gradient (Foret et al. 2020, arXiv
    2010.01412). Weight decay, momentum, learning rate and their schedules belong to the base
    optimizer, whose ``param_groups`` and ``state`` are also those of this optimizer:

        optimizer = SharpnessAware(SGD(model.parameters(), lr=0.1), rho=0.1, model=model)

        def closure():
            optimizer.zero_grad()
            loss = loss_function(model(inputs), labels)
            loss.backward()
            return loss

        loss = optimizer.step(closure)

    Under bf16 autocast, open the autocast context inside the closure: one context around both
    passes would give the second pass the low-precision copies of the first pass's weights. A
    gradient scaler is neither needed nor supported. A trainer that calls ``step()`` without a
    closure, such as Hugging Face's ``Trainer``, is not supported either.

    With a ``DistributedDataParallel`` model, every process perturbs the weights with its own
    gradient, as in SAM's paper, and the second gradients are averaged. Comparisons of the two
    gradients (SANER, GSAM) are made within each process, before the average. With ``sync``, both
    gradients are averages, and all processes share one perturbation. All processes skip a step
    together. Create this optimizer after wrapping the model.

    Memory in addition to the base optimizer's: one copy of the weights during the second pass.
    SANER and GSAM also keep the first gradients, which is a second copy. Friendly-SAM and VaSSO
    keep the first gradients and their running mean.

    Args:
        base_optimizer: takes the step with the resulting gradient; any ``torch.optim.Optimizer``.
        rho: radius, a length in weight space, at least 0; about 0.05 to 0.5, and ten times that
            when adaptive. With 0, a step takes one pass and is exactly that of the base optimizer.
            May be set between steps. A parameter group with its own ``rho`` uses that instead; the
            norm of the gradient is always over all groups together.
        norm: p of the p-norm in which ``rho`` is measured, above 1, up to inf; 2 when adaptive.
        adaptive: None, ``"asam_by_name"`` (the code published with ASAM, which needs the
            parameters' names: give ``model``, or build the base optimizer from
            ``model.named_parameters()``), ``"asam_by_shape"`` or ``"elementwise"``; see
            ``moved_weights``. ``"asam"`` is what earlier versions called ``"asam_by_shape"``.
        eta: added to ``|w|`` by both ``asam`` conventions, at least 0.
        variant: ``"sam"``, ``"gsam"``, ``"fsam"`` (Friendly-SAM) or ``"vasso"``; see ``variants``.
        g_alpha: the weight of the surrogate gap in GSAM, at least 0; 0 is SAM.
        sigma: the fraction of the mean gradient that Friendly-SAM subtracts, at least 0; 0 is SAM.
        lmbda: the decay of Friendly-SAM's mean gradient, in [0, 1).
        theta: the weight of the newest gradient in VaSSO's mean, in (0, 1]; 1 is SAM.
        alpha: SANER's factor of group B (Luong et al. 2024, arXiv 2411.17132); None or 1 is SAM's
            own gradient, and 0 removes group B. The comparison uses the raw first gradient,
            whatever the variant. May be set between steps.
        rule: the components that ``alpha`` applies to, and how; see ``GroupRule``.
        sync: whether the processes of a ``DistributedDataParallel`` model share one perturbation,
            that of the whole batch. Without such a model it has no effect.
        last_layer: whether to reweight only the weight of the model's last linear layer, or the
            name of that layer, as in ``"classifier.2"``; needs ``model``.
        model: if given, its BatchNorm running statistics are updated only in the first pass, and
            the names of its parameters are known.

    Attributes:
        passes: the number of closure evaluations so far (each a forward and a backward pass).
        gradient_norm: the gradient norm of the last step's first pass, 0-dim on the device; None
            before the first step.

    Raises:
        UserError: an argument is out of its range, or the base is LBFGS, which calls the closure
            itself.
    """

    def __init__(
        self,
        base_optimizer: Optimizer,
        *,
        rho: float,
        norm: float = 2,
        adaptive: str | None = None,
        eta: float = 0.01,
        variant: str = "sam",
        g_alpha: float = 0.01,
        sigma: float = 1.0,
        lmbda: float = 0.9,
        theta: float = 0.2,
        alpha: float | None = None,
        rule: GroupRule | None = None,
        sync: bool = False,
        last_layer: bool | str = False,
        model: nn.Module | None = None,
    ) -> None:
        # Optimizer.__init__ would build groups and a state; this shell uses the base's.
        _check_base(base_optimizer)
        adaptive = "asam_by_shape" if adaptive == "asam" else adaptive
        if adaptive is not None and adaptive not in ADAPTIVE:
            raise UserError(f"SharpnessAware: {unknown('adaptive convention', adaptive, ADAPTIVE)}")
        if variant not in VARIANTS:
            raise UserError(f"SharpnessAware: {unknown('variant', variant, VARIANTS)}")
        if not isinstance(model, nn.Module | None):
            raise UserError(f"SharpnessAware: model is {model!r}; allowed: a torch module or None.")
        self.base_optimizer = base_optimizer
        self.rho = _radius(rho)
        self.norm = _within("norm", norm, "above 1, up to inf", lambda x: x > 1)
        if adaptive is not None and self.norm != 2:
            raise UserError(
                f"SharpnessAware: norm is {norm!r} and adaptive is {adaptive!r}; the adaptive "
                "conventions are defined for norm 2. Leave one of the two out."
            )
        self.adaptive, self.variant = adaptive, variant
        self.eta = _within("eta", eta, "at least 0", lambda x: 0 <= x < math.inf)
        self.g_alpha = _within("g_alpha", g_alpha, "at least 0", lambda x: 0 <= x < math.inf)
        self.sigma = _within("sigma", sigma, "at least 0", lambda x: 0 <= x < math.inf)
        lmbda = _within("lmbda", lmbda, "in [0, 1)", lambda x: 0 <= x < 1)
        self.theta = _within("theta", theta, "in (0, 1]", lambda x: 0 < x <= 1)
        self.alpha = alpha
        if alpha is not None:
            self.alpha = _within("alpha", alpha, "at least 0", lambda x: 0 <= x < math.inf)
        self.rule = rule or GroupRule()
        self.sync = sync
        self._last_weight = _last_weight(model, last_layer) if last_layer else None
        self._names = _parameter_names(base_optimizer, model)
        if adaptive == "asam_by_name":
            _check_named(base_optimizer, self._names)
        self.passes = 0
        self.gradient_norm: Tensor | None = None
        self._means = {"fsam": GradientMeans(1 - lmbda), "vasso": GradientMeans(theta)}.get(variant)
        self._batch_norms = [] if model is None else tracking_modules(model)
        self._distributed = model if isinstance(model, DistributedDataParallel) else None
        self._has_stepped = False
        self._statistics = StepStatistics()
        self._radii()

    def __getattr__(self, name: str) -> Any:
        """Look up all other attributes (groups, state, hooks) in the base optimizer."""
        if name == "base_optimizer":  # not set yet while being unpickled
            raise AttributeError(name)
        return getattr(self.base_optimizer, name)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @property
    def kind(self) -> StepKind:
        """Return the kind of the next step under the current settings."""
        if not any(self._radii()):
            return StepKind(two_passes=False, reweights=False, measures_groups=False)
        return StepKind(True, self.rule.changes(self.alpha), self._statistics.groups_are_due)

    def step(self, closure: Closure | None = None) -> Tensor:  # type: ignore[override]
        """Take one step, with one pass if ``rho`` is 0 in every parameter group, else with two.

        A step in which the norm of the first gradient or the second gradient is not finite changes
        neither the weights nor the optimizer's state, and is counted as skipped. On an accelerator
        with a fused optimizer there is no host sync after the first step; otherwise there is one
        per step.

        Args:
            closure: zeroes the gradients, runs forward and backward, returns the loss (0-dim).

        Returns:
            The loss of the first pass, detached.

        Raises:
            UserError: there is no closure, or it returns no loss or leaves no gradient.
        """
        if closure is None:
            raise UserError(f"{_NO_CLOSURE} {_USAGE}")
        if not callable(closure):
            raise UserError(f"SharpnessAware.step needs a closure, got {closure!r}. {_USAGE}")
        seen = self.compute(closure, self.kind)
        self.note(seen)
        return seen.loss

    @torch.no_grad()
    def compute(self, closure: Closure, kind: StepKind) -> Seen:
        """Run the operations of a step of this ``kind`` and return what it observed, for ``note``.

        ``step`` does both. A step recorded as a CUDA graph is computed once and noted after each
        replay.
        """
        return self._two_passes(closure, kind) if kind.two_passes else self._one_pass(closure)

    def note(self, seen: Seen) -> None:
        """Record what a step observed, without a host sync."""
        self.gradient_norm = seen.norm
        self._statistics.add(seen)

    def read_statistics(self) -> dict[str, float]:
        """Return statistics of the steps since the last read, with one host sync.

        Keys: ``grad_norm`` (mean, first pass), ``sharpness`` (mean of the second pass's loss minus
        the first's), ``group_a``, ``group_b``, ``group_c`` (the mean fractions of SANER's groups,
        from one step in 32), ``skipped_steps`` (a count). NaN if there is nothing to average.
        """
        return self._statistics.read()

    @property
    def gradient_means(self) -> list[Tensor]:
        """Return the running means of Friendly-SAM or VaSSO so far, which differ by process."""
        means = [] if self._means is None else self._means.state(self._parameters())
        return [mean for mean in means if mean is not None]

    def state_dict(self) -> dict[str, Any]:
        """Return the base optimizer's state and this optimizer's numbers and mean gradients."""
        own: dict[str, Any] = {"rho": self.rho, "alpha": self.alpha, "passes": self.passes}
        if self._means is not None:
            own["means"] = self._means.state(self._parameters())
        return {**self.base_optimizer.state_dict(), "sharpness_aware": own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a ``state_dict`` of a SharpnessAware.

        Raises:
            UserError: it is the state of another optimizer or of another variant.
        """
        if "sharpness_aware" not in state_dict:
            raise UserError(
                "SharpnessAware.load_state_dict: this is another optimizer's state. If it is the "
                "base optimizer's, load it with .base_optimizer.load_state_dict(...)."
            )
        own = dict(state_dict["sharpness_aware"])
        means = own.pop("means", None)
        if (means is None) != (self._means is None):
            raise UserError(
                "SharpnessAware.load_state_dict: this is another variant's state, and this "
                f"optimizer's variant is {self.variant}. Build it as the saved one was built."
            )
        self.base_optimizer.load_state_dict(state_dict)
        if self._means is not None:
            self._means.load(self._parameters(), means)
        vars(self).update(own)

    def _one_pass(self, closure: Closure) -> Seen:
        loss = self._evaluate(closure)
        norm = global_norm(gradients(self._with_gradient()))
        self._update(norm)
        return Seen(loss, norm, torch.full_like(norm, math.nan), norm)

    def _two_passes(self, closure: Closure, kind: StepKind) -> Seen:
        apart = self._compares(kind) and not self.sync
        seen = self._sam_gradients(closure, kind, apart=apart)
        if apart:
            self._average_gradients()
        self._update(seen.norms)
        return seen

    def _compares(self, kind: StepKind) -> bool:
        """Return whether the second gradients are compared with the first ones."""
        return self.variant == "gsam" or kind.reweights

    def _sam_gradients(self, closure: Closure, kind: StepKind, *, apart: bool) -> Seen:
        """Take both passes, and leave the gradient for the base optimizer in the parameters.

        With ``apart``, it is that of this process alone, and otherwise averaged over the processes.
        """
        alone = nullcontext() if self.sync else self._unsynchronised()
        with alone:
            loss = self._evaluate(closure)
        params = self._with_gradient()
        sgd_grads = gradients(params)
        sample = sampled(sgd_grads) if kind.measures_groups else None
        moved, norm = self.moved(params, sgd_grads)
        if not self._compares(kind) and self._means is None:
            sgd_grads = []  # freed, so that the second gradients can use the memory
        for param in params:
            param.grad = None  # not copied, and not zeroed by the closure
        second = self._unsynchronised() if apart else nullcontext()
        with weights_at(params, moved), statistics_paused(self._batch_norms), second:
            moved_loss = self._evaluate(closure)
        del moved  # its memory serves the reweighting
        norms = self._agreed(norm / (1 - overflowed(gradients(self._with_gradient()))))
        if self._means is not None:
            self._means.add(params, sgd_grads, norms)
        if self.variant == "gsam":
            narrow_gap_(*_pairs(params, sgd_grads), self.g_alpha)
        fractions = None if sample is None else sampled_fractions(*_pairs(params, sample))
        if kind.reweights and self.alpha is not None:
            self._reweight(params, sgd_grads, self.alpha)
        return Seen(loss, norm, moved_loss - loss, norms, fractions)

    @torch.no_grad()
    def compute_in_parts(self, parts: Sequence[tuple[Closure, float]], kind: StepKind) -> Seen:
        """Run the operations of a step in which each part of a batch moves the weights on its own.

        The base optimizer steps with the mean of the second gradients (m-sharpness: Foret et al.
        2020, arXiv 2010.01412). The step counts as two passes.

        Args:
            parts: the closure of each part, as of ``step``, and its fraction of the batch.
            kind: of the step, with two passes.

        Returns:
            What the step observed, for ``note``: means over the parts.
        """
        passes, total = self.passes, dict[Tensor, Tensor]()
        seen: list[tuple[Seen, float]] = []
        for closure, fraction in parts:
            seen.append((self._sam_gradients(closure, kind, apart=True), fraction))
            for param in self._with_gradient():
                gradient = gradients([param])[0] * fraction
                total[param] = total[param].add_(gradient) if param in total else gradient
                param.grad = None
        for param, gradient in total.items():
            param.grad = gradient
        self._average_gradients()
        self.passes = passes + 2
        mean = _mean_seen(seen)
        self._update(mean.norms)
        return mean

    def moved(self, params: Tensors, grads: Tensors) -> tuple[Tensors, Tensor]:
        """Return the weights of the second pass, and the norm of the first gradients (0-dim).

        Args:
            params: the weights, one tensor per parameter.
            grads: their gradients.
        """
        directions = grads
        if self._means is not None and self.variant == "fsam":
            means = self._means.of(params, grads, torch.zeros_like)
            directions = friendly(grads, means, self.sigma)
        elif self._means is not None:
            means = self._means.of(params, grads, torch.clone)
            directions = variance_suppressed(grads, means, self.theta)
        moved, norm = moved_weights(
            params,
            directions,
            rho=self._rho_of(params),
            norm=self.norm,
            adaptive=self.adaptive,
            eta=self.eta,
            names=self._names_of(params),
        )
        return moved, norm if directions is grads else global_norm(grads)

    def _reweight(self, params: Tensors, sgd_grads: Tensors, alpha: float) -> None:
        """Apply SANER to the second gradients, or only to those of the last layer's weight."""
        if self._last_weight is not None:
            last = [i for i, p in enumerate(params) if p is self._last_weight]
            params, sgd_grads = [params[i] for i in last], [sgd_grads[i] for i in last]
        self.rule.apply_(*_pairs([*params], [*sgd_grads]), alpha)

    def _names_of(self, params: Sequence[Tensor]) -> list[str] | None:
        if self.adaptive != "asam_by_name":
            return None
        if any(param not in self._names for param in params):  # of a group added later
            _check_named(self.base_optimizer, self._names)
        return [self._names[param] for param in params]

    def _radii(self) -> list[float]:
        """Return the radius of each parameter group: its own ``rho``, else the optimizer's."""
        groups = self.base_optimizer.param_groups
        return [_radius(group["rho"]) if "rho" in group else self.rho for group in groups]

    def _rho_of(self, params: Sequence[Tensor]) -> float | list[float]:
        """Return one radius, or one for each of ``params`` if groups have their own."""
        groups = self.base_optimizer.param_groups
        if not any("rho" in group for group in groups):
            return self.rho
        radii = zip(groups, self._radii(), strict=True)
        by_param = {param: radius for group, radius in radii for param in group["params"]}
        return [by_param[param] for param in params]

    def _evaluate(self, closure: Closure) -> Tensor:
        with torch.enable_grad():
            loss = closure()
        self.passes += 1
        if not isinstance(loss, Tensor):
            raise UserError(f"The closure returned {loss!r} instead of the loss. {_USAGE}")
        return loss.detach()

    def _with_gradient(self) -> list[Tensor]:
        params = [p for p in self._parameters() if p.grad is not None]
        if not params:
            raise UserError(f"No parameter has a gradient after the closure. {_USAGE}")
        return params

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.base_optimizer.param_groups for p in group["params"]]

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Do not average gradients over the processes while inside."""
        return nullcontext() if self._distributed is None else self._distributed.no_sync()

    def _agreed(self, norms: Tensor) -> Tensor:
        """Return ``norms``, made non-finite if it is in any process."""
        if self._distributed is not None:
            distributed.all_reduce(norms, group=self._distributed.process_group)
        return norms

    def _average_gradients(self) -> None:
        """Average over the processes, which all have gradients of the same parameters."""
        if self._distributed is None:
            return
        group = self._distributed.process_group
        grads = gradients(self._with_gradient())
        flat = torch.cat([g.flatten() for g in grads])
        distributed.all_reduce(flat, group=group)
        flat /= distributed.get_world_size(group)
        pieces = flat.split([g.numel() for g in grads])
        torch._foreach_copy_(grads, [p.view(g.shape) for p, g in zip(pieces, grads, strict=True)])

    def _update(self, norms: Tensor) -> None:
        """Let the base optimizer step, unless ``norms`` is not finite."""
        base = self.base_optimizer
        if self._checks_on_device(norms):
            base.found_inf = norms.isfinite().logical_not().float()  # type: ignore[attr-defined]
            try:
                base.step()
            finally:
                del base.found_inf  # type: ignore[attr-defined]
        elif math.isfinite(norms.item()):
            base.step()
            self._has_stepped = True

    def _checks_on_device(self, norms: Tensor) -> bool:
        """Return whether the base optimizer itself checks ``found_inf``, as fused ones do.

        Not before its first step: SGD would keep a momentum buffer that it never wrote.
        """
        fused = getattr(self.base_optimizer, "_step_supports_amp_scaling", False)
        return fused and self._has_stepped and not readable(norms)


def group_rule(saner: SanerConfig) -> GroupRule:
    """Return the group rule of a configuration."""
    return GroupRule(saner.action, saner.group, saner.threshold, saner.soft)


def sharpness_aware(
    base_optimizer: Optimizer,
    *,
    sam: SamConfig | None,
    saner: SanerConfig | None = None,
    model: nn.Module | None = None,
    last_layer: str | None = None,
) -> SharpnessAware:
    """Return the SharpnessAware that a configuration describes.

    Without ``sam``, it takes one pass. ``last_layer`` is the name of the layer that SANER reweights
    with ``layers: last``; by default the last linear one.
    """
    if sam is None:
        return SharpnessAware(base_optimizer, rho=0.0, model=model)
    return SharpnessAware(
        base_optimizer,
        rho=sam.rho,
        norm=float(sam.norm),
        adaptive=None if sam.adaptive == "none" else sam.adaptive,
        eta=sam.eta,
        variant=sam.variant,
        g_alpha=sam.g_alpha,
        sigma=sam.sigma,
        lmbda=sam.lmbda,
        theta=sam.theta,
        alpha=None if saner is None else saner.alpha,
        rule=None if saner is None else group_rule(saner),
        sync=sam.sync,
        last_layer=(last_layer or True) if saner is not None and saner.layers == "last" else False,
        model=model,
    )


def _mean_seen(seen: Sequence[tuple[Seen, float]]) -> Seen:
    """Return the means of what the parts of a batch have observed, each with its fraction."""

    def mean(values: Sequence[Tensor]) -> Tensor:
        weighted = [value * part for value, (_, part) in zip(values, seen, strict=True)]
        return torch.stack(weighted).sum(0)

    columns = [*zip(*(one for one, _ in seen), strict=True)]
    fractions = None if columns[4][0] is None else mean(columns[4])
    loss, norm, rise, norms = (mean(column) for column in columns[:4])
    return Seen(loss, norm, rise, norms, fractions)


def _pairs(params: list[Tensor], others: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the gradients of ``params`` and their counterparts in ``others``, if both exist."""
    both = [(p.grad, o) for p, o in zip(params, others, strict=True) if p.grad is not None]
    return [grad for grad, _ in both], [other for _, other in both]


_NO_CLOSURE = (
    "SharpnessAware.step was called without a closure, which it needs to compute the gradient "
    "twice. A GradScaler and Hugging Face's Trainer call step() this way, and neither works with "
    "SharpnessAware. Instead of a GradScaler use bfloat16 autocast inside the closure, which needs "
    "no scaler; docs/sharpness-aware.md has a subclass of the Trainer that takes both passes. Pass "
    "a closure to step."
)

_USAGE = """It must zero the gradients, run forward and backward, and return the loss:
    def closure():
        optimizer.zero_grad()
        loss = loss_function(model(inputs), labels)
        loss.backward()
        return loss
    optimizer.step(closure)"""


def _check_base(base: object) -> None:
    if isinstance(base, SharpnessAware):
        raise UserError("SharpnessAware: the base optimizer is a SharpnessAware already.")
    if not isinstance(base, Optimizer):
        raise UserError(
            f"SharpnessAware wraps an optimizer, got {base!r}. Build the base optimizer first: "
            "SharpnessAware(torch.optim.SGD(model.parameters(), lr=0.1), rho=0.1)."
        )
    if isinstance(base, torch.optim.LBFGS):
        raise UserError(
            "SharpnessAware does not work with LBFGS, which evaluates the closure itself, several "
            "times a step: the gradient at the moved weights would be lost. Wrap an optimizer that "
            "takes one gradient a step, such as torch.optim.SGD or torch.optim.AdamW."
        )


def _radius(value: object) -> float:
    return _within("rho", value, "at least 0", lambda x: 0 <= x < math.inf)


def _last_weight(model: nn.Module | None, which: bool | str) -> Tensor:
    """Return the weight of the last linear layer, or of the one called ``which``."""
    modules = {} if model is None else dict(model.named_modules())
    linear = {name: m for name, m in modules.items() if isinstance(m, nn.Linear)}
    if not linear:
        raise UserError(
            "SharpnessAware: last_layer reweights the weight of the last linear layer, and there "
            "is none. Give model=..., a network that has a torch.nn.Linear."
        )
    if isinstance(which, str) and which not in linear:
        raise UserError(f"SharpnessAware: last_layer: {unknown('torch.nn.Linear', which, linear)}")
    return linear[which].weight if isinstance(which, str) else [*linear.values()][-1].weight


def _parameter_names(base: Optimizer, model: nn.Module | None) -> dict[Tensor, str]:
    """Return the names of the parameters in the model or in the optimizer's own record."""
    names: dict[Tensor, str] = {}
    for group in base.param_groups:
        names |= dict(zip(group["params"], group.get("param_names", ()), strict=False))
    if model is not None:
        names |= {param: name for name, param in model.named_parameters()}
    return names


def _check_named(base: Optimizer, names: dict[Tensor, str]) -> None:
    params = [p for group in base.param_groups for p in group["params"]]
    nameless = sum(p not in names for p in params)
    if nameless:
        raise UserError(
            'SharpnessAware: adaptive is "asam_by_name", which scales the parameters whose name '
            f'contains "weight", and {nameless} of {len(params)} parameters have no name here. '
            "Give model=..., or build the base optimizer from model.named_parameters(); "
            'adaptive="asam_by_shape" needs no names.'
        )


def _within(name: str, value: object, allowed: str, fits: Callable[[float], bool]) -> float:
    if isinstance(value, int | float) and fits(value):
        return float(value)
    raise UserError(f"SharpnessAware: {name} is {value!r}; allowed: a number, {allowed}.")
