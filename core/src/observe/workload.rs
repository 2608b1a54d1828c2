//! The workload: what must be known of it once it is gone, and when its absence is believed.

use crate::model::{moment::Moment, policy::MISSING_CONFIRMATION, snapshot::Workload, state::ObservedState};

/// Remembers what must be known once the workload is gone. Whether it is gone for certain: its absence is believed only the
/// second time.
pub(super) fn track(
    workload: &Workload,
    scaled_down_from: Option<u32>,
    observed: &mut ObservedState,
    moment: &Moment,
) -> bool {
    match workload {
        Workload::Present(state) => {
            observed.missing_since = None;
            observed.last_replicas = scaled_down_from.or(Some(state.desired));
            observed.intentional_delete = state.intentional_delete;
            false
        }
        Workload::Missing { .. } => {
            let since = *observed.missing_since.get_or_insert(moment.now());
            moment.lasts(since, MISSING_CONFIRMATION)
        }
        Workload::Unknown(_) => false,
    }
}
