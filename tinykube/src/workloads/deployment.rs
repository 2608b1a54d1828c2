//! Deployment: one ReplicaSet per pod template, the newest one scaled up while the others are scaled down.

use std::sync::Arc;

use serde_json::{Value, json};

use super::context::{Context, owner_reference};
use super::deployment_sets::Sets;
use super::replicaset::{adopt, replicas};
use super::rollout::{self, Budget};
use super::view::Key;
use super::{Turn, selector, template};
use crate::api::{Options, Part, Status};
use crate::kubelet::Note;
use crate::object;
use crate::resource::ObjectRef;

pub(crate) const COMPONENT: &str = "deployment-controller";
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

/// One turn for one Deployment.
pub(crate) fn reconcile(context: &mut Context, key: &Key) -> Turn {
    let Some(deployment) = context.view.get_key(key) else { return Ok(None) };
    let mut sets = claim(context, &deployment)?;
    if object::is_terminating(&deployment) {
        return rollout::write_status(context, &deployment, &sets);
    }
    let paused = deployment["spec"]["paused"] == true;
    if paused {
        scale_in_proportion(context, &deployment, &sets)?;
    } else if is_scaling(&deployment, &sets) {
        note_revision(context, &deployment, &mut sets)?;
        scale_in_proportion(context, &deployment, &sets)?;
    } else if deployment["spec"]["strategy"]["type"] == "Recreate" {
        recreate(context, &deployment, &mut sets)?;
    } else {
        roll(context, &deployment, &mut sets)?;
    }
    if !paused {
        clean_up(context, &deployment, &sets)?;
    }
    rollout::write_status(context, &deployment, &sets)
}

/// The ReplicaSets that are its own, among them orphans its selector selects, which become its own.
fn claim(context: &Context, deployment: &Value) -> Result<Sets, Status> {
    let kinds = &context.kinds;
    let mut all = context.view.controlled_by(object::uid(deployment), &kinds.replica_sets);
    if !object::is_terminating(deployment) {
        for set in context.view.orphans(&kinds.replica_sets, object::namespace(deployment)) {
            let fits = selector::selects(&deployment["spec"]["selector"], &set["metadata"]["labels"]);
            if fits && !object::is_terminating(&set) {
                let owner = owner_reference(&kinds.deployments, deployment);
                all.push(context.change(&kinds.replica_sets, &set, |set| adopt(set, owner))?);
            }
        }
    }
    all.sort_by_cached_key(|set| {
        (object::text(set, "/metadata/creationTimestamp").to_owned(), revision(set), object::name(set).to_owned())
    });
    let template = &deployment["spec"]["template"];
    let newest = all.iter().position(|set| template::same(&set["spec"]["template"], template));
    let new = newest.map(|index| all.remove(index));
    Ok(Sets { new, old: all })
}

/// Whether somebody changed how many replicas are wanted since the sets were last scaled.
fn is_scaling(deployment: &Value, sets: &Sets) -> bool {
    let wanted = replicas(deployment).to_string();
    let mut active = sets.all().filter(|set| replicas(set) > 0);
    active.any(|set| object::annotation(set, DESIRED).is_some_and(|desired| desired != wanted))
}

fn roll(context: &mut Context, deployment: &Arc<Value>, sets: &mut Sets) -> Result<(), Status> {
    ensure_new(context, deployment, sets, false)?;
    let Some(new) = sets.new.clone() else { return Ok(()) };
    let budget = Budget::of(deployment);
    let wanted = replicas(deployment);
    let total: i64 = sets.all().map(|set| replicas(set)).sum();
    let up = rollout::new_replicas(&new, wanted, total, &budget);
    if up != replicas(&new) {
        return scale(context, deployment, &new, up);
    }
    scale_down_old(context, deployment, sets, &budget)
}

/// Takes away from the old sets what is more than the budget needs: first what is not available anyway.
fn scale_down_old(context: &mut Context, deployment: &Arc<Value>, sets: &Sets, budget: &Budget) -> Result<(), Status> {
    let Some(new) = &sets.new else { return Ok(()) };
    let wanted = replicas(deployment);
    let least = wanted - budget.max_unavailable;
    // A set that was just scaled down still counts pods that are going.
    let available = |set: &Value| set["status"]["availableReplicas"].as_i64().unwrap_or(0).min(replicas(set));
    let total: i64 = sets.all().map(|set| replicas(set)).sum();
    let new_unavailable = replicas(new) - available(new);
    let mut spare = total - least - new_unavailable;
    if spare <= 0 {
        return Ok(());
    }
    let mut targets: Vec<i64> = sets.old.iter().map(|set| replicas(set)).collect();
    for (set, target) in sets.old.iter().zip(&mut targets) {
        let broken = (*target - available(set)).clamp(0, spare.max(0));
        *target -= broken;
        spare -= broken;
    }
    let mut can_go = (sets.all().map(|set| available(set)).sum::<i64>() - least).max(0);
    for (set, target) in sets.old.iter().zip(&mut targets) {
        let healthy = (*target).min(available(set)).min(can_go).max(0);
        *target -= healthy;
        can_go -= healthy;
    }
    for (set, target) in sets.old.iter().zip(targets) {
        if target != replicas(set) {
            scale(context, deployment, set, target)?;
        }
    }
    Ok(())
}

