//! Watches: replay from a resource version, then every change as it comes.
//!
//! A watch sleeps until its resource changes, its time is over or a bookmark is due; it never polls.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::list::parse_version;
use super::partial_metadata::metadata_of;
use super::path::Query;
use super::selector::Selector;
use super::view::{View, write_stored};
use super::{Api, Cause, Status, convert, table};
use crate::object::write;
use crate::resource::Resource;
use crate::storage::{Change, ChangeKind};
use crate::stored::Stored;

/// How often a watch that allows bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// How long a watch without `timeoutSeconds` stays open.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(45);

/// What a client asked to watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    selector: Selector,
    resource_version: String,
    bookmarks: bool,
    initial_events: bool,
    timeout: Duration,
    view: View,
}

impl WatchOptions {
    /// Reads the query parameters of a watch.
    ///
    /// # Errors
    /// 400, 422 or 500 with the real server's wording.
    pub fn parse(api: &Api, resource: &Resource, query: &Query, view: View) -> Result<WatchOptions, Status> {
        let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
        let timeout = query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
        let version_match = query.get("resourceVersionMatch");
        let decides = !query.get("sendInitialEvents").is_empty();
        // Who does not say from where to go on gets what is there first.
        let from_now = matches!(query.get("resourceVersion"), "" | "0") && !decides && version_match.is_empty();
        let options = WatchOptions {
            selector: Selector::parse(resource, api.registry(), labels, fields)?,
            resource_version: query.get("resourceVersion").to_owned(),
            bookmarks: query.is_true("allowWatchBookmarks"),
            initial_events: from_now || query.is_true("sendInitialEvents"),
            timeout: timeout.filter(|seconds| *seconds > 0).map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            view,
        };
        let mut causes = Vec::new();
        if decides && version_match != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(Cause::forbidden("resourceVersionMatch", why));
        }
        if !decides && !version_match.is_empty() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            causes.push(Cause::forbidden("resourceVersionMatch", why));
        }
        if !matches!(version_match, "" | "NotOlderThan") {
            let unsupported = Cause::unsupported("resourceVersionMatch", &json!(version_match), &["NotOlderThan"]);
            causes.push(unsupported);
        }
        if !causes.is_empty() {
            return Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &causes));
        }
        if !options.resource_version.is_empty() {
            parse_version(&options.resource_version)?;
        }
        Ok(options)
    }

    /// Watches one object; an empty name watches all.
    pub fn only(&mut self, name: &str) {
        if !name.is_empty() {
            self.selector.require_name(name);
        }
    }
}

struct Watch {
    api: Api,
    resource: Resource,
    namespace: String,
    options: WatchOptions,
    changes: Receiver<u64>,
    /// Everything up to this resource version was sent.
    seen: u64,
    bookmarked: u64,
    deadline: Instant,
    next_bookmark: Instant,
    ready: VecDeque<Bytes>,
    sent_columns: bool,
    ended: bool,
}

impl Api {
    /// The events of a watch, one JSON text a line. It ends at its timeout, or after an `ERROR` event when the
    /// history it needs is forgotten.
    ///
    /// # Errors
    /// 500 for a resource version that is no number.
    pub fn watch(
        &self,
        resource: &Resource,
        namespace: &str,
        options: WatchOptions,
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>, Status> {
        self.check_shown(resource)?;
        let now = Instant::now();
        let mut watch = Watch {
            api: self.clone(),
            resource: resource.clone(),
            namespace: namespace.to_owned(),
            changes: self.store().subscribe_to(resource),
            seen: 0,
            bookmarked: 0,
            deadline: now + options.timeout,
            next_bookmark: now + BOOKMARK_EVERY,
            ready: VecDeque::new(),
            sent_columns: false,
            ended: false,
            options,
        };
        watch.begin()?;
        Ok(futures::stream::unfold(watch, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        }))
    }
}

