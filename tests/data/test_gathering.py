"""Images that are not on the device are gathered ahead, but only a few groups."""

import threading

import pytest
import torch

from tune_robust.data import LabelledImages
from tune_robust.data.gathering import gathered

LABELS = torch.zeros(100, dtype=torch.int64)


class Watched(LabelledImages):
    """Counts the images that were gathered, and by which threads."""

    def pixels(self, which):
        self.counts.append(len(which))
        self.threads.add(threading.current_thread())
        return super().pixels(which)


def watched(*, on_host):
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    part = Watched(images, LABELS, LABELS, on_host=on_host)
    object.__setattr__(part, "counts", [])
    object.__setattr__(part, "threads", set())
    return part


def test_a_thread_gathers_two_groups_ahead_and_no_more():
    part = watched(on_host=True)
    found = gathered(part, torch.arange(100).split(10))
    for done in range(1, 11):
        assert next(found).flatten().tolist() == [*range(10 * done - 10, 10 * done)]
        assert done <= len(part.counts) <= min(done + 2, 10)
    assert list(found) == []
    assert threading.current_thread() not in part.threads


def test_images_on_the_device_are_gathered_when_they_are_asked_for():
    part = watched(on_host=False)
    found = gathered(part, torch.arange(100).split(10))
    for done in range(1, 11):
        next(found)
        assert len(part.counts) == done
    assert part.threads == {threading.current_thread()}


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
