"""Whether Kubernetes would take an object: the strict check of kubernetes-validate."""

import functools

import kubernetes_validate
from kubernetes_validate import utils

# It reads all schemas anew for each object.
utils.schema_contents = functools.cache(utils.schema_contents)

# Schemas of custom resources are in their CRDs, not in Kubernetes.
CUSTOM = ("kubeheal.dev/", "monitoring.coreos.com/")
ValidationError = kubernetes_validate.ValidationError


def check(found, version):
    """Fails if the built-in kind of this version of Kubernetes does not look like that."""
    if not found["apiVersion"].startswith(CUSTOM):
        kubernetes_validate.validate(found, version, strict=True)
