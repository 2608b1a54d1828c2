"""What the documentation says of the API is what the CustomResourceDefinitions say, and every page is listed."""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FIELDS = DOCS / "fields.md"
# kubeheal's own: the page says what it is for, and not how it looks.
NOT_TOLD = "status.memory"
DECISION_PARTS = ["Context", "Decision", "Consequences"]


def schema(plural):
    definition = yaml.safe_load((ROOT / f"crds/kubeheal.dev_{plural}.yaml").read_text())
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


def fields(schema, path):
    """Every field below a schema by its path, with its schema and whether it must be written."""
    found = {}
    for name, below in schema.get("properties", {}).items():
        place = f"{path}.{name}"
        found[place] = (below, name in schema.get("required", []))
        if place != NOT_TOLD:
            found |= fields(below, place) | fields(below.get("items", {}), f"{place}[]")
    return found


def specs():
    """All fields that people write. Below `template` are those of a HealedService again."""
    of_policies = {}
    for plural in ("healingpolicies", "clusterhealingpolicies"):
        of_policies |= fields(schema(plural)["spec"], "spec")
    kept = {path: field for path, field in of_policies.items() if not path.startswith("spec.template.")}
    return fields(schema("healedservices")["spec"], "spec") | kept


def default(below, required):
    """The default as the page writes it."""
    if required:
        return "required"
    in_words = re.search(r" Default: (.*)\.$", below.get("description", ""))
    if in_words:
        return f"`{in_words[1]}`"
    value = below.get("default")
    return "" if value is None or isinstance(value, dict) else f"`{value}`"


def bounds(below):
    """The range as the page writes it, or how it must begin."""
    words = below.get("enum") or below.get("items", {}).get("enum")
    if words:
        return ", ".join(f"`{word}`" for word in words)
    if below.get("type") == "boolean":
        return "`true`, `false`"
    if "minimum" in below:
        return f"{below['minimum']} to {below['maximum']}" if "maximum" in below else f"{below['minimum']} or more"
    if below.get("format") == "date-time":
        return "time"
    return f"up to {below['maxItems']}" if "maxItems" in below else ""


def rows(text):
    """The rows of all tables of fields: path, and the cells behind it."""
    found = re.findall(r"^\| `((?:spec|status)[^`]*)` \|(.*)\|$", text, re.MULTILINE)
    return [(path, [cell.strip() for cell in re.split(r"(?<!\\)\|", cells)]) for path, cells in found]


def differences(text):
    """Where the page and the definitions do not say the same."""
    known = specs() | fields(schema("healedservices")["status"], "status")
    told, found = [path for path, _ in rows(text)], []
    found += [f"{path} is not told" for path in known if path not in told]
    found += [f"{path} is told twice" for path in set(told) if told.count(path) > 1]
    for path, cells in rows(text):
        if path not in known:
            found.append(f"{path} does not exist")
            continue
        below, required = known[path]
        *values, meaning = cells
        wanted = [bounds(below)] if path.startswith("status.") else [default(below, required), bounds(below)]
        # More may be said behind a range: what else may be written.
        alike = len(values) == len(wanted) and values[:-1] == wanted[:-1] and (values[-1] + ",").startswith(wanted[-1] + ",")
        if not alike and values != wanted:
            found.append(f"{path} has {wanted}, and not {values}")
        if not meaning:
            found.append(f"{path} has no meaning")
    return found


def test_every_field_is_told_with_its_default_and_its_range():
    assert differences(FIELDS.read_text()) == []


@pytest.mark.parametrize(("before", "after", "difference"), [
    ("| `spec.health.notReadySeconds` |", "| `spec.health.unreadySeconds` |", "spec.health.notReadySeconds is not told"),
    ("| `spec.health.notReadySeconds` |", "| `spec.health.unreadySeconds` |", "spec.health.unreadySeconds does not exist"),
    ("`spec.cluster.maxInFlight` | `3`", "`spec.cluster.maxInFlight` | `4`",
     "spec.cluster.maxInFlight has ['`3`', '1 to 1000'], and not ['`4`', '1 to 1000']"),
    ("1 to 50 | So many ineffective", "1 to 5 | So many ineffective",
     "spec.circuitBreaker.failureThreshold has ['`3`', '1 to 50'], and not ['`3`', '1 to 5']"),
    ("`Closed`, `Open`, `HalfOpen`", "`Closed`, `Open`",
     "status.circuit.state has ['`Closed`, `Open`, `HalfOpen`'], and not ['`Closed`, `Open`']"),
])
def test_a_page_that_says_something_else_is_found(before, after, difference):
    text = FIELDS.read_text()
    assert before in text
    assert difference in differences(text.replace(before, after))


