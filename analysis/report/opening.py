"""The answer in words: the report's opening, as HTML."""

from __future__ import annotations

import math
from datetime import datetime
from statistics import mode
from typing import Any

from analysis.formatting import (
    count,
    difference,
    dimension_hint,
    duration,
    is_missing,
    near,
    number,
    plain,
    score,
    sentence_case,
)
from analysis.report.summary import Answer, Candidate
from analysis.stored.confirmation import ConfirmedTrial
from analysis.stored.noise import noise_rate
from analysis.stored.ranking import label_sets
from analysis.stored.run import Run
from analysis.surrogate.importance import importance_info
from analysis.surrogate.robust_region import Region, Setting
from tune_robust.metrics import metric

_ENDS = {"done": "finished", "stopped": "stopped early", "failed": "failed"}
_SHORT = 3  # settings that still fit into a headline, names into a sentence


def subtitle(run: Run) -> str:
    """Where the run comes from, in a line."""
    data = run.space.get("train", {}).get("data", {})
    rate = noise_rate(run)
    parts = [
        f"run <b>{plain(run.name)}</b>",
        f"space {plain(run.space.get('name', '?'))}",
        plain(data.get("dataset", "")) + (f" with {rate:.0%} wrong labels" if rate else ""),
        _date(run.meta.get("created")),
    ]
    return " · ".join(part for part in parts if part)


def headline(run: Run, answer: Answer) -> str:
    """The answer in one line."""
    best = answer.winner
    if best is None:
        failed = answer.counts.get("failed", 0)
        if failed == len(run.trials):
            return f"All {count(failed, 'trial')} failed"
        return "No trial has ended yet"
    if (sets := label_sets(run)) > 1:
        return f"Trials on {number(sets)} label sets, to be compared within each"
    if best.is_baseline:
        if not answer.searched_ended:
            return "Only the baseline has ended so far"
        return f"Nothing searched beats the {plain(best.label)} baseline"
    if not best.settings or len(best.settings) > _SHORT:
        return f"Trial {plain(best.trial)} ({plain(best.label)}) is the best"
    return f"{_joined(best.settings)} is the best setting {'so far' if answer.waiting else 'found'}"


def lead(run: Run, answer: Answer) -> str:
    """The answer in two or three sentences."""
    best, reference = answer.winner, answer.baseline
    if best is None:
        errors = run.trials["error"].dropna().tolist() if "error" in run.trials else []
        common = f" The commonest error: {plain(mode(errors))}." if errors else ""
        return f"There is nothing to rank.{common} The table below says how each trial stands."
    if label_sets(run) > 1:
        return (
            "Scores against different labels do not compare, so this run has no overall winner. "
            "What follows about the best trial is about the best of its own label set."
        )
    name = run.objective.metric
    title = metric(name).title
    compared = None if best.is_baseline else reference
    text = f"Trial {plain(best.trial)} reaches <b>{score(name, best.score)}</b> {title}"
    if compared is not None:
        text += f", {_better(name, answer.gain)} than the {plain(compared.label)} baseline"
        text += f" ({score(name, compared.score)})"
    text += "."
    if not is_missing(best.test_accuracy):
        text += (
            f" On the test images, which took no part in the choice, it gets "
            f"<b>{score('test_accuracy', best.test_accuracy)}</b>"
        )
        if compared is not None and not is_missing(compared.test_accuracy):
            text += f" and the baseline {score('test_accuracy', compared.test_accuracy)}"
        text += "."
    return text + _confirmed(name, best, _best_confirmed(answer))


def _best_confirmed(answer: Answer) -> ConfirmedTrial | None:
    found = answer.confirmation
    return None if found is None else found.searched or found.leader


def _confirmed(name: str, best: Candidate, confirmed: ConfirmedTrial | None) -> str:
    """What fresh seeds said, in a sentence or two: the score to publish."""
    if confirmed is None:
        return ""
    who = "it" if confirmed.trial == best.trial else f"trial {plain(confirmed.trial)} leads: it"
    text = f" On {count(confirmed.n, 'fresh seed')} {who} gets "
    text += f"<b>{score(name, confirmed.mean)}</b> in the mean"
    if confirmed.low is not None:
        low, high = score(name, confirmed.low), score(name, confirmed.high)
        text += f" (95% interval {low} to {high})"
    if confirmed.probability_best is not None:
        text += f" and is the best of those retrained with {confirmed.probability_best:.0%} "
        text += "probability"
    return f"{text}: the score to publish."


