//! Texts without what differs between runs: what is left is compared.

use std::sync::LazyLock;

use regex::Regex;

#[expect(clippy::unwrap_used, reason = "the patterns stand in this file, and every comparison needs them")]
pub(crate) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// What differs between runs, and what is compared instead.
static VARYING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<precise time>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"\b\d+\.\d+\.\d+\.\d+(:\d+)?\b", "<address>"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uid>"),
        (r"\bhash=[0-9A-F]{128}\b", "<hash>"),
        (r#""(git\w+|goVersion|buildDate|compiler|platform)": "[^"]*""#, "<build>"),
        (r"\bcurrent: \d+", "<version>"),
        // A CronJob calls a Job by the minute.
        (r"-\d{8}\b", "-<minute>"),
        // Names that were generated from one that does not end with a hyphen.
        (r"\b(g+|Gen_)[bcdfghjklmnpqrstvwxz2456789]{5}\b", "$1<generated>"),
        (r"@@ -\d+,\d+ \+\d+,\d+ @@", "<lines>"),
        // Both grant what tokens 79 asks for, and the server names the one that it comes upon first in a map.
        (
            r#"ClusterRoleBinding "system:(discovery|public-info-viewer)" of ClusterRole "system:(discovery|public-info-viewer)""#,
            "<role of everybody>",
        ),
        // A scheme is called by the path of the file that makes it, as the build knows it.
        (r#"in scheme "[^"]+""#, "<scheme>"),
        (r"containerd://[0-9a-f]{64}", "<container>"),
        (r"sha256:[0-9a-f]{64}", "<image>"),
        (r"[-=][bcdfghjklmnpqrstvwxz2456789]{5,10}\b", "-<generated>"),
        (r"^\d+(d|h|m|s)(\d+[hms])?$", "<age>"),
        (r#"resourceVersion("?: ?)"\d+""#, "<version>"),
        (r"\b3[012]\d{3}/(TCP|UDP|SCTP)", "<port>"),
        (r"selfType\d+", "<type>"),
    ]
    .map(|(pattern, name)| (regex(pattern), name))
    .into()
});

/// A text without what differs between runs.
pub(crate) fn blurred(text: &str) -> String {
    let start = text.to_owned();
    VARYING.iter().fold(start, |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_runs_is_not_compared_and_all_else_is() {
        let cases = [
            ("at 10.99.0.1:6443", "at 192.0.2.1:43157", true),
            ("the 34ea83a9-eb9d-471d-81fe-ebe58c08918e", "the e12bb149-571e-4613-958d-da2f540924ba", true),
            (r#"in scheme "scheme.go:30""#, r#"in scheme "scheme.go:111""#, true),
            ("@@ -125,17 +125,7 @@ a", "@@ -133,17 +133,7 @@ a", true),
            ("@@ -125,17 +125,7 @@ a", "@@ -125,17 +125,7 @@ b", false),
            ("Gen_9vgpw is invalid", "Gen_xnq5r is invalid", true),
            ("Gen_9vgpw is invalid", "Gen-9vgpw is invalid", false),
            (r#""gitVersion": "v1.36.2""#, r#""gitVersion": "v1.36.3""#, true),
            (r#""minor": "36""#, r#""minor": "37""#, false),
            ("d-cron-29933178", "d-cron-29933300", true),
            ("/openapi/v3/api", "/openapi/v3/apis", false),
        ];
        for (one, other, alike) in cases {
            assert_eq!(blurred(one) == blurred(other), alike, "{one} {other}");
        }
    }
}
