"""A cluster on this machine, by `healctl playground`, with kubectl and the controller of this build."""

import json
import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import yaml

# Longest wait for anything in a cluster; all that is waited for takes a few seconds.
PATIENCE = 60


class Cluster:
    """Runs inside of a `with` and is gone after it."""

    def __init__(self, healctl, kubectl, kubeheal, directory):
        self.kubeconfig = directory / "playground.kubeconfig"
        self._directory = directory
        self._programs = {"healctl": healctl, "kubectl": kubectl, "kubeheal": kubeheal}

    def __enter__(self):
        arguments = [self._programs["healctl"], "playground", "--no-controller", "--port", "0", "--kubeconfig", self.kubeconfig]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        greeting = self._process.stdout.readline()
        if "listens on" not in greeting:
            self._process.kill()
            raise AssertionError(f"the playground does not start: {greeting}{self._process.stdout.read()}")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def kubectl(self, *arguments, stdin=None):
        """What kubectl prints. Fails if it does."""
        command = [self._programs["kubectl"], "--kubeconfig", self.kubeconfig, *arguments]
        ran = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=2 * PATIENCE)
        assert ran.returncode == 0, f"{' '.join(map(str, arguments))}: {ran.stderr}"
        return ran.stdout

    def apply(self, *manifests):
        return self.kubectl("apply", "--server-side", "-f", "-", stdin="\n---\n".join(yaml.safe_dump(each) for each in manifests))

    def get(self, *arguments):
        """An object, or the objects of a list, or nothing."""
        found = json.loads(self.kubectl("get", "-o", "json", *arguments) or "{}")
        return found["items"] if found.get("kind", "").endswith("List") else found

    def served(self):
        """Waits until the CRDs are in use. A list of each has been answered then, too: a real API server that prepares for the
        first one while the CRD is removed does not end removing it."""
        self.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
        for each in self.get("crds"):
            self.get(each["metadata"]["name"], "-A")

    def credentials(self, config, service_account):
        """A kubeconfig with the rights of an account (namespace, name)."""
        config["users"][0]["user"]["as"] = "system:serviceaccount:" + ":".join(service_account)
        return config

    @contextmanager
    def controller(self, *arguments, service_account=None):
        """The controller at work here, as the given account (namespace, name) or as an administrator."""
        config, lease = yaml.safe_load(self.kubeconfig.read_text()), "default"
        if service_account:
            lease, _ = service_account
            config = self.credentials(config, service_account)
        kubeconfig = self._directory / "controller.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        log = self._directory / "controller.log"
        command = [self._programs["kubeheal"], "--addr=127.0.0.1:0", "--log-format=json", "--identity=test",
                   f"--lease-namespace={lease}", *arguments]
        with log.open("w") as output:
            process = subprocess.Popen(command, stderr=output, env={"KUBECONFIG": str(kubeconfig)})
        try:
            yield Controller(log)
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Controller:
    """A controller that runs."""

    def __init__(self, log):
        self._log = log
        first = eventually(lambda: re.search(r'"address":"([^"]+)"', self.log()), "the controller names its address")
        self._address = first[1]

    def log(self):
        return self._log.read_text()

    def ask(self, path):
        """Media type and body of an answer on its port."""
        with urllib.request.urlopen(f"http://{self._address}{path}", timeout=PATIENCE) as answer:
            return answer.headers["Content-Type"], answer.read().decode()


def eventually(check, what):
    """What `check` returns once that is true. An assertion that fails inside of it is tried again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = check()
            trouble = f"still {found!r}"
        except AssertionError as failure:
            found, trouble = None, str(failure)
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: {trouble}"
        time.sleep(0.1)
