import pytest

from analysis.figures.style import dimension_axis, log_ticks, message, new_figure, round_step, say
from analysis.stored.axes import Axis


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.05, 2.0, [0.05, 0.1, 0.2, 0.5, 1, 2]),
        (0.01, 1.0, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]),
        (1e-5, 1.0, [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]),
    ],
)
def test_log_axes_have_round_ticks(low, high, ticks):
    assert log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(("rough", "step"), [(0.013, 0.02), (0.02, 0.02), (3, 5), (0.7, 1)])
def test_steps_are_round(rough, step):
    assert round_step(rough) == pytest.approx(step)


def test_names_on_an_axis_are_escaped():
    assert "<script>" not in dimension_axis(Axis("<script>", 0, 1))["title_text"]


def test_a_message_is_broken_into_short_lines():
    text = message("word " * 40).layout.annotations[0].text
    assert max(map(len, text.split("<br>"))) <= 48


def test_a_text_above_the_axes_has_room_for_all_its_lines():
    figure = say(new_figure(500), "To add trials, run the command. " * 8, y=1)
    lines = figure.layout.annotations[0].text.count("<br>") + 1
    assert lines > 4
    assert figure.layout.margin.t >= 20 * lines
