"""``tune-robust spaces``: list, show, check, cp."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.own.fresh import forgotten
from tune_robust.cli.spaces import app, spaces_table
from tune_robust.errors import ConfigError, UserError
from tune_robust.spaces.space import builtin_spaces, load_space, space_text


def run(*arguments, refused=None):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if refused is not None:
        assert isinstance(result.exception, refused)
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_has_a_line_for_every_space():
    lines = run("list").splitlines()
    assert lines[0].split() == [
        *("space", "dataset", "noise", "methods", "dimensions", "trials", "purpose")
    ]
    assert [line.split()[0] for line in lines[1:]] == builtin_spaces()
    saner = next(line for line in lines if line.startswith("saner_digits"))
    assert "50% symmetric" in saner
    assert "minutes on two CPU cores." in saner


def test_in_80_columns_no_name_is_shortened():
    rows = json.loads(run("list", "--json"))
    console = Console(width=80, file=io.StringIO())
    console.print(spaces_table(rows, 80))
    heading, *lines = console.file.getvalue().splitlines()
    assert heading.split() == ["space", "trials", "purpose"]
    assert [line.split()[:2] for line in lines] == [[r["name"], str(r["trials"])] for r in rows]
    assert max(map(len, lines)) <= 80


def test_list_as_json_has_the_same_for_programs():
    rows = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert list(rows) == builtin_spaces()
    assert rows["methods_digits"]["methods"] == ["sgd", "sam", "asam", "saner", "slaw"]
    assert rows["saner_digits"]["dimensions"] == ["sam.rho", "saner.alpha", "saner.k"]
    assert (rows["saner_cifar10n"]["noise"], rows["saner_cifar10n"]["noise_rate"]) == ("human", 0)
    table = rows["sam_label_noise"]
    assert (table["dataset"], table["noise"], table["trials"]) == ("searched", "searched", 320)


def test_show_prints_the_file_as_it_stands():
    assert run("show", "saner_digits") == space_text("saner_digits")


def test_show_resolved_prints_a_space_that_loads_as_the_same(tmp_path):
    path = tmp_path / "copy.yaml"
    path.write_text(run("show", "methods_digits", "--resolved"))
    assert load_space(path) == load_space("methods_digits")


def test_show_with_settings_prints_them_applied(tmp_path):
    settings = ["budget.trials=8", "search.saner.k=null"]
    path = tmp_path / "copy.yaml"
    path.write_text(run("show", "saner_digits", "--set", settings[0], "--set", settings[1]))
    assert load_space(path) == load_space("saner_digits", overrides=settings)


def test_check_says_what_it_costs():
    settings = ("--set", "budget.trials=24", "--set", "train.epochs=40")
    assert run("check", "saner_digits", *settings) == (
        "saner_digits is valid: 3 dimensions, 25 trials, at most 2,000 gradient evaluations\n"
    )
    settings = ("--set", "budget.trials=1", "--set", "train.epochs=1", "--set", "baselines=[]")
    assert "1 trial, at most 2 gradient" in run("check", "saner_digits", *settings)


def test_check_finds_the_own_parts_in_a_folder(tmp_path):
    (tmp_path / "own.yaml").write_text(
        "name: own\ntrain: {model: {name: 'my_checked:Net'}, method: sam}\n"
        "search: {sam.rho: {log_uniform: [0.01, 1.0]}}\nbudget: {trials: 2}\n"
    )
    code = ("--code", tmp_path / "code")
    told = run("check", tmp_path / "own.yaml", *code, refused=UserError)
    assert "there is no such folder" in told
    (tmp_path / "code").mkdir()
    with forgotten():
        missing = run("check", tmp_path / "own.yaml", *code, refused=UserError)
        assert "model.name: my_checked:Net: there is no module 'my_checked'" in missing
    (tmp_path / "code" / "my_checked.py").write_text("class Net: ...")
    with forgotten():
        assert "is valid" in run("check", tmp_path / "own.yaml", *code)


def test_check_reports_all_the_mistakes_of_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntrain: {method: saner, epoch: 3}\n"
        "search: {sam.rho: {uniform: [-1, 1]}}\nbudget: {trials: 0}\n"
    )
    message = run("check", path, refused=ConfigError)
    assert "mine.yaml: 3 problems" in message
    for problem in ("train.epoch: ", "search.sam.rho: found -1", "budget.trials: found 0"):
        assert problem in message


@pytest.mark.parametrize("verb", ["show", "check"])
def test_an_unknown_space_is_told_with_the_nearest(verb):
    assert "Did you mean 'saner_digits'?" in run(verb, "saner_digit", refused=UserError)


def test_cp_copies_and_does_not_overwrite(tmp_path):
    path = tmp_path / "mine.yaml"
    assert f"tune-robust search --space {path}" in run("cp", "saner_digits", path).replace("\n", "")
    assert path.read_text() == space_text("saner_digits")
    path.write_text("my work")
    assert "--force" in run("cp", "slaw_digits", path, refused=UserError)
    assert path.read_text() == "my work"
    run("cp", "slaw_digits", path, "--force")
    assert path.read_text() == space_text("slaw_digits")


def test_cp_into_a_folder_keeps_the_name(tmp_path):
    run("cp", "saner_digits", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["saner_digits.yaml"]


def test_cp_to_where_nothing_can_be_written_is_told(tmp_path):
    assert "cannot write" in run("cp", "saner_digits", tmp_path / "a" / "b", refused=UserError)
