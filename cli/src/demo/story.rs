//! A story: what was there, what breaks when, and what must come of it. The format is told in `stories/README.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;
use tinykube::kubelet::{Script, Span};

use super::expectation::Expectations;
use crate::{
    failure::Failure,
    target::{self, Target},
    yaml,
};

/// A story as it stands in its file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Story {
    /// Where it stands.
    #[serde(skip)]
    pub(crate) path: PathBuf,
    /// One line.
    pub(crate) title: String,
    /// What went wrong once.
    pub(crate) post_mortem: String,
    /// What is there before anything breaks.
    pub(crate) manifests: Vec<Spanned<Value>>,
    /// What breaks when.
    pub(crate) breaks: Vec<Spanned<Break>>,
    /// How long it is told.
    pub(crate) until: Span,
    /// The workload whose outage counts.
    pub(crate) watch: Spanned<Target>,
    /// The restart-only monitor that kubeheal is compared with, if it is.
    pub(crate) monitor: Option<Monitor>,
    /// What must come of it.
    pub(crate) expect: Expectations,
}

/// When something breaks, and how.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Break {
    /// Since the beginning of the story.
    pub(crate) at: Span,
    /// A sentence for people, unless the one before says it all.
    pub(crate) what: Option<String>,
    delete: Option<Target>,
    scale: Option<Scale>,
    apply: Option<Vec<Value>>,
    patch: Option<Patch>,
    script: Option<Act>,
    script_pods: Option<Act>,
    node: Option<NodeState>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    target: Target,
    replicas: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    target: Target,
    merge: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    target: Target,
    /// `null` makes it behave again.
    act: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NodeState {
    Down,
    Up,
    Rebooted,
}

/// How something breaks.
#[derive(Debug, Clone)]
pub(crate) enum Breakage {
    /// An object is removed.
    Delete(Target),
    /// An object is created, or changed to look like this.
    Apply(Vec<Value>),
    /// An object is changed (JSON merge patch).
    Patch(Target, Value),
    /// The running pods of a workload are changed; pods that replace them are not.
    PatchPods(Target, Value),
}

/// The restart-only monitor.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Monitor {
    /// How often it looks.
    pub(crate) every: Span,
    /// When it is switched on.
    pub(crate) from: Span,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { every: Span::seconds(300), from: Span::ZERO }
    }
}

impl Story {
    /// Reads a story and checks all that can be checked without telling it. A problem names the line.
    pub(crate) fn read(path: &Path, text: &str) -> Result<Self, Failure> {
        let mut story: Self = yaml::read(path, text)?;
        path.clone_into(&mut story.path);
        let wrong = |line: u64, problem: String| yaml::at(path, Some(line), problem);
        for manifest in &story.manifests {
            check_manifest(&manifest.value).map_err(|problem| wrong(manifest.referenced.line(), problem))?;
        }
        for one in &story.breaks {
            let line = one.referenced.line();
            one.value.breakage().map_err(|problem| wrong(line, problem))?;
            if one.value.at > story.until {
                return Err(wrong(
                    line,
                    format!("breaks at {}, after the story ends at {}", one.value.at, story.until),
                ));
            }
        }
        let watch = &story.watch;
        if !watch.value.is_workload() {
            let problem = format!("watch names {}: name one of {}", watch.value, target::WORKLOADS.join(", "));
            return Err(wrong(watch.referenced.line(), problem));
        }
        if story.until == Span::NEVER || story.monitor.is_some_and(|monitor| monitor.every == Span::ZERO) {
            return Err(yaml::at(path, None, "until must end, and monitor.every must be more than 0s"));
        }
        story
            .expect
            .check(&story.services(), story.monitor.is_some())
            .map_err(|(line, problem)| wrong(line, problem))?;
        Ok(story)
    }

    /// Its name: that of its file.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The first moment at which anything breaks.
    pub(crate) fn first_break(&self) -> Span {
        self.breaks.iter().map(|one| one.value.at).min().unwrap_or_default()
    }

    /// What breaks, in the order of time.
    pub(crate) fn in_order(&self) -> Vec<&Spanned<Break>> {
        let mut all: Vec<_> = self.breaks.iter().collect();
        all.sort_by_key(|one| one.value.at);
        all
    }

