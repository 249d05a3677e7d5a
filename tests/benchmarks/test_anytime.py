"""Anytime curves are quantiles of the regret over the seeds, with a line for each searcher."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def anytime():
    import anytime

    return anytime


def at(found, place):
    return int(np.abs(found.places - place).argmin())


def test_a_curve_has_the_quartiles_over_the_seeds_at_each_place(anytime):
    steps = [[(0.05, 0.04), (0.2, 0.01)], [(0.05, 0.02)], [(0.05, 0.03), (0.1, 0.0)]]
    found = anytime.curve(steps)
    early, late = at(found, 0.08), at(found, 0.25)
    assert (found.low[early], found.median[early], found.high[early]) == (0.02, 0.03, 0.04)
    assert (found.low[late], found.median[late], found.high[late]) == (0.0, 0.01, 0.02)


def test_before_its_first_trial_has_finished_a_search_counts_as_the_worst(anytime):
    found = anytime.curve([[(0.05, 0.02)], [(0.15, 0.01)], []])
    assert found.median[at(found, 0.1)] == math.inf
    assert found.median[at(found, 0.2)] == 0.02
    assert found.high[at(found, 0.2)] == math.inf


def test_a_picture_has_a_panel_for_each_recording_and_a_line_for_each_known_curve(anytime):
    known, unknown = anytime.curve([[(0.05, 0.02)]]), anytime.curve([[]])
    drawn = anytime.picture({"digits": {"a": known, "b": unknown}, "<cifar>": {"a": known}})
    root = ElementTree.fromstring(drawn)
    panels = root.findall(f"{SVG}g")
    lines = [len(panel.findall(f"{SVG}polyline")) for panel in panels]
    titles = [panel.find(f"{SVG}text").text for panel in panels]
    assert (titles, lines) == (["digits", "<cifar>"], [1, 1])
    *names, caption = (text.text for text in root.findall(f"{SVG}text"))
    assert (names, caption.split()[0]) == (["a", "b"], "regret")
