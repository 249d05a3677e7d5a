"""Collecting the source of own parts, and importing it elsewhere."""

import importlib
import shutil
import sys

import pytest

from tests.own.parts import write_modules
from tune_robust.errors import UserError
from tune_robust.own import Code, collect_code, use_code, used_code


def test_only_what_the_parts_import_is_collected(tmp_path):
    write_modules(tmp_path, unrelated="x = 1")
    code = collect_code(["my_nets:Tiny", "torch.optim:RAdam"], tmp_path)
    assert [*code.files] == ["my_blocks.py", "my_nets.py"]
    assert [*code.packages] == ["torch"]


def test_packages_and_relative_imports_are_followed(tmp_path):
    package = tmp_path / "mine" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "shared.py").write_text("")
    (package / "__init__.py").write_text("from .. import shared\nfrom .other import f")
    (package / "other.py").write_text("def f():\n    import late")
    (tmp_path / "late.py").write_text("")
    code = collect_code(["mine.deep:f"], tmp_path)
    names = ["late.py", "mine/__init__.py", "mine/deep/__init__.py", "mine/deep/other.py"]
    assert [*code.files] == [*names, "mine/shared.py"]


def test_without_own_parts_there_is_no_code(tmp_path):
    assert collect_code([], tmp_path) is None


def test_this_package_itself_is_not_collected(tmp_path):
    write_modules(tmp_path, my_losses="from tune_robust.methods.losses import cross_entropy as f")
    (tmp_path / "tune_robust").mkdir()
    (tmp_path / "tune_robust" / "__init__.py").write_text("")
    assert [*collect_code(["my_losses:f"], tmp_path).files] == ["my_losses.py"]


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--code .*nowhere: there is no such folder"):
        collect_code(["a:b"], tmp_path / "nowhere")


def test_code_comes_from_its_folder_as_long_as_that_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_modules(tmp_path / "here")
    code = collect_code(["my_losses:focal"], folder)
    use_code(code)
    assert importlib.import_module("my_losses").__file__ == str(folder / "my_losses.py")
    assert used_code() is code
    (folder / "my_losses.py").write_text("focal = 'another'")
    assert code.changed() == ["my_losses.py"]
    use_code(code)
    module = importlib.import_module("my_losses")
    assert module.__file__.startswith(str(tmp_path / "cache"))
    assert callable(module.focal)


def test_code_whose_folder_is_gone_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code = collect_code(["my_nets:Tiny"], write_modules(tmp_path / "here"))
    shutil.rmtree(tmp_path / "here")
    use_code(Code.of({"code": code.document()}))
    assert importlib.import_module("my_nets").Tiny(classes=3, channels=1)


def test_changed_code_is_imported_again(tmp_path):
    folder = write_modules(tmp_path, my_losses="def focal(): return 1")
    use_code(collect_code(["my_losses:focal"], folder))
    assert importlib.import_module("my_losses").focal() == 1
    (folder / "my_losses.py").write_text("def focal(): return 'second'")
    use_code(collect_code(["my_losses:focal"], folder))
    assert importlib.import_module("my_losses").focal() == "second"
    assert sys.path.count(str(folder)) == 1


def test_the_hash_is_that_of_the_source_alone(tmp_path):
    one = collect_code(["my_nets:Tiny"], write_modules(tmp_path / "one"))
    other = collect_code(["my_nets:Tiny"], write_modules(tmp_path / "other"))
    changed = write_modules(tmp_path / "changed", my_blocks="def block(a, b): pass")
    assert one.hash == other.hash != collect_code(["my_nets:Tiny"], changed).hash
