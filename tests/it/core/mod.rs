//! Properties of the decision: what must hold whatever happens and whatever is asked for.

mod budgets;
mod clocks;
mod counts;
mod hostile;
mod play;
mod policies;
mod properties;
mod recovery;

use proptest::test_runner::Config;

/// So many cases. What fails is shrunk and printed; nothing is kept in files.
fn cases(count: u32) -> Config {
    Config { cases: count, failure_persistence: None, ..Config::default() }
}
