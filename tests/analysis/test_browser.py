import re
import shutil
import subprocess

import pytest

from analysis import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser")
def test_a_browser_draws_every_figure_without_complaint(search_run, tmp_path):
    page = write_report(search_run.path, tmp_path / "report.html")
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
    drawn = re.findall(r'<div class="plot js-plotly-plot" id="plot-([^"]+)"', done.stdout)
    wanted = re.findall(r'data-plot="plot-([^"]+)"', page.read_text())
    folded = ("-3d", "-1", "-2", "-3")  # drawn when their section is opened
    assert drawn == [name for name in wanted if not name.endswith(folded)]
    assert len(drawn) >= 7
