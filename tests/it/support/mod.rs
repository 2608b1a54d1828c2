//! What the tests share: fixtures drawn by hand, scenes read from objects, and a whole world with an API server.

pub(crate) mod fixtures;
pub(crate) mod http_receiver;
pub(crate) mod inbox;
pub(crate) mod scene;
pub(crate) mod world;
