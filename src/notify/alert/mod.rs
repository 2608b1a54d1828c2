//! Alerts → receivers: Alertmanager, PagerDuty, Slack, webhooks, CloudEvents.
//!
//! Sends what was decided; decides neither what fires nor who is to be notified (that is `kubeheal_core::report`). Each receiver has
//! its own queue and its own task, so that one that is dead delays neither another one nor any healing. What a receiver was
//! told goes back to the next reconcile, which writes it into the status.
//!
//! An address comes from whoever may write a HealedService, and kubeheal stands where not everybody stands. So a receiver
//! gets a request of a fixed form, and nothing of its answer is shown but the number; redirects are not followed; addresses
//! of the link (where clouds keep their metadata) and of the controller's own machine are refused; a ceiling and a NetworkPolicy can
//! say the rest.

mod alertmanager;
mod cloudevents;
mod content;
mod dispatcher;
mod outgoing;
mod pagerduty;
mod post;
mod queue;
mod reach;
mod secret;
mod sender;
mod slack;
mod webhook;

pub use content::{AlertMessage, AlertState};
pub use dispatcher::{AlertDispatcher, AlertRequest, Environment};
pub use queue::RetryConfig;
pub use reach::OwnHosts;
pub use sender::HttpSender;
pub use webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
