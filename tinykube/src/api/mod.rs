//! The verbs of the API server as plain functions on JSON.
//!
//! The HTTP service and the in-process controllers both end here, so both get the same validation, defaulting and
//! conflicts. Nothing here waits: a write is done when the function returns.

mod bearer;
mod binding;
pub(crate) mod convert;
mod create;
mod delete;
mod deletion;
pub(crate) mod discovery;
mod eviction;
mod finalize;
pub(crate) mod lasting_token;
pub mod list;
mod options;
mod partial_metadata;
pub mod path;
mod scale;
pub mod selector;
mod server;
mod status;
mod store;
mod table;
mod token;
mod update;
pub mod view;
pub mod watch;
mod webhooks;

pub(crate) use self::bearer::AUDIENCE;
pub(crate) use self::create::NewObject;
pub use self::deletion::{DeleteOptions, Deletion, Propagation};
pub use self::list::{ListOptions, Page};
pub(crate) use self::options::Update;
pub use self::options::{FieldValidation, Options, Part, Warnings};
pub use self::server::Api;
pub(crate) use self::status::details;
pub use self::status::{Cause, Status};
