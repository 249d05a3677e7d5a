"""Find the labels of a run's data that are probably wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_robust.api.retraining import retrain
from tune_robust.api.runs import RunLike, folder_of
from tune_robust.api.watching import ProgressLike, watcher_of
from tune_robust.errors import UserError
from tune_robust.formatting import count
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.meta import retrained_run
from tune_robust.runs.naming import STORAGE, run_argument
from tune_robust.runs.trial import Trial

if TYPE_CHECKING:
    from tune_robust.runs.store import RunStore
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.engine.searching import RayOptions
    from tune_robust.tuning.engine.watching import Watcher


def audit(
    run: RunLike,
    *,
    folds: int | None = None,
    out: str | Path | None = None,
    write_labels: str | Path | None = None,
    code: str | Path | None = None,
    storage: str | Path = STORAGE,
    address: str | None = None,
    dashboard: bool = True,
    progress: ProgressLike = True,
    verbose: bool = False,
) -> dict[str, Any]:
    """Estimate which labels of a run's data are wrong, and write a table and a page of them.

    An image's label is judged by networks that were not trained on that image. By default, these
    are the three best trials and their stored predictions on the validation images, with those of
    their confirmation on the images that its seeds held out, if labels are the same with every
    seed. With ``folds``, the winner's configuration is trained that many times on Ray, each time
    without a part of the training and validation images, so that all of them are audited. These
    trials are a run of their own in the folder ``folds`` of the run, and the same call continues an
    interrupted one. The test images are not audited.

    Args:
        run: a Run, its name under ``storage``, its path or its URI.
        folds: how many networks to train, at least 2; by default none.
        out: the folder to write to; by default ``audit`` in the run's folder.
        write_labels: a CSV file to write, with a label for each training image of the data set:
            the likely label where the given one is more likely wrong than right. A configuration
            reads it with ``data.noise: {kind: given, file: ..., key: label, truth: unknown}``.
        code: the folder of other code for the run's own parts, as in ``resume``.
        storage: the folder or URI that holds the runs.
        address: the address of a Ray cluster, as in ``search``.
        dashboard: whether to start Ray's dashboard (on this machine only).
        progress: as in ``search``.
        verbose: whether to show Ray's own messages.

    Returns:
        The content of ``audit.json``: the number of ``images``, how many networks of the
        confirmation were used (``confirmed``), the estimated ``rate`` of wrong
        labels with its 95 % interval (``low``, ``high``), the ``transition`` matrix, the
        ``suspects``, most suspicious first, and, if the true labels are known, ``truth``: the real
        rate and the average precision. ``files`` has the paths: ``labels.csv`` and
        ``labels.parquet`` with all images, ``audit.html`` and ``audit.json``.

    Raises:
        UserError: there is no such run or no finished trial, its predictions are not stored, or the
            data cannot be loaded or have changed.
        KeyboardInterrupt: as in ``search``, while folds are trained.
    """
    from analysis.audit.page import write_audit_page
    from tune_robust.own import Code, use_code
    from tune_robust.runs.audit import FOLDER, write_audit
    from tune_robust.runs.reader import read_trials
    from tune_robust.spaces.objective import objective_of
    from tune_robust.spaces.space import Space
    from tune_robust.tuning.engine.searching import RayOptions
    from tune_robust.tuning.winners import auditing
    from tune_robust.tuning.winners.export import ranked

    if folds is not None and folds < 2:
        raise UserError(f"--folds {folds}: at least 2, since each network predicts for the others.")
    if write_labels is not None and Path(write_labels).suffix != ".csv":
        raise UserError(f"--write-labels {write_labels}: the name of a CSV file ends in .csv.")
    folder = folder_of(run, storage)
    meta = folder.read_meta()
    if (source := retrained_run(meta)) is not None:
        raise UserError(f"{folder.place} retrains trials of {source}. Audit {folder.storage}.")
    use_code(Code.of(meta))
    space = Space.from_document(meta["space"])
    objective = objective_of(space)
    best = ranked(read_trials(folder).values(), objective)
    if not best or best[0].status != "done":
        raise UserError(
            f"the run {folder.path.name!r} has no finished trial yet. "
            f"See `tune-robust status {folder.place}`."
        )
    if folds is None:
        found = auditing.audit_stored(folder, best)
    else:
        ray = RayOptions(address, dashboard, verbose)
        _train_folds(folder, best[0], folds, ray, watcher_of(progress), code)
        found = auditing.audit_by_folds(folder, best[0], folds)
    table = auditing.table_of(found)
    summary = auditing.summary_of(folder.path.name, found, table)

    out = folder.path / FOLDER if out is None else Path(out).expanduser()
    out.mkdir(parents=True, exist_ok=True)
    files = [auditing.write_table(table, out / f"labels.{kind}") for kind in ("csv", "parquet")]
    files += [write_audit_page(summary, out / "audit.html"), write_audit(out, summary)]
    if write_labels is not None:
        labels = Path(write_labels).expanduser()
        files.append(auditing.write_table(auditing.cleaned_labels(found, table), labels))
    folder.upload()
    return {**summary.model_dump(mode="json"), "files": [str(path) for path in files]}


def _train_folds(
    folder: RunFolder,
    winner: Trial,
    folds: int,
    ray: RayOptions,
    watcher: Watcher,
    code: str | Path | None,
) -> None:
    """Train ``winner`` without each fold for which no network has predictions yet.

    Folds that failed before are trained again.

    Raises:
        UserError: one of them failed.
    """
    from tune_robust.tuning.engine.logs import Logs
    from tune_robust.tuning.winners.auditing import missing_folds
    from tune_robust.tuning.winners.folds import discard_empty, open_folds

    missing = missing_folds(folder, winner, folds)
    if not missing:
        return
    try:
        store = open_folds(folder)
        wanted = (winner, missing, folds)
        run_folds(store, ray, watcher, Logs(), code, wanted=wanted, retry_failed=True)
    except BaseException:
        discard_empty(folder)
        raise
    if failed := missing_folds(folder, winner, folds):
        raise UserError(
            f"{count(len(failed), 'fold')} of {folds} failed, so not all labels are audited. See "
            f"why: `tune-robust status {run_argument(store.folder.place)}`. The same command "
            "trains only the missing ones."
        )


def run_folds(
    store: RunStore,
    ray: RayOptions,
    watcher: Watcher,
    logs: Logs,
    code: str | Path | None = None,
    *,
    wanted: tuple[Trial, Sequence[int], int] | None = None,
    retry_failed: bool = False,
) -> None:
    """Run the remaining trials of the folds in ``store``.

    ``wanted``: a trial, the folds (from 1) without which it is to be trained, and how many there
    are; None adds nothing. ``code`` is as in ``audit``.

    Raises:
        SearchFailed: all have failed.
    """
    from tune_robust.tuning.winners.folds import extension_of

    source = store.folder.outside()
    retrain(
        store,
        source.storage,
        lambda: extension_of(store, *(wanted or ())),
        ray,
        watcher,
        logs,
        code,
        retry_failed=retry_failed,
    )
    store.folder.upload()
