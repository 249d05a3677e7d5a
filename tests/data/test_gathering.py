"""Images that are not on the device are gathered ahead, but only a few groups."""

import threading

import pytest
import torch

from tune_robust.data import LabelledImages
from tune_robust.data.gathering import _computed_ahead, gathered

LABELS = torch.zeros(100, dtype=torch.int64)


class Watched(LabelledImages):
    """Counts the images that were gathered, and by which threads."""

    def pixels(self, which):
        self.counts.append(len(which))
        self.threads.append(threading.current_thread())
        self.reads.release()
        return super().pixels(which)


def watched(*, on_host):
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    part = Watched(images, LABELS, LABELS, on_host=on_host)
    object.__setattr__(part, "counts", [])
    object.__setattr__(part, "threads", [])
    object.__setattr__(part, "reads", threading.Semaphore(0))
    return part


def test_a_thread_gathers_two_groups_ahead_and_no_more():
    part = watched(on_host=True)
    found = gathered(part, torch.arange(100).split(10))
    for done in range(1, 11):
        assert next(found).flatten().tolist() == [*range(10 * done - 10, 10 * done)]
        assert done <= len(part.counts) <= min(done + 2, 10)
        if done == 1:
            assert all(part.reads.acquire(timeout=60) for _ in range(3))
            assert part.threads.count(threading.current_thread()) <= 1, "it may not have waited"
    assert list(found) == []


def test_images_on_the_device_are_gathered_when_they_are_asked_for():
    part = watched(on_host=False)
    found = gathered(part, torch.arange(100).split(10))
    for done in range(1, 11):
        next(found)
        assert len(part.counts) == done
    assert {*part.threads} == {threading.current_thread()}


def test_the_caller_helps_with_its_group_instead_of_waiting():
    helped = threading.Event()

    def compute(item):
        if threading.current_thread() is threading.main_thread():
            helped.set()
        elif item == 0:
            assert helped.wait(60)
        return 10 * item

    groups = [range(3), range(3, 6), range(6, 7)]
    assert [*_computed_ahead(compute, groups, 1)] == [[0, 10, 20], [30, 40, 50], [60]]
    assert helped.is_set()


def test_its_thread_ends_when_the_caller_stops_early():
    before = threading.active_count()
    found = gathered(watched(on_host=True), torch.arange(100).split(10))
    next(found)
    found.close()
    assert threading.active_count() == before


def test_an_error_reaches_the_caller():
    found = gathered(watched(on_host=True), [torch.tensor([1]), torch.tensor([100])])
    assert next(found).item() == 1
    with pytest.raises(IndexError):
        next(found)
