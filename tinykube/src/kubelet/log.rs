//! The logs of a container: what the instance that runs has printed, and the one before it.

use jiff::Timestamp;

/// What a container may carry of its log in a termination message.
const TAIL_LINES: usize = 80;
const TAIL_BYTES: usize = 2048;

/// A line and when it was printed.
pub(crate) type Line = (Timestamp, String);

/// The two logs the kubelet keeps of a container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Lines that are settled: printed by an earlier script or by an exit.
    pub(crate) current: Vec<Line>,
    /// The log of the instance before.
    pub(crate) previous: Vec<Line>,
}

impl Log {
    /// A new instance starts with an empty log.
    pub(crate) fn rotate(&mut self) {
        self.previous = std::mem::take(&mut self.current);
    }

    /// The end of the current log as a termination message carries it; nothing if it is empty.
    pub(crate) fn tail(&self) -> Option<String> {
        let first = self.current.len().saturating_sub(TAIL_LINES);
        let lines = self.current.iter().skip(first);
        let mut text: String = lines.flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
        while text.len() > TAIL_BYTES {
            text.remove(0);
        }
        (!text.is_empty()).then_some(text)
    }
}
