//! Properties of the decision: what must hold whatever happens and whatever is asked for.

mod available;
mod budgets;
mod clocks;
mod counting;
mod counts;
mod first_law;
mod fleet;
mod forged;
mod hostile;
mod loaded;
pub(crate) mod looks;
mod ownership;
mod policies;
mod properties;
mod recovery;
mod released;
mod simulation;
mod upgrade;

use proptest::test_runner::{Config, RngSeed};

/// So many cases. What fails is shrunk and printed; nothing is kept in files. The same cases in every run; others with `PROPTEST_RNG_SEED=…`, and more of them with `PROPTEST_CASES=…`.
pub(crate) fn cases(count: u32) -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { count };
    Config { cases, rng_seed, failure_persistence: None, ..config }
}
