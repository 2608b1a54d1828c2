"""A release in a cluster: installed, upgraded and uninstalled by Helm, at work with the rights it was given."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import helm_python as helm
import pytest

from chart import CHART, EVERYTHING, NAMESPACE, RELEASE, ROOT, by_key, key, objects
from cluster import eventually

WEB = ROOT / "deploy/examples/web.yaml"


def monitoring_crd(kind):
    """Enough of the Prometheus operator's definitions to take its objects."""
    plural = f"{kind.lower()}s"
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": free}}],
        },
    }


@pytest.fixture(name="helms")
def helm_in_the_cluster(cluster):
    with helm.Config(namespace=NAMESPACE, kubeconfig_path=cluster.kubeconfig) as config:
        yield config


def install(helms, values=None, **options):
    return helms.install(CHART, RELEASE, values or {}, create_namespace=True, timeout=60, **options)


def roles(cluster):
    return {role["metadata"]["name"] for role in cluster.get("clusterroles", "-l", "app.kubernetes.io/part-of=kubeheal")}


def workload(cluster):
    """What must not change for a workload: the object itself and its pods."""
    deployment = cluster.get("deployment", "web")
    pods = cluster.get("pods", "-l", "app=web")
    return deployment["metadata"]["uid"], deployment["spec"], sorted(pod["metadata"]["uid"] for pod in pods)


def ready(cluster, name):
    def check():
        service = cluster.get("healedservice", name)
        conditions = {each["type"]: each for each in service.get("status", {}).get("conditions", [])}
        assert conditions.get("Ready", {}).get("status") == "True", conditions.get("Ready")
        assert service["status"].get("lastKnownGood"), "its definition is kept"
        return service

    return eventually(check, f"{name} is ready, and can be created again")


