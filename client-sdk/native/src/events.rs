//! What happens in a room.

use client_core::Event;
use tokio::sync::mpsc;

/// What happens in a room, in its order.
///
/// Who does not read it holds the room up: when 8,192 events wait, nothing more is read from the server, which then
/// counts this client as slow. Dropping it is how to say that nobody listens.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: mpsc::UnboundedReceiver<Event>,
    pub(crate) waiting: std::sync::Arc<crate::driver::Waiting>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.waiting.nobody_listens();
    }
}

impl Events {
    /// The next event; `None` once the room is gone: every [`Room`](crate::Room) was dropped.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await?;
        self.waiting.taken();
        Some(event)
    }
}
