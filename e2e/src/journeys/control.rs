//! The controller itself: its leader dies, and it is taken away.

use std::time::Duration;

use kube::api::DeleteParams;
use kubeheal::{api::status::HealthState, ops::leader::LEASE_NAME};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    failure::{Failure, Result, expect},
    hands::{Hands, name, uid},
    stage::{Healer, Stage, identity, is, steps, verified},
    workload::Act,
};

/// The pod that stops the leader's process.
const FREEZER: &str = "freeze-leader";
/// What it says when it has.
const FROZEN: &str = "frozen";
/// For its image to be pulled, too.
const FREEZING: Duration = Duration::from_secs(60);

pub(super) async fn failover(stage: &Stage) -> Result<()> {
    let home = Hands::new(stage.theatre.client.clone(), stage.lease_namespace());
    stage.well("app", 2, None, json!({})).await?;
    let lease = home.until("Lease", LEASE_NAME, "held", |lease| !holder(lease).is_empty()).await?;
    let leader = holder(lease.as_ref()).to_owned();
    let pods = stage.hands.pods("app").await?;
    let sick = pods.first().ok_or_else(|| Failure::new("app has no pods"))?;
    stage.act(sick, Act::NotReady).await?;
    let warm = standbys(stage, &home, &leader).await?;
    let how = kill(stage, &home, &leader).await?;
    stage.note(how.as_str());
    stage.broke();
    let taken = |lease: Option<&Value>| !holder(lease).is_empty() && holder(lease) != leader;
    let lease = home.until("Lease", LEASE_NAME, "taken over", taken).await?;
    let next = holder(lease.as_ref());
    // Who was asked to end may have given the lease back, and then it is anybody's.
    expect(how == Killed::Asked || warm.is_empty() || warm.iter().any(|name| name == next), || {
        format!("{next} leads, and none of those that stood by: {}", warm.join(", "))
    })?;
    stage.saw();
    stage.until("app", "acted on", |status| !steps(status).is_empty()).await?;
    stage.did();
    stage.until("app", "cured by the restart", verified("RestartPod")).await?;
    let well = stage.until("app", "healthy again", is(HealthState::Healthy)).await?;
    stage.healed();
    expect(steps(&well) == ["RestartPod"], || format!("one restart was enough: {:?}", well.history))
}

fn holder(lease: Option<&Value>) -> &str {
    lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or_default()
}

/// Who could lead at once.
async fn standbys(stage: &Stage, home: &Hands, leader: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = match stage.theatre.healer {
        Healer::Local => {
            let started = stage.controllers.lock().await.len();
            (0..).take(started).map(identity).collect()
        }
        Healer::InCluster => {
            let pods = home.list("Pod", "").await?;
            let owner = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"].clone();
            let of_leader = pods.iter().find(|pod| name(pod) == leader).map(owner).filter(|owner| !owner.is_null());
            let ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
            let beside = |pod: &&Value| Some(owner(pod)) == of_leader && ready(pod);
            pods.iter().filter(beside).map(|pod| name(pod).to_owned()).collect()
        }
    };
    names.retain(|name| name != leader);
    Ok(names)
}

/// How the leader was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// By SIGKILL.
    AtOnce,
    /// Its process was stopped, and it was removed: to the others that is a kill.
    Frozen,
    /// By SIGTERM, because no pod may reach its process: it had two seconds to give the lease back.
    Asked,
}

impl Killed {
    fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "killed: SIGKILL",
            Self::Frozen => "killed: SIGSTOP, then removed",
            Self::Asked => "not killed: SIGTERM, the lease may have been given back",
        }
    }
}

