"""The cluster files are well formed, keep authentication on, and name options that there are."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import ray
import typer
import yaml
from jsonschema import validate

from tune_robust.cli import app

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted((DOCS / "cluster").iterdir())
PAGES = [*(path for path in FILES if path.suffix), DOCS / "cluster.md", DOCS / "dashboard.md"]


def commands(text):
    """The tune-robust commands of a file, with the lines that they go on in joined."""
    text = text.replace("\\\n", " ").replace('tune-robust "$@"', "tune-robust search")
    found = re.findall(
        r"\btune-robust ((?:search|resume|status|confirm|report) [^\n;'`&#|]*)", text
    )
    return [shlex.split(command) for command in found]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_its_commands_name_verbs_and_options_that_there_are(path):
    group = typer.main.get_command(app)
    found = commands(path.read_text())
    assert found
    for verb, *arguments in found:
        options = {o for parameter in group.commands[verb].params for o in parameter.opts}
        given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        assert given <= options, (verb, given - options)


def test_the_launchers_file_is_what_ray_takes():
    document = yaml.safe_load((DOCS / "cluster" / "cluster.yaml").read_text())
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    validate(document, json.loads(schema.read_text()))
    assert document["head_node_type"] in document["available_node_types"]
    for part in ("head", "worker"):
        start = document[f"{part}_start_ray_commands"][-1]
        assert start.startswith("RAY_AUTH_MODE=token ray start")
    assert "/home/ray/.ray/auth_token" in document["file_mounts"]


def test_the_ray_job_has_what_kuberay_requires():
    job = yaml.safe_load((DOCS / "cluster" / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {g["template"]["spec"]["containers"][0]["image"] for g in groups}
    assert len(images) == 1
    assert all("rayStartParams" in group for group in groups)
    shell = shlex.split(job["spec"]["entrypoint"])
    assert shell[:2] == ["bash", "-c"]
    subprocess.run(["bash", "-n", "-c", shell[2]], check=True)


def test_all_nodes_have_the_ray_that_is_tested_here():
    wanted = re.search(r"^ray==(.+)$", (DOCS.parent / "constraints.txt").read_text(), re.M)[1]
    launcher = yaml.safe_load((DOCS / "cluster" / "cluster.yaml").read_text())
    job = yaml.safe_load((DOCS / "cluster" / "rayjob.yaml").read_text())
    image = re.search(r"^FROM (.+)$", (DOCS / "cluster" / "Dockerfile").read_text(), re.M)[1]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == wanted
    assert image == launcher["docker"]["image"] == f"rayproject/ray:{wanted}-py311-gpu"


def test_the_slurm_script_parses_and_guards_its_token():
    path = DOCS / "cluster" / "slurm.sh"
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    assert "export RAY_AUTH_MODE=token" in text
    assert "umask 077" in text
