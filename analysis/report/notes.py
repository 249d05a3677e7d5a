"""Short remarks on the reliability of the result."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.formatting import number, plain
from analysis.report.summary import ENDS, Summary
from analysis.stored.lineage import lineage
from analysis.stored.noise import is_truth_known, noise_rate
from analysis.stored.ranking import label_sets
from analysis.stored.replicates import has_repeats
from analysis.stored.run import Run
from analysis.surrogate.importance import importance_info
from tune_robust.formatting import count
from tune_robust.metrics import metric
from tune_robust.runs.naming import run_argument

_SHORT = 3  # the most names in a sentence
_FELT = 0.01  # lower importances are not mentioned


def notes(run: Run, summary: Summary) -> str:
    """Return the remarks as HTML list items."""
    remarks = [*_progress(summary), *_importance(run), *_labels(run, summary)]
    remarks += [*_repeats(run), *_population(run), *_luck(run, summary)]
    return "".join(f"<li>{remark}</li>" for remark in remarks)


def _progress(summary: Summary) -> Iterator[str]:
    ended = sum(summary.counts.get(status, 0) for status in ENDS)
    if summary.waiting:
        yield (
            f"<b>The search is not over:</b> {count(summary.waiting, 'trial')} of "
            f"{number(summary.waiting + ended)} {'has' if summary.waiting == 1 else 'have'} not "
            "ended yet."
        )
    if summary.basis == "stopped":
        yield "<b>No trial ran to its end:</b> the ranking is of trials that were stopped early."
    if ahead := summary.stopped_ahead:
        names = ", ".join([*map(plain, ahead[:_SHORT]), *(["..."] if len(ahead) > _SHORT else [])])
        yield (
            f"<b>{count(len(ahead), 'stopped trial')} scored higher than the winner when "
            f"stopped</b> ({names}). Only trials that ran to their end are ranked, as scores can "
            "fall again."
        )


def _importance(run: Run) -> Iterator[str]:
    """Yield the settings that the score depends on most, if there are enough trials."""
    table = importance_info(run).table.dropna(subset=["overall"])
    if table.empty or label_sets(run) > 1:
        return
    table = table[(table["overall"] >= _FELT) | (table.index == table.index[0])].head(_SHORT)
    shown = ", ".join(
        f"<code>{plain(row.path)}</code> {row.overall:.0%}" for row in table.itertuples()
    )
    among = "" if table["trials"].nunique() == 1 else ", among the trials that it applies to,"
    yield (
        "<b>What matters:</b> the fraction of the differences between trials that each setting "
        f"explains by itself{among} is {shown}."
    )


def _labels(run: Run, summary: Summary) -> Iterator[str]:
    if run.objective.metric == "val_information":
        yield (
            "<b>Selected by label information:</b> the winner is the trial whose predictions tell "
            "most about the given validation labels. Unlike accuracy, this does not reward a "
            "network for predicting the wrong labels that a class is usually given. "
            f"<code>tune-robust export {plain(run_argument(run.place))} --by val_accuracy</code> "
            "selects by accuracy."
        )
    if summary.ceiling is not None:
        yield (
            f"<b>Read the validation score as a comparison:</b> {1 - summary.ceiling:.0%} of the "
            f"validation labels are wrong (training labels: {noise_rate(run):.0%}), so a perfect "
            f"model would score about {summary.ceiling:.0%}."
        )
    if not is_truth_known(run):
        yield (
            "<b>The true labels are not known:</b> validation labels may be wrong too, so even a "
            "perfect model may score less than 100%, and a model that repeats their errors may "
            "score higher."
        )
    for text in run.meta.get("cautions", []):
        yield f"<b>About the data:</b> {plain(text)}"


def _repeats(run: Run) -> Iterator[str]:
    if has_repeats(run):
        number_of = count(int(run.trials["repeats"].notna().sum()), "trial")
        yield (
            f"<b>Repeats:</b> {number_of} trained a leading setting again with another seed "
            "(<code>budget.repeats</code>), on the same images and labels. A setting with several "
            "seeds is ranked by the mean over them."
        )


def _population(run: Run) -> Iterator[str]:
    if continued := lineage(run):
        yield (
            f"<b>A population:</b> {count(len(continued), 'trial')} continued the network of "
            "another one with other settings (<code>budget.scheduler: pb2</code>). The settings "
            "shown of such a trial are those of its last epochs, and so are those in figures; its "
            "exported configuration has the others as <code>train.knots</code>."
        )


def _luck(run: Run, summary: Summary) -> Iterator[str]:
    if "confirms" in run.meta:
        yield (
            "<b>This is a confirmation:</b> its trials are those of a search, retrained on fresh "
            "seeds, and what is shown of each is its mean over them. The report of that search "
            "compares them."
        )
    elif "folds" in run.meta:
        yield (
            "<b>These are the folds of an audit:</b> a trial of a search, trained each time "
            "without a part of the images, and what is shown is its mean over these parts."
        )
    elif summary.confirmation is not None:
        yield f"<b>Confirmed:</b> {plain(summary.confirmation.conclusion)}"
    elif summary.winner is not None and summary.settings > 1:
        several = summary.winner.seeds > 1
        text = (
            "<b>The winner's score is optimistic:</b> it is the best of "
            f"{count(summary.settings, 'setting' if several else 'trial')}, partly by chance."
        )
        if summary.error:
            images = (run.meta.get("images") or {}).get("validation")
            number_of = "" if images is None else f"{number(images)} "
            text += (
                f" Differences below about {_two_errors(run, summary.error)} are within the "
                f"sampling noise of the {number_of}validation images."
            )
        yield text


def _two_errors(run: Run, error: float) -> str:
    about = metric(run.objective.metric)
    if not about.is_fraction:
        return f"{number(2 * error)} {about.unit}".rstrip()
    points = 200 * error
    unit = "point" if round(points) == 1 else "points"
    return f"{number(round(points, 1 if points < 1 else 0))} {unit}"
