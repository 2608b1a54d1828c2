"""What the tests run: programs of this build and of the toolbox, and clusters."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import real_cluster

from chart import ROOT, objects
from cluster import Cluster

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def program(variable, *places):
    """A program named by an environment variable, or else the first of these places that exists."""
    for place in (os.environ.get(variable), *places):
        found = place and shutil.which(place)
        if found:
            return found
    pytest.exit(f"{places[0]} is missing: run `make packaging`, or name one with {variable}", returncode=2)


@pytest.fixture(scope="session")
def kubectl():
    return program("KUBEHEAL_KUBECTL", Path(sys.executable).with_name("kubectl"))


@pytest.fixture(scope="session")
def promtool():
    return program("KUBEHEAL_PROMTOOL", TARGET / "tools/prometheus/promtool", "promtool")


@pytest.fixture(scope="session")
def alertmanager():
    name = "prometheus-alertmanager"
    return program("KUBEHEAL_ALERTMANAGER", TARGET / "tools/prometheus" / name, name, "alertmanager")


@pytest.fixture(scope="session")
def healctl():
    return program("KUBEHEAL_HEALCTL", TARGET / "debug/healctl")


@pytest.fixture(scope="session")
def kubeheal():
    return program("KUBEHEAL_CONTROLLER", TARGET / "debug/kubeheal")


@pytest.fixture(scope="session")
def controller_help(kubeheal):
    return subprocess.run([kubeheal, "--help"], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cluster(healctl, kubectl, kubeheal, tmp_path):
    """An empty cluster: no controller, and no CRDs either. A playground, or the one that is named for the tests."""
    named = os.environ.get("KUBEHEAL_TEST_CLUSTER")
    if named:
        with real_cluster.given(Path(named), (healctl, kubectl, kubeheal), tmp_path) as running:
            yield running
        return
    with Cluster(healctl, kubectl, kubeheal, tmp_path) as running:
        running.kubectl("delete", "crd", "--all")
        yield running


@pytest.fixture
def kustomize(kubectl, tmp_path):
    """Builds a folder below `deploy`. With a kustomization given, the folder is a person's own, beside those that are there."""
    for name in ("charts", "crds", "deploy"):
        shutil.copytree(ROOT / name, tmp_path / name)

    def build(folder, **files):
        directory = tmp_path / "deploy" / folder
        directory.mkdir(exist_ok=True)
        for name, text in files.items():
            (directory / f"{name}.yaml").write_text(text)
        ran = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return objects(ran.stdout)

    return build
