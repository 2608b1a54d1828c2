"""What a real controller shows on /metrics, and that rules and dashboard ask for nothing else."""

import json
import re
import subprocess

import pytest
import yaml

from chart import CHART, ROOT
from cluster import Cluster, eventually

MONITORING = CHART / "files/monitoring"
# Labels that may be on a series. Never a pod, never a message: both grow without end.
LABELS = {"action", "controller", "health", "le", "name", "namespace", "outcome", "reason", "resource", "result", "state",
          "status", "type", "version"}
# The names that dashboards made for controller-runtime ask for.
CONTROLLER_RUNTIME = {
    "controller_runtime_reconcile_total", "controller_runtime_reconcile_errors_total",
    "controller_runtime_reconcile_time_seconds_bucket", "controller_runtime_active_workers",
    "controller_runtime_max_concurrent_reconciles", "leader_election_master_status", "workqueue_depth",
    "workqueue_longest_running_processor_seconds",
}
NAME = r"\b(?:kubeheal|controller_runtime|leader_election|workqueue|process)_[a-z0-9_]+\b"


@pytest.fixture(scope="module")
def shown(healctl, kubectl, kubeheal, tmp_path_factory):
    """What /metrics shows of a controller that looks after a healthy service and one whose workload is not there."""
    with Cluster(healctl, kubectl, kubeheal, tmp_path_factory.mktemp("metrics")) as cluster:
        cluster.kubectl("apply", "-f", ROOT / "deploy/examples/web.yaml")
        cluster.kubectl("apply", "-f", "-", stdin="""
            {apiVersion: kubeheal.dev/v1alpha1, kind: HealedService, metadata: {name: nobody, namespace: default},
             spec: {workloadRef: {kind: Deployment, name: nobody}}}""")
        with cluster.controller() as controller:
            def scraped():
                media, text = controller.ask("/metrics")
                assert 'kubeheal_status_condition{name="web",namespace="default",status="True",type="Ready"} 1' in text
                assert 'kubeheal_status_condition{name="web",namespace="default",status="True",type="Available"} 1' in text
                assert 'kubeheal_status_condition{name="nobody",namespace="default",status="False",type="Available"} 1' in text
                assert 'kubeheal_held_back{name="nobody",namespace="default"' in text
                return media, text

            media, text = eventually(scraped, "one service is healthy and the other held back")
            assert media == "text/plain; version=0.0.4"
            return text


def names(text):
    """Every name that has a sample or is described."""
    samples = re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE)
    described = re.findall(r"^# TYPE ([a-z_]+) (\w+)", text, re.MULTILINE)
    parts = {name + part for name, kind in described if kind == "histogram" for part in ("_bucket", "_sum", "_count")}
    return set(samples) | {name for name, _ in described} | parts


def test_promtool_has_nothing_to_say(shown, promtool):
    checked = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_promtool_would_say_something(promtool):
    checked = subprocess.run([promtool, "check", "metrics"], input="# TYPE kubeheal_acts counter\nkubeheal_acts 1\n",
                             capture_output=True, text=True)
    assert checked.returncode != 0


def test_names_of_controller_runtime_are_kept_and_others_have_our_prefix(shown):
    found = names(shown)
    assert found >= CONTROLLER_RUNTIME
    assert all(re.fullmatch(NAME, name) for name in found), found


def test_no_series_is_labelled_by_pod_or_message(shown):
    assert set(re.findall(r'[{,]([a-z_]+)="', shown)) <= LABELS
    assert "web-" not in shown, "a pod's name is on a series"


def expressions():
    """Every query of the rules and the dashboard."""
    rules = yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text())["spec"]["groups"]
    found = {rule["alert"]: rule["expr"] for group in rules for rule in group["rules"]}
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found[f"${variable['name']}"] = variable["query"]["query"]
    for annotation in dashboard["annotations"]["list"]:
        found[f"annotation {annotation['name']}"] = annotation["expr"]
    return found


def test_rules_and_dashboard_ask_for_metrics_that_exist(shown):
    found = names(shown) | {"kubeheal_suppressed_actions_total"}  # written once something was held back
    for place, expression in expressions().items():
        asked = set(re.findall(NAME, re.sub(r'"[^"]*"', '""', expression)))
        assert asked, f"{place} asks for nothing of ours"
        assert asked <= found, f"{place} asks for {asked - found}, which no controller shows"


def test_labels_that_are_asked_for_exist(shown):
    ours = set(re.findall(r'[{,]([a-z_]+)="', shown)) | {"pod", "reason"}  # pod is added by the scrape
    for place, expression in expressions().items():
        bare = re.sub(r'"[^"]*"', '""', expression)
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", bare) for label in labels.split(",")}
        matched = set(re.findall(r'([a-z_]+)(?:=~|!=|=)""', bare))
        assert grouped | matched <= ours, f"{place}: {(grouped | matched) - ours}"


def test_every_query_is_promql(promtool, tmp_path):
    queries = {place: re.sub(r"\$__\w+", "5m", text) for place, text in expressions().items() if not place.startswith("$")}
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(queries.values())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_is_in_order():
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and all(x < 24 for x, _ in cells), f"{panel['title']} lies on another panel"
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"] and panel["targets"], panel["title"]
