//! Words that only chance makes: long, of mixed letters and numbers, and no name, path, hash or identifier.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{MASK, compiled};

/// Shorter words are no keys.
const MIN_LENGTH: usize = 20;
/// Shorter words of one kind of letters are names that something made, such as those of pods.
const MIN_LENGTH_OF_ONE_CASE: usize = 24;
/// Bits a letter. Of a text in a language there are about three; twenty letters by chance have four.
const MIN_ENTROPY: f64 = 3.5;
/// Of a hundred letters so many are of another kind than the one before. In `getHttpURLConnection` few are, by chance sixty.
const MIN_CHANGES: usize = 27;
/// Small letters in a row: words have more, chance has not.
const MAX_SMALL_IN_A_ROW: usize = 6;

pub(super) static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(r"[A-Za-z0-9+/_-]{20,}={0,2}"));
/// What stands before the sum of a file, an image or a key of a host.
pub(super) static SUMS: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r"(?i)(?:sha-?\d{1,3}|md5|h1|_ZN\w*)[:-]?$"));

/// The text without words that look like chance.
pub(super) fn without_chance(text: &str) -> String {
    let Some(words) = WORDS.as_ref() else { return text.to_owned() };
    let masked = |found: &Captures<'_>| {
        let (begin, word) = found.get(0).map_or((0, ""), |found| (found.start(), found.as_str()));
        if is_sum(text, begin, word) || !is_chance(word) { word.to_owned() } else { MASK.to_owned() }
    };
    words.replace_all(text, masked).into_owned()
}

fn is_sum(text: &str, begin: usize, word: &str) -> bool {
    // As many bytes as the longest name of a sum has.
    let near = (begin.saturating_sub(8)..=begin).find(|at| text.is_char_boundary(*at)).unwrap_or(begin);
    let before = text.get(near..begin).unwrap_or_default();
    let own = ["sha256-", "sha384-", "sha512-", "_ZN", "_R"].iter().any(|begin| word.starts_with(begin));
    own || SUMS.as_ref().is_some_and(|sums| sums.is_match(before))
}

/// Whether chance made the word, or a part of a path that it is.
fn is_chance(word: &str) -> bool {
    let is_path = word.matches('/').count() >= 2 && word.split('/').any(|part| part.len() >= 3 && is_spoken(part));
    if is_path || word.starts_with('/') {
        return word.split('/').any(is_chance_word);
    }
    is_chance_word(word)
}

/// A word in small letters, as most parts of a path are.
fn is_spoken(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'))
}

fn is_chance_word(word: &str) -> bool {
    let word = word.trim_matches(['=', '-', '_', '/', '+']);
    let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let (small, large, numbers) =
        (has(char::is_ascii_lowercase), has(char::is_ascii_uppercase), has(char::is_ascii_digit));
    if small && large {
        let unusual = numbers || has(|c| matches!(c, '+' | '/'));
        return unusual && word.len() >= MIN_LENGTH && looks_random(word) && !is_hex(word);
    }
    // Names that something makes have parts; what has none and is long is no name.
    word.split(['-', '_', '/', '+', '=']).any(|part| {
        let numbers = part.chars().filter(char::is_ascii_digit).count();
        part.len() >= MIN_LENGTH_OF_ONE_CASE && numbers >= 3 && !is_hex(part) && !is_ulid(part) && looks_random(part)
    })
}

fn is_hex(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// Times that sort, as identifiers of requests.
fn is_ulid(word: &str) -> bool {
    word.len() == 26 && word.starts_with(['0', '1']) && !word.chars().any(|c| c.is_ascii_lowercase())
}

fn looks_random(word: &str) -> bool {
    let kinds: Vec<u8> = word.chars().filter_map(kind).collect();
    let changes = kinds.iter().zip(kinds.iter().skip(1)).filter(|(one, next)| one != next).count();
    let in_a_row = kinds.chunk_by(|one, next| one == next).filter(|row| row.first() == Some(&0)).map(<[u8]>::len).max();
    changes * 100 >= kinds.len() * MIN_CHANGES
        && in_a_row.unwrap_or_default() <= MAX_SMALL_IN_A_ROW
        && entropy(word) >= MIN_ENTROPY
}

fn kind(letter: char) -> Option<u8> {
    match letter {
        'a'..='z' => Some(0),
        'A'..='Z' => Some(1),
        '0'..='9' => Some(2),
        _ => None,
    }
}

/// Shannon's entropy of the letters, in bits a letter.
#[expect(clippy::cast_precision_loss, reason = "words have no 2^52 letters")]
fn entropy(word: &str) -> f64 {
    let mut counts = [0_usize; 128];
    for byte in word.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = word.len() as f64;
    let bits = |count: &usize| {
        let share = *count as f64 / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_shannon() {
        assert!(entropy("aaaa").abs() < 1e-9);
        assert!((entropy("abab") - 1.0).abs() < 1e-9);
        assert!((entropy("abcdefgh") - 3.0).abs() < 1e-9);
    }

    #[test]
    fn chance_is_told_from_names() {
        for word in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "q7Zr2mXv9Lk4Tn8Bs1Yd",
            "k3j9x0q2m7v5b1n8c4z6p8w2",
            "Zm9vYmFyOmh1bnRlcjItc2VjcmV0",
        ] {
            assert!(is_chance(word), "{word}");
        }
        for word in [
            "AbstractAutowireCapableBeanFactory2",
            "getHttpURLConnectionTimeout30",
            "0123456789abcdef0123456789abcdef01234567",
            "550e8400-e29b-41d4-a716-446655440000",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "payments-api-7d9f8b6c5d-x2x4z",
            "/usr/local/lib/python3/site-packages",
            "kube-root-ca-certificates-configmap2",
            "ip-10-0-1-2-eu-central-1-compute",
            "DB_CONNECTION_MAX_RETRIES_2",
            "github/com/kubernetes/kubernetes/pkg/kubelet2",
        ] {
            assert!(!is_chance(word), "{word}");
        }
    }
}
