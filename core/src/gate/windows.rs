//! Windows: the hours at which acting is allowed.

use jiff::{Timestamp, ToSpan, civil::Date};

use crate::model::{
    moment::Moment,
    policy::Window,
    reason::{Block, Reason},
};

/// Whether acting is allowed at this hour.
pub(super) fn outside(windows: &[Window], moment: &Moment) -> Option<Block> {
    if let Some(next) = windows.iter().flat_map(|window| changes(window, moment.now())).min() {
        moment.wake_at(next);
    }
    if windows.is_empty() || windows.iter().any(|window| is_inside(window, moment.now())) {
        return None;
    }
    Some(Block::new(Reason::OutsideWindow, "no maintenance window is open now"))
}

/// When it may begin or end within the next days, or its zone's clocks are set.
fn changes(window: &Window, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let today = now.to_zoned(window.zone.clone()).date();
    // It is open on one day of the week at least.
    let days = (0..=8).filter_map(move |days| today.checked_add(days.days()).ok());
    let at = |date: Date, time| date.to_datetime(time).to_zoned(window.zone.clone()).ok();
    let times = days.flat_map(move |date| [at(date, window.start), at(date, window.end)]);
    let times = times.flatten().map(|time| time.timestamp());
    let set = window.zone.following(now).next().map(|transition| transition.timestamp());
    times.chain(set).filter(move |time| *time > now)
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
