//! Nobody grants what they do not have: roles and bindings may not say more than their writer may do.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::access::{self, Attempt};
use crate::api::{Api, Status};
use crate::auth::User;
use crate::object::{self, items, text};
use crate::resource::Resource;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether objects of a kind grant something.
pub(crate) fn concerns(resource: &Resource) -> bool {
    resource.group == GROUP
}

/// Refuses a role or a binding that grants more than its writer has.
///
/// # Errors
/// 403 with what is not held, 404 when the role of a binding is not there.
pub(crate) fn check(
    api: &Api,
    user: &User,
    resource: &Resource,
    namespace: &str,
    wanted: &Value,
) -> Result<(), Status> {
    if user.admin || !concerns(resource) {
        return Ok(());
    }
    let binding = resource.kind.ends_with("Binding");
    let (kind, name) = if binding {
        (text(wanted, "/roleRef/kind"), text(wanted, "/roleRef/name"))
    } else {
        (resource.kind.as_str(), object::name(wanted))
    };
    let plural = if kind == "Role" { "roles" } else { "clusterroles" };
    let attempt = Attempt {
        verb: if binding { "bind" } else { "escalate" }.to_owned(),
        group: GROUP.to_owned(),
        resource: plural.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        ..Attempt::default()
    };
    if access::judge(api, user, &attempt).allowed {
        return Ok(());
    }
    let granted = if binding {
        let home = if kind == "Role" { namespace } else { "" };
        let roles = api.resource(GROUP, plural).ok_or_else(Status::no_such_path)?;
        // The real server names the resource that was asked for.
        let role = api.get(&roles, home, name).map_err(|_| Status::not_found(resource, name))?;
        items(&role, "/rules").to_vec()
    } else {
        items(wanted, "/rules").to_vec()
    };
    let (held, _) = access::grants(api, user, namespace);
    let missing: Vec<Single> = granted
        .iter()
        .flat_map(Single::of_rule)
        .filter(|single| !held.iter().any(|grant| single.is_in(&grant.rule)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<String> = user.groups.iter().map(|group| format!("{group:?}")).collect();
    let why = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        groups.join(" "),
        shown(missing).join("\n")
    );
    Err(Status::forbidden(resource, object::name(wanted), &why))
}

/// One verb on one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Single {
    /// Group, resource and name; a path has no group.
    thing: (Option<String>, String, String),
    verb: String,
}

impl Single {
    fn of_rule(rule: &Value) -> Vec<Single> {
        let list = |field: &str| -> Vec<String> {
            items(rule, field).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (verbs, names) = (list("/verbs"), list("/resourceNames"));
        let names = if names.is_empty() { vec![String::new()] } else { names };
        let mut things = Vec::new();
        for path in list("/nonResourceURLs") {
            things.push((None, path, String::new()));
        }
        for group in list("/apiGroups") {
            for resource in list("/resources") {
                things.extend(names.iter().map(|name| (Some(group.clone()), resource.clone(), name.clone())));
            }
        }
        let singles = things
            .iter()
            .flat_map(|thing| verbs.iter().map(|verb| Single { thing: thing.clone(), verb: verb.clone() }));
        singles.collect()
    }

    /// Whether a rule allows this.
    fn is_in(&self, rule: &Value) -> bool {
        let has = |field: &str, wanted: &str| items(rule, field).iter().any(|known| known == "*" || known == wanted);
        if !has("/verbs", &self.verb) {
            return false;
        }
        let (group, resource, name) = &self.thing;
        let Some(group) = group else {
            let covers =
                |known: &str| known.strip_suffix('*').map_or(known == resource, |root| resource.starts_with(root));
            return items(rule, "/nonResourceURLs").iter().filter_map(Value::as_str).any(covers);
        };
        let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        let names = items(rule, "/resourceNames");
        has("/apiGroups", group)
            && (has("/resources", resource) || part.is_some_and(|part| has("/resources", &part)))
            && (names.is_empty() || names.iter().any(|known| known == name))
    }
}

/// What is missing, verbs of one thing together, as Go shows a rule.
fn shown(missing: Vec<Single>) -> Vec<String> {
    let mut verbs: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for Single { thing, verb } in missing {
        let known = verbs.entry(thing).or_default();
        if !known.contains(&verb) {
            known.push(verb);
        }
    }
    let show = |((group, resource, name), mut verbs): ((Option<String>, String, String), Vec<String>)| {
        verbs.sort();
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        let verbs = verbs.join(" ");
        match group {
            None => format!("{{NonResourceURLs:[{resource:?}], Verbs:[{verbs}]}}"),
            Some(group) => {
                let names = if name.is_empty() { String::new() } else { format!(", ResourceNames:[{name:?}]") };
                format!("{{APIGroups:[{group:?}], Resources:[{resource:?}]{names}, Verbs:[{verbs}]}}")
            }
        }
    };
    verbs.into_iter().map(show).collect()
}
