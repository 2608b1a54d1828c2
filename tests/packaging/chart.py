"""The chart through the real Helm engine, without a cluster."""

import json
from pathlib import Path

import helm_python as helm
import yaml
from helm_python import _native

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "kubeheal"
RELEASE = "kubeheal"
NAMESPACE = "kubeheal-system"
# The same in C, ten times as fast, where the wheel has it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Every switch thrown, for tests that want to see everything.
EVERYTHING = {
    "commonLabels": {"team": "platform"},
    "log": {"format": "json", "filter": "debug"},
    "traces": {"endpoint": "http://collector:4318"},
    "extraEnv": [{"name": "OTEL_TRACES_SAMPLER", "value": "traceidratio"}],
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"digest": "sha256:" + "0" * 64},
    "observeOnly": True,
    "rollback": {"enabled": True},
    "logs": {"enabled": True},
    "scaleToZero": {"enabled": True},
    "fallback": {"enabled": True},
    "alertSecrets": ["kubeheal-alerts"],
    "serviceAccount": {"annotations": {"example.com/role": "healer"}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}]}]}}},
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"tier": "control"},
    "podAnnotations": {"example.com/note": "a pod"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Kubernetes"}},
    "networkPolicy": {
        "enabled": True,
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 9093}]}],
    },
}


def load():
    return helm.Chart.load(CHART)


def render(values=None, *, release=RELEASE, namespace=NAMESPACE, kube_version="v1.37.0"):
    """Objects of a release with these values, in no order. Fails as `helm template` would."""
    options = {"name": release, "namespace": namespace, "kube_version": kube_version}
    with load() as chart:
        # The public render() takes no Kubernetes version.
        rendered = _native.call_string("helm_render", chart._raw(), json.dumps(values or {}), json.dumps(options))
    return objects(*(text for path, text in json.loads(rendered).items() if not path.endswith("NOTES.txt")))


def notes(values=None, *, release=RELEASE, namespace=NAMESPACE):
    """What is printed after an installation."""
    with load() as chart:
        rendered = chart.render(values or {}, name=release, namespace=namespace)
    return rendered["kubeheal/templates/NOTES.txt"]


def objects(*texts):
    """The objects of YAML texts."""
    return [document for text in texts for document in yaml.load_all(text, LOADER) if document]


def key(found):
    """What an object is called in a cluster."""
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def by_key(found):
    """Objects by what they are called; no two are called the same."""
    named = {key(each): each for each in found}
    assert len(named) == len(found), "an object is there twice"
    return named


def of_kind(found, *kinds):
    return [each for each in found if each["kind"] in kinds]


def one(found, kind, name=RELEASE):
    (match,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == name]
    return match
