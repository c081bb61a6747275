//! The client as a value: one [`Client`] is one room's connection, across all the sockets it takes.
//!
//! Pure and sans-IO. [`Client::handle`] takes what happened ([`Input`], a past participle) at a time, and returns
//! what to do ([`Output`], an imperative); [`Client::poll_timeout`] says when it wants [`Input::TimedOut`]. Time
//! is milliseconds of any monotonic clock, randomness is the seed given to [`Client::new`]. Browsers, bots, the
//! simulation and the tests drive the same value.
//!
//! # The story of a connection
//!
//! ```text
//!            JoinRequested             TokenFetched            SocketOpened            welcome
//!  Idle ──────────────────▶ FetchingToken ──────────▶ Opening ────────────▶ Greeting ──────────▶ Online
//!   ▲                            ▲    │ refused          │ closed, 15 s         │ closed, 10 s      │ closed, dead
//!   │ (or Left, Failed)          │    │ or late          ▼                      ▼                   ▼
//!   │                            │    └──────────────▶ Waiting ◀───────────────────────────────────┘
//!   │                            └─────────────────────┘ backoff over, or a hint
//!   │                                        any socket: a final close code ──▶ Failed
//!   └── Left ◀── Leaving (2 s for the answer) ◀── LeaveRequested
//! ```
//!
//! Each try is an *attempt* with a number. Everything the driver says about a token or a socket carries that
//! number, and what belongs to another attempt is ignored: a late token, or the close of a socket long replaced,
//! cannot disturb the present one. Without a token function, `FetchingToken` is skipped.
//!
//! *Losing a connection.* The close code's class ([`schemas::codes::AfterClose`]) decides: wait and try again,
//! wait at the slow end, or stop for good ([`Status::Failed`]). A fresh token is fetched for each attempt, so an
//! expired one needs no path of its own. A live connection is shown a newer one before its own ends ([`refresh`]). The wait has full jitter ([`backoff`]) and starts over once a
//! connection has lived five seconds. Hints from the outside (the network is back, the tab is visible) cut it
//! short, never to closer than a second after the attempt before; a lost network stretches it.
//!
//! *Where upgrades do not pass*, HTTP may: after two that came to nothing the driver is asked for a socket of the other
//! [`Transport`], which speaks the same protocol. It stays with that for five minutes ([`transport`]).
//!
//! *A dead connection* looks like a silent one. After 25 s without sending, and when what was sent has met with
//! nothing for 10 s, `ping`; nothing at all within 10 s of it, and the connection is taken for lost ([`heartbeat`]).
//! A deadline noticed late proves that this side slept,
//! not that the peer is gone; then it is asked once more.
//!
//! *The position* (epoch and offset) is all that recovery needs: the highest of the welcome's, each publication's
//! and `position`'s. It outlives connections. What is at or below it is never emitted again; a welcome that could
//! not recover is told as [`Event::Gap`], ahead of anything that follows the hole.
//!
//! *Requests* have one outcome each ([`Outcome`]): acknowledged, rejected, or unknown, which is what a request is
//! whose answer was lost. A publish with a key is no such: it is sent again, for under its key the room takes it
//! once. They wait in one bounded queue ([`requests`]) until the turn ends that made them, or,
//! without a connection, until the next welcome; all that leave together leave as one frame. What waited longer
//! is let out at a pace that the server's rates allow. Ephemerals do not wait for a connection: late ones are
//! worth nothing.
//!
//! *Presence* is a roster kept by two pure functions ([`presence`]). A new snapshot is compared with what is
//! known, so that a reconnect shows what changed and nothing else.
//!
//! *Shared state* ([`SharedState`]) is the same in small: each welcome brings all of it, and changes follow by
//! version.
//!
//! *Acks* go out where a server asks for them: how many frames this side has read, which it cannot see itself.
//!
//! # Public status
//!
//! Nine states fold into seven words ([`Status`]): `idle`; `connecting` until the first welcome since joining;
//! `connected`; `reconnecting` after it; `offline` while it waits and the network is said to be gone; `failed`
//! with the code and reason; `left`.
//!
//! # Invariants
//!
//! 1. Publications are emitted in rising order, each once, or a gap was emitted before.
//! 2. Each request has exactly one outcome.
//! 3. There is at most one socket, and none in `Idle`, `Waiting`, `Failed` and `Left`.
//! 4. Every queue and map has a bound, and what happens there is stated at the bound.
//! 5. Nothing a server sends panics.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod acks;
pub mod backoff;
mod client;
mod connecting;
pub mod heartbeat;
mod input;
mod msgpack;
mod online;
mod output;
pub mod presence;
mod refresh;
pub mod requests;
mod shared_state;
mod state;
pub mod transport;
mod wire;

pub use client::{Client, Me, Options, TokenSource};
pub use input::{Attempt, Call, Input, Request};
pub use output::{Deadline, Due, Event, Outcome, Output, Outputs};
pub use shared_state::SharedState;
pub use state::{Failure, Status};
pub use transport::Transport;
