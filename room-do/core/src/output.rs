//! What a room wants done. Names are imperatives; the shell carries them out in order.

use schemas::{
    CloseCode, ConnectionId, ErrorCode, Frame, Payload,
    client_message::TokenText,
    directory::Report,
    server_message::{RequestError, RequestResult},
    webhook::Parked,
};

use crate::{input::RequestId, outbox::Try};

#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Keep these bytes with the socket; they outlive hibernation.
    Attach { connection: ConnectionId, attachment: Vec<u8> },
    /// Send one frame to each. The frame is encoded once; nothing is assumed of where the connections are.
    Broadcast { connections: Vec<ConnectionId>, frame: Frame },
    /// Close the socket. The room has already forgotten the connection.
    Close {
        connection: ConnectionId,
        code: CloseCode,
        /// What is said in place of the code's own reason, at most 123 bytes.
        reason: Option<String>,
    },
    /// Say with [`Input::Verified`](crate::Input::Verified) what this token is worth in this room.
    Verify { connection: ConnectionId, request: u32, token: TokenText },
    /// The answer to an HTTP request comes chunk by chunk, and ends with [`Output::Answer`] or [`Output::Cut`]. Chunks come as they are
    /// [wanted](crate::Input::Wanted).
    Stream { request: RequestId },
    /// One chunk of a streamed answer.
    Chunk { request: RequestId, chunk: Payload },
    /// End a streamed answer with this error, in place of what its reader has not taken yet.
    Cut { request: RequestId, error: RequestError },
    /// Answer an HTTP request.
    Answer { request: RequestId, result: Result<RequestResult, RequestError> },
    /// Tell the directory, and the room what came of it ([`Input::Reported`](crate::Input::Reported)). `stored_bytes`
    /// is for whoever keeps them to say.
    Report(Box<Report>),
    /// Post `body` to the endpoint under the name `id`, once all that was committed is on disk, and say how it went.
    Deliver { this: Try, id: String, body: String },
    /// Tell the operator of what failed and nobody else hears of.
    Failed {
        /// Of the behavior; `None` where a flush could not be committed.
        hook: Option<&'static str>,
        code: ErrorCode,
        /// What the behavior, or storage, says; of what a behavior could not read no more than where.
        message: String,
        /// How often, since this was told last.
        times: u32,
    },
    /// Hand to the directory what could not be delivered, and say whether it took it.
    Park { this: Try, parked: Box<Parked> },
}

#[must_use = "a room's outputs are its only effect"]
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs(pub Vec<Output>);

impl IntoIterator for Outputs {
    type Item = Output;
    type IntoIter = std::vec::IntoIter<Output>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
