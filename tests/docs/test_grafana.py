"""``docs/grafana.json`` asks for gauges that there are."""

import json
import re
from pathlib import Path

from tune_robust.metrics import GAUGES

BOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


def test_its_panels_name_the_gauges_and_all_of_them():
    board = json.loads(BOARD.read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [
        variable["query"]["query"]
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]
    named = {name for query in queries for name in re.findall(r"ray_tune_robust_(\w+)", query)}
    assert named == {*GAUGES, "best", "trials"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
