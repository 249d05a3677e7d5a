import shutil
from pathlib import Path

import pandas as pd
import pytest
from plotly import io as pio

from analysis import write_figures
from analysis.figures.catalogue import FIGURES, run_figures
from tune_robust.errors import UserError


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_any_run_and_has_its_data(build, search_run, name):
    for run in (search_run, build.load([build.trial(1, {})])):
        assert FIGURES[name].figure(run).layout.height
        assert isinstance(FIGURES[name].data(run), pd.DataFrame)


def test_only_what_a_run_shows_is_written(search_run, tmp_path):
    paths = write_figures(search_run, tmp_path / "figures", "csv")
    names = {path.stem for path in paths}
    assert names == set(run_figures(search_run))
    assert {"sensitivity", "importance", "learning-curves"} <= names
    assert "choices" not in names
    assert all(len(pd.read_csv(path)) for path in paths)


def test_pages_need_nothing_else(build, tmp_path):
    path = write_figures(build.load([build.trial(1, {})]), tmp_path, "html")[0]
    assert "<script src" not in path.read_text(encoding="utf-8")


def test_a_missing_browser_says_what_to_do(build, tmp_path, monkeypatch):
    def no_browser(*_, **__):
        raise RuntimeError("Kaleido requires Google Chrome to be installed.")

    monkeypatch.setattr(pio, "write_images", no_browser)
    run = build.load([build.trial(1, {})])
    with pytest.raises(UserError, match=r"Chrome.*plotly_get_chrome.*--format html"):
        write_figures(run, tmp_path / "figures", "png")
    assert list((tmp_path / "figures").iterdir()) == []


def test_another_format_is_refused(search_run, tmp_path):
    with pytest.raises(UserError, match=r"gif.*png, svg, pdf, html, csv"):
        write_figures(search_run, tmp_path, "gif")


def test_a_folder_that_cannot_be_written_says_so(build, tmp_path):
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(UserError, match=r"cannot write to .*taken.*--figures"):
        write_figures(build.load([build.trial(1, {})]), Path(taken), "csv")


@pytest.mark.e2e
@pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "google-chrome", "chrome"))), reason="needs a browser"
)
def test_images_are_drawn_by_a_browser(build, tmp_path):
    pytest.importorskip("kaleido")
    run = build.load([build.trial(1, {})])
    for path in write_figures(run, tmp_path, "svg"):
        assert path.read_text(encoding="utf-8").lstrip().startswith("<svg")
