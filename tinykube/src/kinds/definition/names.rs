//! Names of definitions: no two of a group may have the same. Who came first keeps them; what is freed goes to the next.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::condition::{self, Condition};
use super::write_status;
use crate::api::Api;
use crate::object;
use crate::resource::Resource;

/// The turn of the naming controller for one definition; whether it has written something.
pub(super) fn reconcile(api: &Api, resource: &Resource, definition: &Value) -> bool {
    if definition["status"]["acceptedNames"] == definition["spec"]["names"] {
        return false;
    }
    let (accepted, conflict) = accept(api, resource, definition);
    let named = match conflict {
        None => Condition::new("NamesAccepted", true, "NoConflicts", "no conflicts found"),
        Some((reason, why)) => Condition::new("NamesAccepted", false, reason, why),
    };
    if definition["status"]["acceptedNames"] == accepted && named.stands_in(definition) {
        return false;
    }
    let mut new = definition.clone();
    new["status"]["acceptedNames"] = accepted;
    named.set(api, &mut new);
    // A definition that is established stays so, whatever comes of its names later.
    if !condition::holds(definition, "Established") {
        let established = if named.holds {
            Condition::new("Established", false, "Installing", "the initial names have been accepted")
        } else {
            Condition::new("Established", false, "NotAccepted", "not all names are accepted")
        };
        if named.holds || condition::find(definition, "Established").is_none() {
            established.set(api, &mut new);
        }
    }
    write_status(api, resource, definition, new);
    reconcile_others(api, resource, definition);
    true
}

/// A definition has given up names, or has gone: others of its group may have waited for them.
pub(super) fn reconcile_others(api: &Api, resource: &Resource, definition: &Value) {
    for other in others(api, resource, definition) {
        reconcile(api, resource, &other);
    }
}

fn others(api: &Api, resource: &Resource, definition: &Value) -> Vec<Value> {
    let all = api.store().list(resource, "");
    let all = all.iter().filter(|other| **other.name() != *object::name(definition));
    let all = all.map(|other| Value::clone(&other.value()));
    all.filter(|other| other["spec"]["group"] == definition["spec"]["group"]).collect()
}

/// Names that others of the group have.
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Taken {
    fn by(others: &[Value]) -> Taken {
        let mut taken = Taken { resources: BTreeSet::new(), kinds: BTreeSet::new() };
        for names in others.iter().map(|other| &other["status"]["acceptedNames"]) {
            let texts = |keys: [&str; 2]| keys.map(|key| names[key].as_str().unwrap_or_default().to_owned());
            taken.resources.extend(texts(["plural", "singular"]));
            taken
                .resources
                .extend(object::items(names, "/shortNames").iter().filter_map(Value::as_str).map(str::to_owned));
            taken.kinds.extend(texts(["kind", "listKind"]));
        }
        taken
    }
}

/// The names a definition may have, and the last conflict: its reason and what is said of it.
fn accept(api: &Api, resource: &Resource, definition: &Value) -> (Value, Option<(&'static str, String)>) {
    const SINGLE: [(&str, &str, bool); 4] = [
        ("plural", "PluralConflict", false),
        ("singular", "SingularConflict", false),
        ("kind", "KindConflict", true),
        ("listKind", "ListKindConflict", true),
    ];
    let (wanted, had) = (&definition["spec"]["names"], &definition["status"]["acceptedNames"]);
    let taken = Taken::by(&others(api, resource, definition));
    let mut names = had.clone();
    let members = object::map(&mut names);
    let mut conflict = None;
    for (key, reason, is_kind) in SINGLE {
        let (name, used) = (wanted[key].as_str().unwrap_or_default(), had[key].as_str().unwrap_or_default());
        let taken = if is_kind { &taken.kinds } else { &taken.resources };
        if name == used || !taken.contains(name) {
            members.insert(key.to_owned(), name.into());
        } else {
            conflict = Some((reason, in_use(name)));
        }
        if key != "singular" {
            continue;
        }
        // Short names are looked at after the long ones of the resource; they are had all or not at all.
        let short = |names: &Value| -> Vec<String> {
            object::items(names, "/shortNames").iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (short, used) = (short(wanted), short(had));
        let refused: Vec<String> = short
            .iter()
            .filter(|name| !used.contains(name) && taken.contains(*name))
            .map(|name| in_use(name))
            .collect();
        match &refused[..] {
            [] => members.insert("shortNames".to_owned(), json!(short)),
            [one] => {
                conflict = Some(("ShortNamesConflict", one.clone()));
                None
            }
            many => {
                conflict = Some(("ShortNamesConflict", format!("[{}]", many.join(", "))));
                None
            }
        };
    }
    members.insert("categories".to_owned(), wanted["categories"].clone());
    (written(&names), conflict)
}

fn in_use(name: &str) -> String {
    format!("{name:?} is already in use")
}

/// Names as the real server's type writes them: plural and kind even if they are empty.
fn written(names: &Value) -> Value {
    let mut written = serde_json::Map::new();
    for key in ["plural", "singular", "shortNames", "kind", "listKind", "categories"] {
        let value = &names[key];
        let is_empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
        match key {
            "plural" | "kind" if is_empty => written.insert(key.to_owned(), "".into()),
            _ if is_empty => None,
            _ => written.insert(key.to_owned(), value.clone()),
        };
    }
    written.into()
}
