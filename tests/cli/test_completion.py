"""The shell completes the names of spaces and runs, and the choices of an option."""

from types import SimpleNamespace

from tests.tuning.simulated import simulate, space
from tune_robust.cli.completion import complete_run, complete_space, one_of


def test_spaces_are_built_in_or_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saner_mine.yaml").touch()
    found = [*complete_space("saner_")]
    assert {"saner_digits", "saner_mine.yaml"} <= set(found)
    assert all(name.startswith("saner_") for name in found)


def test_runs_are_those_of_the_storage_that_was_named(tmp_path, monkeypatch):
    for storage in ("runs", "elsewhere"):
        (tmp_path / storage).mkdir()
    simulate(space(), tmp_path / "runs" / "first")
    simulate(space(), tmp_path / "elsewhere" / "fifth")
    monkeypatch.chdir(tmp_path)
    assert [*complete_run(SimpleNamespace(params={}), "fi")] == ["first"]
    named = SimpleNamespace(params={"storage": str(tmp_path / "elsewhere")})
    assert [*complete_run(named, "fi")] == ["fifth"]
    assert [*complete_run(named, "x")] == []


def test_choices_are_completed_by_their_beginning():
    option = one_of("yaml", "json", "csv")
    assert option["metavar"] == "yaml|json|csv"
    assert option["autocompletion"]("j") == ["json"]
