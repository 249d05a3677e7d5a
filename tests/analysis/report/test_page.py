import base64
import gzip
import json
import re

import pytest
from plotly.offline import get_plotlyjs

from analysis import write_report
from analysis.figures.rung_check import rung_check_info
from analysis.figures.sensitivity import sensitivity_info
from analysis.report.sections import find_sections
from analysis.report.summary import summarise
from tune_robust.errors import UserError

LIMIT = 6_000_000


def own_markup(html):
    """The page without plotly.js, which lies in it packed."""
    packed = re.search(r'id="plotly">([^<]+)<', html).group(1)
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()
    return html.replace(packed, "")


def plots(html):
    found = re.findall(r'data-plot="plot-([^"]+)">(.*?)</script>', html, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


@pytest.fixture(scope="module")
def page(search_run, tmp_path_factory):
    return write_report(search_run.path, tmp_path_factory.mktemp("out") / "r.html").read_text()


def test_a_large_run_is_one_small_file_that_asks_for_nothing(build):
    path = write_report(build.write(build.search(200)))
    html = own_markup(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < LIMIT
    assert not re.search(r"https?://|cdn\.|<link|@import|src=", html)
    assert "default-src 'none'" in html


def test_every_figure_is_there(page):
    assert set(plots(page)) == {
        "importance",
        "parallel",
        "surface",
        "surface-why",
        "surface-3d",
        "surface-why-3d",
        "memorisation",
        "fitting-1",
        "fitting-2",
        "learning-curves",
        "best-so-far",
        "cost",
        "selection-val_accuracy",
        "selection-val_loss",
    }


def test_the_page_opens_with_the_answer_and_ends_with_the_table(page):
    order = ["<h1>", "Limitations", "tune-robust export", "Which settings work?", "<table>"]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


def test_names_cannot_break_out_of_the_page(build):
    evil = "</script><script>alert(1)</script>"
    search = {
        "sam.rho": {"log_uniform": [0.05, 2.0]},
        "saner.alpha": {"uniform": [0, 1]},
        "sam.rho_schedule": {"choice": [evil, "constant"]},
    }
    trials = build.search(20)
    for number, trial in enumerate(trials):
        trial["values"]["sam.rho_schedule"] = [evil, "constant"][number % 2]
        trial["error"] = evil
    space = build.space(name=evil, search=search)
    path = build.write(trials, name="<script>alert(2)<_script>", space=space)
    html = own_markup(write_report(path).read_text(encoding="utf-8"))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert plots(html)


RUNS = {
    "one running": lambda b: [b.trial(1, {"sam.rho": 0.3}, status="running", epochs=1)],
    "none finished": lambda b: [
        b.trial(i, {"sam.rho": 0.1 * i, "saner.alpha": 0.1 * i}, status="stopped", epochs=4)
        for i in range(1, 9)
    ],
    "all failed": lambda b: [b.trial(1, {}, status="failed", epochs=1, error="boom")],
    "baseline only": lambda b: [b.trial(1, {}, origin="baseline")],
    "interrupted": lambda b: [
        *b.search(10),
        b.trial(11, {}, status="interrupted", epochs=4),
        b.trial(12, {"sam.rho": 0.3, "saner.alpha": 0.3}, status="pending", epochs=0),
    ],
}


@pytest.mark.parametrize("name", RUNS)
def test_every_state_of_a_run_has_a_report(build, name):
    html = write_report(build.write(RUNS[name](build))).read_text(encoding="utf-8")
    assert "learning-curves" in plots(html)


def test_a_run_of_choices_alone_has_a_report(build):
    space = build.space(search={"method": {"choice": ["sgd", "sam"]}})
    trials = [build.trial(i, {"method": ["sgd", "sam"][i % 2]}) for i in range(1, 7)]
    html = write_report(build.write(trials, space=space)).read_text(encoding="utf-8")
    assert "choices" in plots(html)
    assert "surface" not in plots(html)


def test_a_run_of_one_number_has_a_report(build):
    space = build.space(search={"sam.rho": {"log_uniform": [0.05, 2.0]}})
    trials = [build.trial(i, {"sam.rho": 0.1 * i}) for i in range(1, 9)]
    html = write_report(build.write(trials, space=space)).read_text(encoding="utf-8")
    assert {"surface", "surface-why"} <= set(plots(html))
    assert "surface-3d" not in plots(html)


def test_the_report_lies_in_the_run_and_nothing_else_is_left(build):
    path = build.write([build.trial(1, {})])
    before = set(path.iterdir())
    assert write_report(path) == path / "report.html"
    assert set(path.iterdir()) - before == {path / "report.html"}


def test_a_report_that_cannot_be_written_says_so(build, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(UserError, match=r"cannot write .*taken.*--out"):
        write_report(build.write([build.trial(1, {})]), taken)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def memorisation_text(build, winner_fit, baseline_fit):
    trials = [
        build.trial(1, {}, origin="baseline", good=0.1, extra={"noisy_fit": baseline_fit}),
        build.trial(2, {"sam.rho": 0.5}, good=1.0, extra={"noisy_fit": winner_fit}),
    ]
    run = build.load(trials, name=f"r{winner_fit}{baseline_fit}")
    sections = find_sections(run, summarise(run), sensitivity_info(run))
    return next(s.heading + s.guide for s in sections if s.name == "memorisation")


def test_why_it_wins_says_what_the_curves_show(build):
    assert "it memorises fewer wrong labels" in memorisation_text(build, 0.1, 0.6)
    for winner_fit, baseline_fit in ((0.6, 0.1), (0.5, 0.51)):
        text = memorisation_text(build, winner_fit, baseline_fit)
        assert "memorisation does not explain why it wins" in text
        assert f"{winner_fit:.0%} of the wrong labels, the baseline {baseline_fit:.0%}" in text
        assert "Why it wins" not in text


def test_early_stopping_is_not_judged_where_nothing_was_stopped(build):
    budget = {"trials": 24, "unit": "gradient_evaluations", "max": 80, "scheduler": "none"}
    trials = [build.trial(n, {"sam.rho": 0.05 * n}) for n in range(1, 17)]
    train = build.space()["train"] | {"method": "saner"}
    run = build.load(trials, space=build.space(budget=budget, train=train))
    sections = find_sections(run, summarise(run), sensitivity_info(run))
    assert rung_check_info(run).enough  # the figure itself can be drawn
    assert "rung-check" not in {section.name for section in sections}
    assert "stopping early" not in " ".join(section.guide for section in sections)
