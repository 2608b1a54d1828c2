"""Argo CD's health check on real moments of a HealedService, and the files for Argo CD and Flux."""

import json
import os
import subprocess

import lupa.lua51
import pytest
import yaml

from chart import ROOT, one
from conftest import TARGET

GITOPS = ROOT / "deploy/gitops"
LUA = (GITOPS / "argocd/health.lua").read_text()
HEALTH = {
    "unseen": "Progressing",
    "starting": "Progressing",
    "healthy": "Healthy",
    "changed": "Progressing",
    "suspended": "Suspended",
    "repaired": "Degraded",
    "given-up": "Degraded",
    "scaled-to-zero": "Healthy",
    "without-workload": "Degraded",
}


@pytest.fixture(scope="module")
def moments():
    """HealedServices as a controller left them, written by the test of Flux's checks."""
    command = ["cargo", "test", "-q", "--workspace", "--test", "it", "gitops::"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)})
    return json.loads((TARGET / "tmp/moments.json").read_text())


def health(found):
    """What Argo CD, whose Lua is 5.1 without libraries that touch the world, makes of an object."""
    lua = lupa.lua51.LuaRuntime(register_eval=False)
    for name in ("io", "os", "package", "require", "debug", "dofile", "loadfile"):
        lua.globals()[name] = None
    lua.globals()["obj"] = table(lua, found)
    return dict(lua.execute(LUA))


def table(lua, value):
    """JSON as Argo CD hands it to Lua: null is nil."""
    if isinstance(value, dict):
        return lua.table_from({key: table(lua, child) for key, child in value.items() if child is not None})
    return lua.table_from([table(lua, child) for child in value]) if isinstance(value, list) else value


def test_every_moment_has_a_health(moments):
    assert moments.keys() == HEALTH.keys()


@pytest.mark.parametrize("moment", HEALTH)
def test_argo_cd_sees_each_moment_as_it_is(moments, moment):
    found = health(moments[moment])
    assert found["status"] == HEALTH[moment], found
    assert found["message"], "no word why"


def test_the_message_is_the_one_of_the_condition(moments):
    found = moments["given-up"]
    conditions = {each["type"]: each["message"] for each in found["status"]["conditions"]}
    assert health(found)["message"] in (conditions["Stalled"], conditions["CircuitOpen"])


@pytest.mark.parametrize("found", [
    {},
    {"metadata": {}, "status": {}},
    {"metadata": {"generation": 1}, "status": {"conditions": []}},
    {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": []}},
    {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "Unknown"}]}},
])
def test_what_is_not_known_is_progressing(found):
    assert health(found)["status"] == "Progressing"


def test_the_component_puts_the_check_into_argo_cds_settings(kustomize):
    before = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {"url": "https://argocd.example.com"},
    }
    own = "{resources: [settings.yaml], components: [../gitops/argocd]}"
    settings = one(kustomize("own", settings=yaml.safe_dump(before), kustomization=own), "ConfigMap", "argocd-cm")["data"]
    assert settings == {
        "url": "https://argocd.example.com",
        "resource.customizations.health.kubeheal.dev_HealedService": LUA,
    }


def test_only_fields_that_kubeheal_writes_are_ignored():
    application = yaml.safe_load((GITOPS / "argocd/shop.yaml").read_text())
    ignored = application["spec"]["ignoreDifferences"]
    assert [each["jsonPointers"] for each in ignored] == [["/spec/replicas"], ["/spec/selector"]]
    assert all(each["name"] for each in ignored), "one object each, never all of a kind"
    assert "RespectIgnoreDifferences=true" in application["spec"]["syncPolicy"]["syncOptions"]
