//! An object as the store keeps it: JSON text, a twentieth of the size of the same object as a tree.
//!
//! Text is shared by the store, its history, the controllers' view and every answer; lists and watches copy it as it is.
//! Who looks into an object reads it again, unless it was read or written a moment ago. Never changes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

/// As much text as is kept as trees as well: about 350 pods, which are some 18 MB as trees.
const RECENT_BYTES: usize = 1 << 20;

/// One version of one object. Clones share the text.
#[derive(Clone)]
pub struct Stored(Arc<Version>);

struct Version {
    namespace: Arc<str>,
    name: Arc<str>,
    rv: u64,
    /// `{"kind":…,"apiVersion":…,"metadata":…` and the other members as they came.
    json: Box<str>,
    /// Where what follows kind and version begins.
    rest: usize,
    /// Where the value of the metadata is.
    metadata: Range<usize>,
    recent: Arc<Recent>,
}

impl Stored {
    /// Keeps an object whose resource version is `rv`; the tree is at hand for a while.
    pub(crate) fn new(recent: &Arc<Recent>, namespace: Arc<str>, name: Arc<str>, rv: u64, tree: &Arc<Value>) -> Stored {
        let (json, rest, metadata) = written(tree);
        recent.keep(rv, tree.clone(), json.len());
        Stored(Arc::new(Version { namespace, name, rv, json: json.into(), rest, metadata, recent: recent.clone() }))
    }

    /// Empty for cluster-scoped objects.
    pub fn namespace(&self) -> &Arc<str> {
        &self.0.namespace
    }

    /// The name of the object.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Its resource version.
    pub fn rv(&self) -> u64 {
        self.0.rv
    }

    /// The object as JSON text.
    pub fn json(&self) -> &str {
        &self.0.json
    }

    /// The text without the opening brace, kind and version: the other members and the closing brace.
    pub(crate) fn json_untyped(&self) -> &str {
        &self.0.json[self.0.rest..]
    }

    /// `apiVersion` as it is stored.
    pub(crate) fn api_version(&self) -> &str {
        let head = &self.0.json[..self.0.rest];
        let version = head.split_once("\"apiVersion\":\"").and_then(|(_, rest)| rest.split_once('"'));
        version.map_or("", |(version, _)| version)
    }

    /// The same object with another resource version, kept nowhere.
    pub(crate) fn as_of(&self, rv: u64) -> Stored {
        let mut tree = Value::clone(&self.value());
        tree["metadata"]["resourceVersion"] = rv.to_string().into();
        Stored::new(&Arc::default(), self.0.namespace.clone(), self.0.name.clone(), rv, &Arc::new(tree))
    }

    /// The object as a tree, if it is at hand.
    pub(crate) fn at_hand(&self) -> Option<Arc<Value>> {
        self.0.recent.get(self.0.rv)
    }

    /// The object as a tree.
    pub fn value(&self) -> Arc<Value> {
        if let Some(known) = self.at_hand() {
            return known;
        }
        let tree = Arc::new(self.read(&self.0.json));
        self.0.recent.keep(self.0.rv, tree.clone(), self.0.json.len());
        tree
    }

    /// The object, of which only the metadata is sure to be there.
    pub(crate) fn metadata(&self) -> Arc<Value> {
        let read = || Arc::new(json!({"metadata": self.read(&self.0.json[self.0.metadata.clone()])}));
        self.at_hand().unwrap_or_else(read)
    }

    /// Text that was written from a tree can always be read again.
    fn read(&self, text: &str) -> Value {
        let read = text.parse().inspect_err(|error| tracing::error!(%error, object = ?self, "unreadable in the store"));
        read.unwrap_or_default()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{} @{}", self.0.namespace, self.0.name, self.0.rv)
    }
}

/// The text of an object, where what follows kind and version begins in it, and where the metadata is.
///
/// Values write and read themselves as whole texts, because that is compiled as a dependency is: optimised in every build.
fn written(tree: &Value) -> (String, usize, Range<usize>) {
    let mut text = String::from("{");
    for key in ["kind", "apiVersion"] {
        if let Some(value) = tree.get(key) {
            write_text(&mut text, format_args!("\"{key}\":{value},"));
        }
    }
    let rest = text.len();
    text.push_str("\"metadata\":");
    let metadata = text.len();
    write_text(&mut text, format_args!("{}", tree["metadata"]));
    let metadata = metadata..text.len();
    for (key, value) in tree.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "kind" | "apiVersion" | "metadata") {
            write_text(&mut text, format_args!(",{}:{value}", Value::from(key.as_str())));
        }
    }
    text.push('}');
    (text, rest, metadata)
}

fn write_text(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
}

/// The trees of the versions used last, by resource version.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Trees>);

#[derive(Debug, Default)]
struct Trees {
    by_version: BTreeMap<u64, Tree>,
    order: VecDeque<u64>,
    bytes: usize,
}

#[derive(Debug)]
struct Tree {
    value: Arc<Value>,
    bytes: usize,
    /// Looked at since it was put into the order: gets a second round.
    used: bool,
}

impl Recent {
    fn get(&self, rv: u64) -> Option<Arc<Value>> {
        let mut trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = trees.by_version.get_mut(&rv)?;
        found.used = true;
        Some(found.value.clone())
    }

    fn keep(&self, rv: u64, value: Arc<Value>, bytes: usize) {
        let mut trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if trees.by_version.insert(rv, Tree { value, bytes, used: false }).is_none() {
            trees.order.push_back(rv);
            trees.bytes += bytes;
        }
        trees.shrink();
    }
}

impl Trees {
    fn shrink(&mut self) {
        while self.bytes > RECENT_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            let Some(tree) = self.by_version.get_mut(&oldest) else { continue };
            if std::mem::take(&mut tree.used) {
                self.order.push_back(oldest);
            } else if let Some(gone) = self.by_version.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_reads_as_it_was_written_whether_its_tree_is_kept_or_not() {
        let recent = Arc::<Recent>::default();
        let text = "x".repeat(RECENT_BYTES / 3);
        let object = |rv: u64| {
            let tree = json!({"apiVersion": "v1", "data": text, "metadata": {"name": "a", "rv": rv}, "kind": "T"});
            (Stored::new(&recent, "n".into(), "a".into(), rv, &Arc::new(tree.clone())), tree)
        };
        let objects: Vec<_> = (1..=5).map(object).collect();
        assert!(recent.get(1).is_none() && recent.get(5).is_some());
        for (stored, tree) in &objects {
            assert_eq!(*stored.value(), *tree);
            assert_eq!(stored.metadata()["metadata"], tree["metadata"]);
            assert_eq!(stored.json().parse::<Value>().unwrap(), *tree);
            let untyped: Value = format!("{{{}", stored.json_untyped()).parse().unwrap();
            assert_eq!(untyped, json!({"data": text, "metadata": tree["metadata"]}));
        }
    }

    #[test]
    fn a_tree_in_use_outlives_those_that_are_not() {
        let recent = Arc::<Recent>::default();
        let keep = |rv| recent.keep(rv, Arc::default(), RECENT_BYTES / 3);
        for rv in 1..=3 {
            keep(rv);
        }
        assert!(recent.get(1).is_some());
        keep(4);
        assert!(recent.get(1).is_some() && recent.get(2).is_none());
    }
}
