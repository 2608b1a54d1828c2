//! What the containers of a pod do: the script format.
//!
//! A container of tinykube is no process. It does what a *script* says, and the kubelet reports it the way a real one
//! would. Without a script a container is healthy: its process starts within about a second of the pod being bound,
//! listens at once, passes every probe, runs for ever and exits at once with code 0 on SIGTERM. An init container
//! without a script exits with code 0 after one second (a native sidecar, `restartPolicy: Always`, runs for ever). In a
//! pod without any script that is to end (`restartPolicy` `Never` or `OnFailure`) a container does what its command says,
//! as far as `sleep`, `exit`, `true`, `false` and `echo` go, and ends.
//!
//! # Where the kubelet looks
//!
//! The annotation `tinykube.dev/script` ([`SCRIPT_ANNOTATION`]), YAML or JSON, on the first of these that carries it:
//!
//! 1. the Pod,
//! 2. the `ReplicaSet`, `StatefulSet`, `DaemonSet` or Job that controls the pod,
//! 3. the Deployment that controls that `ReplicaSet`.
//!
//! It is read from the *metadata* of the workload, not from the pod template, so writing it starts no rollout; of course
//! it may also stand in a template, then every pod carries it. A new or changed script is in force at once, also for
//! containers that run; an annotation removed makes them behave again. A script on a pod dies with the pod: the pod that
//! replaces it is well. A script on a workload holds for every pod of the workload, present and future. A script that
//! cannot be read changes nothing; the pod gets a Warning Event `InvalidScript` that says what is wrong.
//!
//! # The format
//!
//! A map from container name to behaviour. `"*"` stands for every container not named (regular containers and sidecars;
//! init containers only when named). A behaviour is a word (below) or a map with any of these fields:
//!
//! ```yaml
//! app:
//!   listensAfter: 20s           # from process start until it answers probes; before, they fail (connection refused)
//!   hangsAfter: 5m              # from then on the process is up, but every probe times out
//!   startup:   {...}            # outcomes of the startupProbe   \
//!   liveness:  {...}            # outcomes of the livenessProbe   } as below; without: passes
//!   readiness: {...}            # outcomes of the readinessProbe /
//!   exits: [...]                # when and how the process ends; without: it does not
//!   onTerm: {after: 5s, code: 0}   # time from SIGTERM to exit; `after: never` ignores it: killed (137) at grace end
//!   pull: {...}                 # the image
//!   configError: 'secret "x" not found'   # CreateContainerConfigError with this message
//!   startError: 'exec: "x": not found'    # the process cannot be started: RunContainerError, exit code 128
//!   preStopFails: true          # its `preStop` hook, if it has one, fails at once: Event FailedPreStopHook, then SIGTERM
//!   sandboxError: 'plugin type="x" failed (add): why'   # its pod gets no sandbox: Event FailedCreatePodSandBox at each try
//!   log: [...]                  # what it prints
//! ```
//!
//! **Durations** are strings: `500ms`, `90s`, `1m30s`, `2h`, `1d`, `never`.
//!
//! **Times** count from the start of the process, or from the moment the script came into force if that is later: a
//! script `exits: [{after: 10s}]` written to a pod that has been running for a week ends its process in ten seconds, and
//! each time it is started again ten seconds after that start. (`listensAfter` alone always counts from the start.)
//!
//! ## Probes: `startup`, `liveness`, `readiness`
//!
//! Say what the *process* answers; period, thresholds, initial delay and time-out are those of the pod spec, and a
//! container whose spec has no such probe is never asked.
//!
//! ```yaml
//! readiness:
//!   fails: [{from: 15s, until: 60s}, {from: 10m}]   # when it fails; `from` defaults to 0s, `until` to never
//!   flaps: {passes: 10s, fails: 10s, from: 0s}      # passes, then fails, and over again
//!   whileDown: Deployment/db                        # fails while that object is not up (see `Dependency`)
//!   timesOut: true                                  # its failures are time-outs
//!   message: 'HTTP probe failed with statuscode: 503'
//! ```
//!
//! It fails when any of the three says so. `fails: [{}]` fails always. The default message is what the real kubelet says
//! for the kind of probe.
//!
//! ## `exits`
//!
//! A list of rules; the one that is due first ends the process.
//!
//! ```yaml
//! exits:
//! - after: 3s                # default 1s
//!   code: 1                  # 0 to 255; default 1, or 137 with reason OOMKilled
//!   reason: OOMKilled        # default Completed for code 0, else Error
//!   message: 'no database'   # the termination message; default none (see `log`)
//!   log: 'ERROR no database' # printed just before the exit
//!   times: 3                 # only the first 3 times in this pod since the script is in force; default always
//!   whileDown: Deployment/db # only while that object is not up; `after` then counts from when it went down, if later
//! ```
//!
//! What happens next is up to the pod's `restartPolicy`, and the back-off is that of the real kubelet. If the container's
//! `terminationMessagePolicy` is `FallbackToLogsOnError`, an exit with a code other than 0 and without `message` carries
//! the tail of the log.
//!
//! ## `pull`
//!
//! ```yaml
//! pull:
//!   takes: 20s               # time a pull takes; default: the image is on the machine already
//!   fails: true              # ErrImagePull, ImagePullBackOff; default false
//!   times: 2                 # only the first 2 tries fail; default all
//!   message: 'unauthorized'  # why
//! ```
//!
//! An image whose name contains `does-not-exist` or `:broken` fails to pull without any script.
//!
//! ## `log`
//!
//! ```yaml
//! log:
//! - {at: 0s, text: 'listening on :8080'}   # once
//! - {at: 5s, every: 30s, text: 'tick'}     # again and again
//! ```
//!
//! ## Words
//!
//! Instead of a map, a behaviour, or the whole script (it then stands for every container), may be one word:
//!
//! | word | what the container does |
//! |---|---|
//! | `healthy` | the default |
//! | `crash` | exits with code 1 one second after each start |
//! | `crash-at-once` | the same within a moment, as most programs that cannot run do: it is hardly seen running |
//! | `oom` | is killed for memory (137, `OOMKilled`) five seconds after each start |
//! | `hang` | stops answering every probe at once, but runs |
//! | `not-ready` | fails its readiness probe only |
//! | `sick` | fails its liveness probe only |
//! | `never-starts` | never listens |
//! | `stubborn` | ignores SIGTERM |
//! | `bad-image` | its image cannot be pulled |
//! | `bad-config` | its configuration is missing (`CreateContainerConfigError`) |
//!
//! # Examples
//!
//! ```
//! use tinykube::kubelet::Script;
//!
//! // Crashes three times after two seconds each, then runs.
//! Script::parse("app: {exits: [{after: 2s, times: 3, log: 'ERROR cannot bind :8080'}]}")?;
//!
//! // Needs 90 s to come up; its sidecar is well.
//! Script::parse("app: {listensAfter: 90s}")?;
//!
//! // Falls over whenever the database is not up, and says why.
//! Script::parse("'*': {exits: [{after: 5s, whileDown: Deployment/db, log: 'could not connect to db:5432'}]}")?;
//!
//! // JSON, as `kubectl annotate deployment/web tinykube.dev/script='…'` would pass it.
//! Script::parse(r#"{"app": {"readiness": {"flaps": {"passes": "10s", "fails": "10s"}}}, "proxy": "crash"}"#)?;
//!
//! // One word for all containers.
//! Script::parse("crash")?;
//!
//! assert!(Script::parse("app: {listenAfter: 90s}").is_err(), "unknown fields are refused");
//! # Ok::<(), tinykube::kubelet::ScriptError>(())
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::dependency::Dependency;
use super::span::Span;

