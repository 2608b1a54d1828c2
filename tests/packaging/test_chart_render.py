"""What the chart makes of values: valid objects, secure pods, and no right that was not asked for."""

import json

import helm_python as helm
import pytest
import validity
import yaml

from chart import CHART, EVERYTHING, NAMESPACE, ROOT, by_key, load, notes, objects, of_kind, one, render

# Values by what they are for: what people set, alone and together.
MATRIX = {
    "defaults": {},
    "everything": EVERYTHING,
    "one-replica": {"replicas": 1, "podDisruptionBudget": {"enabled": False}, "topologySpreadConstraints": []},
    "namespaced": {"watchNamespace": "shop", "logs": {"enabled": True}, "fallback": {"enabled": True}},
    "namespaced-at-home": {"watchNamespace": NAMESPACE},
    "never-recreates": {"recreate": {"enabled": False}},
    "own-rbac": {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "healer"}},
    "default-account": {"serviceAccount": {"create": False}},
    "without-crds": {"crds": {"enabled": False}},
    "crds-go": {"crds": {"keep": False}},
    "pod-monitor": {"podMonitor": {"enabled": True, "interval": "1m30s"}},
    "renamed": {"fullnameOverride": "healer", "prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}},
    "openshift": {"podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
    "subchart": {"global": {"imageRegistry": "registry.example.com"}},
}


@pytest.fixture(params=MATRIX, name="values")
def each_of_the_matrix(request):
    return MATRIX[request.param]


def test_the_strict_linter_has_nothing_to_say(values):
    report = helm.lint(CHART, values, strict=True, kube_version="v1.37.0")
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] >= 2] == []


@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_every_object_is_valid_for_kubernetes(values, version):
    for found in render(values, kube_version=f"v{version}.0"):
        validity.check(found, version)


def test_the_validator_sees_what_is_wrong():
    deployment = one(render(), "Deployment")
    deployment["spec"]["replica"] = 2
    with pytest.raises(validity.ValidationError, match="replica"):
        validity.check(deployment, "1.37")


def test_names_labels_and_namespaces_are_in_order(values):
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    found = render(values)
    for (kind, namespace, _name), each in by_key(found).items():
        assert (namespace == "") == (kind in cluster_wide), each
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"].startswith("kubeheal")
        if kind != "Pod":
            assert {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "0.1.0"}.items() <= labels.items()
            assert values.get("commonLabels", {}).items() <= labels.items()


def test_what_selects_pods_finds_them_and_never_changes_with_the_version(values):
    found = render(values)
    (deployment,) = of_kind(found, "Deployment")
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    (service,) = of_kind(found, "Service")
    assert service["spec"]["selector"] == selector
    for each in of_kind(found, "PodDisruptionBudget", "ServiceMonitor", "PodMonitor"):
        assert each["spec"]["selector"]["matchLabels"] == selector
    for each in of_kind(found, "NetworkPolicy"):
        assert each["spec"]["podSelector"]["matchLabels"] == selector
    for spread in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
        assert spread["labelSelector"]["matchLabels"] == selector
    (test,) = of_kind(found, "Pod")
    assert not selector.items() <= test["metadata"]["labels"].items(), "the test's pod must not look like a replica"


def test_pods_pass_the_restricted_security_standard():
    found = render()
    for pod in [one(found, "Deployment")["spec"]["template"]["spec"], one(found, "Pod", "kubeheal-test")["spec"]]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(volume.keys() == {"name", "configMap"} for volume in pod.get("volumes", []))
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "hostPort" not in json.dumps(container)


def test_two_replicas_are_apart_and_one_is_drained_at_a_time():
    found = render()
    deployment = one(found, "Deployment")
    assert deployment["spec"]["replicas"] == 2
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert one(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def grants(found):
    """(verb, group, resource) of every role that is bound to the controller's account."""
    bindings = of_kind(found, "ClusterRoleBinding", "RoleBinding")
    bound = {(each["roleRef"]["kind"], each["metadata"].get("namespace"), each["roleRef"]["name"]) for each in bindings}
    for each in bindings:
        (subject,) = each["subjects"]
        assert (subject["kind"], subject["name"], subject["namespace"]) == ("ServiceAccount", "kubeheal", NAMESPACE)
    granted = set()
    for role in of_kind(found, "ClusterRole", "Role"):
        if (role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]) in bound:
            granted |= {(verb, group, resource) for rule in role["rules"] for group in rule["apiGroups"]
                        for resource in rule["resources"] for verb in rule["verbs"]}
    return granted


