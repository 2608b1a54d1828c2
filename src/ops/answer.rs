//! Answers that are long: made once for all who ask at the same time.
//!
//! Whoever asks again and again, and whoever reads slowly, costs no more than one who asks once a second.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

/// An answer is good for so long.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// While somebody still reads it, it is good for so long: however many read slowly, few copies are held.
const READ_FOR: Duration = Duration::from_secs(10);

/// The last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct LastAnswer(Arc<Mutex<Option<Made>>>);

#[derive(Debug)]
struct Made {
    text: Arc<str>,
    at: Instant,
}

impl Made {
    fn is_good(&self) -> bool {
        let is_read = Arc::strong_count(&self.text) > 1;
        self.at.elapsed() < if is_read { READ_FOR } else { GOOD_FOR }
    }
}

/// What is sent; while it is, its text is held.
struct Sent(Arc<str>);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl LastAnswer {
    /// The last answer if it is good, or else a new one.
    pub(super) fn or_made(&self, make: impl FnOnce() -> String) -> Bytes {
        let mut last = self.0.lock();
        let good = last.take_if(|known| known.is_good());
        let answer = good.unwrap_or_else(|| Made { text: make().into(), at: Instant::now() });
        let text = last.insert(answer).text.clone();
        Bytes::from_owner(Sent(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_for_all_who_ask_at_a_time_or_read_slowly() {
        let (last, mut made) = (LastAnswer::default(), 0);
        let mut ask = || {
            last.or_made(|| {
                made += 1;
                made.to_string()
            })
        };
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        assert_eq!((&ask()[..], &ask()[..]), (&b"1"[..], &b"1"[..]));
        pass(1).await;
        let slow = ask();
        assert_eq!(&slow[..], b"2");
        pass(9).await;
        assert_eq!(&ask()[..], b"2", "somebody still reads it");
        pass(1).await;
        assert_eq!(&ask()[..], b"3", "but not for ever");
        drop(slow);
        pass(1).await;
        assert_eq!(&ask()[..], b"4");
    }
}
