import html

from analysis import load_run
from analysis.report.next_steps import next_steps
from analysis.report.summary import summarise


def test_the_commands_name_a_run_in_the_default_storage(build, monkeypatch):
    path = build.write(build.search(6), name="first")
    monkeypatch.chdir(path.parent.parent)
    summary = summarise(load_run("runs/first"))
    text = next_steps(load_run("runs/first"), summary)
    assert (
        "<code>tune-robust confirm first\n"
        "tune-robust export first --top 1\n"
        f"tune-robust train --config runs/first/exported/1_{summary.winner.trial}.yaml</code>"
    ) in text


def test_the_commands_quote_a_path_elsewhere(build):
    path = build.write([build.trial(1, {}, status="running")], name="my run")
    text = html.unescape(next_steps(load_run(path), summarise(load_run(path))))
    assert f"<code>tune-robust status '{path}'\ntune-robust resume '{path}'</code>" in text
