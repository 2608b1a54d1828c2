//! Why the API server would refuse to evict a pod: what its disruption budgets say.

/// Names of budgets that a sentence holds.
const MAX_NAMES: usize = 4;

/// Why the API server would refuse to evict a pod now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetRefusal {
    /// The only budget that covers it allows no disruption.
    NothingAllowed {
        /// Name of the budget.
        budget: String,
        /// The pod is not ready, and is held all the same because too few others are: `unhealthyPodEvictionPolicy` of the
        /// budget could let it go.
        unready: bool,
    },
    /// The only budget that covers it was changed, and its controller has not counted anew since.
    NotCounted {
        /// Name of the budget.
        budget: String,
    },
    /// More than one budget covers it: the API server evicts no such pod, whatever they allow.
    Several {
        /// Names of the budgets, in the order of the alphabet.
        budgets: Vec<String>,
    },
}

impl BudgetRefusal {
    /// It does not pass by itself, however many pods get ready: a person must change something.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Several { .. } => true,
            Self::NothingAllowed { .. } | Self::NotCounted { .. } => false,
        }
    }
}

impl std::fmt::Display for BudgetRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NothingAllowed { budget, unready: false } => write!(f, "budget {budget} allows 0 disruptions"),
            Self::NothingAllowed { budget, unready: true } => write!(
                f,
                "budget {budget} allows 0 disruptions; its unhealthyPodEvictionPolicy: AlwaysAllow would let unready pods go"
            ),
            Self::NotCounted { budget } => {
                write!(f, "budget {budget} was changed and its controller has not counted anew yet")
            }
            Self::Several { budgets } => {
                let named = budgets.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = budgets.len().saturating_sub(MAX_NAMES);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let count = budgets.len();
                write!(
                    f,
                    "{count} budgets cover it ({named}{more}), and the API server evicts no such pod: remove all but one"
                )
            }
        }
    }
}
