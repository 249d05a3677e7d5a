"""How well wrong labels are found, on the recorded populations, beside cleanlab.

    python benchmarks/audit.py [--mark develop] [--json]

Both get the same predictions on the validation images: those of the three trials with the most
label information (docs/selection.md) at their last epoch. ``tune-robust`` is
``tune_robust.label_errors``; ``cleanlab`` (pip install cleanlab; left out if it is missing) gets
the geometric mean, ranks by the normalised margin, its better score here, and estimates the rate
by its confident joint. The average precision is of the wrong labels; that of a random order is the
real rate. Populations marked ``develop`` are those that the estimator was developed on.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from judge_formulas import label_information
from judges import crowd_of
from populations import Recorded, load, recorded

from tune_robust.label_errors import average_precision, label_errors

TRIALS = 3


def measured(population: Recorded) -> dict[str, Any]:
    """Return the average precision and the estimated rate of both, and the real rate."""
    crowd = crowd_of(population)
    best = np.argsort(-label_information(crowd.probabilities, crowd.given), kind="stable")[:TRIALS]
    probabilities, wrong = crowd.probabilities[best], crowd.given != crowd.true
    ours = label_errors(probabilities, crowd.given)
    found = {
        "real rate": float(wrong.mean()),
        "tune-robust": {
            "average precision": average_precision(ours.wrong, wrong),
            "rate": ours.rate,
            "interval": [ours.low, ours.high],
            "likely labels right": float((ours.likely == crowd.true).mean()),
        },
    }
    theirs = cleanlab(probabilities, crowd.given)
    if theirs is not None:
        scores, rate = theirs
        precision = average_precision(scores, wrong)
        found["cleanlab"] = {"average precision": precision, "rate": rate}
    return found


def cleanlab(probabilities: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return cleanlab's scores (N,), the most suspicious highest, and its rate; None without it."""
    try:
        from cleanlab.count import compute_confident_joint, estimate_joint
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return None
    mean = np.exp(np.log(np.clip(probabilities, 1e-6, None)).mean(0))
    mean /= mean.sum(1, keepdims=True)
    quality = get_label_quality_scores(given, mean, method="normalized_margin")
    confident = compute_confident_joint(given, mean)
    joint = estimate_joint(given, mean, confident_joint=confident)
    return 1 - quality, float(1 - np.trace(joint))


def main() -> None:
    """Measure both on every complete population and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mark", choices=("develop", "report"), help="only these populations")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    there = [one for one in map(load, recorded(options.mark)) if one.complete]
    found = {one.population.name: measured(one) for one in there}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print("| population | AP | AP, cleanlab | rate | 95 % interval | rate, cleanlab | real rate |")
    print("|---|---|---|---|---|---|---|")
    for one in there:
        print(_row(f"`{one.population.name}` ({one.population.mark})", found[one.population.name]))


def _row(name: str, found: dict[str, Any]) -> str:
    ours, theirs = found["tune-robust"], found.get("cleanlab", {})
    low, high = ours["interval"]
    cells = [
        name,
        _precision(ours["average precision"]),
        _precision(theirs.get("average precision", np.nan)),
        f"{ours['rate']:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{theirs['rate']:.1%}" if theirs else "-",
        f"{found['real rate']:.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def _precision(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


if __name__ == "__main__":
    main()