def tiles(run: Run, answer: Answer) -> str:
    """The numbers that matter, each with what it means."""
    best = answer.winner
    ended = [
        f"{number(answer.counts[status])} {words}"
        for status, words in _ENDS.items()
        if answer.counts.get(status)
    ]
    total = answer.spent + answer.saved
    spared = [f"{answer.saved / total:.0%} saved by stopping early"] if answer.saved else []
    time = [] if math.isnan(answer.seconds) else [f"{duration(answer.seconds)} of training"]
    rest = [
        ("Trials", number(len(run.trials)), " · ".join(ended)),
        ("Compute", number(answer.spent), " · ".join(["gradient evaluations", *spared, *time])),
    ]
    scores = [] if best is None else _score_tiles(run, answer, best)
    return "".join(
        f'<div class="tile"><dt>{title}</dt><dd><b>{value}</b><span>{words}</span></dd></div>'
        for title, value, words in [*scores, *rest]
    )


def _score_tiles(run: Run, answer: Answer, best: Candidate) -> list[tuple[str, str, str]]:
    name = run.objective.metric
    compared = None if best.is_baseline else answer.baseline
    gain = f"{_better(name, answer.gain)} than {plain(compared.label)}" if compared else ""
    if answer.ceiling is not None:
        gain += f"{' · ' if gain else ''}a perfect model gets about {answer.ceiling:.0%}"
    shown = [(sentence_case(metric(name).title), score(name, best.score), gain)]
    if (confirmed := _best_confirmed(answer)) is not None:
        shown.insert(0, _confirmed_tile(name, confirmed))
    if not is_missing(best.test_accuracy):
        known = compared is not None and not is_missing(answer.test_gain)
        gain = f"{_better('test_accuracy', answer.test_gain)} · " if known else ""
        value = score("test_accuracy", best.test_accuracy)
        shown.append(("Test accuracy*", value, f"{gain}for the record, chose nothing"))
    if not is_missing(best.noisy_fit):
        words = ""
        if compared is not None:
            words = f"{plain(compared.label)}: {score('noisy_fit', compared.noisy_fit)}"
        shown.append(("Wrong labels memorised*", score("noisy_fit", best.noisy_fit), words))
    return shown


def _confirmed_tile(name: str, confirmed: ConfirmedTrial) -> tuple[str, str, str]:
    words = [f"mean of {count(confirmed.n, 'fresh seed')}"]
    if confirmed.low is not None:
        words.append(f"{score(name, confirmed.low)} to {score(name, confirmed.high)}")
    if confirmed.optimism is not None:
        way = "high" if confirmed.optimism >= 0 else "low"
        words.append(f"the search was {difference(name, abs(confirmed.optimism))} too {way}")
    return f"Confirmed {metric(name).title}", score(name, confirmed.mean), " · ".join(words)


def _better(name: str, gain: float) -> str:
    """``11.9 points better``; ``worse`` for a negative gain."""
    return f"{difference(name, abs(gain))} {'better' if gain >= 0 else 'worse'}"


