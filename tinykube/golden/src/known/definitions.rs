//! `crds`, `crd-rules`, `crd-life`: CustomResourceDefinitions.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::differs("crds", &[27], "formats that nobody knows bring no warning"),
    Known::differs("crd-rules", &[86, 102], "a rule that fails is shown itself, not its message"),
    Known::differs("crd-rules", &[98], "paths into maps are written with dots"),
    Known::differs(
        "crd-rules",
        &[119],
        "a definition is gone at once when it is deleted, with its objects: no finalizer holds it meanwhile",
    ),
    Known::differs(
        "crd-life",
        &[24, 28, 32, 79, 80, 81, 82, 83, 84, 85, 78],
        "a definition is gone at once when it is deleted, with its objects: no finalizer holds it meanwhile",
    ),
    Known::differs("crd-life", &[5], "a new definition is established in one step, not in two"),
    Known::differs("crd-life", &[17], "what a schema without properties drops at the top brings no warning"),
    Known::differs("crd-life", &[20], "lists of custom resources have an empty continue when they come from the store"),
    Known::differs("crd-life", &[48], "a status that was written by a client is written again by the controller"),
    Known::differs(
        "crd-life",
        &[54, 55],
        "objects stored in a version that is not declared any more are shown in another one",
    ),
    Known::differs("crd-life", &[70], "a list of versions that is empty is null there when it is shown"),
    Known::differs("crd-life", &[75], "replicas below zero are a fault of the scale"),
    Known::differs("crd-life", &[77], "fields written through the scale are recorded for the client"),
];
