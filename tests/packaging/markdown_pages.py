"""Markdown as GitHub reads it, as far as links need: what a page links to, and the anchors of its headings."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

FENCE = re.compile(r"^ {0,3}(?:[-*+] |\d+\. |> ?)* {0,12}(`{3,}|~{3,})")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# [text](target "title"), with one pair of brackets in the text, as an image in a link has it.
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\](?:\([^()]*\))?)*\]\(\s*(<[^<>]*>|(?:[^\s()]|\([^\s()]*\))*)(?:\s+[\"'(].*?[\"')])?\s*\)")
NESTED = re.compile(r"!\[[^\[\]]*\]\(\s*([^\s()]+)[^()]*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\[\]^]+\]:\s*(<[^<>]*>|\S+)", re.MULTILINE)
REFERENCE = re.compile(r"\[[^\[\]]+\]\[([^\[\]]+)\]")
DEFINED = re.compile(r"^ {0,3}\[([^\[\]^]+)\]:", re.MULTILINE)
HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']*)[\"']", re.IGNORECASE)
ANCHOR = re.compile(r"<[a-z][^>]*?\b(?:id|name)=[\"']([^\"']+)[\"']", re.IGNORECASE)
ATX = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
SETEXT = re.compile(r"^ {0,3}(?:=+|-+)[ \t]*$")


@dataclass(frozen=True)
class Link:
    """A link as it is written, and the line it stands in."""

    target: str
    line: int


def prose(text):
    """The text without what stands in code blocks and comments, in as many lines."""
    text = COMMENT.sub(lambda found: "\n" * found.group().count("\n"), text)
    lines, fence = [], None
    for line in text.splitlines():
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" >").strip(fence[0]):
                fence = None
            lines.append("")
        elif mark:
            fence = mark[1]
            lines.append("")
        else:
            lines.append(line)
    return "\n".join(lines)


def links(text):
    """What the page links to, and references that nothing defines."""
    # What is code is no link; a line break in a link's text is one.
    text = CODE.sub(lambda found: "c" * len(found.group()), prose(text))
    found = []
    for pattern in (INLINE, NESTED, DEFINITION, HTML):
        for match in pattern.finditer(text):
            target = match[1].removeprefix("<").removesuffix(">")
            found.append(Link(target, text.count("\n", 0, match.start()) + 1))
    defined = {name.casefold() for name in DEFINED.findall(text)}
    for match in REFERENCE.finditer(text):
        if match[1].casefold() not in defined:
            found.append(Link(f"[{match[1]}]", text.count("\n", 0, match.start()) + 1))
    return sorted(set(found), key=lambda link: (link.line, link.target))


def slug(heading):
    """The anchor that GitHub gives a heading."""
    text = INLINE.sub(lambda found: found.group()[1:].split("](")[0], heading)
    text = re.sub(r"[`*]|(?<!\w)_+|_+(?!\w)", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text):
    """All anchors of a page. Of equal headings, the second and those after it have a number behind."""
    lines, found, counts = prose(text).splitlines(), set(ANCHOR.findall(prose(text))), {}
    for number, line in enumerate(lines):
        atx = ATX.match(line)
        below = lines[number + 1] if number + 1 < len(lines) else ""
        setext = line.strip() and not line.lstrip().startswith(("|", "-", "*", ">", "#")) and SETEXT.match(below)
        if not atx and not setext:
            continue
        name = slug(atx[1] if atx else line.strip())
        seen = counts.get(name, 0)
        counts[name] = seen + 1
        found.add(f"{name}-{seen}" if seen else name)
    return found


def address(target):
    """Path and anchor of a link, decoded."""
    path, _, anchor = target.partition("#")
    return unquote(path), unquote(anchor)
