//! Taking the Lease of a workload before acting on it.
//!
//! Holder is the UID of the `HealedService`, which also owns the Lease, so that it goes with it. It runs out when the action
//! must have proved itself; nobody gives it back before.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use crate::cluster::execute::{Executor, namespace};
use crate::{
    api::HealedService,
    base::{digest, error_text::error_text, target_of, written_by_us},
    cluster::decode::Lenient,
};
use kubeheal_core::model::{
    moment::{after, clamp},
    snapshot::WorkloadLease,
};

/// Longest name of an object.
const MAX_NAME: usize = 253;
/// No Lease is believed for longer: none of ours lasts longer, and a nonsensical one must not hold for ever.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

impl Executor {
    /// Takes the Lease of the service's workload until `until`, or says who has it.
    pub async fn take_lease(&self, service: &HealedService, until: Timestamp, now: Timestamp) -> WorkloadLease {
        let lease = name_of(service);
        match self.take(service, &lease, until, now).await {
            Ok(taken) => taken,
            Err(error) => WorkloadLease::Unknown { lease, why: error_text(&error) },
        }
    }

    async fn take(
        &self,
        service: &HealedService,
        name: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<WorkloadLease, kube::Error> {
        let leases: Api<Lenient<Lease>> = Api::namespaced(self.client.clone(), &namespace(service));
        let params = written_by_us();
        let Some(Lenient(known)) = leases.get_opt(name).await? else {
            let meta = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
            let new = ours(service, Lease { metadata: meta, spec: None }, until, now);
            leases.create(&params, &Lenient(new)).await?;
            return Ok(WorkloadLease::Ours);
        };
        let spec = known.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        let expires = expiry(&spec, now);
        match holder {
            Some(holder) if service.uid().as_ref() != Some(&holder) && now < expires => {
                Ok(WorkloadLease::Held { lease: name.to_owned(), by: owner(&known).unwrap_or(holder), until: expires })
            }
            Some(_) | None => {
                // The resourceVersion that was read makes this fail if anybody else took it meanwhile.
                leases.replace(name, &params, &Lenient(ours(service, known, until, now))).await?;
                Ok(WorkloadLease::Ours)
            }
        }
    }
}

/// Named by kind and name, so that whoever acts on the workload finds the same one.
fn name_of(service: &HealedService) -> String {
    let (kind, (_, workload)) = target_of(service);
    let name = format!("kubeheal-{}-{workload}", kind.as_str().to_lowercase());
    if name.len() <= MAX_NAME {
        return name;
    }
    let short: String = name.chars().take(MAX_NAME - 17).collect();
    format!("{short}-{}", digest(&json!(workload)))
}

fn ours(service: &HealedService, mut lease: Lease, until: Timestamp, now: Timestamp) -> Lease {
    let spec = lease.spec.take().unwrap_or_default();
    let holder = service.uid();
    let renewed = spec.holder_identity.is_some() && spec.holder_identity == holder;
    let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(i32::from(!renewed));
    lease.metadata.owner_references = service.controller_owner_ref(&()).map(|owner| vec![owner]);
    lease.spec = Some(LeaseSpec {
        holder_identity: holder,
        lease_duration_seconds: i32::try_from(until.duration_since(now).as_secs().max(1)).ok(),
        acquire_time: if renewed { spec.acquire_time } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    });
    lease
}

fn expiry(spec: &LeaseSpec, now: Timestamp) -> Timestamp {
    let renewed = spec.renew_time.as_ref().map_or(Timestamp::MIN, |MicroTime(time)| clamp(*time, now));
    let length = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or(0)));
    after(renewed, length.min(LONGEST))
}

fn owner(lease: &Lease) -> Option<String> {
    let owners = lease.metadata.owner_references.iter().flatten();
    owners.map(|owner| format!("{} {}", owner.kind, owner.name)).next()
}