/// The annotation a script is read from.
pub const SCRIPT_ANNOTATION: &str = "tinykube.dev/script";

/// What the containers of a pod do, by container name or `"*"`. See the module for the format.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Script {
    /// Behaviour by container name; `"*"` for those not named.
    pub containers: BTreeMap<String, Behaviour>,
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Neither YAML nor JSON.
    #[error("the script is neither YAML nor JSON: {0}")]
    Syntax(String),
    /// No map of container names.
    #[error("a script is a map from container name (or \"*\") to behaviour, or one word of: {WORDS}")]
    Shape,
    /// A container's behaviour is not understood.
    #[error("container {container:?}: {problem}")]
    Behaviour {
        /// Container name or `"*"`.
        container: String,
        /// What is wrong with it.
        problem: String,
    },
}

const WORDS: &str =
    "healthy, crash, crash-at-once, oom, hang, not-ready, sick, never-starts, stubborn, bad-image, bad-config";

/// How long a program takes to find that it cannot run.
const AT_ONCE: Span = Span::millis(50);

/// What one container does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behaviour {
    /// From process start until it answers probes.
    pub listens_after: Span,
    /// From when on every probe times out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hangs_after: Option<Span>,
    /// Answers to the startup probe.
    pub startup: ProbePlan,
    /// Answers to the liveness probe.
    pub liveness: ProbePlan,
    /// Answers to the readiness probe.
    pub readiness: ProbePlan,
    /// When and how the process ends by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<Exit>,
    /// What it does on SIGTERM.
    pub on_term: OnTerm,
    /// How pulling its image goes.
    pub pull: Pull,
    /// `CreateContainerConfigError` with this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
    /// The process cannot be started, with this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_error: Option<String>,
    /// Its `preStop` hook fails.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pre_stop_fails: bool,
    /// The network of its pod cannot be set up, with this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_error: Option<String>,
    /// What it prints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}

