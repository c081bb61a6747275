//! Calls of the methods that a room's behavior offers.

use std::{fmt, marker::PhantomData};

use client_core::{Call, Request};
use schemas::Payload;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Error, Room,
    driver::{Answer, Answered, Command},
    room::payload,
};

/// What a call returned, as it comes.
pub(crate) struct Calling {
    pub(crate) request: Request,
    pub(crate) begun: oneshot::Sender<Call>,
    pub(crate) returns: mpsc::UnboundedSender<Returned>,
    pub(crate) answer: Answer,
}

#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) value: Payload,
    pub(crate) more: bool,
}

impl Room {
    /// Calls a method, and returns its result.
    ///
    /// # Errors
    /// As the room refuses: `not_found`, `invalid_argument` with the paths of what is wrong, `method_failed` with the
    /// method's own error as `data`, …; [`Error::Invalid`] where the result is no `R`.
    ///
    /// ```no_run
    /// # async fn run(room: roomcast_client::Room) -> Result<(), roomcast_client::Error> {
    /// let sum: u32 = room.call("add", &serde_json::json!({ "by": 3 })).await?;
    /// # println!("{sum}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<R, Error> {
        let mut stream = self.stream::<R>(method, args).await?;
        loop {
            let returned = stream.returned().await?;
            if !returned.more {
                return typed(&returned.value);
            }
        }
    }

    /// Calls a method whose result comes chunk by chunk. Dropped early, the call is cancelled.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `args` has no JSON form, [`Error::Left`] where the room's task has ended; what the
    /// room says comes with [`Chunks::next`].
    pub async fn stream<T: DeserializeOwned>(
        &self,
        method: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Chunks<T>, Error> {
        let request = Request::Call { method: method.to_owned(), args: payload(args)? };
        let ((begun, call), (returns, chunks)) = (oneshot::channel(), mpsc::unbounded_channel());
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Call(Box::new(Calling { request, begun, returns, answer })))?;
        let call = call.await.map_err(|_| Error::Left)?;
        let room = self.clone();
        Ok(Chunks { room, call, chunks, answered: Some(answered), of: PhantomData })
    }
}

/// What a streamed method returns, in order.
pub struct Chunks<T> {
    room: Room,
    call: Call,
    chunks: mpsc::UnboundedReceiver<Returned>,
    /// `None` once it is over.
    answered: Option<Answered>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Chunks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("call", &self.call).finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned> Chunks<T> {
    /// The next chunk; `None` at the end, and after an error.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        self.answered.as_ref()?;
        match self.returned().await {
            Ok(Returned { value, more: true }) => {
                let item = typed(&value);
                if item.is_err() {
                    self.leave();
                }
                Some(item)
            }
            Ok(Returned { more: false, .. }) => {
                self.answered = None;
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    async fn returned(&mut self) -> Result<Returned, Error> {
        if let Some(returned) = self.chunks.recv().await {
            return Ok(returned);
        }
        let answered = self.answered.take().ok_or(Error::Left)?;
        match answered.await.map_err(|_| Error::Left)? {
            Ok(_) => Err(Error::Left),
            Err(error) => Err(error),
        }
    }
}

impl<T> Chunks<T> {
    fn leave(&mut self) {
        if self.answered.take().is_some() {
            // A task that has ended has nothing to cancel, as a call that is over.
            drop(self.room.ask(Command::Cancel(self.call)));
        }
    }
}

impl<T> Drop for Chunks<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

fn typed<T: DeserializeOwned>(value: &Payload) -> Result<T, Error> {
    let Payload::Json(text) = value else {
        return Err(Error::Invalid("the result is bytes".to_owned()));
    };
    serde_json::from_str(text.as_str()).map_err(|error| Error::Invalid(format!("the result: {error}")))
}
