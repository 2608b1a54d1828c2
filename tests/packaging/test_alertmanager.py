"""What people learn of one sick service through a real Alertmanager: one alert for both pods, and its end."""

import json
import re
import subprocess
import threading
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from cluster import PATIENCE, Cluster, eventually


class Person:
    """Where Alertmanager's notifications arrive: the status of each, and how many alerts it is about."""

    def __enter__(self):
        self.notifications = notifications = []

        class Door(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                notifications.append([(alert["status"], alert["labels"]["service"]) for alert in body["alerts"]])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Alertmanager:
    """A real one, that tells a person at once."""

    def __init__(self, program, directory, person):
        route = {"receiver": "person", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        receiver = {"name": "person", "webhook_configs": [{"url": person.url, "send_resolved": True}]}
        config = directory / "alertmanager.yaml"
        config.write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
        self._log = directory / "alertmanager.log"
        self._command = [program, f"--config.file={config}", f"--storage.path={directory}/data",
                         "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]

    def __enter__(self):
        with self._log.open("w") as output:
            # Debian's looks for its templates where it is started.
            place = Path(self._command[0]).parent
            self._process = subprocess.Popen(self._command, stderr=output, stdout=output, cwd=place)

        def listens():
            log = self._log.read_text()
            assert self._process.poll() is None, log
            return re.search(r'"?Listening on"?.* address=(\S+)', log)

        self.url = f"http://{eventually(listens, 'Alertmanager listens')[1]}"
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)

    def alerts(self):
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=PATIENCE) as answer:
            return json.load(answer)


@pytest.fixture
def person():
    with Person() as waiting:
        yield waiting


@pytest.fixture
def manager(alertmanager, tmp_path, person):
    with Alertmanager(alertmanager, tmp_path, person) as running:
        yield running


def objects(sink):
    """Two pods, and a service that tells soon."""
    labels = {"app": "api"}
    container = {"name": "app", "image": "busybox:1.37",
                 "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "default"},
                  "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}}
    spec = {"workloadRef": {"kind": "Deployment", "name": "api"}, "mode": "Observe", "alerts": {"receivers": [sink]},
            "health": {"notReadySeconds": 1}, "remediation": {"stabilizationSeconds": 1}}
    service = {"apiVersion": "kubeheal.dev/v1alpha1", "kind": "HealedService",
               "metadata": {"name": "api", "namespace": "default"}, "spec": spec}
    return deployment, service


# Receivers on the machine of kubeheal are for the cluster to allow.
THIS_MACHINE = {"apiVersion": "kubeheal.dev/v1alpha1", "kind": "ClusterHealingPolicy", "metadata": {"name": "default"},
                "spec": {"ceilings": {"allowedReceiverHosts": ["127.0.0.1"]}}}


def time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_two_sick_pods_are_one_alert_that_ends_once(healctl, kubectl, kubeheal, tmp_path, manager, person):
    with Cluster(healctl, kubectl, kubeheal, tmp_path) as cluster, cluster.controller():
        # As people copy it out of the address bar.
        deployment, service = objects({"name": "am", "type": "Alertmanager", "url": f"{manager.url}/"})
        cluster.apply(THIS_MACHINE, deployment)
        cluster.kubectl("rollout", "status", "deployment/api", f"--timeout={PATIENCE}s")
        cluster.apply(service)
        cluster.kubectl("wait", "healedservice/api", "--for=condition=Ready", f"--timeout={PATIENCE}s")
        assert manager.alerts() == []

        cluster.kubectl("annotate", "deployment/api", "tinykube.dev/script=not-ready")
        (alert,) = eventually(manager.alerts, "Alertmanager knows")
        assert alert["labels"] == {
            "alertname": "HealedServiceUnhealthy", "namespace": "default", "service": "api", "workload": "Deployment/api",
            "severity": "warning"}
        assert alert["status"]["state"] == "active"
        assert "of 2 pods ready" in alert["annotations"]["description"]
        now = datetime.now(timezone.utc)
        assert time(alert["startsAt"]) <= now
        assert now + timedelta(minutes=5) < time(alert["endsAt"]) < now + timedelta(minutes=20), "said again before that"
        eventually(lambda: person.notifications, "a person is told")
        told = cluster.get("healedservice/api")["status"]["memory"]["alerts"]
        assert [(one["name"], one["notified"]["severity"]) for alert in told for one in alert["receivers"]] == [("am", "warning")]

        cluster.kubectl("annotate", "deployment/api", "tinykube.dev/script-")
        eventually(lambda: manager.alerts() == [], "Alertmanager knows that it is over")
        eventually(lambda: len(person.notifications) > 1, "a person is told that it is over")
        eventually(lambda: "alerts" not in cluster.get("healedservice/api")["status"], "there is nothing left to remember")
        assert person.notifications == [[("firing", "api")], [("resolved", "api")]]
