"""Reading YAML as people expect, writing what reads back."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.errors import UserError
from tune_robust.spaces.yaml_text import LONGEST, parse_yaml, read_yaml, write_yaml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 5e-4),
        ("5.0e-4", 5e-4),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("none", "none"),
        ("null", None),
        ("~", None),
        ("", None),
        ("~/data", "~/data"),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("{log_uniform: [1e-3, 1]}", {"log_uniform": [1e-3, 1]}),
    ],
)
def test_a_scalar_reads_as_what_it_looks_like(text, value):
    read = parse_yaml(text, "it")
    assert read == value
    assert type(read) is type(value)


@given(PLAIN)
def test_what_is_written_reads_back(data):
    assert parse_yaml(write_yaml(data), "it") == data


@pytest.mark.parametrize(
    "text", ["5e-4", "no", "null", "", "1:30", "a: b", "# a", "two\nlines\n", "\x85"]
)
def test_text_stays_text(text):
    assert parse_yaml(write_yaml({"key": text}), "it") == {"key": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [2", "it, line 2: expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3", "it, line 3: the key 'a' is given twice"),
        ("a: {b: 1, b: 2}", "it, line 1: the key 'b' is given twice"),
        ("a: 1\n? [b]\n: 2", "it, line 2: a key must be text"),
        ("a: &x [1]\nb: *x", "it, line 2: aliases"),
        ("a: !!python/object/apply:os.getcwd []", "it, line 1: could not determine a constructor"),
        ("a: \x00", "it: this is not YAML"),
        ("[" * 5000, "it: this is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(text, message):
    with pytest.raises(UserError) as refused:
        parse_yaml(text, "it")
    assert str(refused.value).startswith(message)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"binary\.yaml: it is not a text file"):
        read_yaml(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !!bool x", "tag"),
        ("a: !!timestamp x", "tag"),
        ("a: !!int x", "not YAML|tag"),
        ("a: !!float x", "not YAML|tag"),
        ("a: !!binary x", "not YAML|tag|base64|decode"),
        (f"a: {'9' * 400}", "line 1: a whole number beyond 64 bits, of 400 digits"),
        ("a: 9223372036854775808", "beyond 64 bits"),
    ],
)
def test_values_that_no_setting_has_are_errors(text, says):
    with pytest.raises(UserError, match=rf"space.yaml.*({says})"):
        parse_yaml(text, "space.yaml")


def test_a_file_that_is_no_space_by_its_size_or_kind_is_named(tmp_path):
    (tmp_path / "large.yaml").write_bytes(b"#" * (LONGEST + 1))
    with pytest.raises(UserError, match=r"large\.yaml: a text of more than 10 MB"):
        read_yaml(tmp_path / "large.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UserError, match=r"pipe\.yaml: it is no regular file"):
        read_yaml(tmp_path / "pipe.yaml")
