//! Windows: the hours at which acting is allowed.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    moment::{Moment, after},
    policy::Window,
    reason::{Block, Reason},
};

/// Whether acting is allowed at this hour.
pub(super) fn outside(windows: &[Window], moment: &Moment) -> Option<Block> {
    if windows.is_empty() || windows.iter().any(|window| is_inside(window, moment.now())) {
        return None;
    }
    // Windows begin at full minutes: asking again after one is near enough and cheap.
    moment.wake_at(after(moment.now(), SignedDuration::from_secs(60)));
    Some(Block::new(Reason::OutsideWindow, "no maintenance window is open now"))
}

fn is_inside(window: &Window, now: Timestamp) -> bool {
    let local = now.to_zoned(window.zone.clone());
    let (time, today) = (local.time(), local.weekday());
    let begins_on = |day: jiff::civil::Weekday| window.days.is_empty() || window.days.contains(&day);
    if window.start <= window.end {
        begins_on(today) && window.start <= time && time < window.end
    } else {
        (begins_on(today) && time >= window.start) || (begins_on(today.previous()) && time < window.end)
    }
}
