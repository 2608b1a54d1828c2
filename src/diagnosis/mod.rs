//! Diagnosis: rules that name a root cause from what a container said when it ended, or why it does not start.
//!
//! Informs people. It must not decide anything: a diagnosis never widens what is acted on.

mod built_in;
mod plain;
mod secrets;

use regex::Regex;

use crate::api::DiagnosisRule;
use kubeheal_core::model::snapshot::Diagnosis;

pub use plain::{line, log_of, tidy};
pub use secrets::{MASK, masked};

/// Lines of a log that are looked at together: a rule for something special finds its line although a general one matches
/// another line near it, and what happened long before does not hide the end.
const LINES_TOGETHER: usize = 25;
/// Longest line shown, in characters.
const MAX_LINE: usize = 240;
/// Characters of a longer line that are shown before what matched.
const BEFORE_MATCH: usize = 60;
/// The kernel says so: whatever the container printed, this is what ended it.
const OOM_KILLED: &str = "OOMKilled";

/// Compiles a pattern the way it is used.
///
/// # Errors
/// When it is no regular expression, or compiles to more than it should cost.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    built_in::compile(pattern)
}

/// A rule.
#[derive(Debug, Clone)]
struct Rule {
    name: String,
    advice: String,
    pattern: Regex,
    /// The line must match this too.
    also: Option<Regex>,
    /// A line that also matches this is not meant.
    unless: Option<Regex>,
}

/// All that is known of how a container ended, or why it waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// `reason`: `Error`, `OOMKilled`, `ImagePullBackOff` …
    pub reason: &'a str,
    /// `message`, tidy.
    pub message: &'a str,
    /// `exitCode`, unless it is 0 or unknown.
    pub exit_code: Option<i32>,
    /// The end of its log, tidy.
    pub log: &'a str,
}

impl Said<'_> {
    /// What is looked through, in this order: what is certain first, what tells most next, the mere reason and number last.
    fn passages(&self) -> Vec<String> {
        let reason = || self.reason.to_owned();
        let certain = self.reason == OOM_KILLED;
        let mut passages: Vec<String> = certain.then(reason).into_iter().collect();
        passages.extend(together(self.message));
        passages.extend(together(self.log));
        passages.extend((!certain).then(reason));
        passages.extend(self.exit_code.map(|code| format!("exit code {code}")));
        passages.retain(|passage| !passage.is_empty());
        passages
    }

    /// Whether this line was said, and not made here from a reason or a number.
    fn holds(&self, line: &str) -> bool {
        self.message.contains(line) || self.log.contains(line)
    }
}

/// A text in passages, the last one first.
fn together(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines.rchunks(LINES_TOGETHER).map(|lines| lines.join("\n")).collect()
}

/// A person's rules, then the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    own: Vec<Rule>,
}

impl Rules {
    /// Compiles a person's rules. A rule that cannot be compiled within bounds is left out.
    pub fn compile(rules: &[DiagnosisRule]) -> Self {
        let rule = |rule: &DiagnosisRule| {
            Some(Rule {
                name: rule.name.clone(),
                advice: line(rule.advice.as_deref().unwrap_or_default(), MAX_LINE),
                pattern: compile(&rule.pattern).ok()?,
                also: None,
                unless: None,
            })
        };
        Self { own: rules.iter().filter_map(rule).collect() }
    }

    /// What a rule of that name made of a line earlier. Its advice is what it is now; none if there is no such rule any more.
    pub fn named(&self, name: &str, line: &str) -> Diagnosis {
        let rule = self.own.iter().chain(built_in::rules()).find(|rule| rule.name == name);
        let advice = rule.map(|rule| rule.advice.clone()).unwrap_or_default();
        Diagnosis { name: name.to_owned(), advice, line: line.to_owned() }
    }

    /// The first rule that matches, a person's own before the built-in ones, with the last line that it matches.
    pub fn diagnose(&self, said: &Said<'_>) -> Option<Diagnosis> {
        let passages = said.passages();
        let first = |rules: &[Rule]| {
            passages.iter().find_map(|passage| {
                let named = |rule: &Rule| rule.last_line(passage).map(|line| (rule.clone(), line));
                rules.iter().find_map(named)
            })
        };
        let (rule, line) = first(&self.own).or_else(|| first(built_in::rules()))?;
        let line = Some(line).filter(|line| said.holds(line.trim_matches('…')));
        Some(Diagnosis { name: rule.name, advice: rule.advice, line: line.unwrap_or_default() })
    }
}

impl Rule {
    /// The last line that is meant, around what matched.
    fn last_line(&self, passage: &str) -> Option<String> {
        let meant = |line: &&str| {
            self.also.as_ref().is_none_or(|also| also.is_match(line))
                && !self.unless.as_ref().is_some_and(|not| not.is_match(line))
        };
        let found = |line: &str| self.pattern.find(line).map(|found| excerpt(line, found.start()));
        passage.lines().rev().filter(meant).find_map(found)
    }
}

/// The part of a line around what matched.
fn excerpt(line: &str, matched_at: usize) -> String {
    let line_before = line.get(..matched_at).unwrap_or_default();
    let before = line_before.chars().count();
    if line.chars().count() <= MAX_LINE || before <= BEFORE_MATCH {
        return kubeheal_core::model::text::cut(line.trim(), MAX_LINE);
    }
    let rest: String = line.chars().skip(before - BEFORE_MATCH).collect();
    kubeheal_core::model::text::cut(&format!("…{}", rest.trim()), MAX_LINE)
}
