//! Tokens of service accounts: issued on request, and recognised as long as what they are bound to is there.

use serde_json::{Value, json};

use super::bearer::{AUDIENCE, refused};
use super::status::details;
use super::webhooks::{Asked, Operation, Phase, WITHOUT_LABELS};
use super::{Api, Cause, Options, Status, lasting_token};
use crate::auth::User;
use crate::managed;
use crate::object::{self, default, items, text};
use crate::resource::{Definition, Resource};

/// Seconds a token is good for unless somebody says otherwise, and the least and the most there is.
const LIFETIME: (i64, i64, i64) = (3600, 600, 1 << 32);

/// What a token can be bound to, and the plural of it.
const BOUND: [(&str, &str); 3] = [("Pod", "pods"), ("Secret", "secrets"), ("Node", "nodes")];

impl Api {
    /// Issues a token of a service account, as a `TokenRequest` asks.
    ///
    /// # Errors
    /// The [`Status`] a client would get.
    pub(crate) fn issue_token(
        &self,
        namespace: &str,
        name: &str,
        mut asked: Value,
        options: &Options,
    ) -> Result<Value, Status> {
        let accounts = self.resource("", "serviceaccounts").ok_or_else(Status::no_such_path)?;
        let target = accounts.named(namespace, name);
        let request = Asked { target, subresource: "token", operation: Operation::Create, objects: WITHOUT_LABELS };
        self.ask_webhooks(Phase::Mutating, &request)?;
        let account = self.get(&accounts, namespace, name)?;
        default(object::entry(&mut asked, "spec"), "expirationSeconds", LIFETIME.0);
        let mut managed = json!({"spec": asked["spec"]});
        managed::created(self, &request_kind(), &mut managed, options);
        let spec = object::entry(&mut asked, "spec");
        default(spec, "audiences", json!([AUDIENCE]));
        spec.entry("boundObjectRef").or_insert(Value::Null);
        check(&asked, name)?;
        self.ask_webhooks(Phase::Validating, &request)?;
        let bound = self.bound_object(namespace, name, &asked["spec"]["boundObjectRef"])?;
        let now = self.clock().now();
        let lifetime = asked["spec"]["expirationSeconds"].as_i64().unwrap_or(LIFETIME.0);
        let mut about = json!({
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
        });
        if let Some((kind, reference)) = bound {
            about[kind] = reference;
        }
        let claims = json!({
            "aud": asked["spec"]["audiences"],
            "exp": now.as_second() + lifetime,
            "iat": now.as_second(),
            "iss": AUDIENCE,
            "jti": self.random().uid(),
            "kubernetes.io": about,
            "nbf": now.as_second(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        });
        let expires = now.checked_add(jiff::SignedDuration::from_secs(lifetime)).unwrap_or(now);
        let known = &account["metadata"];
        let mut issued = json!({
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": known["uid"],
                "creationTimestamp": self.clock().seconds(),
            },
            "spec": asked["spec"],
            "status": {
                "token": self.signer().sign(&claims),
                "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
        });
        if let Some(fields) = managed["metadata"].get_mut("managedFields").and_then(Value::as_array_mut) {
            for entry in fields.iter_mut() {
                entry["subresource"] = "token".into();
            }
            issued["metadata"]["managedFields"] = fields.clone().into();
        }
        Ok(issued)
    }

    /// What the token is to be bound to: the name of its claim, and its name and UID.
    fn bound_object(&self, namespace: &str, account: &str, wanted: &Value) -> Result<Option<(String, Value)>, Status> {
        if wanted.is_null() {
            return Ok(None);
        }
        let (kind, name) = (text(wanted, "/kind"), text(wanted, "/name"));
        let Some((_, plural)) = BOUND.iter().find(|(known, _)| *known == kind && wanted["apiVersion"] == "v1") else {
            let version = text(wanted, "/apiVersion");
            let group = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
            return Err(Status::bad_request(format!("cannot bind token to object of type {group}, Kind={kind}")));
        };
        let resource = self.resource("", plural).ok_or_else(Status::no_such_path)?;
        let found = self.get(&resource, if resource.namespaced { namespace } else { "" }, name)?;
        if kind == "Pod" && found["spec"]["serviceAccountName"] != account {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
            )));
        }
        let uid = text(wanted, "/uid");
        if !uid.is_empty() && uid != object::uid(&found) {
            let message = format!(
                "Operation cannot be fulfilled on {kind} {name:?}: the UID in the bound object reference ({uid}) does not \
                 match the UID in record. The object might have been deleted and then recreated"
            );
            return Err(Status::new(409, "Conflict", message).with_details(details(name, "", kind)));
        }
        Ok(Some((kind.to_lowercase(), json!({"name": name, "uid": object::uid(&found)}))))
    }

    /// Who holds a token that is for one of these audiences, and for which of them it is.
    ///
    /// # Errors
    /// Why the token is good for nothing, in the real server's words.
    pub(crate) fn holder(&self, token: &str, audiences: &[String]) -> Result<(User, Vec<String>), String> {
        let claims = self.signer().read(token)?;
        if lasting_token::is_lasting(&claims) {
            return self.lasting_holder(token, &claims, audiences);
        }
        let own: Vec<&str> = items(&claims, "/aud").iter().filter_map(Value::as_str).collect();
        let common: Vec<String> =
            audiences.iter().filter(|audience| own.contains(&audience.as_str())).cloned().collect();
        if common.is_empty() {
            let why = format!("token audiences {own:?} is invalid for the target audiences {audiences:?}");
            return Err(refused(&why));
        }
        if claims["exp"].as_i64().is_none_or(|end| end <= self.clock().now().as_second()) {
            return Err(refused("service account token has expired"));
        }
        let about = &claims["kubernetes.io"];
        let namespace = text(about, "/namespace");
        let account = &about["serviceaccount"];
        let name = text(account, "/name");
        let uid_there = |plural: &str, namespace: &str, name: &str| {
            let resource = self.resource("", plural)?;
            let found = self.store().get(&resource, namespace, name)?;
            Some(object::uid(&found.value()).to_owned())
        };
        let Some(uid) = uid_there("serviceaccounts", namespace, name) else {
            return Err(refused(&format!("serviceaccounts {name:?} not found")));
        };
        let mut user = User::account(namespace, name, text(account, "/uid"));
        let mut tell = |key: &str, value: &str| {
            user.extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
        };
        tell("credential-id", &format!("JTI={}", text(&claims, "/jti")));
        let mut valid = account["uid"] == uid.as_str();
        for (kind, plural) in BOUND {
            let claim = kind.to_lowercase();
            let bound = &about[&claim];
            if bound.is_null() {
                continue;
            }
            let home = if kind == "Node" { "" } else { namespace };
            let (name, uid) = (text(bound, "/name"), text(bound, "/uid"));
            valid &= uid_there(plural, home, name).is_some_and(|there| there == uid);
            if kind != "Secret" {
                tell(&format!("{claim}-name"), name);
                tell(&format!("{claim}-uid"), uid);
            }
        }
        if valid { Ok((user, common)) } else { Err(refused("service account token has been invalidated")) }
    }
}

/// A `TokenRequest` is no resource of its own.
fn request_kind() -> Resource {
    Resource::new(Definition {
        group: "authentication.k8s.io".into(),
        version: "v1".into(),
        kind: "TokenRequest".into(),
        ..Definition::default()
    })
}

/// What cannot be asked for.
fn check(asked: &Value, account: &str) -> Result<(), Status> {
    let refuse =
        |name: &str, cause: Cause| Err(Status::invalid_kind("authentication.k8s.io", "TokenRequest", name, &[cause]));
    let given = text(asked, "/metadata/name");
    if !given.is_empty() && given != account {
        let why = "must match the service account name if specified";
        return refuse(account, Cause::invalid("metadata.name", &given.into(), why));
    }
    let seconds = &asked["spec"]["expirationSeconds"];
    let (_, least, most) = LIFETIME;
    let why = match seconds.as_i64() {
        Some(seconds) if seconds < least => "may not specify a duration less than 10 minutes",
        Some(seconds) if seconds > most => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    refuse("", Cause::invalid("spec.expirationSeconds", seconds, why))
}
