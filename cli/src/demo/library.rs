//! The stories that come with the binary, in groups. Their texts are the files under `stories/`.

use std::path::Path;

use super::story::Story;
use crate::failure::Failure;

/// Stories about the same thing.
pub(crate) struct Group {
    /// Its name, that of the folder.
    pub(crate) name: &'static str,
    /// What its stories are about.
    pub(crate) about: &'static str,
    /// Path and text of each.
    stories: &'static [(&'static str, &'static str)],
}

macro_rules! group {
    ($name:literal, $about:literal, [$($story:literal),* $(,)?]) => {
        Group {
            name: $name,
            about: $about,
            stories: &[$((
                concat!($name, "/", $story, ".yaml"),
                include_str!(concat!("../../stories/", $name, "/", $story, ".yaml")),
            )),*],
        }
    };
}

/// All of them. The first group is what `healctl demo` tells when nothing is named.
pub(crate) const GROUPS: &[Group] = &[
    group!(
        "post-mortems",
        "Five outages, and what a monitor that can only restart made of them",
        ["ghost-restart", "hasty-health-check", "restart-loop", "start-order", "cascading-failure"]
    ),
    group!(
        "causes",
        "What can be wrong, what is done about it, and what no restart can help",
        [
            "crash-loop",
            "liveness-failed",
            "startup-failed",
            "readiness-failed",
            "out-of-memory",
            "expected-ends",
            "bare-pod",
            "stuck-revision",
            "image-pull",
            "config-error",
            "unschedulable",
            "quota-exceeded",
            "init-failed",
            "node-lost",
            "rollout-in-progress",
            "rollout-stuck",
            "idle",
            "diagnosis",
        ]
    ),
    group!(
        "ladder",
        "What is done, in which order, and everything that holds it back",
        [
            "every-kind",
            "one-at-a-time",
            "disruption-budget",
            "proof",
            "back-off",
            "redeployed",
            "last-replicas",
            "stays-gone",
            "never-seen-well",
            "living-owner",
            "gitops-grace",
            "recreate-on-failure",
            "rollback",
            "cluster-limits",
            "storm",
            "maintenance-window",
            "two-masters",
        ]
    ),
    group!(
        "breaker",
        "When trying again does more harm than good",
        [
            "in-vain",
            "relapse",
            "no-writes",
            "half-open",
            "self-recovery",
            "new-code",
            "forgiven",
            "by-hand",
            "heal-now",
            "latched",
            "scale-to-zero",
            "fallback",
        ]
    ),
    group!(
        "dependencies",
        "Whose fault it is, and who waits for whom",
        [
            "chain",
            "degraded-dependency",
            "unavailable-dependency",
            "rolling-dependency",
            "healing-order",
            "hysteresis",
            "cycle",
            "grants",
            "rest-for-one"
        ]
    ),
    group!("status", "What is said, and what is not", ["conditions", "why-not", "escalation", "quiet"]),
    group!(
        "policies",
        "Settings for many services, and limits for everybody",
        ["policy-ref", "policy-defaults", "policy-ceiling", "cluster-paused"]
    ),
    group!(
        "complaints",
        "What people hold against controllers of this kind, where no other story tells it",
        ["old-restarts", "well-in-time", "small-cluster", "repair-in-flight", "no-trace"]
    ),
    group!(
        "field",
        "Situations that people have reported, and what is right in each",
        [
            "image-gone",
            "secret-deleted",
            "webhook-down",
            "slow-after-outage",
            "long-goodbye",
            "node-frozen",
            "finalizer",
            "churn",
            "readiness-gate",
            "two-budgets",
            "no-network",
            "hook-failed",
            "orderly-reboot",
        ]
    ),
];

impl Group {
    /// Its stories.
    pub(crate) fn read(&self) -> Result<Vec<Story>, Failure> {
        self.stories.iter().map(|(path, text)| Story::read(Path::new(path), text)).collect()
    }
}

/// The group of that name.
pub(crate) fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// The story of that name, alone or behind that of its group.
pub(crate) fn story(name: &str) -> Option<Result<Story, Failure>> {
    let is_named = |path: &str| {
        let whole = path.trim_end_matches(".yaml");
        whole == name || whole.split_once('/').is_some_and(|(_, short)| short == name)
    };
    let mut all = GROUPS.iter().flat_map(|group| group.stories);
    all.find(|(path, _)| is_named(path)).map(|(path, text)| Story::read(Path::new(path), text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_story_file_comes_with_the_binary_under_a_name_of_its_own() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
        let mut files = BTreeSet::new();
        for group in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
            for file in std::fs::read_dir(group.path()).unwrap() {
                let names = [group.file_name(), file.unwrap().file_name()];
                files.insert(names.map(|name| name.into_string().unwrap()).join("/"));
            }
        }
        let embedded: BTreeSet<String> =
            GROUPS.iter().flat_map(|group| group.stories).map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, files);

        let stories: Vec<Story> = GROUPS.iter().flat_map(|group| group.read().unwrap()).collect();
        let names: BTreeSet<String> = stories.iter().map(Story::name).collect();
        assert_eq!(names.len(), stories.len(), "two stories have the same name");
        let groups: BTreeSet<&str> = GROUPS.iter().map(|group| group.name).collect();
        assert_eq!(groups.len(), GROUPS.len(), "two groups have the same name");
        assert!(GROUPS.iter().all(|group| !names.contains(group.name)), "a story and a group have the same name");
    }
}