def winners(run: Run, answer: Answer) -> str:
    """The best trial and the middle of the good settings side by side, as a table."""
    if answer.region is None:
        return ""
    name, region = run.objective.metric, answer.region
    guide = (
        f"The peak is the trial that scored best; the plateau lies in the middle of the settings "
        f"expected within {near(name)} of the best, and forgives more."
    )
    head = ["winner", "settings", "scored", "expected", "nine times in ten", "tried as"]
    rows = [_winner_row(name, "Peak", region.peak), _winner_row(name, "Plateau", region.plateau)]
    return (
        f'<section class="winners"><h2>Two winners</h2><p class="guide">{guide}</p>'
        f'<div class="scroll" tabindex="0"><table class="facts"><thead><tr>'
        + "".join(f'<th scope="col">{title}</th>' for title in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<ul>{_box(name, region)}</ul></section>"
    )


def _winner_row(name: str, title: str, setting: Setting) -> str:
    values = ", ".join(f"{plain(path)} {plain(number(v))}" for path, v in setting.values.items())
    cells = [
        values,
        score(name, setting.score),
        score(name, setting.expected),
        f"{score(name, setting.low)} to {score(name, setting.high)}",
        plain(setting.trial or "not tried yet"),
    ]
    return f'<tr><th scope="row">{title}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _box(name: str, region: Region) -> str:
    sides = "".join(
        f"<li><code>{plain(path)}</code> from {number(low)} to {number(high)}: "
        f"{_portion(region.width[path])} of the range searched</li>"
        for path, (low, high) in region.bounds.items()
    )
    held = " and ".join(f"{plain(p)} {plain(number(v))}" for p, v in region.chosen.items())
    sure = f"A setting in this box is within {near(name)} of the best with {region.sure:.0%} "
    return sides + f"<li>{sure}probability{f', given {held}' if held else ''}.</li>"


def _portion(share: float) -> str:
    return "all" if share > 0.995 else "under 1%" if share < 0.01 else f"{share:.0%}"


def notes(run: Run, answer: Answer) -> str:
    """How far to trust the answer, a list of short remarks."""
    remarks = []
    ended = sum(answer.counts.get(status, 0) for status in _ENDS)
    if answer.waiting:
        remarks.append(
            f"<b>The search is not over:</b> {count(answer.waiting, 'trial')} of "
            f"{number(answer.waiting + ended)} still to end."
        )
    if answer.basis == "stopped":
        remarks.append(
            "<b>No trial ran to its end:</b> the ranking is of trials that were stopped early."
        )
    if matters := _what_matters(run):
        remarks.append(matters)
    if answer.stopped_ahead:
        names = ", ".join(map(plain, answer.stopped_ahead[:_SHORT]))
        remarks.append(
            f"<b>{count(len(answer.stopped_ahead), 'stopped trial')} stood higher than the winner "
            f"when stopped</b> ({names}{', ...' if len(answer.stopped_ahead) > _SHORT else ''}): "
            "what was not run to its end is not ranked, as scores can fall again."
        )
    if answer.ceiling is not None:
        remarks.append(
            f"<b>Read the validation score as a comparison:</b> its labels are as wrong as the "
            f"training labels ({noise_rate(run):.0%}), so a perfect model would score about "
            f"{answer.ceiling:.0%}."
        )
    if "confirms" in run.meta:
        remarks.append(
            "<b>This is a confirmation:</b> its trials are those of a search on fresh seeds. The "
            "report of that search opens with their mean; the best seed alone is no score."
        )
    elif answer.confirmation is not None:
        remarks.append(f"<b>Confirmed:</b> {plain(answer.confirmation.conclusion)}")
    elif answer.winner is not None and len(run.trials) > 1:
        text = (
            "<b>It is a little optimistic:</b> the winner's validation score is the best of "
            f"{count(len(run.trials), 'trial')}, luck included"
        )
        if answer.error:
            text += f"; scores within about {200 * answer.error:.0f} points of it are level with it"
        remarks.append(text + ".")
    return "".join(f"<li>{remark}</li>" for remark in remarks)


def _what_matters(run: Run) -> str:
    """The settings that the score depends on most, in a sentence; empty where nobody can tell."""
    table = importance_info(run).table.dropna(subset=["overall"])
    if table.empty or label_sets(run) > 1:
        return ""
    shown = [
        f"<code>{plain(row.path)}</code> {row.overall:.0%}"
        for row in table.head(_SHORT).itertuples()
    ]
    return (
        "<b>What matters:</b> the share of the differences between trials that a setting explains "
        f"by itself is {', '.join(shown)}."
    )


def next_steps(answer: Answer) -> str:
    """The commands to type next."""
    if answer.winner is None:
        words = "See how the trials stand, and go on with the search:"
    elif answer.commands[0].startswith("tune-robust confirm"):
        words = (
            "Confirm the best on fresh seeds before you publish a score; take the winner's "
            "configuration out, and train it again to the same number:"
        )
    else:
        words = "Take the winner's configuration out, and train it again to the same number:"
    return f"<p>{words}</p><pre><code>{plain(chr(10).join(answer.commands))}</code></pre>"


def provenance(run: Run) -> str:
    """What the run was made with, as rows of a description list."""
    versions = run.meta.get("versions") or {}
    rows = {
        "Command": " ".join(run.meta.get("command") or []),
        "Created": run.meta.get("created"),
        "Searched": ", ".join(_described(path) for path in run.searched),
        "Git commit": run.meta.get("git_commit"),
        "Machine": _listed(run.meta.get("hardware") or {}),
        "Versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
    }
    return "".join(
        f"<dt>{title}</dt><dd>{plain(text)}</dd>" for title, text in rows.items() if text
    )


def _described(path: str) -> str:
    hint = dimension_hint(path)
    return f"{path} ({hint})" if hint else path


def _listed(values: dict[str, Any]) -> str:
    shown = {key: value for key, value in values.items() if value not in (None, [], "")}
    return ", ".join(
        f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in shown.items()
    )


def _joined(settings: dict[str, Any]) -> str:
    parts = [
        f'<span class="setting">{plain(path)} {plain(number(value))}</span>'
        for path, value in settings.items()
    ]
    return " with ".join([parts[0], " and ".join(parts[1:])] if parts[1:] else parts)


def _date(created: Any) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except (TypeError, ValueError):
        return ""
    return f"{moment.day} {moment:%B %Y}"