def test_every_page_is_listed():
    listed = (DOCS / "README.md").read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in listed} == set()


def test_decisions_are_numbered_and_have_their_parts():
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [page.name[:5] for page in decisions] == [f"{number:04}-" for number in range(1, len(decisions) + 1)]
    for page in decisions:
        headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
        assert headings == DECISION_PARTS, f"{page.name} has the parts {headings}"
        assert page.read_text().startswith(f"# {page.name[:4]}: "), page.name


def test_every_reason_and_every_cause_is_explained():
    text = (DOCS / "concepts.md").read_text()
    for file, enum in (("reason", "Reason"), ("cause", "Cause")):
        body = (ROOT / f"core/src/model/{file}.rs").read_text().split(f"pub enum {enum} {{")[1].split("\n}")[0]
        words = re.findall(r"^    ([A-Z]\w+),$", body, re.MULTILINE)
        assert len(words) > 10
        assert [word for word in words if f"`{word}`" not in text] == [], f"of {enum}"


def test_every_metric_and_every_flag_is_told(controller_help):
    text = (DOCS / "operations.md").read_text()
    sources = "\n".join(file.read_text() for file in sorted((ROOT / "src/ops/metrics").glob("*.rs")))
    names = set(re.findall(r'"((?:kubeheal|controller_runtime|leader_election|workqueue|process)_[a-z_]+)"', sources))
    assert len(names) > 15
    told = set(re.findall(r"`((?:kubeheal|controller_runtime|leader_election|workqueue|process)_[a-z_]+)`", text))
    assert told == names
    flags = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", controller_help, re.MULTILINE)) - {"--help", "--version"}
    assert set(re.findall(r"^\| `(--[a-z-]+)`", text, re.MULTILINE)) == flags


def test_every_name_that_a_page_points_out_in_the_code_is_there():
    pointed = 0
    for page in sorted(DOCS.rglob("*.md")):
        for name, target in re.findall(r"\[`([\w:]+)`\]\(([^)#]+\.rs)\)", page.read_text()):
            pointed += 1
            code, last = (page.parent / target).resolve(), name.split("::")[-1]
            defined = re.search(rf"\b(?:struct|enum|fn|const|static|type|mod)\s+{last}\b|^\s*(?:pub(?:\([^)]*\))?\s+)?{last}\b\s*[:,({{]",
                                code.read_text(), re.MULTILINE)
            assert defined or last in (code.stem, code.parent.name), f"{page.name}: {target} has no {name}"
    assert pointed > 50


def strict(schema):
    """A schema under which a field that nobody knows is wrong."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: strict(below) for name, below in schema.items()}
    return whole | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else whole


def objects_of(page):
    """The objects of ours that a page shows, those that begin at `spec` included."""
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)):
        for document in yaml.safe_load_all(block):
            if document and str(document.get("apiVersion", "kubeheal.dev/")).startswith("kubeheal.dev/") and "spec" in document:
                yield f"{page.name}, block {number}", document


def test_every_object_in_a_page_is_one_that_the_api_takes():
    checked = 0
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        for place, document in objects_of(page):
            checked += 1
            plural = {"HealingPolicy": "healingpolicies", "ClusterHealingPolicy": "clusterhealingpolicies"}
            wanted = strict(schema(plural.get(document.get("kind"), "healedservices"))["spec"])
            if "kind" not in document:
                # A piece of one.
                wanted = wanted | {"required": []}
            problems = [f"{place}: {problem.json_path}: {problem.message}"
                        for problem in Draft202012Validator(wanted).iter_errors(document["spec"])]
            assert problems == []
    assert checked >= 4
