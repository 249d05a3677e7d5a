import html
import json

from analysis import load_run, ranking
from analysis.report.next_steps import next_steps
from analysis.report.summary import summarise


def test_the_commands_name_a_run_in_the_default_storage(build, monkeypatch):
    path = build.write(build.search(6), name="first")
    monkeypatch.chdir(path.parent.parent)
    summary = summarise(load_run("runs/first"))
    text = next_steps(load_run("runs/first"), summary)
    assert (
        "<code>tune-robust resume first\n"
        "tune-robust confirm first\n"
        "tune-robust export first --top 1\n"
        f"tune-robust train --config runs/first/exported/1_{summary.winner.trial}.yaml</code>"
    ) in text


def test_the_commands_quote_a_path_elsewhere(build):
    path = build.write([build.trial(1, {}, status="running")], name="my run")
    text = html.unescape(next_steps(load_run(path), summarise(load_run(path))))
    assert f"<code>tune-robust status '{path}'\ntune-robust resume '{path}'</code>" in text


def test_a_search_that_is_over_is_not_to_be_resumed(search_run):
    text = next_steps(search_run, summarise(search_run))
    assert "resume" not in text
    assert text.startswith("<p>Confirm the best trials")


def test_after_a_confirmation_its_leader_is_exported(build):
    path = build.write(build.search(24))
    second = ranking(load_run(path)).table["trial"].iloc[1]
    (path / "confirm").mkdir()
    row = {"trial": second, "origin": "sampled", "n": 2, "mean": 0.4, "low": 0.3, "high": 0.5}
    document = {"format": 1, "conclusion": f"{second} leads.", "trials": [row]}
    (path / "confirm" / "confirmation.json").write_text(json.dumps(document))
    run = load_run(path)
    text = html.unescape(next_steps(run, summarise(run)))
    assert "--top 2\n" in text
    assert f"exported/2_{second}.yaml" in text
