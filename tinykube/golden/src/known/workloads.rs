//! `bootstrap`, `jobs`, `orphans`: what controllers do.

use super::Known;

pub(super) const KNOWN: &[Known] = &[
    Known::unserved("bootstrap", &[3, 4, 11, 31, 32, 33, 34, 35, 36, 37], "kinds that the README lists"),
    Known::differs(
        "bootstrap",
        &[1, 2, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30],
        "not done yet",
    ),
    Known::unserved(
        "jobs",
        &[
            5, 6, 4, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 23, 24, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
            37, 38, 39, 40, 41, 43, 44, 45, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58,
        ],
        "kinds that the README lists",
    ),
    Known::differs("jobs", &[9, 42, 60, 61, 62, 64, 65, 66, 68, 70, 59], "not done yet"),
    Known::differs("orphans", &[8, 12, 16, 28], "not done yet"),
];
