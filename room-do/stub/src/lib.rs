//! Rooms as other Workers call them.
//!
//! A Worker that binds the class `Room` (`script_name` in its `wrangler.toml`) calls the methods of a room's behavior as
//! functions, which name the method and type its arguments, result and error:
//!
//! ```ignore
//! let rooms = Rooms::of(&env, "ROOMS")?;
//! let poll: RoomStub<Poll> = rooms.by_name("poll:lunch")?;
//! let tally = poll.call(Poll::vote, Vote { option: 1 }).await?;
//! ```
//!
//! It calls as a service does: also what is for services alone. Nothing is asked twice; what may be is the caller's to
//! know ([`CallError::is_retryable`]).
//!
//! * [`rooms`]: how a room is found.
//! * [`error`]: what can go wrong.
//! * [`lines`]: what a method streams.

mod error;
mod lines;
mod rooms;

use std::{fmt, marker::PhantomData};

use room_core::behavior::{Behavior, Context, Interface, Stream};
use schemas::{RoomName, http::Problem};
use serde::{Serialize, de::DeserializeOwned};
use worker::{Headers, Method, Request, RequestInit, Response, Stub};

pub use error::{CallError, Failed};
pub use lines::Lines;
pub use rooms::{NameError, Rooms};

/// One room whose kind has the behavior `B`.
pub struct RoomStub<B> {
    name: RoomName,
    stub: Stub,
    of: PhantomData<fn(&mut B)>,
}

impl<B> fmt::Debug for RoomStub<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoomStub").field(&self.name).finish()
    }
}

impl<B: Behavior> RoomStub<B> {
    /// `kind:id`.
    #[must_use]
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Calls a method of the behavior, named by the function that it is.
    ///
    /// # Errors
    /// What the method refuses, as its own error ([`Failed::error`]); what kept it from running; or that nobody knows
    /// whether it ran.
    ///
    /// # Panics
    /// Where the behavior's `describe` does not name the function.
    pub async fn call<F, A, R, E>(&self, method: F, args: A) -> Result<R, CallError<E>>
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<R, E> + 'static,
        A: Serialize,
        R: DeserializeOwned,
    {
        let mut response = self.ask(name_of::<B, F>(&method), &args).await?;
        let text = response.text().await?;
        serde_json::from_str(&text).map_err(|error| CallError::Unreadable(error.to_string()))
    }

    /// Calls a method that streams, named by the function that it is.
    ///
    /// # Errors
    /// As [`RoomStub::call`], for what comes ahead of the first item.
    ///
    /// # Panics
    /// As [`RoomStub::call`].
    pub async fn stream<F, A, T, E>(&self, method: F, args: A) -> Result<Lines<T, E>, CallError<E>>
    where
        F: Fn(&mut B, &mut Context<'_>, A) -> Result<Stream<B, T>, E> + 'static,
        A: Serialize,
        T: DeserializeOwned,
    {
        let mut response = self.ask(name_of::<B, F>(&method), &args).await?;
        Ok(Lines::new(response.stream()?))
    }

    async fn ask<E>(&self, method: &str, args: &impl Serialize) -> Result<Response, CallError<E>> {
        let body = serde_json::to_string(args).map_err(|error| CallError::Unreadable(error.to_string()))?;
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(body.into()));
        let request = Request::new_with_init(&format!("https://room/call/{method}"), &init)?;
        let mut response = self.stub.fetch_with_request(request).await?;
        if response.status_code() == 200 {
            return Ok(response);
        }
        let (status, text) = (response.status_code(), response.text().await?);
        let problem: Problem = serde_json::from_str(&text)
            .map_err(|_| CallError::Unreadable(format!("the room answered {status}")))?;
        Err(CallError::told(problem))
    }
}

fn name_of<B: Behavior, F: 'static>(method: &F) -> &'static str {
    let interface = Interface::<B>::of_behavior();
    interface.name_of(method).unwrap_or_else(|| panic!("{} describes no such method", B::NAME))
}
