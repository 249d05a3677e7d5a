import threading

import pytest

from tune_robust.runs.background import Background


def test_a_task_begins_when_the_one_before_is_finished():
    background, go, order = Background(), threading.Event(), []

    def first():
        go.wait(60)
        order.append("first")

    background.start(first)
    assert order == []
    threading.Timer(0.1, go.set).start()
    background.start(lambda: order.append("second"))
    background.wait()
    assert order == ["first", "second"]


def test_an_error_is_raised_once_by_whoever_waits_for_its_task():
    background = Background()
    background.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        background.wait()
    background.wait()
    background.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        background.start(lambda: None)
