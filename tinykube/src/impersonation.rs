//! Speaking for somebody else: the `Impersonate-` headers.

use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::access::{self, Attempt};
use crate::api::{Api, Status};
use crate::auth::User;

const EXTRA: &str = "impersonate-extra-";

/// The user an entitled one speaks for in what it attempts, or the user itself.
///
/// # Errors
/// 400 when the headers name nobody, 403 when the user may not.
pub(crate) fn speaking_for(api: &Api, user: User, headers: &HeaderMap, attempt: &Attempt) -> Result<User, Status> {
    let of = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let name = of("impersonate-user").into_iter().find(|name| !name.is_empty());
    let (groups, uid) = (of("impersonate-group"), of("impersonate-uid").into_iter().next().unwrap_or_default());
    let extra = extra(headers);
    let Some(name) = name else {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(user);
        }
        return Err(Status::bad_request(format!(
            "requested &user.DefaultInfo{{Name:\"\", UID:{uid:?}, Groups:{}, Extra:{}}} without impersonating a user name",
            shown_list(&groups),
            shown_extra(&extra)
        )));
    };
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let mut wanted = vec![match account {
        Some((namespace, name)) => ("serviceaccounts", "", namespace, name),
        None => ("users", "", "", name.as_str()),
    }];
    wanted.extend(groups.iter().map(|group| ("groups", "", "", group.as_str())));
    if !uid.is_empty() {
        wanted.push(("uids", "", "", uid.as_str()));
    }
    for (key, values) in &extra {
        wanted.extend(values.iter().map(|value| ("userextras", key.as_str(), "", value.as_str())));
    }
    for (resource, subresource, namespace, name) in wanted {
        let group = if matches!(resource, "uids" | "userextras") { "authentication.k8s.io" } else { "" };
        let impersonation = Attempt {
            verb: "impersonate".to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Attempt::default()
        };
        if !access::judge(api, &user, &impersonation).allowed {
            // The real server asks last whether the user may do this one thing for somebody else.
            let whom = if account.is_some() { "serviceaccount" } else { "user-info" };
            let verb = format!("impersonate-on:{whom}:{}", attempt.verb);
            return Err(access::refusal(&user, &Attempt { verb, ..attempt.clone() }, ""));
        }
    }
    Ok(User { uid, extra, ..User::impersonated(&name, groups) })
}

/// What else the headers say of the user: keys may be percent-encoded.
fn extra(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(EXTRA) else { continue };
        let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
        extra.entry(key).or_default().extend(value.to_str().ok().map(str::to_owned));
    }
    extra
}

fn shown_list(list: &[String]) -> String {
    if list.is_empty() {
        return "[]string(nil)".to_owned();
    }
    let items: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
    format!("[]string{{{}}}", items.join(", "))
}

fn shown_extra(extra: &BTreeMap<String, Vec<String>>) -> String {
    if extra.is_empty() {
        return "map[string][]string(nil)".to_owned();
    }
    let items: Vec<String> = extra.iter().map(|(key, values)| format!("{key:?}:{}", shown_list(values))).collect();
    format!("map[string][]string{{{}}}", items.join(", "))
}
