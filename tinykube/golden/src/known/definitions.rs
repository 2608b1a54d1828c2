//! `crds`, `crd-rules`, `crd-life`: CustomResourceDefinitions.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::differs("crds", &[27], "not done yet"),
    Known::differs("crd-rules", &[86, 98, 102, 119], "not done yet"),
    Known::differs(
        "crd-life",
        &[
            5, 16, 17, 18, 19, 20, 22, 23, 24, 26, 27, 28, 30, 31, 32, 39, 42, 43, 44, 45, 46, 47, 48, 49, 50, 54, 55,
            64, 65, 66, 67, 68, 70, 75, 77, 79, 80, 81, 82, 83, 84, 85, 78,
        ],
        "not done yet",
    ),
];
