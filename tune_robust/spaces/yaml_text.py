"""Read and write YAML: plain data only, ``5e-4`` is a number, and keys are unique."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tune_robust.errors import UserError
from tune_robust.files import open_regular

LONGEST = 10 * 10**6
"""The largest number of bytes of a text file; a space has some thousands."""

# YAML 1.2's core schema. PyYAML follows 1.1, where 5e-4 is text, `no` is false and 010 is 8.
_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's own class-level registry)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (list, dict)):
                raise yaml.MarkedYAMLError(None, None, "a key must be text", key_node.start_mark)
            if key in seen:
                message = f"the key {key!r} is given twice"
                raise yaml.MarkedYAMLError(None, None, message, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: Any, index: Any) -> yaml.Node:
        # An alias can make a small file expand without limit, and a space does not need any.
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not supported", mark)
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        number = int(self.construct_scalar(node))
        if abs(number) >= 2**63:
            message = f"a whole number beyond 64 bits, of {len(node.value)} digits"
            raise yaml.MarkedYAMLError(None, None, message, node.start_mark)
        return number


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (the same registry, so that text stays text)

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _kind, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
# Short lists and groups of settings are on one line, as in the built-in spaces.
_Dumper.add_representer(
    list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, _flat(data))
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=_style_of(text)
    ),
)


def _style_of(text: str) -> str | None:
    # PyYAML removes Unicode line breaks unless they are quoted and escaped.
    if set(text) & set("\x85\u2028\u2029"):
        return '"'
    return "|" if "\n" in text else None


def _flat(data: list) -> bool:
    return not any(isinstance(item, (list, dict)) for item in data)


def parse_yaml(text: str, source: str) -> Any:
    """Parse ``text`` as plain data.

    Raises:
        UserError: it is not valid; the message names ``source``, the line and the problem.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{source}{where}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{source}: this is not YAML: {error}") from None
    except (KeyError, AttributeError, TypeError) as error:
        # PyYAML's own constructors, for a tag that does not fit the text (!!bool x).
        raise UserError(
            f"{source}: a tag (!!...) asks for another kind of value: {error}"
        ) from None


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UserError: it cannot be read, or is not text.
    """
    try:
        with open_regular(path.expanduser()) as file:
            content = file.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise UserError(f"cannot read {path}: a text of more than {LONGEST // 10**6} MB")
        return content.decode("utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not a text file (UTF-8)") from None


def read_yaml(path: Path) -> Any:
    """Return the plain data in a YAML file.

    Raises:
        UserError: it cannot be read, or is not YAML; the message names the file, line and problem.
    """
    return parse_yaml(read_text(path), str(path))


def write_yaml(data: Any) -> str:
    """Return plain data as YAML that ``parse_yaml`` reads back unchanged."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