/// What the process answers to one of its probes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProbePlan {
    /// Periods in which it fails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fails: Vec<Window>,
    /// Passes and fails in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flaps: Option<Flaps>,
    /// Fails while this object is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_down: Option<Dependency>,
    /// Its failures are time-outs.
    pub times_out: bool,
    /// What the probe says on failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A period of time: from `from` until, and without, `until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Window {
    /// Its beginning.
    pub from: Span,
    /// Its end.
    pub until: Span,
}

impl Default for Window {
    fn default() -> Window {
        Window { from: Span::ZERO, until: Span::NEVER }
    }
}

/// Passing and failing in turn, beginning with passing. A cycle of no length fails always.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flaps {
    /// How long it passes.
    pub passes: Span,
    /// How long it fails.
    pub fails: Span,
    /// When the first cycle begins.
    #[serde(default)]
    pub from: Span,
}

/// One way a process ends by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Exit {
    /// How long the process runs.
    pub after: Span,
    /// Exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// `state.terminated.reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Termination message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Printed just before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Only this many times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only while this object is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_down: Option<Dependency>,
}

impl Default for Exit {
    fn default() -> Exit {
        Exit {
            after: Span::seconds(1),
            code: None,
            reason: None,
            message: None,
            log: None,
            times: None,
            while_down: None,
        }
    }
}

impl Exit {
    /// The exit code, by default 1, or 137 for `OOMKilled`.
    pub fn exit_code(&self) -> u8 {
        let killed = self.reason.as_deref() == Some("OOMKilled");
        self.code.unwrap_or(if killed { 137 } else { 1 })
    }
}

/// What a process does on SIGTERM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OnTerm {
    /// From SIGTERM to its exit; `never` ignores the signal.
    pub after: Span,
    /// Exit code.
    pub code: u8,
}

/// How pulling an image goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pull {
    /// How long a pull takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Span>,
    /// Whether it fails.
    pub fails: bool,
    /// How many tries fail; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Why it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Something a process prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogLine {
    /// When, for the first time.
    pub at: Span,
    /// How often from then on; once if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// The line.
    pub text: String,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ScriptError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let value: Value =
            serde_saphyr::from_str(text).map_err(|problem| ScriptError::Syntax(first_line(&problem.to_string())))?;
        Script::from_value(value)
    }

    fn from_value(value: Value) -> Result<Script, ScriptError> {
        match value {
            Value::Object(containers) => {
                let containers = containers.into_iter().map(|(name, value)| {
                    let behaviour = Behaviour::from_value(value);
                    match behaviour {
                        Ok(behaviour) => Ok((name, behaviour)),
                        Err(problem) => Err(ScriptError::Behaviour { container: name, problem }),
                    }
                });
                containers.collect::<Result<_, _>>().map(|containers| Script { containers })
            }
            Value::String(word) => {
                let behaviour = Behaviour::word(&word).ok_or(ScriptError::Shape)?;
                Ok(Script { containers: BTreeMap::from([("*".to_owned(), behaviour)]) })
            }
            _ => Err(ScriptError::Shape),
        }
    }

    /// What the script says of a container. Init containers must be named.
    pub fn behaviour(&self, container: &str, init: bool) -> Option<&Behaviour> {
        let any = if init { None } else { self.containers.get("*") };
        self.containers.get(container).or(any)
    }

    /// Every object the script names.
    pub fn dependencies(&self) -> impl Iterator<Item = &Dependency> {
        self.containers.values().flat_map(Behaviour::dependencies)
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Script, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Script::from_value(value).map_err(serde::de::Error::custom)
    }
}

