"""The reliability diagram: bins as recorded, none where nothing was."""

import dataclasses
import json

from analysis.figures.leaders import leaders
from analysis.figures.reliability import reliability, reliability_data

BINS = [[0.0, 0.0, 0.0], [0.25, 0.4, 0.5], [0.75, 0.9, 0.8]]


def with_bins(run):
    best = set(leaders(run).values())
    bins = [json.dumps(BINS) if trial in best else None for trial in run.trials["trial"]]
    return dataclasses.replace(run, trials=run.trials.assign(reliability=bins))


def test_empty_bins_are_left_out_and_each_method_is_a_line(search_run):
    shown = with_bins(search_run)
    rows = reliability_data(shown)
    assert set(rows["name"]) == set(leaders(search_run))
    assert rows.groupby("name")["fraction"].sum().eq(1).all()
    assert len(rows) == 2 * len(leaders(search_run))
    lines = [trace for trace in reliability(shown).data if trace.name in set(rows["name"])]
    assert list(lines[0].y) == [0.5, 0.800000011920929]


def test_a_run_that_recorded_none_says_so(search_run):
    assert reliability_data(search_run).empty
    assert "No finished trial" in reliability(search_run).layout.annotations[0].text
