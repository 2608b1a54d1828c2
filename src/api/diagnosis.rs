//! How a root cause is named from what a container said last.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema::CAMEL_CASE;

/// How a root cause is named from what a container said last. A diagnosis explains; it never allows an action.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "Diagnosis::default")]
pub struct Diagnosis {
    /// Lines read from the end of the log of a container that ended badly, where its termination message names no root
    /// cause. Read once for each end; only the line that names one is kept, without secrets. 0 reads none. More needs the
    /// permission to get pods/log.
    #[schemars(range(min = 0, max = 1000))]
    pub log_tail_lines: i32,

    /// Own rules, tried in this order before the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rules: Vec<DiagnosisRule>,
}

/// Names a root cause by a pattern in the output of a container.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
// The rule holds for every pattern that can be tried at all.
#[x_kube(
    validation = Rule::new("''.matches(self.pattern) in [true, false]")
        .message("diagnosis.rules[].pattern must be a regular expression in RE2 syntax: check its brackets and escapes"),
)]
pub struct DiagnosisRule {
    /// Name of the root cause, a CamelCase word such as `LicenceExpired`.
    #[schemars(length(min = 1, max = 64), regex(pattern = CAMEL_CASE))]
    pub name: String,

    /// Regular expression (RE2 syntax), looked for without regard to case in each line of what the container said, in the
    /// reason with which it ended or waits, such as `OOMKilled`, and in the line `exit code 137`.
    #[schemars(length(min = 1, max = 512))]
    pub pattern: String,

    /// What a person should do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub advice: Option<String>,
}
