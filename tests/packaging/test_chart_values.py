"""Wrong values are refused with the key's name; what is documented, permitted and preset is the same."""

import helm_python as helm
import pytest

import values_table
from chart import CHART, load, render


def paths(values, prefix=""):
    """Dotted names of all settings; what people fill in themselves is one setting."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and not values_table.is_documented(name):
            yield from paths(value, f"{name}.")
        else:
            yield name


def resolved(schema, root):
    reference = schema.get("$ref")
    return root["$defs"][reference.rsplit("/", 1)[1]] if reference else schema


def schema_paths(schema, root, prefix=""):
    for key, child in schema.get("properties", {}).items():
        name, child = f"{prefix}{key}", resolved(child, root)
        if child.get("properties") and not values_table.is_documented(name):
            assert child.get("additionalProperties") is False, f"{name} would take any key"
            yield from schema_paths(child, root, f"{name}.")
        else:
            yield name


def test_every_value_is_in_the_schema_and_documented():
    with load() as chart:
        values, schema = chart.values, chart.schema
    assert schema["additionalProperties"] is False
    known = set(schema_paths(schema, schema)) - {"global"}
    assert set(paths(values)) == known
    assert set(paths(values)) == {row.key for row in values_table.rows()}


@pytest.mark.parametrize(("values", "named"), [
    ({"repicas": 3}, "repicas"),
    ({"image": {"tga": "1"}}, "tga"),
    ({"logs": {"enable": True}}, "enable"),
    ({"alertSecrets": ["*"]}, "/alertSecrets/0"),
    ({"podMonitor": {"path": "/m"}}, "path"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    ({"imagePullSecrets": [{"nmae": "registry"}]}, "nmae"),
    ({"replicas": "two"}, "/replicas"),
    ({"replicas": 0}, "/replicas"),
    ({"concurrency": 1000}, "/concurrency"),
    ({"recreate": {"enabled": "yes"}}, "/recreate/enabled"),
    ({"recreate": True}, "/recreate"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"log": {"format": "xml"}}, "/log/format"),
    ({"traces": {"endpoint": "collector:4318"}}, "/traces/endpoint"),
    ({"watchNamespace": "Shop_1"}, "/watchNamespace"),
    ({"serviceMonitor": {"interval": "30"}}, "/serviceMonitor/interval"),
    ({"commonLabels": {"a": 1}}, "/commonLabels/a"),
    ({"service": {"port": 70000}}, "/service/port"),
    ({"networkPolicy": {"apiServerPorts": []}}, "/networkPolicy/apiServerPorts"),
    ({"extraEnv": [{"value": "x"}]}, "/extraEnv/0"),
    ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "/topologySpreadConstraints/0"),
    ({"fullnameOverride": "x" * 60}, "/fullnameOverride"),
])
def test_a_wrong_value_is_refused_by_name(values, named):
    with pytest.raises(helm.HelmError) as refused:
        render(values)
    assert named in str(refused.value)


def test_the_readme_shows_the_values_as_they_are():
    assert values_table.written() == (CHART / "README.md").read_text(), "run `make chart-readme`"
