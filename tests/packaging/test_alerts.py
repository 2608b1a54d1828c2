"""Each alert fires when it should and not before, by `promtool test rules`."""

import subprocess

import yaml

from chart import CHART, ROOT

CASES = ROOT / "tests/packaging/alerts.yaml"


def rules():
    """The rules as Prometheus reads them, without the operator's wrapping."""
    return yaml.safe_load((CHART / "files/monitoring/prometheusrule.yaml").read_text())["spec"]


def alerts():
    return [rule for group in rules()["groups"] for rule in group["rules"]]


def run(promtool, directory, cases, spec):
    (directory / "rules.yaml").write_text(yaml.safe_dump(spec))
    (directory / "cases.yaml").write_text(yaml.safe_dump(cases))
    return subprocess.run([promtool, "test", "rules", "cases.yaml"], cwd=directory, capture_output=True, text=True)


def test_alerts_fire_when_they_should(promtool, tmp_path):
    ran = run(promtool, tmp_path, yaml.safe_load(CASES.read_text()), rules())
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_an_alert_that_is_broken_fails_its_case(promtool, tmp_path):
    for number, alert in enumerate(alerts()):
        broken = rules()
        for group in broken["groups"]:
            for rule in group["rules"]:
                if rule["alert"] == alert["alert"]:
                    rule["expr"] = "vector(0) > 1"
        directory = tmp_path / str(number)
        directory.mkdir()
        ran = run(promtool, directory, yaml.safe_load(CASES.read_text()), broken)
        assert ran.returncode != 0, f"no case notices when {alert['alert']} never fires"


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    fires, silent = set(), set()
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for check in case["alert_rule_test"]:
            (fires if check.get("exp_alerts") else silent).add(check["alertname"])
    assert fires == silent == {alert["alert"] for alert in alerts()}


def test_every_alert_says_how_bad_it_is_and_what_to_do():
    runbook = (ROOT / "deploy/RUNBOOK.md").read_text()
    for alert in alerts():
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert alert["labels"]["operator_health_impact"] in ("none", "warning", "critical")
        assert alert["labels"]["kubernetes_operator_part_of"] == "kubeheal"
        assert {"summary", "description"} <= alert["annotations"].keys()
        assert alert["annotations"]["runbook_url"].endswith(f"/deploy/RUNBOOK.md#{alert['alert'].lower()}")
        assert f"\n## {alert['alert']}\n" in runbook
