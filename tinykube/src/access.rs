//! Whether a user may do something: the rules of the roles bound to the user, as the RBAC authorizer reads them.
//!
//! Members of `system:masters` may do everything. Escalation of roles is not checked.

use serde_json::{Value, json};

use crate::api::{Api, Status, details};
use crate::auth::User;
use crate::object::{items, name, text};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What somebody is about to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempt {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// A path that names no resource; the fields from `group` on are empty then.
    pub(crate) path: String,
}

/// What an authorizer says.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    /// By which binding, or what was wrong with the bindings; may be empty.
    pub(crate) reason: String,
}

/// A rule and where it comes from.
pub(crate) struct Grant {
    pub(crate) rule: Value,
    origin: String,
}

/// Whether `user` may.
pub(crate) fn judge(api: &Api, user: &User, attempt: &Attempt) -> Verdict {
    if user.admin {
        return Verdict { allowed: true, reason: String::new() };
    }
    let (grants, problems) = grants(api, user, &attempt.namespace);
    match grants.iter().find(|grant| covers(&grant.rule, attempt)) {
        Some(grant) => Verdict { allowed: true, reason: format!("RBAC: allowed by {}", grant.origin) },
        None if problems.is_empty() => Verdict::default(),
        None => Verdict { allowed: false, reason: format!("RBAC: {}", problems.join(", ")) },
    }
}

/// Refuses what `user` may not.
///
/// # Errors
/// 403 with the real server's wording.
pub(crate) fn check(api: &Api, user: &User, attempt: &Attempt) -> Result<(), Status> {
    let verdict = judge(api, user, attempt);
    if verdict.allowed { Ok(()) } else { Err(refusal(user, attempt, &verdict.reason)) }
}

/// What `user` may do in a namespace: `resourceRules` and `nonResourceRules` of a review.
pub(crate) fn rules(api: &Api, user: &User, namespace: &str) -> Value {
    let (grants, problems) = grants(api, user, namespace);
    let rules = grants.into_iter().map(|grant| grant.rule);
    let (paths, resources): (Vec<Value>, Vec<Value>) =
        rules.partition(|rule| !items(rule, "/nonResourceURLs").is_empty());
    let mut status = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": !problems.is_empty()});
    if !problems.is_empty() {
        status["evaluationError"] = problems.join(", ").into();
    }
    status
}

/// The rules in force for a user in a namespace, and what is wrong with bindings of the user.
pub(crate) fn grants(api: &Api, user: &User, namespace: &str) -> (Vec<Grant>, Vec<String>) {
    let (mut grants, mut problems) = (Vec::new(), Vec::new());
    let mut take = |plural: &str, namespace: &str| {
        let Some(bindings) = api.resource(GROUP, plural) else { return };
        for binding in api.list(&bindings, namespace) {
            let Some(subject) =
                items(&binding, "/subjects").iter().find_map(|subject| matching(subject, user, namespace))
            else {
                continue;
            };
            let (kind, role) = (text(&binding, "/roleRef/kind"), text(&binding, "/roleRef/name"));
            let place = if kind == "Role" { namespace } else { "" };
            let plural = if kind == "Role" { "roles" } else { "clusterroles" };
            let Some(found) = api.resource(GROUP, plural).and_then(|roles| api.get(&roles, place, role).ok()) else {
                problems.push(format!("{}.{GROUP} {role:?} not found", kind.to_lowercase()));
                continue;
            };
            let bound = if namespace.is_empty() {
                format!("ClusterRoleBinding {:?}", name(&binding))
            } else {
                format!("RoleBinding \"{}/{namespace}\"", name(&binding))
            };
            let origin = format!("{bound} of {kind} {role:?} to {subject}");
            grants.extend(
                items(&found, "/rules").iter().map(|rule| Grant { rule: rule.clone(), origin: origin.clone() }),
            );
        }
    };
    take("clusterrolebindings", "");
    if !namespace.is_empty() {
        take("rolebindings", namespace);
    }
    (grants, problems)
}

/// The subject in words, if it is the user.
fn matching(subject: &Value, user: &User, namespace: &str) -> Option<String> {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" if name == user.name => Some(format!("User {name:?}")),
        "Group" if user.groups.iter().any(|group| group == name) => Some(format!("Group {name:?}")),
        "ServiceAccount" => {
            let home = text(subject, "/namespace");
            let home = if home.is_empty() { namespace } else { home };
            let same = user.name == format!("system:serviceaccount:{home}:{name}");
            same.then(|| format!("ServiceAccount \"{name}/{home}\""))
        }
        _ => None,
    }
}

fn covers(rule: &Value, attempt: &Attempt) -> bool {
    let has = |field: &str, wanted: &str| items(rule, field).iter().any(|known| known == "*" || known == wanted);
    if !has("/verbs", &attempt.verb) {
        return false;
    }
    if !attempt.path.is_empty() {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => attempt.path.starts_with(prefix),
            None => pattern == attempt.path,
        };
        return items(rule, "/nonResourceURLs").iter().filter_map(Value::as_str).any(fits);
    }
    let whole = named(attempt);
    let any_of_part = format!("*/{}", attempt.subresource);
    let part = !attempt.subresource.is_empty() && items(rule, "/resources").iter().any(|known| *known == *any_of_part);
    let names = items(rule, "/resourceNames");
    has("/apiGroups", &attempt.group)
        && (has("/resources", &whole) || part)
        && (names.is_empty() || !attempt.name.is_empty() && names.iter().any(|known| *known == *attempt.name))
}

/// `pods` or `pods/log`.
fn named(attempt: &Attempt) -> String {
    let Attempt { resource, subresource, .. } = attempt;
    if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") }
}

/// 403 with the real server's wording.
pub(crate) fn refusal(user: &User, attempt: &Attempt, reason: &str) -> Status {
    let Attempt { verb, group, resource, name, namespace, path, .. } = attempt;
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    if !path.is_empty() {
        let message = format!("forbidden: User {:?} cannot {verb} path {path:?}{reason}", user.name);
        return Status::new(403, "Forbidden", message).with_details(json!({}));
    }
    let place = if namespace.is_empty() {
        " at the cluster scope".to_owned()
    } else {
        format!(" in the namespace {namespace:?}")
    };
    let why = format!(
        "User {:?} cannot {verb} resource {:?} in API group {group:?}{place}{reason}",
        user.name,
        named(attempt)
    );
    let qualified = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
    let what = if name.is_empty() { qualified } else { format!("{qualified} {name:?}") };
    Status::new(403, "Forbidden", format!("{what} is forbidden: {why}")).with_details(details(name, group, resource))
}
