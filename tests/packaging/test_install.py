"""What people install with kubectl is taken, first and again: the CRDs, the base, the components, and every example."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from chart import EVERYTHING, NAMESPACE, ROOT, LOADER, objects, render
from cluster import eventually
from test_chart_release import monitoring_crd

CRDS = ROOT / "crds"
DEPLOY = ROOT / "deploy"
HOW = pytest.mark.parametrize("how", [["--server-side=false"], ["--server-side"]], ids=["client-side", "server-side"])
COMPONENTS = sorted(path.name for path in (DEPLOY / "components").iterdir())
STORIES = sorted((ROOT / "cli/stories").glob("*/*.yaml"))
# Each switch of the chart alone, and all of them together.
SWITCHES = {**{name: {name: value} for name, value in EVERYTHING.items()}, "everything": EVERYTHING, "nothing": {}}

# A service in use, which an upgrade must not lose or change.
SERVICE = {
    "apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService", "metadata": {"name": "kept", "namespace": "default"},
    "spec": {"workloadRef": {"kind": "Deployment", "name": "kept"}, "circuitBreaker": {"failureThreshold": 2}},
}


def apply(cluster, *arguments, stdin=None):
    """As a careful person does: what kubectl warns of is an error."""
    return cluster.kubectl("apply", "--warnings-as-errors", "--validate=strict", *arguments, stdin=stdin)


def dry_run(cluster, found):
    """The server judges objects and keeps none."""
    return apply(cluster, "--server-side", "--dry-run=server", "-f", "-", stdin="\n---\n".join(map(yaml.safe_dump, found)))


def make_namespaces(cluster, found):
    """A dry run does not make the namespaces that other objects of it need."""
    names = {each["metadata"]["name"] for each in found if each["kind"] == "Namespace"}
    names |= {each["metadata"]["namespace"] for each in found if each["metadata"].get("namespace")}
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(names)]
    if made:
        cluster.apply(*made)
    return names - {"default", "kube-system"}


@HOW
def test_the_folder_of_crds_is_taken_as_it_is_and_twice(cluster, how):
    for _ in range(2):
        apply(cluster, *how, "-f", CRDS)
    apply(cluster, *how, "-k", CRDS)
    cluster.served()
    cluster.apply(SERVICE)


@HOW
def test_the_crds_are_an_upgrade_from_those_of_the_commit_before(cluster, how, tmp_path):
    for crd in CRDS.glob("*.yaml"):
        show = ["git", "-C", ROOT, "show", f"HEAD~1:crds/{crd.name}"]
        before = subprocess.run(show, capture_output=True, text=True)
        assert before.returncode == 0, f"the commit before is not here: git fetch --deepen=1 ({before.stderr.strip()})"
        (tmp_path / crd.name).write_text(before.stdout)
    apply(cluster, *how, "-f", tmp_path)
    cluster.served()
    cluster.apply(SERVICE)
    used = cluster.get("healedservice", "kept")
    apply(cluster, *how, "-f", CRDS)
    cluster.served()
    kept = cluster.get("healedservice", "kept")
    assert (kept["metadata"]["uid"], kept["spec"]) == (used["metadata"]["uid"], used["spec"])


@HOW
def test_the_base_is_taken_twice_starts_where_only_restricted_pods_may_and_goes_without_a_trace(cluster, how):
    for _ in range(2):
        apply(cluster, *how, "-k", DEPLOY / "base")
    labels = cluster.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    cluster.kubectl("rollout", "status", "deployment/kubeheal", "-n", NAMESPACE, "--timeout=60s")
    cluster.kubectl("delete", "--wait=false", "-k", DEPLOY / "base")
    kinds = "namespaces,crds,clusterroles,clusterrolebindings,roles,rolebindings,deployments,services,serviceaccounts,pods"
    eventually(lambda: cluster.get(kinds, "-A", "-l", "app.kubernetes.io/part-of=kubeheal") == [], "nothing of it is left")


def test_the_base_and_every_component_and_overlay_are_valid_to_the_server(cluster, kustomize):
    cluster.apply(*(monitoring_crd(kind) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")))
    apply(cluster, "-f", CRDS)
    cluster.served()
    builds = {name: ("own", f"resources: [../base]\ncomponents: [../components/{name}]") for name in COMPONENTS}
    for name, (folder, text) in builds.items():
        found = kustomize(folder, kustomization=text)
        make_namespaces(cluster, found)
        assert dry_run(cluster, found), name
    assert dry_run(cluster, kustomize("overlays/namespaced"))


def test_the_chart_with_every_switch_is_valid_to_the_server(cluster):
    cluster.apply(*(monitoring_crd(kind) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")))
    apply(cluster, "-f", CRDS)
    cluster.served()
    apply(cluster, "-f", DEPLOY / "base/namespace.yaml")
    with ThreadPoolExecutor(4) as threads:
        judged = {name: threads.submit(lambda values: dry_run(cluster, render(values)), values) for name, values in SWITCHES.items()}
    for name, judgement in judged.items():
        assert judgement.result(), name


def test_every_example_is_valid_to_the_server(cluster):
    apply(cluster, "-f", CRDS)
    cluster.served()
    found = [each for path in sorted((DEPLOY / "examples").glob("*.yaml")) for each in objects(path.read_text())]
    made = make_namespaces(cluster, found)
    try:
        dry_run(cluster, [*found, *objects((DEPLOY / "wait.yaml").read_text())])
    finally:
        cluster.kubectl("delete", "namespaces", "--ignore-not-found", *made)


def test_what_every_story_is_told_with_is_valid_to_the_server(cluster):
    apply(cluster, "-f", CRDS)
    cluster.served()
    told = {path: yaml.load(path.read_text(), LOADER)["manifests"] for path in STORIES}
    assert len(told) > 70
    made = make_namespaces(cluster, [each for found in told.values() for each in found])
    try:
        with ThreadPoolExecutor(4) as threads:
            judged = {path: threads.submit(dry_run, cluster, found) for path, found in told.items()}
        wrong = {path.stem: str(judgement.exception()) for path, judgement in judged.items() if judgement.exception()}
        assert not wrong, "\n".join(f"{name}: {problem}" for name, problem in wrong.items())
    finally:
        cluster.kubectl("delete", "namespaces", "--ignore-not-found", *made)
