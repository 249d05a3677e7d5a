"""Audit the labels of a run: out-of-sample predictions of its winners, and what follows from them.

The predictions are those that the search stored on its validation images, with those that its
confirmation stored on the validation images of other splits; or those of networks that were trained
for the audit, with the winner's configuration, each without a fold of the images.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tune_robust.cache_folder import cache_of
from tune_robust.config import Fold, TrainConfig, parse_config
from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.label_errors import LabelErrors, average_precision, label_errors
from tune_robust.runs.audit import SHOWN, AuditSummary, Suspect, Truth
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.predictions import Predictions, read_labels, read_predictions
from tune_robust.runs.reader import read_trials
from tune_robust.runs.trial import Trial
from tune_robust.tuning.winners.folds import config_of, finished_trials, folds_of
from tune_robust.tuning.winners.retraining import confirmation_of, label_set, what_varies

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from tune_robust.data import LabelledImages, Splits

TRIALS = 3
"""How many of the best trials' stored predictions are used."""
_MOMENTS = (1.0, "last", "best")


class _Data(NamedTuple):
    """The data of a run, as the first fields of ``Audited``."""

    splits: Splits
    labels: np.ndarray
    names: tuple[str, ...] | None


class Audited(NamedTuple):
    """Images with their predictions and what is estimated from them.

    ``images``: N of them, with given and true labels. ``parts`` (N,): ``train`` or ``validation``
    in the search. ``confirmed``: the number of networks of the confirmation that predicted some.
    ``labels`` and ``names``: the given labels of all training images of the data set, and their
    file names if they have some.
    """

    splits: Splits
    labels: np.ndarray
    names: tuple[str, ...] | None
    images: LabelledImages
    parts: np.ndarray
    found: LabelErrors
    trials: tuple[str, ...]
    folds: int
    confirmed: int = 0


def audit_stored(folder: RunFolder, best: Sequence[Trial]) -> Audited:
    """Audit the validation labels by the predictions that the search and its confirmation stored.

    The seeds of a confirmation draw other splits, so that it also has predictions for images with
    which the search trained. They are used where the labels are the same with every seed: labels
    from annotators or files.

    Args:
        folder: that of the run.
        best: its finished trials, best first.

    Raises:
        UserError: none are stored, or the data are no longer those of the run.
    """
    config = _config(best[0])
    if not config.data.has_noisy_validation:
        raise UserError(
            "the validation labels of this run are right by its configuration, so there is nothing "
            "to audit. --folds 5 audits the training labels."
        )
    stored = _stored(folder, best)
    data = _data(config, folder)
    part = data.splits.validation
    labels = read_labels(folder.predictions, stored[0][1].labels)
    given = part.labels.numpy()
    if not np.array_equal(labels.given, given):
        raise UserError(
            "the validation labels are no longer those that the search was run with: the data set "
            "has changed. Restore it, or audit with --folds."
        )
    seen = _Seen(len(data.labels), len(data.splits.classes))
    for _, each in stored:
        seen.add(part, each.probabilities)
    confirmed, names = 0, {trial.name for trial, _ in stored}
    for again, other in _confirmed(folder, config, names) if _is_fixed(config) else ():
        seen.add(other, again.probabilities)
        confirmed += 1
    images, probabilities = seen.images(part)
    found = label_errors(probabilities[None], images.labels.numpy())
    trials = tuple(trial.name for trial, _ in stored)
    return Audited(*data, images, _parts(images, data), found, trials, 0, confirmed)


class _Seen:
    """Predictions for images of several splits, by the positions of the images in the data set.

    Args:
        total: the number of training images of the data set.
        classes: the number of classes.
    """

    def __init__(self, total: int, classes: int):
        self._logs = np.zeros((total, classes))
        self._times = np.zeros(total, int)
        self._labels = np.zeros((2, total), int)

    def add(self, part: LabelledImages, probabilities: np.ndarray) -> None:
        """Add a network's predictions (N, K) for the images of ``part``."""
        at = _positions(part).numpy()
        self._logs[at] += np.log(np.clip(probabilities.astype(np.float64), 1e-6, None))
        self._times[at] += 1
        self._labels[:, at] = part.labels.numpy(), part.true_labels.numpy()

    def images(self, part: LabelledImages) -> tuple[LabelledImages, np.ndarray]:
        """Return the images with predictions, of the source of ``part``, and their means (N, K)."""
        import torch

        from tune_robust.data import LabelledImages

        at = np.flatnonzero(self._times)
        mean = np.exp(self._logs[at] / self._times[at, None])
        given, true = torch.from_numpy(self._labels[:, at])
        images = LabelledImages(part.source, given, true, torch.from_numpy(at))
        return images, mean / mean.sum(axis=1, keepdims=True)


def _is_fixed(config: TrainConfig) -> bool:
    """Return whether the labels are the same with every seed."""
    return "noise draw" not in what_varies(config.data)


