import re
import subprocess

import pytest

from analysis import write_report
from analysis.comparison.page import write_comparison
from analysis.comparison.scenes import compare_runs
from tests.browser import BROWSER
from tests.tuning.simulated import simulate, space

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser"),
]


def drawn(page, tmp_path):
    """The names of the figures that a browser draws on opening the page, without complaint."""
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not re.findall(r"CONSOLE.*(?:Uncaught|Refused|Error).*", done.stderr)
    return re.findall(r'<div class="plot js-plotly-plot" id="plot-([^"]+)"', done.stdout)


def test_a_browser_draws_every_figure_of_a_report(search_run, tmp_path):
    page = write_report(search_run.path, tmp_path / "report.html")
    wanted = re.findall(r'data-plot="plot-([^"]+)"', page.read_text())
    folded = ("-3d", "-1", "-2", "-3", "-val_accuracy", "-val_loss")  # drawn once opened
    expected = [name for name in wanted if not name.endswith(folded)]
    assert len(expected) >= 7
    assert drawn(page, tmp_path) == expected


def test_a_browser_draws_every_figure_of_a_comparison(tmp_path):
    train = {"data": {"dataset": "digits"}, "method": "saner", "epochs": 6}
    for rate in (0.2, 0.4):
        noise = {"noise": {"kind": "symmetric", "rate": rate}}
        simulate(space(train={**train, "data": {**train["data"], **noise}}), tmp_path / str(rate))
    page = write_comparison(
        compare_runs([tmp_path / "0.2", tmp_path / "0.4"]), tmp_path / "compare.html"
    )
    expected = ["map-0", "map-1", "bands-0", "bands-1"]
    assert drawn(page, tmp_path) == expected
