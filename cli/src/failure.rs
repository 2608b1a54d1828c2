//! How a command fails: one line for people, and an exit code for scripts.

use std::{fmt, io};

/// What went wrong, in one line: what was being done, to which object, what was wrong, what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// It was understood, and did not work: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// What was given cannot be understood: exit code 2, as for a wrong argument.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &std::path::Path, error: &io::Error) -> Self {
        Self::input(format!("{}: cannot be read: {error}: check the path and its permissions", path.display()))
    }

    /// Standard output cannot be written. A reader that went away, such as `head`, is no failure.
    pub(crate) fn output(error: &io::Error) -> Self {
        let code = u8::from(error.kind() != io::ErrorKind::BrokenPipe);
        Self { message: format!("writing the output: {error}"), code }
    }

    /// Where it is said: on standard error. What is wrong in a file begins with the file's name, as editors expect.
    pub(crate) fn tell(&self) {
        match self.code {
            0 => {}
            1 => eprintln!("healctl: {self}"),
            _ => eprintln!("{self}"),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever an error underneath contains.
        let mut lines = self.message.lines().map(str::trim).filter(|line| !line.is_empty());
        formatter.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(formatter, " {line}"))
    }
}