def _confirmed(
    folder: RunFolder, config: TrainConfig, names: Collection[str]
) -> Iterator[tuple[Predictions, LabelledImages]]:
    """Yield the predictions of the trials that confirm ``names``, and their validation images."""
    from tune_robust.data import load_dataset, make_splits

    again = confirmation_of(folder)
    if not again.meta.exists():
        return
    dataset = load_dataset(config.data, cache_of(folder.storage))
    for trial in read_trials(again).values():
        found = _last(again, trial) if trial.confirms in names else None
        if found is None or trial.status != "done":
            continue
        part = make_splits(_config(trial).data, dataset).validation
        if np.array_equal(read_labels(again.predictions, found.labels).given, part.labels.numpy()):
            yield found, part


def _last(folder: RunFolder, trial: Trial) -> Predictions | None:
    """Return the predictions of a trial at the latest moment at which some were stored."""
    each = (read_predictions(folder.predictions, trial.name, m, trial.config) for m in _MOMENTS)
    return next((one for one in each if one is not None), None)


def _stored(folder: RunFolder, best: Sequence[Trial]) -> list[tuple[Trial, Predictions]]:
    """The predictions of the first trials that have some, all on the labels of the first."""
    found: list[tuple[Trial, Predictions]] = []
    for trial in best:
        if label_set(trial) != label_set(best[0]) or len(found) == TRIALS:
            continue
        predictions = _last(folder, trial)
        if predictions is not None and (not found or predictions.labels == found[0][1].labels):
            found.append((trial, predictions))
    if not found:
        raise UserError(
            "this run has no stored predictions of its finished trials. Train networks for the "
            "audit with --folds 5, or store them in the next search "
            '(--set "record.predictions=[1.0]").'
        )
    return found


def missing_folds(folder: RunFolder, winner: Trial, folds: int) -> list[int]:
    """Return the folds, from 1, of which no network of ``winner`` has predictions yet.

    Raises:
        UserError: there are fewer images than folds, or the data cannot be loaded.
    """
    config = _config(winner)
    data = _data(config, folder)
    digest = _digest(_pool(config, data.splits))
    found = _of_folds(folder, winner, digest, folds)
    return [index for index, each in enumerate(found, 1) if each is None]


def audit_by_folds(folder: RunFolder, winner: Trial, folds: int) -> Audited:
    """Audit all training labels by networks that were each trained without a fold of the images.

    The validation images take part if their labels are as noisy as the training images'. The test
    images do not.

    Args:
        folder: that of the run.
        winner: its best trial, which was trained on all folds.
        folds: how many there are.

    Raises:
        UserError: the predictions of a fold are missing, or the data have changed.
    """
    from tune_robust.data import load_dataset, make_splits

    config = _config(winner)
    data = _data(config, folder)
    pool = _pool(config, data.splits)
    dataset, digest = load_dataset(config.data, cache_of(folder.storage)), _digest(pool)
    seen = _Seen(len(data.labels), len(data.splits.classes))
    for index, found in enumerate(_of_folds(folder, winner, digest, folds), 1):
        of_fold = config.data.model_copy(update={"fold": Fold(index=index, of=folds)})
        part = make_splits(of_fold, dataset).validation
        if found is None or not _is_labelled_as(found, part):
            raise UserError(
                f"the network of fold {index} of {folds} has no predictions for the present "
                f"labels: the data set has changed. Restore it, or delete {folds_of(folder).place} "
                "and give the same command again."
            )
        seen.add(part, found.predictions.probabilities)
    images, probabilities = seen.images(data.splits.train)
    found_wrong = label_errors(probabilities[None], images.labels.numpy())
    return Audited(*data, images, _parts(images, data), found_wrong, (winner.name,), folds)


class _OfFold(NamedTuple):
    """Predictions of a network for the images of a fold, and the folder in which they are."""

    predictions: Predictions
    place: str


def _of_folds(
    folder: RunFolder, winner: Trial, digest: str, folds: int
) -> Iterator[_OfFold | None]:
    """Yield the predictions for each fold, in turn; None where there are none yet.

    Earlier versions stored them with those of the run's trials, under a name with the ``digest`` of
    the images.
    """
    again = folds_of(folder)
    trained = finished_trials(again)
    for index in range(1, folds + 1):
        config = config_of(winner, index, folds)
        trial = next((each for each in trained if each.config == config), None)
        if trial is not None and (found := _last(again, trial)) is not None:
            yield _OfFold(found, again.predictions)
            continue
        name = f"{winner.name}-{digest}-fold-{index}-of-{folds}"
        earlier = read_predictions(folder.predictions, name, "last", winner.config)
        yield None if earlier is None else _OfFold(earlier, folder.predictions)


def _is_labelled_as(found: _OfFold, part: LabelledImages) -> bool:
    labels = read_labels(found.place, found.predictions.labels)
    return np.array_equal(labels.given, part.labels.numpy())


def _pool(config: TrainConfig, splits: Splits) -> np.ndarray:
    """Return the labels and positions (2, N) of the images that folds divide."""
    chosen = [splits.train]
    if config.data.folds_divide_validation:
        chosen.append(splits.validation)
    parts = [np.stack([part.labels.numpy(), _positions(part).numpy()]) for part in chosen]
    return np.concatenate(parts, axis=1)