def test_all_that_is_rendered_is_taken_and_goes_again(cluster, helms):
    cluster.apply(*(monitoring_crd(kind) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")))
    release = install(helms, EVERYTHING)
    made = by_key(objects(release["manifest"]))
    for kind, namespace, name in made:
        cluster.kubectl("get", kind, name, *(["-n", namespace] if namespace else []))
    assert "HealedService" in release.get("notes", "HealedService")
    helms.uninstall(RELEASE, timeout=60)
    left = cluster.get("clusterroles,clusterrolebindings,roles,rolebindings,deployments,services,serviceaccounts,configmaps,"
                       "poddisruptionbudgets,networkpolicies,prometheusrules,servicemonitors",
                       "-A", "-l", "app.kubernetes.io/part-of=kubeheal")
    assert [key(each) for each in left] == []


def test_replicas_start_where_only_restricted_pods_may_and_helm_waits_for_them(cluster, helms):
    cluster.kubectl("apply", "-f", ROOT / "deploy/base/namespace.yaml")
    install(helms, wait="watcher")
    deployment = cluster.get("deployment", RELEASE, "-n", NAMESPACE)
    assert deployment["status"]["readyReplicas"] == 2


def test_an_upgrade_changes_what_it_should_and_a_rollback_takes_it_back(cluster, helms):
    install(helms)
    before = roles(cluster)
    helms.upgrade(CHART, RELEASE, {"logs": {"enabled": True}, "concurrency": 8}, timeout=60)
    assert roles(cluster) - before == {"kubeheal-logs"}
    (container,) = cluster.get("deployment", RELEASE, "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"]
    assert "--concurrency=8" in container["args"]
    helms.rollback(RELEASE, timeout=60)
    assert roles(cluster) == before
    assert [each["status"] for each in helms.history(RELEASE)] == ["superseded", "superseded", "deployed"]


def test_wrong_values_install_nothing(cluster, helms):
    with pytest.raises(helm.HelmError, match="repicas"):
        install(helms, {"repicas": 3})
    assert helms.list(all_states=True) == []
    assert roles(cluster) == set()


def test_the_installed_rights_are_enough_to_heal_and_workloads_survive_the_uninstall(cluster, helms):
    install(helms)
    cluster.kubectl("apply", "-f", WEB)
    with cluster.controller(service_account=(NAMESPACE, RELEASE)) as controller:
        ready(cluster, "web")
        (lease,) = cluster.get("leases", "-n", NAMESPACE)
        assert lease["spec"]["holderIdentity"] == "test"

        cluster.kubectl("delete", "deployment", "web")
        eventually(lambda: cluster.get("deployments"), "the Deployment is created again")
        healed = eventually(lambda: recreated(cluster), "the recreation is in the history")
        assert "not permitted" not in controller.log() and "forbidden" not in controller.log()

    eventually(lambda: cluster.get("deployment", "web")["status"].get("readyReplicas") == 2, "its pods are ready")
    before = workload(cluster)
    helms.uninstall(RELEASE, timeout=60)
    assert roles(cluster) == set()
    assert workload(cluster) == before
    kept = cluster.get("healedservice", "web")
    assert (kept["metadata"]["uid"], kept["spec"]) == (healed["metadata"]["uid"], healed["spec"])


def recreated(cluster):
    service = cluster.get("healedservice", "web")
    assert any(entry["step"] == "RecreateWorkload" for entry in service["status"]["history"])
    return service


def test_a_right_that_was_not_given_is_missed_by_name(cluster, helms):
    install(helms, {"recreate": {"enabled": False}})
    cluster.kubectl("apply", "-f", WEB)
    with cluster.controller(service_account=(NAMESPACE, RELEASE)) as controller:
        ready(cluster, "web")
        cluster.kubectl("delete", "deployment", "web")

        missed = r"cannot create resource \W+deployments"
        eventually(lambda: re.search(missed, controller.log()), "the log says what is not permitted")
    assert cluster.get("deployments") == []


def test_a_namespaced_release_heals_there_and_sees_nothing_else(cluster, helms):
    install(helms, {"watchNamespace": "default"})
    cluster.kubectl("apply", "-f", WEB)
    with cluster.controller("--namespace=default", service_account=(NAMESPACE, RELEASE)) as controller:
        ready(cluster, "web")
        missed = [line for line in controller.log().splitlines() if "forbidden" in line]
        of_cluster = ("clusterhealingpolicies", "nodes")
        assert all(any(kind in line for kind in of_cluster) for line in missed), "only what no Role can give"
    with cluster.controller(service_account=(NAMESPACE, RELEASE)) as controller:
        refused = r"not permitted in all namespaces: .*list healedservices"
        eventually(lambda: re.search(refused, controller.log()), "the whole cluster is refused")


def test_an_uninstall_takes_the_crds_only_when_told_to(cluster, helms):
    install(helms, {"crds": {"keep": False}})
    cluster.served()
    helms.uninstall(RELEASE, timeout=60)
    eventually(lambda: cluster.get("crds") == [], "the CRDs are gone")
    install(helms)
    helms.uninstall(RELEASE, timeout=60)
    assert cluster.get("crds") != []
    install(helms)  # what was kept is taken up again


@pytest.mark.parametrize("code", [0, 1])
def test_helm_test_says_what_its_pod_says(cluster, helms, code):
    install(helms)
    script = json.dumps({"*": {"exits": [{"after": "0s", "code": code}]}})
    with ThreadPoolExecutor() as threads:
        tested = threads.submit(helms.test, RELEASE, timeout=60)
        pod = ("pod", "kubeheal-test", "-n", NAMESPACE)
        eventually(lambda: cluster.get(*pod, "--ignore-not-found"), "the test's pod is there")
        cluster.kubectl("annotate", *pod, f"tinykube.dev/script={script}")
        if code == 0:
            assert tested.result()
            assert cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=kubeheal-test") == []
        else:
            with pytest.raises(helm.HelmError, match="kubeheal-test"):
                tested.result()
