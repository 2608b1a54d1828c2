//! Bounds of texts: what the API would not take back must not be remembered, or nothing could be written.

/// Longest name of an object, in characters.
pub const MAX_NAME: usize = 253;
/// Longest UID and digest.
pub const MAX_UID: usize = 128;
/// Longest name of a container or a receiver.
pub const MAX_LABEL: usize = 63;
/// Longest step, cause or reason.
pub const MAX_WORD: usize = 64;
/// Longest sentence for people. Longer ones are cut.
pub const MAX_MESSAGE: usize = 1024;

/// Cuts to a number of characters, with an ellipsis where something was lost.
pub fn cut(text: &str, most: usize) -> String {
    if fits(text, most) {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// It has no more than so many characters.
pub fn fits(text: &str, most: usize) -> bool {
    text.len() <= most || text.chars().count() <= most
}

/// It is one of the words that we write: `CamelCase`, not too long.
pub fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric())
        && fits(text, MAX_WORD)
}
