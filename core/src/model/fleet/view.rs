//! The index that is kept up to date, and the fleet as one service sees it.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    fleet::{
        peer::{PeerStatus, ServiceKey},
        sum::{Namespace, Sum},
    },
    state::Episode,
};

/// All services of the cluster, in sum, as one of them sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    pub(super) sum: Arc<Sum>,
    /// The namespace of this service.
    pub(super) namespace: String,
    /// This service, as its last status says: it is in the sum.
    pub(super) me: Option<(ServiceKey, PeerStatus)>,
    /// Its time of trouble as it is known to be now.
    pub(super) now: Option<Episode>,
}

/// The sum, and what each service contributes to it.
#[derive(Debug, Clone, Default)]
pub struct FleetIndex {
    peers: BTreeMap<ServiceKey, PeerStatus>,
    sum: Arc<Sum>,
}

impl FleetIndex {
    /// Takes in what a service's status says.
    pub fn set(&mut self, key: &ServiceKey, peer: PeerStatus) {
        let known = self.peers.get(key);
        if known == Some(&peer) {
            return;
        }
        let sum = Arc::make_mut(&mut self.sum);
        if let Some(known) = known {
            sum.subtract(key, known);
        }
        sum.add(key, &peer);
        self.peers.insert(key.clone(), peer);
    }

    /// Forgets a service.
    pub fn remove(&mut self, key: &ServiceKey) {
        if let Some(known) = self.peers.remove(key) {
            Arc::make_mut(&mut self.sum).subtract(key, &known);
        }
    }

    /// The sum as this service sees it.
    pub fn seen_by(&self, key: &ServiceKey) -> Fleet {
        let me = self.peers.get_key_value(key).map(|(key, peer)| (key.clone(), peer.clone()));
        let now = me.as_ref().and_then(|(_, peer)| peer.episode);
        Fleet { sum: self.sum.clone(), namespace: key.0.clone(), me, now }
    }
}

impl Fleet {
    /// The fleet with this service's time of trouble as it is now, and not as its last status said.
    #[must_use]
    pub fn with_own(&self, episode: Option<Episode>) -> Self {
        Self { now: episode, ..self.clone() }
    }

    /// What is known of a namespace.
    pub(super) fn of(&self, namespace: &str) -> Option<&Namespace> {
        self.sum.namespaces.get(namespace)
    }
}

impl FromIterator<(ServiceKey, PeerStatus)> for FleetIndex {
    fn from_iter<I: IntoIterator<Item = (ServiceKey, PeerStatus)>>(peers: I) -> Self {
        let mut index = Self::default();
        for (key, peer) in peers {
            index.set(&key, peer);
        }
        index
    }
}
