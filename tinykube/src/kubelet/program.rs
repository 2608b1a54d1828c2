//! What a container does that has a command and no script, in a pod that is to end (`restartPolicy` `Never` or
//! `OnFailure`): what the command says, as far as `sleep`, `exit`, `true`, `false` and `echo` go. Every other command is
//! done at once and goes well; a container without one stays.

use k8s_openapi::api::core::v1::Container;

use super::script::{Behaviour, Exit, LogLine, OnTerm};
use super::span::Span;

/// The behaviour of a container whose command is known.
pub(crate) fn of(container: &Container) -> Option<Behaviour> {
    let line: Vec<&str> =
        container.command.iter().flatten().chain(container.args.iter().flatten()).map(String::as_str).collect();
    if line.is_empty() {
        return None;
    }
    let shell = matches!(
        line.first().map(|program| program.rsplit('/').next().unwrap_or_default()),
        Some("sh" | "bash" | "ash")
    );
    let text = match line[..] {
        [_, "-c", script, ..] if shell => script.to_owned(),
        _ => line.join(" "),
    };
    let mut run = Run::default();
    for statement in text.split([';', '\n']).flat_map(|part| part.split("&&")) {
        if !run.step(statement.trim()) {
            break;
        }
    }
    let exit = Exit {
        after: if run.seconds == 0 { Span::millis(200) } else { Span::seconds(run.seconds) },
        code: Some(run.code),
        message: run.message,
        ..Exit::default()
    };
    // The first process of a container ignores signals it has no handler for.
    let on_term = OnTerm { after: Span::NEVER, ..OnTerm::default() };
    Some(Behaviour { exits: vec![exit], log: run.log, on_term, ..Behaviour::default() })
}

#[derive(Default)]
struct Run {
    seconds: u64,
    code: u8,
    log: Vec<LogLine>,
    message: Option<String>,
}

impl Run {
    /// One statement; whether there is another one after it.
    fn step(&mut self, statement: &str) -> bool {
        let (program, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        let rest = rest.trim();
        match program.rsplit('/').next().unwrap_or_default() {
            "sleep" => self.seconds = self.seconds.saturating_add(rest.trim_end_matches('s').parse().unwrap_or(0)),
            "exit" => {
                self.code = rest.parse().unwrap_or(self.code);
                return false;
            }
            "false" => self.code = 1,
            "echo" => match rest.split_once('>') {
                Some((text, file)) if file.trim() == "/dev/termination-log" => {
                    self.message = Some(format!("{}\n", unquoted(text)));
                }
                Some(_) => {}
                None => self.log.push(LogLine { at: Span::seconds(self.seconds), every: None, text: unquoted(rest) }),
            },
            _ => self.code = 0,
        }
        true
    }
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(command: &[&str]) -> Behaviour {
        let command = command.iter().map(|&part| part.to_owned()).collect();
        of(&Container { command: Some(command), ..Container::default() }).unwrap()
    }

    fn ends(behaviour: &Behaviour) -> (Span, Option<u8>) {
        (behaviour.exits[0].after, behaviour.exits[0].code)
    }

    #[test]
    fn a_command_says_when_and_how_it_ends() {
        assert_eq!(ends(&runs(&["sleep", "5"])), (Span::seconds(5), Some(0)));
        assert_eq!(ends(&runs(&["/bin/sh", "-c", "sleep 2; sleep 1 && exit 3"])), (Span::seconds(3), Some(3)));
        assert_eq!(ends(&runs(&["sh", "-c", "exit 4; sleep 9"])), (Span::millis(200), Some(4)));
        assert_eq!(ends(&runs(&["false"])), (Span::millis(200), Some(1)));
        assert_eq!(ends(&runs(&["pi", "2000"])), (Span::millis(200), Some(0)));
        assert_eq!(of(&Container::default()), None, "without a command nobody knows");
    }

    #[test]
    fn what_it_echoes_is_its_log_or_why_it_ended() {
        let behaviour = runs(&["sh", "-c", "echo 'hello there'; echo why > /dev/termination-log; exit 1"]);
        assert_eq!(behaviour.log.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["hello there"]);
        assert_eq!(behaviour.exits[0].message.as_deref(), Some("why\n"));
    }
}
