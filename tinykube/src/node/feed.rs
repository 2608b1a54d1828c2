//! The watches of a node as one stream: from the start those of what every pod needs, later those of what scripts name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt, stream};
use kube::api::{Api, DynamicObject, TypeMeta};
use kube::discovery::Discovery;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::NodeError;
use super::kind::Kind;
use super::known::{Known, News};
use crate::object;
use crate::workloads::Key;

/// How long a kind that is not served is left alone.
const ASK_AGAIN: Duration = Duration::from_secs(30);

enum Message {
    Watched(usize, Box<Result<Event<DynamicObject>, watcher::Error>>),
    /// What discovery says of a kind.
    Discovered(String, Option<Kind>),
}

#[derive(Debug)]
struct Watch {
    kind: Kind,
    /// Only objects of this node are asked for.
    own: bool,
    /// Every pod needs it.
    vital: bool,
    answered: bool,
    listed: BTreeSet<Key>,
}

/// All watches of a node.
pub(super) struct Feed {
    client: Client,
    node: String,
    watches: Vec<Watch>,
    messages: SelectAll<BoxStream<'static, Message>>,
    /// Kinds that scripts named, and the watch of each that is served.
    wanted: BTreeMap<String, Option<usize>>,
    /// Kinds that are known not to be served.
    unserved: BTreeSet<String>,
}

impl Feed {
    /// Begins with what every pod needs.
    pub(super) fn new(client: &Client, node: &str) -> Feed {
        let mut feed = Feed {
            client: client.clone(),
            node: node.to_owned(),
            watches: Vec::new(),
            messages: SelectAll::new(),
            wanted: BTreeMap::new(),
            unserved: BTreeSet::new(),
        };
        for kind in Kind::around_pods() {
            let name = kind.api.kind.clone();
            let watch = feed.watch(kind, None, true);
            feed.wanted.insert(name, Some(watch));
        }
        feed.watch(Kind::nodes(), Some(format!("metadata.name={node}")), true);
        feed.watch(Kind::pods(), Some(format!("spec.nodeName={node}")), true);
        feed
    }

    /// Whether everything every pod needs is there.
    pub(super) fn is_complete(&self) -> bool {
        self.watches.iter().all(|watch| watch.answered || !watch.vital)
    }

    /// Begins to look at a kind that a script names; whether it is known what there is of it.
    pub(super) fn knows(&mut self, kind: &str) -> bool {
        let service = kind != "Service" || self.knows("Pod");
        match self.wanted.get(kind) {
            Some(Some(watch)) => service && self.watches[*watch].answered,
            Some(None) => self.unserved.contains(kind),
            None => {
                self.wanted.insert(kind.to_owned(), None);
                self.messages.push(discover(self.client.clone(), kind.to_owned()));
                false
            }
        }
    }

    /// Waits for something new and takes it in.
    pub(super) async fn next(&mut self, known: &mut Known) -> Result<Vec<News>, NodeError> {
        match self.messages.next().await {
            Some(Message::Watched(watch, event)) => self.take_in(watch, *event, known),
            Some(Message::Discovered(name, Some(kind))) => {
                self.unserved.remove(&name);
                let watch = self.watch(kind, None, false);
                self.wanted.insert(name, Some(watch));
                Ok(Vec::new())
            }
            Some(Message::Discovered(name, None)) => {
                self.unserved.insert(name);
                Ok(Vec::new())
            }
            None => std::future::pending().await,
        }
    }

    fn watch(&mut self, kind: Kind, fields: Option<String>, vital: bool) -> usize {
        let number = self.watches.len();
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.api);
        let own = fields.is_some();
        let config = watcher::Config { field_selector: fields, ..watcher::Config::default() };
        let events = watcher(api, config).default_backoff();
        self.messages.push(events.map(move |event| Message::Watched(number, Box::new(event))).boxed());
        self.watches.push(Watch { kind, own, vital, answered: false, listed: BTreeSet::new() });
        number
    }

    fn take_in(
        &mut self,
        number: usize,
        event: Result<Event<DynamicObject>, watcher::Error>,
        known: &mut Known,
    ) -> Result<Vec<News>, NodeError> {
        let watch = &mut self.watches[number];
        let resource = watch.kind.resource.clone();
        match event {
            Ok(Event::Init) => watch.listed.clear(),
            Ok(Event::InitApply(object)) => {
                let key = Key::of(&resource, &object.namespace().unwrap_or_default(), &object.name_any());
                watch.listed.insert(key);
                return Ok(known.put(&resource, watch.value(object)).into_iter().collect());
            }
            Ok(Event::InitDone) => {
                watch.answered = true;
                let listed = std::mem::take(&mut watch.listed);
                let ours = |object: &Value| {
                    !watch.own || resource.kind == "Node" || object::text(object, "/spec/nodeName") == self.node
                };
                let missing = known.missing(&resource, &listed).into_iter().filter(|object| ours(object));
                return Ok(missing.filter_map(|gone| known.remove(&resource, &gone)).collect());
            }
            Ok(Event::Apply(object)) => return Ok(known.put(&resource, watch.value(object)).into_iter().collect()),
            Ok(Event::Delete(object)) => {
                return Ok(known.remove(&resource, &watch.value(object)).into_iter().collect());
            }
            Err(error) => watch.fail(&error)?,
        }
        Ok(Vec::new())
    }
}

impl Watch {
    /// An object with kind and version, which lists leave out.
    fn value(&self, mut object: DynamicObject) -> Value {
        let api = &self.kind.api;
        object.types = Some(TypeMeta { api_version: api.api_version.clone(), kind: api.kind.clone() });
        serde_json::to_value(object).unwrap_or_default()
    }

    fn fail(&mut self, error: &watcher::Error) -> Result<(), NodeError> {
        let what = self.kind.resource.qualified();
        let code = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code,
            _ => 0,
        };
        match code {
            404 | 501 => self.answered = true,
            401 | 403 if !self.answered && self.vital => {
                return Err(NodeError::new(format!("list and watch {what}"), error));
            }
            401 | 403 => self.answered = true,
            _ => {}
        }
        tracing::debug!(what, %error, "a watch begins anew");
        Ok(())
    }
}

/// Looks for a kind until it is served.
fn discover(client: Client, name: String) -> BoxStream<'static, Message> {
    let attempts = stream::unfold(Some(Duration::ZERO), move |wait| {
        let (client, name) = (client.clone(), name.clone());
        async move {
            tokio::time::sleep(wait?).await;
            let kind = find(client, &name).await;
            let again = kind.is_none().then_some(ASK_AGAIN);
            Some((Message::Discovered(name, kind), again))
        }
        .boxed()
    });
    attempts.boxed()
}

async fn find(client: Client, name: &str) -> Option<Kind> {
    if name == "Pod" {
        return Some(Kind::pods());
    }
    let found = Discovery::new(client).run_aggregated().await;
    let found = found.inspect_err(|error| tracing::warn!(kind = name, %error, "discovery failed")).ok()?;
    let mut kinds = found.groups_alphabetical().into_iter().flat_map(kube::discovery::ApiGroup::recommended_resources);
    kinds.find(|(api, _)| api.kind == name).map(|(api, _)| Kind::of(api))
}
