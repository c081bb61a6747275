//! A deployment, and how to open one of its rooms.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use client_core::{Options, TokenSource};
use schemas::{RoomName, Session};

use crate::{Error, Events, Room, TokenError, driver, room::payload};

type Fetching = Pin<Box<dyn Future<Output = Result<String, TokenError>> + Send>>;
pub(crate) type TokenFunction = Arc<dyn Fn(RoomName) -> Fetching + Send + Sync>;

/// A deployment of Roomcast, as seen from here. Opens nothing by itself.
#[derive(Clone)]
pub struct Roomcast {
    /// `ws://host/path`, without a slash at its end.
    origin: String,
    token: Option<TokenFunction>,
}

impl fmt::Debug for Roomcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roomcast").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Roomcast {
    /// The deployment at `url`: `https://rooms.example`, or with `http:`, `ws:`, `wss:`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no such address.
    pub fn new(url: &str) -> Result<Roomcast, Error> {
        let invalid = || Error::Invalid(format!("url: {url:?} is none of http, https, ws, wss"));
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let scheme = match scheme {
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            _ => return Err(invalid()),
        };
        Ok(Roomcast { origin: format!("{scheme}://{}", rest.trim_end_matches('/')), token: None })
    }

    /// Where tokens come from: asked anew for each connection, and before one expires. Rooms of public kinds need none.
    #[must_use]
    pub fn token<F>(mut self, function: impl Fn(RoomName) -> F + Send + Sync + 'static) -> Roomcast
    where
        F: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        self.token = Some(Arc::new(move |room| Box::pin(function(room))));
        self
    }

    /// A room by its name, `kind:id`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the name is none.
    pub fn room(&self, name: &str) -> Result<RoomBuilder, Error> {
        let room =
            RoomName::parse(name).ok_or_else(|| Error::Invalid(format!("room: {}", RoomName::SHAPE)))?;
        let token = if self.token.is_some() { TokenSource::Function } else { TokenSource::None };
        let options = Options {
            room,
            session: session(),
            token,
            position: None,
            rewind: None,
            tags: Vec::new(),
            presence: None,
            members: true,
            fallback: false,
        };
        Ok(RoomBuilder { client: self.clone(), options })
    }
}

/// How to join a room.
#[derive(Debug)]
pub struct RoomBuilder {
    client: Roomcast,
    options: Options,
}

impl RoomBuilder {
    /// So many newest publications at the first join, and behind a gap; at most 200.
    #[must_use]
    pub fn rewind(mut self, count: u32) -> RoomBuilder {
        self.options.rewind = Some(count);
        self
    }

    /// Hear only publications that carry one of these, or no tag at all.
    #[must_use]
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> RoomBuilder {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// This session's presence data to begin with, at most 2 KiB.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the value has no JSON form.
    pub fn presence(mut self, data: &impl serde::Serialize) -> Result<RoomBuilder, Error> {
        self.options.presence = Some(payload(data)?);
        Ok(self)
    }

    /// Not to be told who else is here.
    #[must_use]
    pub fn without_members(mut self) -> RoomBuilder {
        self.options.members = false;
        self
    }

    /// Starts the room's task, which [`Room::join`] then makes connect. Needs a tokio runtime.
    pub fn open(self) -> (Room, Events) {
        let address = format!("{}/v1/rooms/{}/connect", self.client.origin, self.options.room);
        driver::start(address, self.client.token, self.options)
    }
}

fn session() -> Session {
    let random = random().to_be_bytes().into_iter().chain(random().to_be_bytes());
    let digits: String = random.map(|byte| format!("{byte:02x}")).collect();
    Session::parse(&digits).expect("32 hex digits are a session")
}

/// # Panics
/// Where the operating system gives no randomness.
pub(crate) fn random() -> u64 {
    getrandom::u64().expect("the operating system gives randomness")
}
