"""What ``train`` says of an exported trial that it has trained again."""

import pytest

from tune_robust.cli.train import _print_comparison


@pytest.mark.parametrize(
    ("processes", "why"),
    [
        ((2, 2), "another machine, thread count or version?"),
        ((2, 1), "number of processes: 2 for the trial, 1 here"),
    ],
)
def test_metrics_that_differ_are_named_with_the_likely_reason(capsys, processes, why):
    _print_comparison({"val_loss": (0.5, 0.25)}, processes)
    expected = f"Some metrics differ from the exported ones ({why}):\n"
    assert capsys.readouterr().out == f"{expected}  val_loss: exported 0.5, now 0.25\n"
