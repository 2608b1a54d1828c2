//! Times as people say them.

/// Seconds as people say them: `45s`, `11m`, `2h10m`.
pub(crate) fn humanize(seconds: u64) -> String {
    kubeheal_core::model::moment::humanize(jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
}