/// All old pods first, then the new ones.
fn recreate(context: &mut Context, deployment: &Arc<Value>, sets: &mut Sets) -> Result<(), Status> {
    let old: Vec<Arc<Value>> = sets.old.iter().filter(|set| replicas(set) > 0).cloned().collect();
    for set in &old {
        scale(context, deployment, set, 0)?;
    }
    let pods_left = sets.old.iter().any(|set| {
        let pods = context.view.controlled_by(object::uid(set), &context.kinds.pods);
        pods.iter().any(|pod| !super::pods::is_over(pod))
    });
    if !old.is_empty() || pods_left {
        return note_revision(context, deployment, sets);
    }
    ensure_new(context, deployment, sets, true)?;
    let Some(new) = sets.new.clone() else { return Ok(()) };
    let wanted = replicas(deployment);
    if replicas(&new) == wanted { Ok(()) } else { scale(context, deployment, &new, wanted) }
}

/// Makes the set of the current template, or brings its revision up to date.
fn ensure_new(
    context: &mut Context,
    deployment: &Arc<Value>,
    sets: &mut Sets,
    all_at_once: bool,
) -> Result<(), Status> {
    if sets.new.is_some() {
        return note_revision(context, deployment, sets);
    }
    let wanted = replicas(deployment);
    let others: i64 = sets.old.iter().map(|set| replicas(set)).sum();
    let budget = Budget::of(deployment);
    let count = if all_at_once { wanted } else { budget.new_replicas(0, wanted, others) };
    let number = next_revision(sets);
    let kinds = context.kinds.clone();
    let set = replica_set(context, deployment, count, number, &budget);
    let created = context.create(&kinds.replica_sets, object::namespace(deployment), set)?;
    write_revision(context, deployment, number)?;
    rollout::note_progress(context, deployment, "NewReplicaSetCreated", &created)?;
    if count > 0 {
        tell_scaled(context, deployment, &created, 0, count);
    }
    sets.new = Some(created);
    Ok(())
}

fn replica_set(context: &Context, deployment: &Value, count: i64, number: i64, budget: &Budget) -> Value {
    let template = &deployment["spec"]["template"];
    let collisions = deployment["status"]["collisionCount"].as_i64().unwrap_or(0);
    let hash = template::hash(template, collisions);
    let mut template = template.clone();
    template["metadata"]["labels"][HASH] = hash.clone().into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.clone().into();
    let mut annotations = object::map(&mut deployment["metadata"]["annotations"].clone()).clone();
    annotations.retain(|key, _| {
        !key.starts_with("deployment.kubernetes.io/")
            && key != "kubectl.kubernetes.io/last-applied-configuration"
            && key != crate::kubelet::SCRIPT_ANNOTATION
    });
    let wanted = replicas(deployment);
    annotations.insert(DESIRED.into(), wanted.to_string().into());
    annotations.insert(MAX.into(), (wanted + budget.max_surge).to_string().into());
    annotations.insert(REVISION.into(), number.to_string().into());
    let mut set = json!({
        "metadata": {
            "name": format!("{}-{hash}", object::name(deployment)),
            "namespace": object::namespace(deployment),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [owner_reference(&context.kinds.deployments, deployment)],
        },
        "spec": {"replicas": count, "selector": selector, "template": template},
    });
    if let Some(seconds) = deployment["spec"]["minReadySeconds"].as_i64().filter(|seconds| *seconds > 0) {
        set["spec"]["minReadySeconds"] = seconds.into();
    }
    set
}

/// The newest set carries the highest revision, also after a rollback.
fn note_revision(context: &mut Context, deployment: &Arc<Value>, sets: &mut Sets) -> Result<(), Status> {
    let Some(new) = sets.new.clone() else { return Ok(()) };
    let highest_old = sets.old.iter().map(|set| revision(set)).max().unwrap_or(0);
    let number = revision(&new).max(highest_old + 1);
    let budget = Budget::of(deployment);
    let wanted = replicas(deployment);
    let annotations =
        [(REVISION, number.to_string()), (DESIRED, wanted.to_string()), (MAX, (wanted + budget.max_surge).to_string())];
    let revision_only = replicas(&new) != 0 && object::annotation(&new, DESIRED) != Some(&wanted.to_string());
    let stale = |(key, value): &(&str, String)| object::annotation(&new, key) != Some(value.as_str());
    let due: Vec<_> = annotations.iter().take(if revision_only { 1 } else { 3 }).filter(|entry| stale(entry)).collect();
    if !due.is_empty() {
        let resource = context.kinds.replica_sets.clone();
        let changed = context.change(&resource, &new, |set| {
            for (key, value) in due {
                set["metadata"]["annotations"][*key] = value.clone().into();
            }
        })?;
        sets.new = Some(changed);
    }
    write_revision(context, deployment, number)
}