WORKLOADS = ["deployments", "statefulsets", "daemonsets"]


@pytest.mark.parametrize(("switch", "verbs"), {
    "recreate": {(verb, "apps", kind) for verb in ("create", "delete") for kind in WORKLOADS} | {
        ("create", "", "pods"), ("list", "autoscaling", "horizontalpodautoscalers"),
        ("patch", "apps", "deployments"), ("patch", "apps", "statefulsets")},
    "rollback": {("update", "apps", "deployments")},
    "logs": {("get", "", "pods/log")},
    "scaleToZero": {(verb, "apps", f"{kind}/scale") for verb in ("get", "update") for kind in ("deployments", "statefulsets")},
    "fallback": {("get", "", "services"), ("patch", "", "services")},
}.items())
@pytest.mark.parametrize("namespace", ["", "shop"])
def test_a_switch_adds_just_its_verbs(switch, verbs, namespace):
    off = grants(render({"watchNamespace": namespace, switch: {"enabled": False}}))
    on = grants(render({"watchNamespace": namespace, switch: {"enabled": True}}))
    assert on - off == verbs
    assert off <= on


def test_it_may_read_the_secrets_that_are_named_and_no_others():
    assert not [rule for role in of_kind(render(), "ClusterRole") for rule in role["rules"] if "secrets" in rule["resources"]]
    named = [rule for role in of_kind(render({"alertSecrets": ["a", "b.c"]}), "ClusterRole") for rule in role["rules"]
             if "secrets" in rule["resources"]]
    assert named == [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b.c"], "verbs": ["get"]}]


def test_no_role_has_wildcards_or_reads_secrets(values):
    for role in of_kind(render(values), "ClusterRole", "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], role["metadata"]["name"]
            meta = role["metadata"]
            is_own = meta["name"].endswith("-signing-key") and meta.get("namespace") == NAMESPACE
            creates = is_own and rule["verbs"] == ["create"]
            assert "secrets" not in rule["resources"] or rule.get("resourceNames") or creates, role["metadata"]["name"]


@pytest.mark.parametrize("namespace", ["", "shop"])
def test_its_signing_key_is_in_its_own_namespace_and_nowhere_else(namespace):
    role = one(render({"watchNamespace": namespace}), "Role", "kubeheal-signing-key")
    assert role["metadata"]["namespace"] == NAMESPACE
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["kubeheal-signing-key"], "verbs": ["get"]},
    ]


def test_a_namespaced_release_has_rights_in_its_namespace_only():
    found = render({**EVERYTHING, "watchNamespace": "shop"})
    assert of_kind(found, "ClusterRole", "ClusterRoleBinding") == []
    namespaces = {each["metadata"]["name"]: each["metadata"]["namespace"] for each in of_kind(found, "Role")}
    assert namespaces.pop("kubeheal-leader") == NAMESPACE
    assert namespaces.pop("kubeheal-signing-key") == NAMESPACE
    assert set(namespaces.values()) == {"shop"}
    (container,) = one(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "--namespace=shop" in container["args"]
    cluster_wide = grants(render(EVERYTHING))
    assert grants(found) == cluster_wide, "the same verbs, in one namespace"


def test_people_get_their_rights_from_the_roles_every_cluster_has():
    found = render()
    view, edit = one(found, "ClusterRole", "kubeheal-view"), one(found, "ClusterRole", "kubeheal-edit")
    prefix = "rbac.authorization.k8s.io/aggregate-to-"

    def added_to(role):
        return {label.removeprefix(prefix) for label in role["metadata"]["labels"] if label.startswith(prefix)}

    assert added_to(view) == {"view", "edit", "admin"} and added_to(edit) == {"edit", "admin"}
    assert all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in view["rules"])
    assert all("status" not in resource for rule in edit["rules"] for resource in rule["resources"])
    kinds = {crd["spec"]["names"]["plural"] for crd in of_kind(found, "CustomResourceDefinition")
             if crd["spec"]["scope"] == "Namespaced"}
    for role in (view, edit):
        covered = {resource for rule in role["rules"] for resource in rule["resources"] if "/" not in resource}
        assert covered >= kinds, f"{role['metadata']['name']} forgets a kind"


