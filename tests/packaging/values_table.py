"""Writes the table of values in the chart's README out of the comments in values.yaml.

`python values_table.py` writes it. A comment that begins with two dashes belongs to the key below it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "kubeheal"
README = CHART / "README.md"
BEGIN, END = "<!-- values: made from values.yaml by `make chart-readme` -->", "<!-- end of values -->"
KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):")


@dataclass(frozen=True)
class Row:
    key: str
    default: object
    text: str


def rows():
    """Every documented value, in the order of the file."""
    source = (CHART / "values.yaml").read_text()
    defaults, open_keys, text, found = yaml.safe_load(source), [], None, []
    for line in source.splitlines():
        comment = re.match(r"^ *# -- (.*)", line)
        key = KEY.match(line)
        if comment:
            text = comment[1]
        elif key:
            depth = len(key["indent"]) // 2
            open_keys[depth:] = [key["key"]]
            if text is not None:
                found.append(Row(".".join(open_keys), at(defaults, open_keys), text))
            text = None
        else:
            text = None
    return found


def at(values, keys):
    for key in keys:
        values = values[key]
    return values


def is_documented(key):
    """Whether the value as a whole has a comment of its own."""
    return key in DOCUMENTED


def table():
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for row in rows():
        default = json.dumps(row.default, ensure_ascii=False).replace("|", "\\|")
        lines.append(f"| `{row.key}` | `{default}` | {row.text} |")
    return "\n".join(lines)


def written():
    """The README with the table of today."""
    text = README.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:begin]}\n{table()}\n{text[end:]}"


DOCUMENTED = {row.key for row in rows()}

if __name__ == "__main__":
    README.write_text(written())
