//! What a service in trouble may have in common with others: read off its findings and what those are about.
//!
//! A status may be written by anybody: of it only words and names are taken, and what they name is looked up.

use std::{collections::BTreeSet, sync::Arc};

use kubeheal_core::model::{cause::Cause, fleet::Shared, text::is_word};

use super::Caches;
use crate::{
    api::status::{Finding, HealedServiceStatus},
    base::Key,
    cluster::{image::registry, pod::PodRecord},
};

/// Things of one kind that a service may share; what is more is left out.
const MOST_OF_A_KIND: usize = 16;

impl Caches {
    /// What its trouble lies in, and that of others may lie in too.
    pub(super) fn shares(&self, key: &Key, status: &HealedServiceStatus) -> Vec<Shared> {
        let found: Vec<(&Finding, &Arc<PodRecord>)> =
            status.findings.iter().filter_map(|finding| Some((finding, self.pod_of(key, finding)?))).collect();
        let nodes: BTreeSet<&str> = found.iter().filter_map(|(_, pod)| pod.pod.node.as_deref()).collect();
        let node = nodes.first().filter(|name| nodes.len() == 1 && self.nodes.seen(name).is_one_of_many);
        let named = status.findings.iter().filter_map(|finding| finding.diagnosis.as_deref());
        let named = named.filter(|name| is_word(name)).collect::<BTreeSet<_>>();
        let is_pulled = |finding: &Finding| finding.cause == Cause::ImagePull.as_str();
        let images = found.iter().filter(|(finding, _)| is_pulled(finding));
        let images = images.filter_map(|(finding, pod)| pod.unpulled.get(finding.container.as_ref()?));
        let images = images.map(String::as_str).collect::<BTreeSet<_>>();
        let registries = images.iter().map(|image| registry(image)).collect::<BTreeSet<_>>();
        let needs = self.dependencies_of(key).into_iter().collect::<BTreeSet<_>>();

        let node = node.map(|name| Shared::Node((*name).to_owned()));
        let zone = self.nodes.zone_of_all(&nodes).map(Shared::Zone);
        let mut shares: Vec<Shared> = node.into_iter().chain(zone).collect();
        shares.extend(some(named).map(|name| Shared::Diagnosis(name.to_owned())));
        shares.extend(some(images).map(|image| Shared::Image(image.to_owned())));
        shares.extend(some(registries).map(|host| Shared::Registry(host.to_owned())));
        shares.extend(some(needs).map(|(namespace, name)| Shared::Dependency(format!("{namespace}/{name}"))));
        shares
    }

    fn pod_of(&self, key: &Key, finding: &Finding) -> Option<&Arc<PodRecord>> {
        self.pods.get(&(key.0.clone(), finding.pod.clone()?))
    }
}

fn some<T>(all: BTreeSet<T>) -> impl Iterator<Item = T> {
    all.into_iter().take(MOST_OF_A_KIND)
}