def _digest(pool: np.ndarray) -> str:
    """Return a name of the images and their labels."""
    return hashlib.sha256(pool.astype("<i8").tobytes()).hexdigest()[:8]


def _parts(images: LabelledImages, data: _Data) -> np.ndarray:
    """Return for each image (N,) in which part it was in the search."""
    validation = _positions(data.splits.validation).numpy()
    own = np.isin(_positions(images).numpy(), validation)
    return np.where(own, "validation", "train")


def table_of(audited: Audited) -> pd.DataFrame:
    """Return one row per image, the most suspicious first, with labels as names of classes.

    ``index`` is the position in the training images of the data set. ``file`` and ``true`` are
    there if the images have names, and if the true labels are known.
    """
    import pandas as pd

    images, found = audited.images, audited.found
    classes = np.array(audited.splits.classes, dtype=object)
    positions = _positions(images).numpy()
    columns: dict[str, object] = {"index": positions}
    if audited.names is not None:
        columns["file"] = [audited.names[position] for position in positions]
    columns |= {
        "part": audited.parts,
        "given": classes[images.labels.numpy()],
        "likely": classes[found.likely],
        "wrong_probability": found.wrong,
    }
    if _truth_known(images):
        columns["true"] = classes[images.true_labels.numpy()]
    table = pd.DataFrame(columns)
    return table.sort_values("wrong_probability", ascending=False, kind="stable", ignore_index=True)


def summary_of(run: str, audited: Audited, table: pd.DataFrame) -> AuditSummary:
    """Return the summary of an audit, with pictures of the images that are probably mislabelled."""
    found, images = audited.found, audited.images
    truth = None
    if _truth_known(images):
        wrong = images.noisy.numpy()
        precision = average_precision(found.wrong, wrong) if wrong.any() else None
        truth = Truth(rate=float(wrong.mean()), average_precision=precision)
    probable = table[table["wrong_probability"] > 0.5].head(SHOWN)
    return AuditSummary(
        run=run,
        trials=audited.trials,
        folds=audited.folds,
        confirmed=audited.confirmed,
        images=len(images),
        classes=audited.splits.classes,
        rate=found.rate,
        low=found.low,
        high=found.high,
        transition=tuple(tuple(map(float, row)) for row in found.transition),
        truth=truth,
        suspects=tuple(_suspect(images, row) for row in probable.to_dict("records")),
    )


def cleaned_labels(audited: Audited, table: pd.DataFrame) -> pd.DataFrame:
    """Return a label for every training image of the data set, as ``noise: given`` reads it.

    A label that is more likely wrong than right is replaced by the likely one. The others, and
    those of images that were not audited, are the given ones.
    """
    import pandas as pd

    classes = np.array(audited.splits.classes, dtype=object)
    named = classes[audited.labels]
    replaced = table[table["wrong_probability"] > 0.5]
    named[replaced["index"].to_numpy()] = replaced["likely"].to_numpy()
    columns = {} if audited.names is None else {"file": audited.names}
    return pd.DataFrame({**columns, "label": named})


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as CSV or Parquet, by the suffix of ``path``, and return the path."""
    if path.suffix == ".parquet":
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        content = buffer.getvalue()
    else:
        content = table.to_csv(index=False).encode()
    write_aside(path, content)
    return path


def _config(trial: Trial) -> TrainConfig:
    config = parse_config(trial.config, trial.name)
    if config.loop is not None:
        raise UserError(
            "a training loop of your own does not report its predictions, so its labels cannot be "
            "audited. tune_robust.label_errors.label_errors takes predictions of your own."
        )
    return config


def _data(config: TrainConfig, folder: RunFolder) -> _Data:
    from tune_robust.data import load_dataset, make_splits
    from tune_robust.data.loading import image_names

    dataset = load_dataset(config.data, cache_of(folder.storage))
    splits = make_splits(config.data, dataset)
    labels = dataset.train.labels.numpy().copy()
    for part in (splits.train, splits.validation):
        labels[_positions(part).numpy()] = part.labels.numpy()
    return _Data(splits, labels, image_names(config.data))


def _positions(part: LabelledImages) -> Tensor:
    if part.positions is None:
        raise ValueError("the part has no positions in the training images")
    return part.positions


def _truth_known(images: LabelledImages) -> bool:
    return bool((images.true_labels >= 0).all())


def _suspect(images: LabelledImages, row: dict[str, Any]) -> Suspect:
    return Suspect(
        index=row["index"],
        file=row.get("file"),
        part=row["part"],
        given=row["given"],
        likely=row["likely"],
        wrong=min(1.0, row["wrong_probability"]),
        png=_png(images, row["index"]),
    )


def _png(images: LabelledImages, position: int) -> str | None:
    """Return the picture at ``position`` of the source in base64; None if it is no image."""
    from PIL import Image

    from tune_robust.data.images import is_image

    if not is_image(images.source):
        return None
    pixels = images.source[position].permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((128, 128))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
