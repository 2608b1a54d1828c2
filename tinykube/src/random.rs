//! Seeded randomness: UIDs and the suffixes of generated names. The same seed gives the same cluster.

use std::sync::{Mutex, PoisonError};

/// Kubernetes' alphabet for generated names: no vowels and nothing that looks like another letter.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A seeded generator (`SplitMix64`). Shared by reference.
#[derive(Debug)]
pub struct Random {
    state: Mutex<u64>,
}

impl Random {
    /// A generator that repeats for the same `seed`.
    pub fn seeded(seed: u64) -> Random {
        Random { state: Mutex::new(seed) }
    }

    /// Where the sequence stands.
    pub(crate) fn state(&self) -> u64 {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on from where the sequence stood.
    pub(crate) fn go_on_from(&self, state: u64) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// The next 64 random bits.
    pub fn next_u64(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// A version 4 UUID.
    pub fn uid(&self) -> String {
        let (high, low) = (self.next_u64(), self.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            ((low >> 48) & 0x3fff) | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// `length` characters of Kubernetes' alphabet for generated names (pods use 5).
    pub fn suffix(&self, length: usize) -> String {
        (0..length)
            .filter_map(|_| usize::try_from(self.below(ALPHABET.len() as u64)).ok())
            .map(|index| char::from(ALPHABET[index]))
            .collect()
    }
}
