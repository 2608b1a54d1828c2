"""The manifests of `deploy` are valid, and the chart makes the same objects."""

import copy

import pytest
import validity

from chart import NAMESPACE, ROOT, by_key, objects, of_kind, one, render

DEPLOY = ROOT / "deploy"
COMPONENTS = sorted(path.name for path in (DEPLOY / "components").iterdir())

# Components and the values that do the same.
SAME = {
    "base": ([], {}),
    "prometheus": (["prometheus"], {
        "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}),
    "networkpolicy": (["networkpolicy"], {"networkPolicy": {"enabled": True}}),
    "traces": (["traces"], {"traces": {"endpoint": "http://otel-collector.observability:4318"}}),
    "logs": (["logs"], {"logs": {"enabled": True}}),
    "scale-to-zero": (["scale-to-zero"], {"scaleToZero": {"enabled": True}}),
    "fallback": (["fallback"], {"fallback": {"enabled": True}}),
    "alert-secrets": (["alert-secrets"], {"alertSecrets": ["kubeheal-alerts"]}),
    "rollback": (["rollback"], {"rollback": {"enabled": True}}),
    "without-recreate": (["without-recreate"], {"recreate": {"enabled": False}}),
}
HELMS = {"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}


def bare(found):
    """Objects without what only Helm adds."""
    found = copy.deepcopy([each for each in found if each["kind"] not in ("Namespace", "Pod")])
    stripped = [without_labels(each) for each in found]
    for each in stripped:
        annotations = each["metadata"].get("annotations", {})
        annotations.pop("helm.sh/resource-policy", None)
        if not annotations:
            each["metadata"].pop("annotations", None)
        for rule in each.get("rules", []):
            rule.update({field: sorted(values) for field, values in rule.items()})
    return by_key(stripped)


def without_labels(value):
    if isinstance(value, dict):
        return {key: without_labels(child) for key, child in value.items() if key not in HELMS}
    return [without_labels(child) for child in value] if isinstance(value, list) else value


@pytest.fixture
def overlay(kustomize):
    """The base with components, as a person's own kustomization has them."""
    def build(components):
        lines = ["resources: [../base]", "components:", *(f"  - ../components/{name}" for name in components)]
        return kustomize("own", kustomization="\n".join(lines if components else lines[:1]))

    return build


@pytest.mark.parametrize("name", SAME)
def test_chart_and_kustomize_make_the_same_objects(overlay, name):
    components, values = SAME[name]
    ours, charts = bare(overlay(components)), bare(render(values))
    assert ours.keys() == charts.keys()
    for key in ours:
        assert ours[key] == charts[key], f"{key} of deploy/ is not what the chart makes"


def test_every_component_is_compared():
    assert sorted(name for components, _ in SAME.values() for name in components) == COMPONENTS


def test_the_namespaced_overlay_is_the_namespaced_chart(kustomize):
    ours = bare(kustomize("overlays/namespaced"))
    assert ours == bare(render({"watchNamespace": "default"}))


def test_components_inside_the_namespaced_overlay_shrink_too(kustomize):
    text = (DEPLOY / "overlays/namespaced/kustomization.yaml").read_text()
    hint = "# components: [../../components/logs]"
    assert hint in text
    found = kustomize("overlays/own", kustomization=text.replace(hint, hint.removeprefix("# ")))
    assert of_kind(found, "ClusterRole", "ClusterRoleBinding") == []
    assert bare(found) == bare(render({"watchNamespace": "default", "logs": {"enabled": True}}))


@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_every_object_is_valid_for_kubernetes(overlay, version):
    for found in overlay([name for name in COMPONENTS if name != "without-recreate"]):
        validity.check(found, version)


def test_examples_are_valid_for_kubernetes():
    for path in sorted((DEPLOY / "examples").glob("*.yaml")):
        for found in objects(path.read_text()):
            validity.check(found, "1.37")


def test_another_namespace_moves_all_of_it(kustomize):
    lines = ["namespace: elsewhere", "resources: [../base]", "components: [../components/prometheus]"]
    found = kustomize("own", kustomization="\n".join(lines))
    assert {each["metadata"].get("namespace", "elsewhere") for each in found} == {"elsewhere"}
    for binding in of_kind(found, "ClusterRoleBinding", "RoleBinding"):
        assert [subject["namespace"] for subject in binding["subjects"]] == ["elsewhere"], binding
    assert NAMESPACE not in str([each for each in found if each["kind"] != "Namespace"])
    assert one(found, "Deployment")["spec"]["replicas"] == 2
