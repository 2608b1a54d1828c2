"""Every link in the documentation that stays in the repository leads somewhere, and the README is short."""

import posixpath
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from markdown_pages import address, anchors, links

ROOT = Path(__file__).resolve().parents[2]
README_LINES = 150
# Pages of this repository that are linked to from elsewhere, such as from the chart, which travels alone.
OWN = re.compile(r"https://github\.com/kubeheal/kubeheal/(?:blob|tree)/main/")


def files(root):
    """All files that are in the repository or about to be."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, check=True,
                            capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def problems(root, names):
    """What is wrong with the links of these files, each with its place."""
    pages = {name: (root / name).read_text() for name in names if name.endswith(".md")}
    known = set(names) | {str(folder) for name in names for folder in PurePosixPath(name).parents}
    headings = {name: anchors(text) for name, text in pages.items()}
    found = []
    for name, text in pages.items():
        for link in links(text):
            target = OWN.sub("/", link.target)
            if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
                continue
            path, anchor = address(target)
            base = "" if path.startswith("/") else posixpath.dirname(name)
            place = posixpath.normpath(posixpath.join(base, path.lstrip("/"))) if path else name
            if target.startswith("["):
                found.append(f"{name}:{link.line}: {target} is not defined")
            elif place not in known:
                found.append(f"{name}:{link.line}: {link.target}: there is no {place}")
            elif anchor and place in headings and anchor not in headings[place]:
                found.append(f"{name}:{link.line}: {link.target}: {place} has no heading #{anchor}")
    return found


def test_every_link_leads_to_a_file_or_heading_that_exists():
    names = files(ROOT)
    assert "README.md" in names and "docs/README.md" in names
    assert problems(ROOT, names) == []


BROKEN = {
    "a file that is not there": ("[a](b.md)", "a.md:1: b.md: there is no b.md"),
    "a file above the repository": ("[a](../b.md)", "a.md:1: ../b.md: there is no ../b.md"),
    "a name of other case": ("\n[a](Sub/page.md)", "a.md:2: Sub/page.md: there is no Sub/page.md"),
    "a heading that is not there": ("[a](sub/page.md#gone)", "a.md:1: sub/page.md#gone: sub/page.md has no heading #gone"),
    "a heading of this page": ("# Here\n\n[a](#there)", "a.md:3: #there: a.md has no heading #there"),
    "a heading that is only code": ("```\n# Here\n```\n[a](#here)", "a.md:4: #here: a.md has no heading #here"),
    "an image": ("![a](a.png)", "a.md:1: a.png: there is no a.png"),
    "an image in a link": ("[![a](a.png)](sub/page.md)", "a.md:1: a.png: there is no a.png"),
    "a definition": ("[a]: b.md", "a.md:1: b.md: there is no b.md"),
    "a reference that nothing defines": ("[a][b]", "a.md:1: [b] is not defined"),
    "a text over two lines": ("[a\nb](b.md)", "a.md:1: b.md: there is no b.md"),
    "HTML": ('<img src="a.png">', "a.md:1: a.png: there is no a.png"),
    "our own address": ("[a](https://github.com/kubeheal/kubeheal/blob/main/b.md)",
                        "a.md:1: https://github.com/kubeheal/kubeheal/blob/main/b.md: there is no b.md"),
    "after inline code": ("`[a](x)` and [a](b.md)", "a.md:1: b.md: there is no b.md"),
}
WHOLE = """# Twice
## Twice
### What `kubeheal.dev/heal-now` does: *now*, and_not_later (really?)
Over two lines
--------------
[1](#twice) [2](#twice-1) [3](#what-kubehealdevheal-now-does-now-and_not_later-really) [4](#over-two-lines) [5](sub/page.md#page)
[6](sub) [7](sub/page.md "title") [8](/sub/page.md) [9](<sub/page.md>) [10][ref] [11](https://example.org/gone#gone)
[12](mailto:a@example.org) [13](a%2Emd) [14](https://github.com/kubeheal/kubeheal/blob/main/sub/page.md#page) `[15](gone.md)`

[ref]: sub/page.md

~~~md
[16](gone.md)
~~~
<!-- [17](gone.md) -->
"""


def repository(folder, text):
    (folder / "sub").mkdir()
    (folder / "a.md").write_text(text)
    (folder / "sub/page.md").write_text("# Page\n")
    return ["a.md", "sub/page.md"]


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_link_is_found(tmp_path, text, problem):
    assert problems(tmp_path, repository(tmp_path, text)) == [problem]


def test_whole_links_are_let_through(tmp_path):
    assert problems(tmp_path, repository(tmp_path, WHOLE)) == []


def test_the_readme_is_short():
    lines = len((ROOT / "README.md").read_text().splitlines())
    assert lines <= README_LINES, f"README.md has {lines} lines: put what is not for everybody into docs/"