impl Watch {
    /// Sends what is there already, if the client wants it.
    fn begin(&mut self) -> Result<(), Status> {
        self.seen = match self.options.resource_version.as_str() {
            "" | "0" => self.api.store().rv(),
            version => parse_version(version)?,
        };
        if self.options.initial_events {
            let listing = self.api.store().listing(&self.resource, &self.namespace);
            for object in &listing.objects {
                if self.options.selector.matches_stored(object) {
                    self.push("ADDED", object);
                }
            }
            self.seen = listing.rv.max(self.seen);
            if self.options.bookmarks {
                self.push_bookmark(true);
            }
        }
        self.bookmarked = self.seen;
        Ok(())
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.changes.borrow_and_update();
            self.collect();
            if !self.ready.is_empty() {
                continue;
            }
            let wake = if self.options.bookmarks { self.next_bookmark.min(self.deadline) } else { self.deadline };
            tokio::select! {
                biased;
                changed = self.changes.changed() => if changed.is_err() { return None },
                () = tokio::time::sleep_until(wake) => self.on_time(),
            }
        }
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        if now >= self.deadline {
            self.ended = true;
        } else if now >= self.next_bookmark {
            self.next_bookmark = now + BOOKMARK_EVERY;
            self.seen = self.seen.max(self.api.store().rv());
            if self.seen > self.bookmarked {
                self.push_bookmark(false);
            }
        }
    }

    /// Takes the changes since the last look.
    fn collect(&mut self) {
        match self.api.store().changes_of(&self.resource, self.seen) {
            Ok((changes, latest)) => {
                for change in &changes {
                    self.on_change(change);
                }
                self.seen = self.seen.max(latest);
            }
            Err(compacted) => {
                let status = Status::expired(compacted.to_string()).to_json();
                self.push_value(&json!({"type": "ERROR", "object": status}));
                self.ended = true;
            }
        }
    }

    /// A change as this watch sees it: entering or leaving the selection is an addition or a deletion.
    fn on_change(&mut self, change: &Change) {
        if !self.namespace.is_empty() && **change.object.namespace() != *self.namespace {
            return;
        }
        let selector = &self.options.selector;
        let before = change.previous.as_ref().filter(|previous| selector.matches_stored(previous));
        if change.kind == ChangeKind::Deleted {
            if before.is_some() {
                self.push("DELETED", &change.object);
            }
            return;
        }
        match (before, selector.matches_stored(&change.object)) {
            (None, true) => self.push("ADDED", &change.object),
            (Some(_), true) => self.push("MODIFIED", &change.object),
            (Some(previous), false) => {
                let left = previous.as_of(change.rv);
                self.push("DELETED", &left);
            }
            (None, false) => {}
        }
    }

    fn push(&mut self, kind: &str, stored: &Stored) {
        let mut out = Vec::with_capacity(stored.json().len() + 64);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"object\":");
        if let View::Table(row, version) = self.options.view {
            let metadata = json!({"resourceVersion": stored.rv().to_string()});
            let object = std::iter::once(convert::to_version(&self.resource, &stored.value()));
            let mut table = table::render(&self.api, &self.resource, object, (row, version), &metadata);
            if self.sent_columns {
                table["columnDefinitions"] = Value::Null;
            }
            self.sent_columns = true;
            write(&mut out, &table);
        } else if let View::Metadata(version) = self.options.view {
            write(&mut out, &metadata_of(&stored.metadata(), version));
        } else {
            write_stored(&mut out, &self.resource, stored, true);
        }
        out.extend_from_slice(b"}\n");
        self.ready.push_back(out.into());
    }

    fn push_bookmark(&mut self, initial_end: bool) {
        self.bookmarked = self.seen;
        let mut metadata = json!({"resourceVersion": self.seen.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, version) = match self.options.view {
            View::Metadata(version) => ("PartialObjectMetadata", version.api_version().to_owned()),
            _ => (self.resource.kind.as_str(), self.resource.api_version()),
        };
        let object = match self.options.view {
            View::Table(_, table) => json!({
                "kind": "Table",
                "apiVersion": table.api_version(),
                "metadata": {"resourceVersion": self.seen.to_string()},
                "columnDefinitions": null,
                "rows": [{"cells": [], "object": {"kind": kind, "apiVersion": version, "metadata": metadata}}],
            }),
            _ => json!({"kind": kind, "apiVersion": version, "metadata": metadata}),
        };
        self.push_value(&json!({"type": "BOOKMARK", "object": object}));
    }

    fn push_value(&mut self, value: &Value) {
        let mut out = value.to_string().into_bytes();
        out.push(b'\n');
        self.ready.push_back(out.into());
    }
}
