"""What a search prints at its end, without running one."""

import json
import signal

import pytest
import typer

import tune_robust as tr
from tests.tuning.simulated import simulate, space, trading
from tune_robust.cli.running import console_of, exits_when_interrupted
from tune_robust.cli.summary import finish
from tune_robust.errors import SearchFailed
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.provenance import provenance
from tune_robust.tuning.engine.searching import Interrupted


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Ends the run ``r1`` of a space, as the command does; what it printed is captured."""
    monkeypatch.chdir(tmp_path)

    def end(searched, curve=None, *, as_json=False):
        path = tmp_path / "runs" / "r1"
        path.parent.mkdir()
        simulate(searched, path, *([curve] if curve else []))
        folder = RunFolder(path)
        folder.write_meta({**folder.read_meta(), **provenance()})
        finish(tr.load_run("r1"), console_of(as_json=as_json), as_json=as_json)

    return end


def test_the_best_trial_the_files_and_what_to_do_next(ended, capsys):
    ended(space(baselines=[{"method": "sgd"}]))
    printed = capsys.readouterr().out
    for text in (
        "Winner: t00",
        "Baseline: t0001",
        "Report:   runs/r1/report.html",
        "Exported: runs/r1/exported/1_t00",
        "Confirm:  tune-robust confirm r1",
        "Repeat:   tune-robust train --config runs/r1/exported/1_t00",
    ):
        assert text in printed


def test_a_trial_with_more_label_information_is_named(ended, capsys, monkeypatch):
    monkeypatch.setattr(
        "tune_robust.tuning.winners.second_opinion.more_informative",
        lambda winner, trials, objective: next(t for t in trials if t.name == "t0003"),
    )
    ended(space())
    printed = capsys.readouterr().out
    assert "By label information" in printed
    assert "tune-robust confirm r1 --top 3 --trial t0003" in printed


def test_the_pareto_front_of_several_objectives(ended, capsys):
    ended(trading(), lambda trial, epoch: float(epoch))
    assert "Pareto front of val_accuracy and gradient_evaluations" in capsys.readouterr().out


def test_as_json_nothing_else_is_on_standard_output(ended, capsys):
    ended(space(), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["place"], found["report"]) == ("runs/r1", "runs/r1/report.html")
    assert found["ended"] == found["total"] == 12
    assert len(found["exported"]) == 3


def test_when_all_trials_failed_it_says_where_to_look(ended):
    with pytest.raises(SearchFailed, match=r"all 3 trials failed.*\n  tune-robust status r1"):
        ended(space(), lambda trial, epoch: None)


def test_an_interruption_exits_130_and_says_how_to_continue(capsys, monkeypatch):
    ignored = []
    monkeypatch.setattr(signal, "signal", lambda *given: ignored.append(given))
    with pytest.raises(typer.Exit) as caught, exits_when_interrupted():
        raise Interrupted("runs/r1", 3, 12)
    assert caught.value.exit_code == 130
    assert ignored == [(signal.SIGINT, signal.SIG_IGN)]
    printed = capsys.readouterr().err
    assert "3 of 12 trials have ended" in printed
    assert "tune-robust resume" in printed


def test_an_interruption_is_a_keyboard_interrupt_that_says_how_to_resume():
    with pytest.raises(KeyboardInterrupt, match=r"tune_robust\.resume\('runs/r1'\)"):
        raise Interrupted("runs/r1", 3, 12)
