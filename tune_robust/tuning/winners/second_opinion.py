"""The trial that label information prefers to the winner by accuracy on noisy labels."""

from __future__ import annotations

from collections.abc import Iterable

from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective
from tune_robust.tuning.winners.export import ranked


def more_informative(winner: Trial, trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """Return the trial with the highest label information, if it is not ``winner``.

    None if the winner was not selected by accuracy, its validation labels are not noisy by its
    configuration, or it was trained by a version that did not record label information.
    """
    if objective.metric != "val_accuracy" or not _has_noisy_validation(winner):
        return None
    information = Objective("val_information", "max", objective.at)
    if information.value(winner.epochs) is None:
        return None
    # The winner is first, so that it stays so among equals.
    best = ranked([winner, *(trial for trial in trials if trial is not winner)], information)[0]
    return None if best is winner else best


def _has_noisy_validation(trial: Trial) -> bool:
    data = trial.config["data"]
    return data["noise"]["kind"] != "none" and data["validation"]["labels"] == "noisy"
