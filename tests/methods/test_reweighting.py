import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.methods import group_fractions, reweight_

GRADIENTS = st.lists(
    st.tuples(*[st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6)] * 2),
    min_size=1,
    max_size=30,
)


def by_ratio(sam, sgd, alpha):
    in_b = sgd != 0 and 0 < sam / sgd < 1
    return alpha * sam if in_b else sam


@given(pairs=GRADIENTS, alpha=st.floats(0, 2))
def test_equals_the_ratio_of_the_paper(pairs, alpha):
    sam, sgd = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    expected = [by_ratio(*pair, alpha) for pair in pairs]
    reweight_([sam], [sgd], alpha)
    torch.testing.assert_close(sam, torch.tensor(expected, dtype=torch.float64))


@given(pairs=GRADIENTS)
def test_alpha_zero_leaves_exactly_nothing_of_group_b(pairs):
    sam, sgd = (torch.tensor(column, dtype=torch.float32) for column in zip(*pairs, strict=True))
    expected = torch.tensor([by_ratio(*pair, 0.0) for pair in pairs])
    reweight_([sam], [sgd], 0.0)
    assert torch.equal(sam, expected)


@given(pairs=GRADIENTS)
def test_shares_count_the_groups(pairs):
    sam, sgd = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    groups = ["c" if g == 0 or s / g <= 0 else "a" if s / g >= 1 else "b" for s, g in pairs]
    expected = [groups.count(name) / len(groups) for name in "abc"]
    assert group_fractions(sam, sgd).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", [1e-8, 1e-20, 1e-30, 1e30])
def test_tiny_and_huge_gradients_keep_their_group(size):
    """Neither the official code's 1e-8 nor an underflowing product moves a component."""
    sgd = torch.tensor([2.0, -2.0, 2.0, -2.0, 1.0, -1.0, 1.0]) * size
    sam = torch.tensor([1.0, -1.0, -1.0, 1.0, 2.0, -2.0, 1.0]) * size
    expected = sam * torch.tensor([0.5, 0.5, 1, 1, 1, 1, 1])
    assert group_fractions(sam, sgd).tolist() == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    reweight_([sam], [sgd], 0.5)
    assert torch.equal(sam, expected)


def test_works_on_lists_of_any_shapes():
    sam = [torch.ones(2, 3), torch.full((4,), -1.0)]
    reweight_(sam, [torch.full((2, 3), 2.0), torch.full((4,), -0.5)], 0.25)
    assert torch.equal(sam[0], torch.full((2, 3), 0.25))
    assert torch.equal(sam[1], torch.full((4,), -1.0))
