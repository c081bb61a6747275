//! The handle on a room.

use client_core::{Client as Core, Failure, Me, Request, Status};
use schemas::{
    Offset, Payload,
    client_message::{History, StateOp},
    payload::JsonText,
    server_message::{Amended, HistoryPage, Member, RequestResult, StateEntry, StateVersion},
};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Error, PublishRequest, driver::Command};

/// A room, and this session in it. Clones are handles on the same one; when the last is dropped, the room is left.
#[derive(Debug, Clone)]
pub struct Room {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) status: watch::Receiver<Status>,
}

impl Room {
    /// Joins, and returns once connected. Keeps trying until then.
    ///
    /// # Errors
    /// [`Error::Failed`] where the room refuses for good; [`Error::Left`] where it was left meanwhile.
    pub async fn join(&self) -> Result<(), Error> {
        let mut status = self.status.clone();
        self.ask(Command::Join)?;
        let reached =
            status.wait_for(|status| matches!(status, Status::Connected | Status::Failed(_) | Status::Left));
        match reached.await.map_err(|_| Error::Left)?.clone() {
            Status::Failed(failure) => Err(Error::Failed(failure)),
            Status::Left => Err(Error::Left),
            _ => Ok(()),
        }
    }

    /// Leaves at once, without the grace of a lost connection. What was published before still goes out.
    pub async fn leave(&self) {
        let mut status = self.status.clone();
        if self.ask(Command::Leave).is_ok() {
            // An error means that the task is gone, which is more than left.
            drop(status.wait_for(|status| !matches!(status, Status::Connected)).await);
        }
    }

    /// Where the connection is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells of each change of [`Room::status`].
    #[must_use]
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Why the status is failed.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match &*self.status.borrow() {
            Status::Failed(failure) => Some(failure.clone()),
            _ => None,
        }
    }

    /// Publishes, once awaited. What is published at once travels together; without a connection it waits for the
    /// next one, in a queue of at most 256.
    pub fn publish(&self, kind: &str, data: &(impl Serialize + ?Sized)) -> PublishRequest {
        PublishRequest::new(self.clone(), kind, payload(data))
    }

    /// Publishes bytes, once awaited.
    pub fn publish_bytes(&self, kind: &str, data: Vec<u8>) -> PublishRequest {
        PublishRequest::new(self.clone(), kind, Ok(Payload::Bytes(data)))
    }

    /// Replaces what an earlier publication says.
    ///
    /// # Errors
    /// As the room refuses: `not_found`, `forbidden`, `too_large`, …
    pub async fn edit(&self, offset: Offset, data: &(impl Serialize + ?Sized)) -> Result<Amended, Error> {
        self.amend(Request::Edit { offset, data: payload(data)? }).await
    }

    /// Takes back an earlier publication: what it said is erased.
    ///
    /// # Errors
    /// As the room refuses: `not_found`, `forbidden`, …
    pub async fn remove(&self, offset: Offset) -> Result<Amended, Error> {
        self.amend(Request::Remove { offset }).await
    }

    /// Adds (`on`) or takes back a reaction of at most 32 bytes.
    ///
    /// # Errors
    /// As the room refuses: `not_found`, `invalid_argument`, …
    pub async fn react(&self, offset: Offset, name: &str, on: bool) -> Result<Amended, Error> {
        self.amend(Request::React { offset, name: name.to_owned(), on }).await
    }

    /// Shows `data` (at most 2 KiB) to the others, from now on and after each reconnect.
    ///
    /// # Errors
    /// As the room refuses: `forbidden`, `too_large`, …
    pub async fn set_presence(&self, data: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.request(Request::Presence { data: payload(data)? }).await.map(drop)
    }

    /// Writes shared state: all of the operations, in order, or none.
    ///
    /// # Errors
    /// As the room refuses: `conflict` where a key's version is another, `forbidden`, `too_large`, …
    pub async fn write_state(&self, ops: Vec<StateOp>) -> Result<StateVersion, Error> {
        match self.request(Request::State { ops }).await? {
            RequestResult::State(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// A page of the log, ascending: the newest, or what is before or after an offset.
    ///
    /// # Errors
    /// As the room refuses: `forbidden`, `invalid_argument`, …
    pub async fn history(&self, page: History) -> Result<HistoryPage, Error> {
        match self.request(Request::History(page)).await? {
            RequestResult::History(page) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    /// Who is here, this session included, in the order of their public sessions.
    ///
    /// # Errors
    /// [`Error::Left`] where the room's task has ended.
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        self.look(|core| core.members().to_vec()).await
    }

    /// One key of the shared state.
    ///
    /// # Errors
    /// [`Error::Left`] where the room's task has ended.
    pub async fn state(&self, key: &str) -> Result<Option<StateEntry>, Error> {
        let key = key.to_owned();
        self.look(move |core| core.state().get(&key).cloned()).await
    }

    /// Who this connection is, once welcomed.
    ///
    /// # Errors
    /// [`Error::Left`] where the room's task has ended.
    pub async fn me(&self) -> Result<Option<Me>, Error> {
        self.look(|core| core.me().cloned()).await
    }

    /// Looks at the client's state as it is now.
    ///
    /// # Errors
    /// [`Error::Left`] where the room's task has ended.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Look(Box::new(move |core| drop(answer.send(look(core))))))?;
        answered.await.map_err(|_| Error::Left)
    }

    /// Asks for anything that a room can be asked.
    ///
    /// # Errors
    /// [`Error::Rejected`] or [`Error::Unknown`], as the request ended.
    pub async fn request(&self, request: Request) -> Result<RequestResult, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Request(Box::new(request), answer))?;
        answered.await.map_err(|_| Error::Left)?
    }

    async fn amend(&self, request: Request) -> Result<Amended, Error> {
        match self.request(request).await? {
            RequestResult::Amended(amended) => Ok(amended),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) fn ask(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).map_err(|_| Error::Left)
    }
}

pub(crate) fn payload(data: &(impl Serialize + ?Sized)) -> Result<Payload, Error> {
    let text = serde_json::to_string(data).map_err(|error| Error::Invalid(format!("data: {error}")))?;
    JsonText::check(text).map(Payload::Json).map_err(|error| Error::Invalid(format!("data {error}")))
}

/// The server answered with what does not belong to the request.
pub(crate) fn unexpected(result: &RequestResult) -> Error {
    let message = format!("the server answered something else: {result:?}");
    Error::Unknown(crate::RequestError::new(None, schemas::ErrorCode::Internal, message))
}