impl Behaviour {
    fn from_value(value: Value) -> Result<Behaviour, String> {
        match value {
            Value::String(word) => {
                Behaviour::word(&word).ok_or_else(|| format!("unknown word {word:?}, expected one of {WORDS}"))
            }
            Value::Null => Ok(Behaviour::default()),
            value => serde_json::from_value(value).map_err(|problem| problem.to_string()),
        }
    }

    /// The behaviour a word stands for.
    pub fn word(word: &str) -> Option<Behaviour> {
        let healthy = Behaviour::default();
        let fails = ProbePlan { fails: vec![Window::default()], ..ProbePlan::default() };
        Some(match word {
            "healthy" => healthy,
            "crash" => Behaviour { exits: vec![Exit::default()], ..healthy },
            "crash-at-once" => Behaviour { exits: vec![Exit { after: AT_ONCE, ..Exit::default() }], ..healthy },
            "oom" => Behaviour {
                exits: vec![Exit { after: Span::seconds(5), reason: Some("OOMKilled".to_owned()), ..Exit::default() }],
                ..healthy
            },
            "hang" => Behaviour { hangs_after: Some(Span::ZERO), ..healthy },
            "not-ready" => Behaviour { readiness: fails, ..healthy },
            "sick" => Behaviour { liveness: fails, ..healthy },
            "never-starts" => Behaviour { listens_after: Span::NEVER, ..healthy },
            "stubborn" => Behaviour { on_term: OnTerm { after: Span::NEVER, code: 0 }, ..healthy },
            "bad-image" => Behaviour { pull: Pull { fails: true, ..Pull::default() }, ..healthy },
            "bad-config" => Behaviour { config_error: Some("secret \"missing\" not found".to_owned()), ..healthy },
            _ => return None,
        })
    }

    /// Every object the behaviour names.
    pub fn dependencies(&self) -> impl Iterator<Item = &Dependency> {
        let plans = [&self.startup, &self.liveness, &self.readiness];
        let plans = plans.into_iter().filter_map(|plan| plan.while_down.as_ref());
        plans.chain(self.exits.iter().filter_map(|exit| exit.while_down.as_ref()))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_for_every_container() {
        let script = Script::parse("oom").unwrap();
        let behaviour = script.behaviour("anything", false).unwrap();
        assert_eq!(behaviour.exits[0].exit_code(), 137);
        assert!(script.behaviour("anything", true).is_none(), "init containers must be named");
    }

    #[test]
    fn a_name_goes_before_the_star() {
        let script = Script::parse("{'*': crash, app: healthy}").unwrap();
        assert_eq!(script.behaviour("app", false), Some(&Behaviour::default()));
        assert_eq!(script.behaviour("other", false), Behaviour::word("crash").as_ref());
    }

    #[test]
    fn problems_name_the_container() {
        let problem = Script::parse("app: {listenAfter: 1s}").unwrap_err().to_string();
        assert!(problem.contains("\"app\"") && problem.contains("listenAfter"), "{problem}");
        let problem = Script::parse("app: {exits: [{after: soon}]}").unwrap_err().to_string();
        assert!(problem.contains("1m30s"), "{problem}");
        assert!(Script::parse("app: explode").unwrap_err().to_string().contains("never-starts"));
        assert_eq!(Script::parse("[1, 2]"), Err(ScriptError::Shape));
        assert!(matches!(Script::parse("{"), Err(ScriptError::Syntax(_))));
    }

    #[test]
    fn reads_what_it_writes() {
        let text = "app: {listensAfter: 90s, exits: [{after: 2s, whileDown: Deployment/db}], readiness: {fails: [{}]}}";
        let script = Script::parse(text).unwrap();
        let json = serde_json::to_string(&script).unwrap();
        assert_eq!(Script::parse(&json), Ok(script));
    }
}
