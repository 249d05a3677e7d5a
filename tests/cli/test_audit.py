"""What ``tune-robust status`` prints about the audit of a run's labels."""

from contextlib import closing

from tests.tuning.simulated import simulate, space
from tune_robust.api.status import status
from tune_robust.cli.audit import status_line
from tune_robust.runs.audit import FOLDER, AuditSummary, Truth, write_audit
from tune_robust.runs.folder import RunFolder
from tune_robust.tuning.winners.folds import extension_of, open_folds

AUDIT = AuditSummary(
    run="r1",
    trials=("t0001",),
    folds=3,
    images=1437,
    classes=("0", "1"),
    rate=0.2,
    low=0.15,
    high=0.25,
    transition=((0.8, 0.2), (0.2, 0.8)),
    truth=Truth(rate=0.21, average_precision=0.9),
    suspects=(),
)


def test_status_says_how_many_folds_have_ended_and_then_what_was_found(tmp_path):
    winner = simulate(space(), tmp_path / "r1").trials["t0001"]
    source = RunFolder(tmp_path / "r1")
    assert status_line(source) is None
    with closing(open_folds(source)) as store:
        extension_of(store, winner, (1, 2, 3), 3).record(store)
        store.start("t0001")
        store.end("t0001", "done")
        assert status_line(source) == (
            "An audit is in progress: 1 of 3 trials have ended. "
            f"Show it with: tune-robust status {store.folder.place}"
        )
        for name in ("t0002", "t0003"):
            store.start(name)
            store.end(name, "done")
    assert status_line(source) is None
    (source.path / FOLDER).mkdir()
    write_audit(source.path / FOLDER, AUDIT)
    assert status_line(source) == (
        "Audited: About 20.0% of 1,437 labels are wrong (95 % interval 15.0% to 25.0%); by the "
        "true labels, 21.0%."
    )
    found = status(source.path)["audit"]
    assert (found["rate"], found["folds"], "suspects" in found) == (0.2, 3, False)
