"""Names of own parts that lead nowhere: each mistake has a message of its own."""

import pytest

from tests.own.parts import write_modules
from tune_robust.errors import UserError
from tune_robust.own import bound, call_part, collect_code, import_part, use_code


@pytest.fixture
def use(tmp_path):
    def use(name, **modules):
        use_code(collect_code([name], write_modules(tmp_path, **modules)))
        return import_part(name, "model.name")

    return use


def test_a_part_is_found(use):
    assert use("my_losses:focal").__name__ == "focal"
    assert import_part("torch.optim:RAdam", "optimizer.name").__name__ == "RAdam"


@pytest.mark.parametrize(
    ("name", "modules", "said"),
    [
        ("my_net:Tiny", {}, r"no module 'my_net'. Did you mean 'my_nets'\? Looked in /.* --code"),
        ("my_nets:Tini", {}, r"my_nets.py has no 'Tini'. Did you mean 'Tiny'\?"),
        ("my_nets:Tiny", {"my_blocks": "import nowhere"}, "it needs the module 'nowhere'"),
        ("my_nets:Tiny", {"my_nets": "1 / 0"}, r"ZeroDivisionError: .* \(my_nets.py, line 1\)"),
        ("my_nets:Tiny", {"my_nets": "def"}, r"SyntaxError: .* \(my_nets.py, line 1\)"),
        ("my_nets:Tiny", {"my_nets": "exit(3)"}, "__main__"),
        ("my_nets:Tiny", {"my_nets": "Tiny = 3"}, "is 3, which cannot be called"),
    ],
)
def test_what_cannot_be_imported_is_explained(use, name, modules, said):
    with pytest.raises(UserError, match=said):
        use(name, **modules)


def test_arguments_that_do_not_fit_are_explained(use):
    tiny = use("my_nets:Tiny")
    with pytest.raises(
        UserError, match=r"it takes no 'dept'. Did you mean 'depth'\? Its signature is"
    ):
        call_part(tiny, "my_nets:Tiny", "model.name", arguments={"dept": 2, "classes": 3})
    with pytest.raises(UserError, match="missing a required argument: 'channels'"):
        call_part(tiny, "my_nets:Tiny", "model.name", arguments={"classes": 3})


def test_a_part_gets_what_it_asks_for():
    def part(a, *, classes):
        return a, classes

    offered = {"classes": 3, "channels": 1}
    assert call_part(part, "m:part", "model.name", 1, arguments={}, offered=offered) == (1, 3)
    given = {"classes": 5}
    assert call_part(part, "m:part", "model.name", 1, arguments=given, offered=offered) == (1, 5)


def test_a_class_is_made_once_and_a_function_has_its_arguments_filled_in(use):
    scaled = """
        class Scaled:
            def __init__(self, by):
                self.by = by

            def __call__(self, x):
                return x * self.by

        def added(x, by=0):
            return x + by
    """
    use("my_losses:added", my_losses=scaled)
    assert bound("my_losses:Scaled", "loss.name", 1, {"by": 3})(2) == 6
    assert bound("my_losses:added", "loss.name", 1, {"by": 3})(2) == 5
    with pytest.raises(UserError, match="too many positional arguments"):
        bound("my_losses:Scaled", "loss.name", 2, {"by": 3})
