//! What happened to a room. Names are past participles.

use schemas::{Claims, Codec, ConnectionId, ErrorCode, Frame, directory::Reported, http::RoomCall};

use crate::outbox::{Outcome, Try};

/// Names an HTTP request that waits for its [`Output::Answer`](crate::Output::Answer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRefusal {
    /// `unauthorized`, `forbidden`, or `unavailable` where it could not be verified now.
    pub code: ErrorCode,
    /// The code that a refused upgrade would have had, such as `token_expired`.
    pub reason: &'static str,
    /// For whoever issues tokens. Never quotes one.
    pub message: String,
}

#[derive(Debug, Clone)]
pub enum Input {
    /// The gateway forwarded an upgrade and the shell accepted the socket. `connection` is fresh randomness.
    Opened { connection: ConnectionId, codec: Codec, claims: Claims },
    /// A frame came in.
    Received { connection: ConnectionId, frame: Frame },
    /// The socket is gone, or its peer has closed it with `code` (1006: no close was seen).
    Closed { connection: ConnectionId, code: u16 },
    /// The gateway asks on behalf of a backend or a user.
    Asked { request: RequestId, call: RoomCall },
    /// How much of what was sent has not left, in bytes: for connections where it is much, or no longer is.
    Measured { unsent: Vec<(ConnectionId, u64)> },
    /// A token that the room wanted verified: the same request of the same connection, and the claims in this room,
    /// those that allow nothing among them.
    Verified { connection: ConnectionId, request: u32, result: Result<Claims, TokenRefusal> },
    /// The `report` deadline passed.
    ReportDue,
    /// What came of the [`Output::Report`](crate::Output::Report) under way. `None`: the directory did not take it, or
    /// that is not known.
    Reported { answer: Option<Reported> },
    /// A webhook was tried.
    Delivered { this: Try, outcome: Outcome },
    /// What could not be delivered was handed to the directory, which took it or did not.
    Parked { this: Try, accepted: bool },
    /// The reader of a streamed answer ([`Output::Stream`](crate::Output::Stream)) has taken all there was.
    Wanted { request: RequestId },
    /// The reader of a streamed answer has taken something of what there was, as it does every few seconds.
    Reading { request: RequestId },
    /// The reader of a streamed answer is gone.
    Abandoned { request: RequestId },
    /// The `turn` deadline passed.
    TurnEnded,
    /// The alarm fired. `heard` holds when each socket's ping was last answered by the platform, in milliseconds
    /// since 1970, for those where it ever was.
    AlarmFired { heard: Vec<(ConnectionId, u64)> },
}
