"""The next item is made while the caller uses the one before, and no further."""

import threading
from contextlib import closing

import pytest

from tune_robust.training import ahead


def test_the_next_item_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]

    def items(stop):
        for number, event in enumerate(begun):
            event.set()
            yield number

    with closing(ahead(items)) as results:
        assert next(results) == 0
        assert begun[1].wait(60)
        assert not begun[2].wait(0.05)
        assert [*results] == [1, 2]


def test_closing_stops_the_thread_and_waits_for_it():
    ended = threading.Event()

    def items(stop):
        yield 1
        assert stop.wait(60)
        ended.set()

    with closing(ahead(items)) as results:
        next(results)
    assert ended.is_set()
    with closing(ahead(lambda stop: iter([2]))) as results:
        assert [*results] == [2]


def test_an_error_is_raised_in_place_of_its_item():
    def items(stop):
        yield 1
        raise ZeroDivisionError

    results = ahead(items)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
