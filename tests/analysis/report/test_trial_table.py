import re

from analysis.report.trial_table import trial_table


def rows(html):
    body = html.partition("<tbody>")[2]
    found = re.findall(r"<tr>(.*?)</tr>", body)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall("<td.*?</td>", row)] for row in found]


def test_candidates_come_first_best_first(build):
    run = build.load(
        [
            build.trial(1, {"sam.rho": 0.1}, origin="baseline", good=0.2),
            build.trial(2, {"sam.rho": 0.123456}, good=0.9),
            build.trial(3, {"sam.rho": 0.3}, good=1.0, status="stopped", epochs=30),
            build.trial(4, {}, status="failed", epochs=1, error="<i>boom</i>"),
        ]
    )
    table = rows(trial_table(run))
    assert [row[1] for row in table] == ["t0002", "t0001 baseline sgd", "t0003", "t0004"]
    assert "0.123" in table[0]
    assert table[3][-1] == "&lt;i&gt;boom&lt;/i&gt;"


def test_empty_columns_are_left_out(build):
    run = build.load([build.trial(1, {"sam.rho": 0.1})])
    html = trial_table(run)
    assert "sam.rho" in html
    assert "saner.alpha" not in html
    assert "error" not in html


def test_numbers_sort_by_their_value(build):
    html = trial_table(build.load([build.trial(1, {"sam.rho": 0.123456})]))
    assert 'data-key="0.123456">0.123<' in html