fn write_revision(context: &Context, deployment: &Value, number: i64) -> Result<(), Status> {
    let text = number.to_string();
    if object::annotation(deployment, REVISION) == Some(&text) {
        return Ok(());
    }
    let target = ObjectRef::of(&context.kinds.deployments, deployment);
    let written = context.api.modify(target, Part::Main, &Options::default(), |stored| {
        stored["metadata"]["annotations"][REVISION] = text.into();
    });
    written.map(|_| ())
}

/// Shares a changed number of replicas among the sets by their size, so that a rollout in progress keeps its balance.
fn scale_in_proportion(context: &mut Context, deployment: &Arc<Value>, sets: &Sets) -> Result<(), Status> {
    let wanted = replicas(deployment);
    let active: Vec<&Arc<Value>> = sets.all().filter(|set| replicas(set) > 0).collect();
    let saturated = sets.new.as_ref().is_some_and(|new| rollout::is_saturated(deployment, new));
    let single = match (active.as_slice(), &sets.new) {
        ([only], _) => Some((*only).clone()),
        ([], Some(new)) => Some(new.clone()),
        (_, Some(new)) if saturated => Some(new.clone()),
        _ => None,
    };
    if let Some(single) = single {
        if saturated {
            for old in sets.old.iter().filter(|set| replicas(set) > 0) {
                scale(context, deployment, old, 0)?;
            }
        }
        return scale(context, deployment, &single, wanted);
    }
    let total: i64 = active.iter().map(|set| replicas(set)).sum();
    let surge = Budget::of(deployment).max_surge;
    let mut left = if wanted > 0 { wanted + surge - total } else { -total };
    let goal = wanted + surge;
    let mut by_size: Vec<Arc<Value>> = active.into_iter().cloned().collect();
    by_size.sort_by_key(|set| std::cmp::Reverse(replicas(set)));
    for (index, set) in by_size.iter().enumerate() {
        let size = replicas(set);
        let fair = if wanted == 0 { 0 } else { (size * goal + total / 2) / total.max(1) };
        let change = if index + 1 == by_size.len() { left } else { clamp_towards(fair - size, left) };
        left -= change;
        scale(context, deployment, set, (size + change).max(0))?;
    }
    Ok(())
}

/// No more than is left, and never against its direction.
fn clamp_towards(change: i64, left: i64) -> i64 {
    if left >= 0 { change.clamp(0, left) } else { change.clamp(left, 0) }
}

/// Sets the replicas of one set, with what the Deployment wants noted on it.
fn scale(context: &mut Context, deployment: &Arc<Value>, set: &Arc<Value>, count: i64) -> Result<(), Status> {
    let wanted = replicas(deployment);
    let most = (wanted + Budget::of(deployment).max_surge).to_string();
    let noted =
        object::annotation(set, DESIRED) == Some(&wanted.to_string()) && object::annotation(set, MAX) == Some(&most);
    let before = replicas(set);
    if before == count && noted {
        return Ok(());
    }
    let resource = context.kinds.replica_sets.clone();
    let changed = context.change(&resource, set, |set| {
        set["spec"]["replicas"] = count.into();
        set["metadata"]["annotations"][DESIRED] = wanted.to_string().into();
        set["metadata"]["annotations"][MAX] = most.into();
    })?;
    if before != count {
        tell_scaled(context, deployment, &changed, before, count);
    }
    Ok(())
}

fn tell_scaled(context: &mut Context, deployment: &Arc<Value>, set: &Value, from: i64, to: i64) {
    let direction = if to > from { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {from} to {to}", object::name(set));
    let resource = context.kinds.deployments.clone();
    context.tell(COMPONENT, &resource, deployment, &Note::normal("ScalingReplicaSet", message));
}

/// Deletes old sets beyond the revision history limit.
fn clean_up(context: &Context, deployment: &Value, sets: &Sets) -> Result<(), Status> {
    if !rollout::is_complete(deployment) {
        return Ok(());
    }
    let limit = deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
    let empty = |set: &&Arc<Value>| {
        replicas(set) == 0 && set["status"]["replicas"].as_i64().unwrap_or(0) == 0 && !object::is_terminating(set)
    };
    let mut unused: Vec<&Arc<Value>> = sets.old.iter().filter(empty).collect();
    unused.sort_by_key(|set| revision(set));
    let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    for set in unused.into_iter().take(surplus) {
        let key = Key::of(&context.kinds.replica_sets, object::namespace(set), object::name(set));
        context.delete(&key, set)?;
    }
    Ok(())
}

fn next_revision(sets: &Sets) -> i64 {
    sets.old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1
}

fn revision(set: &Value) -> i64 {
    object::annotation(set, REVISION).and_then(|number| number.parse().ok()).unwrap_or(0)
}
