"""The pages on own parts and loops: their code runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from tests.own.fresh import forgotten
from tune_robust.api.own_code import new_code
from tune_robust.loops import run_loop
from tune_robust.spaces.space import load_space
from tune_robust.tuning.engine.preparing import prepare_space

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def write_modules(page, folder):
    """The blocks that begin with the name of a file, in that file."""
    for block in [*blocks(page, "python"), *blocks(page, "yaml")]:
        if named := re.match(r"# (\w+\.(py|yaml))", block):
            (folder / named[1]).write_text(block)


def test_the_own_parts_of_the_page_fit_together(tmp_path, monkeypatch):
    write_modules("own-parts.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    space = load_space("own.yaml")
    with forgotten():
        code = new_code(space, None)
        assert [*code.files] == ["my_data.py", "my_losses.py", "my_nets.py"]
        found = prepare_space(space, str(tmp_path))
    assert found["images"]["train"] == 1620


@pytest.mark.parametrize("block", blocks("own-parts.md", "yaml"))
def test_every_example_of_a_configuration_is_yaml(block):
    assert yaml.safe_load(re.sub(r"\n(model: .*timm.*)", "", block))


def test_the_loop_of_the_page_runs(tmp_path, monkeypatch):
    write_modules("own-loop.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    space = load_space("loop.yaml")
    with forgotten():
        new_code(space, None)
        prepare_space(space, str(tmp_path))
        *_, last = run_loop(space.config_for({"loop.rate": 0.5}))
    assert last.epoch == 20
    assert last.metrics["distance"] < 1e-5


def test_sharpness_aware_in_other_loops():
    """One block after the other; what each ends with is what plain SAM would give."""
    first, *others = blocks("sharpness-aware.md", "python")
    names = {}
    exec(first, names)
    before = {k: v.clone() for k, v in names["model"].state_dict().items()}

    def stepped(closure):
        """The weights after one step from the same beginning, without momentum."""
        names["model"].load_state_dict(before)
        names["optimizer"].state.clear()
        names["optimizer"].rho = 0.1
        for group in names["optimizer"].param_groups:
            group["lr"] = 0.1
        names["optimizer"].step(closure)
        return torch.cat([p.detach().flatten() for p in names["model"].parameters()])

    for block in others:
        exec(block, names)
    plain = stepped(names["closure"])
    start = torch.cat([before[name].flatten() for name in before])
    assert not torch.equal(plain, start)
    assert torch.allclose(stepped(names["accumulated"]), plain, atol=1e-6)
    assert torch.allclose(stepped(names["unscaled"]), plain, atol=1e-6)
    low = stepped(names["in_bfloat16"]) - plain
    assert low.norm() < 0.1 * (plain - start).norm()
    moved = stepped(names["clipped"]) - start
    assert moved.norm() <= 0.1 * 1.0001
