//! The HTTP API, one file a resource.

pub(crate) mod batch;
pub(crate) mod dev;
pub(crate) mod directory;
pub(crate) mod disconnect;
pub(crate) mod events;
mod following;
pub(crate) mod health;
mod line;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod methods;
pub(crate) mod openapi;
pub(crate) mod parked;
pub(crate) mod query;
pub(crate) mod room;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod users;
