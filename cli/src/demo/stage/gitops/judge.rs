//! The judge: sees every change of what Git has, and says what should not have been.
//!
//! Nobody but the tool changes what the tool wants, or the spec around it; what kubeheal writes is its own and stays so.

use std::collections::BTreeSet;

use kubeheal::api::FIELD_MANAGER;
use serde_json::Value;
use tinykube::{
    api::Api,
    storage::{Change, ChangeKind},
};

use super::repository::Id;

/// Kinds whose spec is written by people alone. Of a pod, the scheduler writes too.
const WRITTEN_BY_PEOPLE: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "Service", "HealedService", "HealingPolicy", "ClusterHealingPolicy"];

/// What it has seen so far.
pub(super) struct Judge {
    /// The tool's field manager.
    tool: &'static str,
    /// Changes up to this resource version are judged.
    seen: u64,
    wrong: Vec<String>,
}

impl Judge {
    pub(super) fn new(tool: &'static str, api: &Api) -> Self {
        Self { tool, seen: api.store().rv(), wrong: Vec::new() }
    }

    /// Judges what others changed since the tool was here.
    pub(super) fn catch_up<'a>(&mut self, api: &Api, git: impl Iterator<Item = &'a Id>) {
        if api.store().rv() == self.seen {
            return;
        }
        let git: BTreeSet<&Id> = git.collect();
        for change in api.store().changes_since(self.seen).unwrap() {
            let id = Id {
                api_version: change.resource.api_version(),
                kind: change.resource.kind.clone(),
                namespace: if change.resource.namespaced {
                    change.object.namespace().to_string()
                } else {
                    "default".to_owned()
                },
                name: change.object.name().to_string(),
            };
            if git.contains(&id) {
                self.changed(&id, &change);
            }
        }
        self.pass_over(api);
    }

    /// What happened until now is the tool's own, and is judged by [`Judge::applied`].
    pub(super) fn pass_over(&mut self, api: &Api) {
        self.seen = api.store().rv();
    }

    /// Somebody else than the tool wrote an object that Git has.
    fn changed(&mut self, id: &Id, change: &Change) {
        let (Some(previous), ChangeKind::Modified) = (&change.previous, change.kind) else { return };
        let (old, new) = (previous.value(), change.object.value());
        let mut wrong = Vec::new();
        if self.of_tool(&old) != self.of_tool(&new) {
            wrong.push("a field of the tool was changed");
        }
        if WRITTEN_BY_PEOPLE.contains(&id.kind.as_str()) && old["spec"] != new["spec"] {
            wrong.push("the spec was changed");
        }
        if of_kubeheal(&old, Some("")) != of_kubeheal(&new, Some("")) {
            wrong.push("more than the status was written");
        }
        for what in wrong {
            self.wrong.push(format!("{id}: {what} by {}", self.writers(&old, &new)));
        }
    }

    /// The tool applied what Git has; `again` after others wrote the object, and nobody changed it in Git.
    pub(super) fn applied(&mut self, id: &Id, before: &Value, after: &Value, again: bool) {
        if of_kubeheal(before, Some("status")) != of_kubeheal(after, Some("status"))
            || before["status"] != after["status"]
        {
            self.wrong.push(format!("{id}: the tool took over what kubeheal wrote"));
        }
        if !again {
            return;
        }
        // What was created again meanwhile lacks the tool's marks, and nothing else.
        let was_away = self.of_tool(before).is_none();
        let differs = if was_away { before["spec"] != after["spec"] } else { content(before) != content(after) };
        if differs {
            self.wrong.push(format!("{id}: the tool had to change it back: {}", self.writers(before, after)));
        }
        if of_kubeheal(before, None) != of_kubeheal(after, None) {
            self.wrong.push(format!("{id}: the tool and kubeheal want different things in the same field"));
        }
    }

    /// All that should not have been. At the end, what kubeheal writes must be kubeheal's alone.
    pub(super) fn end(mut self, api: &Api) -> Vec<String> {
        for (group, plural, part) in
            [("kubeheal.dev", "healedservices", "f:status"), ("apps", "controllerrevisions", "f:data")]
        {
            for object in api.list(&api.resource(group, plural).unwrap(), "") {
                let owners = entries(&object).filter(|entry| !entry["fieldsV1"][part].is_null());
                let owners: Vec<_> = owners.map(manager).collect();
                // Revisions of a StatefulSet are their controller's, which writes no name.
                if owners.iter().any(|owner| *owner != FIELD_MANAGER) {
                    let name = &object["metadata"]["name"];
                    self.wrong.push(format!("{part} of {plural} {name} belongs to {}", owners.join(", ")));
                }
            }
        }
        self.wrong
    }

    /// Who else wrote between two versions.
    fn writers(&self, old: &Value, new: &Value) -> String {
        let changed = entries(new).filter(|entry| !entries(old).any(|other| other == *entry)).map(manager);
        let changed: BTreeSet<_> = changed.filter(|manager| *manager != self.tool).collect();
        if changed.is_empty() { "a controller".to_owned() } else { changed.into_iter().collect::<Vec<_>>().join(", ") }
    }

    /// What the tool owns.
    fn of_tool<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        let own = entries(object).find(|entry| manager(entry) == self.tool && entry["operation"] == "Apply");
        own.map(|entry| &entry["fieldsV1"])
    }
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["managedFields"].as_array().into_iter().flatten()
}

fn manager(entry: &Value) -> &str {
    entry["manager"].as_str().unwrap_or_default()
}

/// What kubeheal owns of a subresource ("" is the object itself), or of everything.
fn of_kubeheal<'a>(object: &'a Value, subresource: Option<&str>) -> Vec<&'a Value> {
    let part = |entry: &Value| entry["subresource"].as_str().unwrap_or_default().to_owned();
    let ours = entries(object).filter(|entry| manager(entry) == FIELD_MANAGER);
    let ours = ours.filter(|entry| subresource.is_none_or(|wanted| part(entry) == wanted));
    ours.map(|entry| &entry["fieldsV1"]).collect()
}

/// What a person wrote of an object, without what the server and its controllers keep.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    content.as_object_mut().unwrap().shift_remove("status");
    let metadata = content["metadata"].as_object_mut().unwrap();
    for key in ["managedFields", "resourceVersion", "generation"] {
        metadata.shift_remove(key);
    }
    content
}