def test_the_crds_are_those_of_the_repository():
    published = objects(*(path.read_text() for path in sorted((ROOT / "crds").glob("kubeheal.dev_*.yaml"))))
    rendered = {crd["metadata"]["name"]: crd for crd in of_kind(render(), "CustomResourceDefinition")}
    assert rendered.keys() == {crd["metadata"]["name"] for crd in published}
    for crd in published:
        assert rendered[crd["metadata"]["name"]]["spec"] == crd["spec"]
    kinds = {crd["spec"]["names"]["kind"] for crd in published}
    with load() as chart:
        annotations = chart.metadata["annotations"]
    assert {each["kind"] for each in yaml.safe_load(annotations["artifacthub.io/crds"])} == kinds


def test_crds_are_kept_unless_one_says_otherwise():
    policy = "helm.sh/resource-policy"
    for crd in of_kind(render(), "CustomResourceDefinition"):
        assert crd["metadata"]["annotations"][policy] == "keep"
    for crd in of_kind(render({"crds": {"keep": False}}), "CustomResourceDefinition"):
        assert policy not in crd["metadata"].get("annotations", {})
    assert of_kind(render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []


def test_the_metadata_tells_what_a_catalogue_asks_for():
    with load() as chart:
        metadata, annotations = chart.metadata, chart.metadata["annotations"]
    assert metadata["kubeVersion"] == ">=1.32.0-0"
    assert metadata["icon"].endswith("/charts/kubeheal/icon.svg") and (CHART / "icon.svg").is_file()
    lists = {name: yaml.safe_load(annotations[f"artifacthub.io/{name}"]) for name in
             ("changes", "links", "images", "crds", "crdsExamples")}
    assert all(isinstance(entries, list) and entries for entries in lists.values())
    (image,) = lists["images"]
    (container,) = one(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert image["image"] == container["image"], "artifacthub.io/images names another image than the chart runs"


def test_one_scrape_is_enough():
    with pytest.raises(helm.HelmRenderError, match=r"serviceMonitor\.enabled and podMonitor\.enabled"):
        render({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}})


def test_the_arguments_are_those_the_controller_knows(controller_help):
    (container,) = one(render({**EVERYTHING, "watchNamespace": "shop"}), "Deployment")["spec"]["template"]["spec"]["containers"]
    for argument in container["args"]:
        assert argument.split("=")[0] in controller_help, argument
    for variable in container["env"]:
        assert variable["name"] in controller_help or variable["name"].startswith("OTEL_"), variable


def test_the_notes_say_what_to_do_next():
    text = notes()
    for expected in ("kubectl -n kubeheal-system rollout status deployment/kubeheal", "kind: HealedService",
                     "recreate workloads that are gone", "kubectl delete crd"):
        assert expected in text
    assert "namespace shop" in notes({"watchNamespace": "shop"})
    assert "never acts" in notes({"observeOnly": True})
    assert "recreate.enabled=false" in notes({"recreate": {"enabled": False}})
    assert "every HealedService (crds.keep=false)" in notes({"crds": {"keep": False}})
    assert all(len(line) <= 150 and line == line.rstrip() for line in text.splitlines())


def test_the_package_holds_what_it_needs_and_nothing_else(tmp_path):
    archive = helm.package(CHART, destination=tmp_path)
    data = (tmp_path / archive).read_bytes()
    assert len(data) < 200_000
    with helm.Chart.load_archive(data) as packed:
        names = {each["name"] for each in packed.files}
        assert "files/monitoring/dashboard.json" in names and "README.md" in names
        assert not any("kustomization" in name for name in names)
        assert packed.render({}, name="kubeheal")["kubeheal/templates/deployment.yaml"]
