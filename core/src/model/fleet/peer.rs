//! What one service tells all others.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{alert::Receiver, state::Episode};

/// Namespace and name.
pub type ServiceKey = (String, String);

/// What is known of one service, from its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// It acts on its workload, and was well before our eyes: only then its trouble is a sign that something shared is broken.
    pub counts: bool,
    /// Its current or last time of trouble, as a storm counts it.
    pub episode: Option<Episode>,
    /// A dependency holds it: its trouble is not its own.
    pub held: bool,
    /// Since when a repair is in flight.
    pub in_flight: Option<Timestamp>,
    /// When its last repair was over.
    pub concluded: Option<Timestamp>,
    /// When its latest actions began.
    pub actions: Vec<Timestamp>,
    /// Its receivers of alerts.
    pub receivers: Arc<[Receiver]>,
    /// Destinations that it notifies of a storm that goes on.
    pub notifies_of_storm: Vec<String>,
    /// What its trouble lies in, and that of others may lie in too.
    pub shares: Vec<Shared>,
}

impl PeerStatus {
    /// The time of trouble that counts towards a storm. An end before its begin is none.
    pub(super) fn counted(&self) -> Option<Episode> {
        let episode = self.episode.filter(|_| self.counts && !self.held)?;
        Some(Episode { until: episode.until.filter(|&end| end >= episode.since), ..episode })
    }
}

/// What services in trouble may have in common. What tells most comes first, and is said of several that equally many share: what
/// something was found about before what is only around it, and the part before the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// The one node, of several, on which all its pods are that something is wrong with.
    Node(String),
    /// A root cause that a rule named.
    Diagnosis(String),
    /// An image that cannot be had.
    Image(String),
    /// The registry of such an image.
    Registry(String),
    /// A service that it depends on, as namespace/name.
    Dependency(String),
    /// The one zone, of several, in which all its pods are that something is wrong with.
    Zone(String),
}

impl Shared {
    /// What is said of so many that share it.
    pub(super) fn words(&self, count: usize) -> String {
        match self {
            Self::Node(name) => format!("what is wrong with {count} of them lies on node {name}"),
            Self::Diagnosis(name) => format!("{count} of them say {name}"),
            Self::Image(reference) => format!("{count} of them wait for image {reference}"),
            Self::Registry(host) => format!("{count} of them wait for images from registry {host}"),
            Self::Dependency(service) => format!("{count} of them depend on {service}"),
            Self::Zone(name) => format!("what is wrong with {count} of them lies in zone {name}"),
        }
    }
}
