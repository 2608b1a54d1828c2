"""A cluster that is there already, named by KUBEHEAL_TEST_CLUSTER, for the same tests as a playground: `make real`."""

import time

import yaml

from cluster import PATIENCE, Cluster

# What the tests make, besides what is in these namespaces.
NAMESPACES = ("kubeheal-system",)
PARTS = "app.kubernetes.io/part-of=kubeheal"
CRDS = ("kubeheal.dev", "monitoring.coreos.com")


class RealCluster(Cluster):
    """Nothing of an earlier test is in it, and nothing of this one is left. It must be a cluster for tests alone."""

    def __init__(self, kubeconfig, programs, directory):
        super().__init__(*programs, directory)
        self.kubeconfig = directory / "cluster.kubeconfig"
        self.kubeconfig.write_text(kubeconfig.read_text())

    def __enter__(self):
        self.clear()
        return self

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        """Waits until all is gone, too."""
        self.clear_crds()
        self.kubectl("delete", "clusterroles,clusterrolebindings", "-l", PARTS)
        self.kubectl("delete", "namespaces", "--ignore-not-found", *NAMESPACES)
        # The Leases say who acts on a workload: the controller of another test is somebody else.
        made = "deployments,statefulsets,daemonsets,services,poddisruptionbudgets,roles,rolebindings,configmaps,leases"
        for each in self.get(made, "-n", "default"):
            kind, name = each["kind"].lower(), each["metadata"]["name"]
            if name not in ("kubernetes", "kube-root-ca.crt"):
                self.kubectl("delete", kind, name, "-n", "default")
        deadline = time.monotonic() + PATIENCE
        while self.get("pods", "-n", "default"):
            assert time.monotonic() < deadline, "pods in the namespace default do not end"
            time.sleep(0.2)

    def clear_crds(self):
        """Removes the CRDs of the tests. One that is removed within seconds of its making may meet an API server that is still
        preparing to serve it: it says InstanceDeletionFailed, and tries again only when the object changes."""
        deadline = time.monotonic() + PATIENCE
        while found := [each["metadata"]["name"] for each in self.get("crds") if each["spec"]["group"] in CRDS]:
            assert time.monotonic() < deadline, f"{', '.join(found)}: removed, and still there"
            self.kubectl("delete", "crds", "--wait=false", "--ignore-not-found", *found)
            time.sleep(1)
            for name in found:
                stuck = self.get("crd", name, "--ignore-not-found")
                if "InstanceDeletionFailed" in str(stuck):
                    self.kubectl("annotate", "crd", name, f"kubeheal.dev/touched={time.monotonic_ns()}", "--overwrite")

    def credentials(self, config, service_account):
        """Its own token: what the account may do is what its roles say, to the letter."""
        namespace, name = service_account
        token = self.kubectl("create", "token", name, "-n", namespace).strip()
        users = {each["name"]: each["context"]["user"] for each in config["contexts"]}
        return {**config, "users": [{"name": users[config["current-context"]], "user": {"token": token}}]}


def given(path, programs, directory):
    """The cluster of a kubeconfig, if one is named."""
    assert path.is_file(), f"KUBEHEAL_TEST_CLUSTER names {path}, which is no kubeconfig"
    assert yaml.safe_load(path.read_text()).get("clusters"), f"{path} names no cluster"
    return RealCluster(path, programs, directory)
