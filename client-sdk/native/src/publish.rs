//! A publish, and how it is to be.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use client_core::Request;
use schemas::{
    Payload,
    client_message::{Publish, To},
    server_message::{Published, RequestResult},
};

use crate::{Error, Room, room::unexpected, roomcast::random};

/// A publish that goes out when it is awaited.
///
/// ```no_run
/// # async fn run(room: roomcast_client::Room) -> Result<(), roomcast_client::Error> {
/// let published = room.publish("order", &["tea"]).tags(["kitchen"]).key("order-1").await?;
/// println!("{:?}", published.map(|published| published.offset));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a publish goes out when it is awaited"]
pub struct PublishRequest {
    room: Room,
    publish: Result<Publish, Error>,
}

impl PublishRequest {
    pub(crate) fn new(room: Room, kind: &str, data: Result<Payload, Error>) -> PublishRequest {
        let publish = data.map(|data| Publish {
            id: None,
            data,
            tags: Vec::new(),
            to: None,
            ephemeral: false,
            echo: true,
            kind: Some(kind.to_owned()),
            key: Some(format!("{:016x}", random())),
            conflate: None,
        });
        PublishRequest { room, publish }
    }

    fn with(mut self, change: impl FnOnce(&mut Publish)) -> PublishRequest {
        if let Ok(publish) = &mut self.publish {
            change(publish);
        }
        self
    }

    /// Only those who carry one of these hear it; at most 8 of 64 bytes.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> PublishRequest {
        self.with(|publish| publish.tags = tags.into_iter().map(Into::into).collect())
    }

    /// Only these hear it; at most 100.
    pub fn to(self, to: To) -> PublishRequest {
        self.with(|publish| publish.to = Some(to))
    }

    /// Taken once under this key (at most 128 bytes) and so sent again after a lost connection, as under the random
    /// key that a publish has otherwise; this one is yours to use again.
    pub fn key(self, key: impl Into<String>) -> PublishRequest {
        self.with(|publish| publish.key = Some(key.into()))
    }

    /// Never sent twice: where the connection is lost before the answer, the outcome is unknown.
    pub fn without_key(self) -> PublishRequest {
        self.with(|publish| publish.key = None)
    }

    /// Fanned out and never logged: the answer is `None`.
    pub fn ephemeral(self) -> PublishRequest {
        self.with(|publish| (publish.ephemeral, publish.key) = (true, None))
    }

    /// Not to this connection.
    pub fn without_echo(self) -> PublishRequest {
        self.with(|publish| publish.echo = false)
    }

    /// Of ephemerals under one name (at most 64 bytes) only the latest need reach the others.
    pub fn conflate(self, name: impl Into<String>) -> PublishRequest {
        self.with(|publish| publish.conflate = Some(name.into()))
    }
}

impl IntoFuture for PublishRequest {
    type Output = Result<Option<Published>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.room.request(Request::Publish(self.publish?)).await? {
                RequestResult::Published(published) => Ok(Some(published)),
                RequestResult::Done {} => Ok(None),
                other => Err(unexpected(&other)),
            }
        })
    }
}
