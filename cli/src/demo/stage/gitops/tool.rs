//! The tool: what is in Git is so in the cluster, every ten seconds.

use std::collections::BTreeMap;

use serde_json::Value;
use tinykube::{
    api::{Api, Options, Part},
    patch::Patch,
    resource::Resource,
    stored::Stored,
};

use super::{
    Rival,
    judge::Judge,
    repository::{Id, merge},
};
use crate::demo::{hands, stage::*, story::Breakage};

/// Between two applies.
const EVERY: Duration = Duration::from_secs(10);
/// How long Flux is away after something was deleted, as one that is suspended: kubeheal creates it again meanwhile.
const AWAY: Duration = Duration::from_secs(600);
/// Rivals wait until all is well.
const RIVALS_AFTER: Duration = Duration::from_secs(300);

/// Who applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    ArgoCd,
    Flux,
}

impl Tool {
    pub(super) const ALL: [Self; 2] = [Self::ArgoCd, Self::Flux];

    /// Its field manager.
    pub(super) fn manager(self) -> &'static str {
        match self {
            Self::ArgoCd => "argocd-controller",
            Self::Flux => "kustomize-controller",
        }
    }

    /// Marks an object as its own.
    fn mark(self, object: &mut Value) {
        let Id { kind, namespace, name, .. } = Id::of(object);
        match self {
            Self::ArgoCd => {
                let id = format!("shop:/{kind}:{namespace}/{name}");
                object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = id.into();
            }
            Self::Flux => {
                object["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "shop".into();
                object["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/namespace"] = "flux-system".into();
            }
        }
    }

    /// How long it leaves what was deleted as it is.
    fn away(self) -> Duration {
        match self {
            Self::ArgoCd => Duration::ZERO,
            Self::Flux => AWAY,
        }
    }
}

/// One object in Git.
struct Manifest {
    resource: Resource,
    wanted: Value,
    /// The version that the last apply of this made or found.
    left: Option<u64>,
    /// That apply changed nothing, so that another one would not either while the object is the same.
    is_settled: bool,
}

/// A tool at work.
pub(super) struct Syncing {
    tool: Tool,
    api: Api,
    git: BTreeMap<Id, Manifest>,
    /// In the order in which they came.
    order: Vec<Id>,
    judge: Judge,
    next: Instant,
    rivals_from: Instant,
}

impl Syncing {
    /// Begins with the manifests of a story.
    pub(super) fn begin(tool: Tool, api: Api, story: &Story) -> Self {
        let now = Instant::now();
        let judge = Judge::new(tool.manager(), &api);
        let (git, order) = (BTreeMap::new(), Vec::new());
        let mut syncing = Self { tool, api, git, order, judge, next: now, rivals_from: now + RIVALS_AFTER };
        for manifest in &story.manifests {
            syncing.commit(manifest.value.clone());
        }
        syncing.sync();
        syncing
    }

    /// Applies until that moment.
    pub(super) async fn until(&mut self, end: Instant, rival: Option<Rival>) {
        while self.next < end {
            sleep_until(self.next).await;
            if let Some(rival) = rival.filter(|_| self.next >= self.rivals_from) {
                rival(&self.api);
            }
            self.sync();
            self.next += EVERY;
        }
        sleep_until(end).await;
    }

    /// Somebody changes the cluster: by way of Git what is in Git, else with their own hands.
    pub(super) async fn happens(&mut self, client: &Client, breakage: &Breakage) {
        match breakage {
            Breakage::Apply(objects) => {
                for object in objects {
                    self.commit(object.clone());
                }
                self.sync_unless_away();
            }
            Breakage::Patch(target, with) => {
                let target = target.clone().within("default");
                let is_it = |id: &&Id| {
                    id.kind == target.kind && id.name == target.name && Some(&id.namespace) == target.namespace.as_ref()
                };
                let Some(id) = self.order.iter().find(is_it).cloned() else {
                    return hands::break_it(client, breakage).await.unwrap();
                };
                let mut object = self.git[&id].wanted.clone();
                merge(&mut object, with);
                self.commit(object);
                self.sync_unless_away();
            }
            Breakage::Delete(_) => {
                hands::break_it(client, breakage).await.unwrap();
                self.next = self.next.max(Instant::now() + self.tool.away());
            }
            Breakage::PatchPods(..) => hands::break_it(client, breakage).await.unwrap(),
        }
    }

    /// What should not have been. Applies that were passed over are made once, to see that they change nothing.
    pub(super) fn end(mut self) -> Vec<String> {
        self.sync();
        let before = self.api.store().rv();
        self.git.values_mut().for_each(|manifest| manifest.is_settled = false);
        self.sync();
        assert_eq!(self.api.store().rv(), before, "an apply that was passed over would have changed something");
        self.judge.end(&self.api)
    }

    /// Puts an object into Git, or changes it there.
    fn commit(&mut self, mut object: Value) {
        self.tool.mark(&mut object);
        let id = Id::of(&object);
        let resource = self.api.registry().of_kind(&id.api_version, &id.kind).unwrap();
        if !self.git.contains_key(&id) {
            self.order.push(id.clone());
        }
        self.git.insert(id, Manifest { resource, wanted: object, left: None, is_settled: false });
    }

    fn sync_unless_away(&mut self) {
        if self.next <= Instant::now() + EVERY {
            self.sync();
        }
    }

    /// Applies everything once. Who else changed what is judged before.
    fn sync(&mut self) {
        self.judge.catch_up(&self.api, self.git.keys());
        for id in &self.order {
            let manifest = self.git.get_mut(id).unwrap();
            let namespace = if manifest.resource.namespaced { id.namespace.as_str() } else { "" };
            let before = self.api.store().get(&manifest.resource, namespace, &id.name);
            let version = before.as_ref().map(Stored::rv);
            let is_untouched = version.is_some() && version == manifest.left;
            if is_untouched && manifest.is_settled {
                continue;
            }
            let patch = Patch::Apply { object: manifest.wanted.clone(), force: true };
            let options = Options::by(self.tool.manager());
            let target = manifest.resource.named(namespace, &id.name);
            let after = self.api.patch(target, Part::Main, &patch, &options);
            let after = after.unwrap_or_else(|status| panic!("{id} cannot be applied: {}", status.message));
            if let Some(before) = before {
                self.judge.applied(id, &before.value(), &after, manifest.left.is_some() && !is_untouched);
            }
            let left = after["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok());
            manifest.is_settled = left == version;
            manifest.left = left;
        }
        self.judge.pass_over(&self.api);
    }
}