    /// The services of the story, as namespace/name.
    fn services(&self) -> BTreeSet<String> {
        let later = self.breaks.iter().filter_map(|one| one.value.apply.as_ref()).flatten();
        let all = self.manifests.iter().map(|manifest| &manifest.value).chain(later);
        let services = all.filter(|object| object["kind"] == "HealedService");
        services
            .map(|object| {
                format!("{}/{}", namespace_of(object), object["metadata"]["name"].as_str().unwrap_or_default())
            })
            .collect()
    }

    /// The workloads of the story, which the monitor looks after.
    pub(crate) fn workloads(&self) -> Vec<Target> {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        let target = |object: &Value| {
            let kind = object["kind"].as_str().filter(|kind| kinds.contains(kind))?;
            let name = object["metadata"]["name"].as_str()?;
            Target::of(kind, Some(namespace_of(object).to_owned()), name.to_owned())
        };
        self.manifests.iter().filter_map(|manifest| target(&manifest.value)).collect()
    }
}

impl Break {
    /// How it breaks, or why that cannot be understood.
    pub(crate) fn breakage(&self) -> Result<Breakage, String> {
        let mut found = Vec::new();
        if let Some(target) = &self.delete {
            found.push(Breakage::Delete(target.clone()));
        }
        if let Some(Scale { target, replicas }) = &self.scale {
            found.push(Breakage::Patch(target.clone(), serde_json::json!({"spec": {"replicas": replicas}})));
        }
        if let Some(objects) = &self.apply {
            objects.iter().try_for_each(check_manifest)?;
            found.push(Breakage::Apply(objects.clone()));
        }
        if let Some(Patch { target, merge }) = &self.patch {
            found.push(Breakage::Patch(target.clone(), merge.clone()));
        }
        if let Some(Act { target, act }) = &self.script {
            found.push(Breakage::Patch(target.clone(), script(act.as_ref())?));
        }
        if let Some(Act { target, act }) = &self.script_pods {
            found.push(Breakage::PatchPods(target.clone(), script(act.as_ref())?));
        }
        if let Some(state) = self.node {
            let node = Target::of("Node", None, NODE.to_owned()).ok_or("there is no node")?;
            let lost = (state == NodeState::Down).then_some("true");
            let mut annotations = BTreeMap::from([(LOST, lost.map(str::to_owned))]);
            if state == NodeState::Rebooted {
                annotations.insert(BOOT, Some(self.at.to_string()));
            }
            found.push(Breakage::Patch(node, serde_json::json!({"metadata": {"annotations": annotations}})));
        }
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err("say one thing that breaks: delete, scale, apply, patch, script, scriptPods or node".to_owned()),
        }
    }
}

/// The one node of tinykube, and the annotations that take it away and reboot it.
const NODE: &str = "n1";
const LOST: &str = "tinykube.dev/lost";
const BOOT: &str = "tinykube.dev/boot";

/// A merge patch that writes a script, or takes it away.
fn script(act: Option<&Value>) -> Result<Value, String> {
    let text = match act {
        None => None,
        Some(Value::String(word)) => Some(word.clone()),
        Some(map) => Some(map.to_string()),
    };
    if let Some(text) = &text {
        Script::parse(text).map_err(|problem| format!("act: {problem}"))?;
    }
    let annotations = BTreeMap::from([(tinykube::kubelet::SCRIPT_ANNOTATION, text)]);
    Ok(serde_json::json!({"metadata": {"annotations": annotations}}))
}

/// The namespace of an object.
pub(crate) fn namespace_of(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or("default")
}

fn check_manifest(object: &Value) -> Result<(), String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(api_version), Some(kind), Some(name)) = (text("/apiVersion"), text("/kind"), text("/metadata/name"))
    else {
        return Err("a manifest needs apiVersion, kind and metadata.name".to_owned());
    };
    if !target::is_known(api_version, kind) {
        return Err(format!("{name} is a {kind} of {api_version}: write one of {}", target::known()));
    }
    for annotations in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
        let script = object.pointer(annotations).and_then(|all| all.get(tinykube::kubelet::SCRIPT_ANNOTATION));
        if let Some(script) = script.and_then(Value::as_str) {
            Script::parse(script).map_err(|problem| format!("script of {name}: {problem}"))?;
        }
    }
    if api_version == kubeheal::api::API_VERSION {
        kubeheal::api::lint(&object.to_string()).map_err(|problems| {
            let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!("{name}: {}", all.join("; "))
        })?;
    }
    Ok(())
}
