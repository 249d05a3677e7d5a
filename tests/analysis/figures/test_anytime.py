import plotly.graph_objects as go

from analysis.figures.anytime import anytime, write_anytime

ROWS = [
    {"compute": 10.0, "median": 0.4, "low": 0.3, "high": 0.45},
    {"compute": 20.0, "median": 0.5, "low": 0.4, "high": 0.55},
]


def figure(names):
    curves = dict.fromkeys(names, ROWS)
    return anytime(curves, objective="val_accuracy", best=0.6, unit="gradient evaluations")


def test_a_line_with_its_band_for_each_way_of_searching_and_the_best():
    shown = figure(["asha · tpe", "none · random"])
    lines = [trace for trace in shown.data if trace.showlegend is not False]
    assert [line.name for line in lines] == ["asha · tpe", "none · random", "best recorded"]
    assert list(lines[0].y) == [0.4, 0.5]
    assert list(lines[2].y) == [0.6, 0.6]
    bands = [trace for trace in shown.data if trace.fill == "tonexty"]
    assert [list(band.y) for band in bands] == [[0.3, 0.4]] * 2
    assert shown.layout.xaxis.title.text == "gradient evaluations of all trials together"
    assert shown.layout.yaxis.tickformat == "~%"


def test_more_lines_than_colours_stay_apart():
    shown = figure([f"way {i}" for i in range(20)])
    marks = {(t.line.color, t.line.dash) for t in shown.data if t.name and "way" in t.name}
    assert len(marks) == 20


def test_the_file_needs_no_network(tmp_path):
    write_anytime(figure(["<b>x</b>"]), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "Plotly.newPlot" in page
    assert "<script src=" not in page
    assert isinstance(figure([]), go.Figure)
