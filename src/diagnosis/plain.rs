//! Plain text: what a container prints, made fit for status, Events, logs and terminals.
//!
//! Takes out what acts instead of being read: colours and cursor movements, control characters, characters that turn the
//! direction of writing or have no width.

use std::sync::LazyLock;

use regex::Regex;

use super::secrets::masked;

/// Longest text kept, in characters: as much as a termination message may hold.
const MAX_TEXT: usize = 4096;
/// The kubelet keeps so many bytes of the end of a log: a longer message may begin in the middle of a word.
const KUBELET_TAIL: usize = 2048;

/// Escape sequences of terminals: CSI, OSC, and those of two characters.
static ESCAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new("(?:\x1b\\[|\u{9b})[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\)|\x1b[ -/]*[0-~]").ok()
});

/// The end of a text without secrets and without anything that acts on a terminal. Lines are kept; `limit` is in characters,
/// and never more than 4096.
pub fn tidy(text: &str, limit: usize) -> String {
    let limit = limit.min(MAX_TEXT);
    // Twice as much is looked through, so that a secret at the cut is seen as one.
    let text = masked(&without_ornament(beginning_whole(end(text, 2 * MAX_TEXT))));
    end(text.trim(), limit).to_owned()
}

/// A whole log, the same way. It begins with a whole line, but for the very first of the container.
pub fn log_of(text: &str) -> String {
    masked(&without_ornament(text)).trim().to_owned()
}

/// One line, for a sentence: the first `limit` characters.
pub fn line(text: &str, limit: usize) -> String {
    let words = tidy(text, MAX_TEXT);
    let words: Vec<&str> = words.split_whitespace().collect();
    kubeheal_core::model::text::cut(&words.join(" "), limit)
}

/// The last characters of a text.
fn end(text: &str, limit: usize) -> &str {
    let from = text.char_indices().rev().nth(limit.saturating_sub(1)).map_or(0, |(index, _)| index);
    text.get(from..).unwrap_or_default()
}

/// Drops the part of a line with which a text begins that was cut: nobody can tell whether it is the end of a secret.
fn beginning_whole(text: &str) -> &str {
    if text.len() < KUBELET_TAIL {
        return text;
    }
    let near = |found: &usize| *found < KUBELET_TAIL / 2;
    let cut = text.find('\n').filter(near).or_else(|| text.find(char::is_whitespace)).unwrap_or(text.len());
    text.get(cut..).unwrap_or_default()
}

fn without_ornament(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = match ESCAPES.as_ref() {
        Some(escapes) => escapes.replace_all(&text, ""),
        None => text.into(),
    };
    text.chars().map(|c| if breaks_line(c) { '\n' } else { c }).filter(|c| !is_invisible(*c)).map(spaced).collect()
}

/// A progress bar writes its line again and again after a carriage return.
fn breaks_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn spaced(c: char) -> char {
    if c == '\t' { ' ' } else { c }
}

/// Control characters, direction marks and overrides, joiners, tags and other characters without width: they make a text
/// look like another.
fn is_invisible(c: char) -> bool {
    let controls = c.is_control() && !matches!(c, '\n' | '\t');
    controls
        || matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_gone() {
        let table = [
            ("\x1b[31mERROR\x1b[0m no database", "ERROR no database"),
            ("\x1b]0;owned\x07title", "title"),
            ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\u{9b}2Jclear", "clear"),
            ("\x1bcreset", "reset"),
            ("tab\there \x07bell\x08\x00", "tab here bell"),
            ("50%\r100%\r\ndone", "50%\n100%\ndone"),
            ("user\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}", "usergpj.exe"),
            ("one\u{2028}two\u{85}three", "one\ntwo\nthree"),
            ("Zürich 東京 🚀", "Zürich 東京 🚀"),
            ("\x1b]unclosed", "unclosed"),
        ];
        for (given, expected) in table {
            assert_eq!(tidy(given, 100), expected, "{given:?}");
        }
    }

    #[test]
    fn the_end_of_a_long_text_is_kept_from_a_whole_word_on() {
        assert_eq!(tidy("one two three", 5), "three");
        assert_eq!(tidy(&"ä".repeat(9000), 10).chars().count(), 0, "one word without begin may be anything");
        let log = format!("hunter2-the-end-of-a-secret\n{}", "a line\n".repeat(400));
        let kept = tidy(&log, 4096);
        assert!(!kept.contains("hunter2") && kept.ends_with("a line"), "{kept}");
        assert_eq!(tidy(&"word ".repeat(4000), 9000).chars().count(), MAX_TEXT);
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line("a\n  b\tc", 10), "a b c");
        assert_eq!(line("a long sentence", 6), "a lon…");
    }
}