/// Without a chance to give the lease back, where that can be had.
async fn kill(stage: &Stage, home: &Hands, leader: &str) -> Result<Killed> {
    match stage.theatre.healer {
        Healer::Local => {
            let mut controllers = stage.controllers.lock().await;
            let named = (0..).zip(controllers.iter_mut()).find(|(number, _)| identity(*number) == leader);
            let (_, leader) = named.ok_or_else(|| Failure::new(format!("the leader {leader} is none of ours")))?;
            leader.kill().await.map(|()| Killed::AtOnce)
        }
        Healer::InCluster => {
            // Deleting a pod with grace 0 is SIGTERM and two seconds on a real node, and a container that is killed from
            // outside is started again under the same name. One that is stopped does neither.
            let is_frozen = freeze(stage, home, leader).await;
            let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            let killed = home.api("Pod").delete(leader, &at_once).await;
            killed.map_err(|error| Failure::api(format!("kill the leader {leader}"), &error))?;
            Ok(if is_frozen { Killed::Frozen } else { Killed::Asked })
        }
    }
}

/// Stops the leader's process from a pod on its node that sees all processes there. Whether that went well: not every cluster
/// lets anybody do so, and not every node runs programs.
async fn freeze(stage: &Stage, home: &Hands, leader: &str) -> bool {
    let Ok(Some(pod)) = home.get("Pod", leader).await else { return false };
    let freezer = freezer(&stage.theatre.image, leader, &pod["spec"]["nodeName"]);
    if stage.hands.create(freezer).await.is_err() {
        return false;
    }
    let end = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["terminated"].clone();
    let ended = |found: Option<&Value>| found.is_none_or(|pod| end(pod).is_object());
    let waited = timeout(FREEZING, stage.hands.until("Pod", FREEZER, "ended", ended)).await;
    matches!(waited, Ok(Ok(Some(pod))) if end(&pod)["message"] == FROZEN)
}

fn freezer(image: &str, leader: &str, node: &Value) -> Value {
    let script = format!(
        "for process in /proc/[0-9]*; do \
         if [ \"$(cat $process/comm)\" = kubeheal ] && tr '\\0' '\\n' < $process/environ | grep -qx POD_NAME={leader}; \
         then kill -STOP ${{process#/proc/}} && printf {FROZEN} > /dev/termination-log && exit 0; fi; done; exit 1"
    );
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": FREEZER},
        "spec": {
            "nodeName": node, "hostPID": true, "restartPolicy": "Never", "tolerations": [{"operator": "Exists"}],
            "containers": [{
                "name": "freezer", "image": image, "command": ["sh", "-c", script],
                "securityContext": {"privileged": true, "runAsUser": 0},
            }],
        },
    })
}

pub(super) async fn uninstall(stage: &Stage) -> Result<()> {
    stage.well("app", 2, None, json!({})).await?;
    let before = stage.hands.expect("Deployment", "app").await?;
    let pods = stage.hands.pods("app").await?;
    let revisions = stage.hands.list("ControllerRevision", "").await?;
    expect(!revisions.is_empty(), || "the last known good definition is kept nowhere".to_owned())?;

    // The harder order: nobody is there any more who could let go of anything.
    stage.stop_controllers().await?;
    stage.hands.delete("HealedService", "app").await?;
    stage.broke();
    stage.hands.until("HealedService", "app", "gone", |found| found.is_none()).await?;
    for revision in &revisions {
        stage.hands.until("ControllerRevision", name(revision), "gone", |found| found.is_none()).await?;
    }
    stage.healed();
    let after = stage.hands.expect("Deployment", "app").await?;
    for part in ["/metadata/uid", "/metadata/generation", "/metadata/annotations", "/metadata/finalizers", "/spec"] {
        expect(before.pointer(part) == after.pointer(part), || {
            format!("{part} of the Deployment was {:?} and is {:?}", before.pointer(part), after.pointer(part))
        })?;
    }
    let left = stage.hands.pods("app").await?;
    expect(left.len() == pods.len() && pods.iter().all(|pod| left.iter().any(|one| uid(one) == uid(pod))), || {
        "a pod was replaced".to_owned()
    })
}
