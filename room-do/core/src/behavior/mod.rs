//! Server logic of a team's own: a [`Behavior`], in the room itself.
//!
//! A behavior is a value in memory with hooks that the room calls and methods that others call. It is pure and
//! synchronous: time, randomness and storage come through the [`Context`], so it runs natively in tests, in the
//! simulation and in a Worker alike.
//!
//! # When it runs
//! Inside the flush, entry by entry, in the order in which things came; all of a flush is one transaction. What a hook
//! or method does (values, SQL, timers, messages, shared state) is kept with all the rest, or, where it returns an
//! error, not at all. Nothing is answered or delivered before it is on disk. `join` is decided, and committed, ahead
//! of the welcome.
//!
//! # Memory is a cache
//! A room leaves memory when nothing happens, when it is restarted, and when a commit fails; [`Behavior::started`]
//! builds the value anew. What must last is stored, or shared state. A step that fails is taken back in storage, and
//! not in the behavior's fields: change them once nothing can fail any more.
//!
//! * [`context`]: what a hook can do; values, SQL, timers and machines have files of their own.
//! * [`interface`]: the table of methods, their arguments and types.
//! * [`host`]: how a room runs its behavior.

mod context;
mod events;
mod failure;
pub(crate) mod host;
mod interface;
mod machine;
mod scheduling;
mod sql;
pub(crate) mod step;
mod stream;
pub(crate) mod streaming;
mod types;
mod values;

pub use schemas::server_message::LifecycleState;

pub(crate) use context::Afterwards;
pub use context::Context;
pub use events::{
    Admission, Amending, Amendment, Caller, Change, Fired, Joining, Leaving, List, Message, Publishing,
    Scheduled, Tick, Verdict, When,
};
pub use failure::{Failure, MethodError, Refusal};
pub use host::{Behaviors, Hosted};
pub use interface::{Arguments, Interface};
pub use machine::{InvalidTransition, StateMachine};
pub use scheduling::{TIMER_NAME_BYTES_MAX, TIMER_PAYLOAD_BYTES_MAX, TIMERS_MAX};
pub use schemas::{
    Capabilities, Capability, ErrorCode, Offset, Payload, PublicSession, UserId,
    client_message::To,
    http::Who,
    server_message::{Author, LeaveReason, Member, Publication},
};
pub use sql::{Bindings, Sql};
pub(crate) use step::{Admitted, Hook, Settled};
pub use stream::{Next, Stream};
pub use types::{Typed, Types};
pub use values::{KEY_BYTES_MAX, LIST_DEFAULT, LIST_MAX, VALUE_BYTES_MAX};

pub use crate::storage::{SqlError, SqlValue};

/// What rooms of a kind do beside relaying. Every hook has a default that changes nothing.
pub trait Behavior: Sized + 'static {
    /// As a kind's `behavior` says: `[a-z][a-z0-9-]{0,31}`.
    const NAME: &'static str;
    /// SQL scripts, each run once in a room, in order; never changed or taken away once rooms have run them. Without
    /// any, there is no SQL.
    const MIGRATIONS: &'static [&'static str] = &[];
    /// A tick each so many milliseconds, 10 to 60,000, while a connection is open. 0: none.
    const TICK_MS: u64 = 0;

    /// Names what it offers.
    fn describe(interface: &mut Interface<Self>);

    /// The room came into memory: on its first use, after sleep, a restart, and a commit that failed.
    ///
    /// # Errors
    /// It cannot serve: whoever needs it is told `unavailable`, and the next try begins anew.
    fn started(ctx: &mut Context<'_>) -> Result<Self, Failure>;

    /// Somebody says hello. What is decided here is committed ahead of the welcome.
    ///
    /// # Errors
    /// They may not come in.
    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        let _ = (ctx, joining);
        Ok(Admission::default())
    }

    /// A membership ended: they left, or their grace did.
    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        let _ = (ctx, left);
    }

    /// A client or a backend publishes, to the log or for now.
    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        let _ = (ctx, publishing);
        Verdict::Pass
    }

    /// A client or a backend edits or removes a publication, or reacts to one.
    ///
    /// # Errors
    /// It is not done, and whoever asked is told why.
    fn amend(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure> {
        let _ = (ctx, amending);
        Ok(())
    }

    fn tick(&mut self, ctx: &mut Context<'_>, tick: Tick) {
        let _ = (ctx, tick);
    }

    /// A named timer has come: at least once each.
    ///
    /// # Errors
    /// It is tried again after 1 s, 5 s, 30 s, 2 min, 10 min, and then each hour, until it succeeds or is cancelled.
    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        let _ = (ctx, timer);
        Ok(())
    }

    /// The room was occupied, vacated, or came to rest. It is told once, and not again after a restart.
    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: LifecycleState) {
        let _ = (ctx, state);
    }
}
