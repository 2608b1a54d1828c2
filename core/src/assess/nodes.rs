//! Nodes in the sentence: that all that is wrong lies on one of them.

use std::collections::BTreeSet;

use crate::model::{cause::Cause, finding::Finding, snapshot::Pod, verdict::Health};

/// The sentence about pods on nodes that are lost, with what is said of the first.
pub(super) fn lost(count: u32, findings: &[Finding]) -> String {
    let of_first = findings.iter().find(|finding| finding.cause == Cause::NodeLost).map(|finding| &finding.message);
    let of_first = of_first.map_or_else(String::new, |message| format!(": {message}"));
    format!("{count} lost with their node{of_first}")
}

/// The sentence, and on which node all lies that is wrong, if it is one and there are others.
pub(super) fn with_node(message: String, health: Health, pods: &[Pod], findings: &[Finding]) -> String {
    let says_what_is_wrong = match health {
        Health::Degraded | Health::Unhealthy | Health::Unknown | Health::Starting => true,
        Health::Healthy | Health::Idle => false,
    };
    match shared(pods, findings).filter(|_| says_what_is_wrong) {
        Some((1, node)) => format!("{message} (on node {node})"),
        Some((count, node)) => format!("{message} (all {count} of them on node {node})"),
        None => message,
    }
}

/// The one node on which all pods are that something is wrong with, and how many they are.
fn shared<'a>(pods: &'a [Pod], findings: &[Finding]) -> Option<(usize, &'a str)> {
    let is_any_over = findings.iter().any(|finding| finding.over_threshold);
    let counts = |finding: &&Finding| finding.over_threshold || !is_any_over;
    // What is wrong with the workload is on no node.
    if findings.iter().filter(counts).any(|finding| finding.place.uid().is_none()) {
        return None;
    }
    let (wrong, others): (Vec<&Pod>, Vec<&Pod>) =
        pods.iter().partition(|pod| findings.iter().filter(counts).any(|finding| finding.is_about(pod)));
    let nodes: BTreeSet<Option<&str>> = wrong.iter().map(|pod| pod.node.as_deref()).collect();
    let node = nodes.first().copied().flatten().filter(|_| nodes.len() == 1)?;
    let elsewhere = others.iter().any(|pod| pod.is_living() && pod.node.as_deref().is_some_and(|other| other != node));
    let is_news = elsewhere || (wrong.len() > 1 && wrong.iter().any(|pod| pod.host.is_one_of_many));
    is_news.then_some((wrong.len(), node))
}
