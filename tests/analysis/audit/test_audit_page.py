"""The page of an audit, and its part of the report."""

import pytest
from pydantic import ValidationError

from analysis.audit.page import IN_REPORT, render, report_section
from tune_robust.errors import UserError
from tune_robust.runs.audit import FOLDER, AuditSummary, Suspect, Truth, read_audit, write_audit


def suspect(index=0, **changes):
    given = {"file": None, "part": "train", "given": "cat", "likely": "dog", "wrong": 0.9}
    return Suspect(index=index, **given | {"png": "iVBORw0KGgo="} | changes)


def audit(*suspects, **changes):
    given = {
        "run": "r1",
        "trials": ("t0001",),
        "folds": 0,
        "images": 300,
        "classes": ("cat", "dog"),
        "rate": 0.2,
        "low": 0.16,
        "high": 0.25,
        "transition": ((0.8, 0.2), (0.1, 0.9)),
        "truth": None,
    }
    return AuditSummary(**given | {"suspects": suspects} | changes)


def test_the_page_shows_the_estimate_and_the_pictures():
    page = render(audit(suspect(7), suspect(8, png=None, file="b.jpg")))
    assert "About 20.0% of the labels are wrong" in page
    assert "95% interval 16.0% to 25.0%" in page
    assert page.count("<figure>") == 2
    assert page.count("data:image/png;base64,iVBORw0KGgo=") == 1
    assert "number 7" in page
    assert "b.jpg" in page
    assert "By the true labels" not in page


def test_names_are_escaped():
    nasty = "<script>alert('x')</script>\""
    page = render(audit(suspect(file=nasty, given=nasty), run=nasty, classes=(nasty, "dog")))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_picture_can_only_be_base64():
    with pytest.raises(ValidationError):
        suspect(png='"><script>')


def test_the_truth_is_marked_as_such():
    text = report_section(audit(suspect(), truth=Truth(rate=0.25, average_precision=0.9)))
    assert "By the true labels*, 25.0% are wrong" in text
    assert "0.90" in text


def test_the_report_has_two_dozen():
    assert report_section(audit(*map(suspect, range(50)))).count("<figure>") == IN_REPORT


def test_labels_without_a_suspect_are_said_to_be_so():
    assert "No label is more likely wrong than right" in render(audit())


def test_a_summary_is_read_as_written_and_a_damaged_one_refused(tmp_path):
    assert read_audit(tmp_path) is None
    (tmp_path / FOLDER).mkdir()
    path = write_audit(tmp_path / FOLDER, audit(suspect()))
    assert read_audit(tmp_path) == audit(suspect())
    path.write_text(path.read_text().replace("dog", "cow"))
    with pytest.raises(UserError, match="tune-robust audit"):
        read_audit(tmp_path)
