//! Where a room stands in its life, and how it gets elsewhere.
//!
//! ```text
//!            found                    rest            expire
//!   fresh ──────────▶ vacant ───────────────▶ idle ──────────▶ fresh
//!     │   occupy      ▲    │ occupy  ◀─ touch ─┤
//!     └────────────▶ occupied ◀── occupy ──────┘     delete: from anywhere to fresh
//!                    vacate
//! ```
//! *Fresh* means that nothing is stored; expiry and deletion lead back to it, in a new epoch.

use schemas::server_message::LifecycleState;

/// The state, as it is stored. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifecycle {
    pub state: LifecycleState,
    /// When this state began.
    pub since: u64,
    /// When the room was first used.
    pub created_at: u64,
    /// When it was last vacated or, while vacant, written to: to the minute.
    pub active_at: u64,
}

/// What leads from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Something is stored, and nobody is there.
    Found,
    /// The first member came.
    Occupy,
    /// The last member went.
    Vacate,
    /// Nothing touched it for `idle_after`.
    Rest,
    /// Something was written into an idle room.
    Touch,
    /// Nothing touched it for `expire_after`.
    Expire,
    /// A backend deleted it.
    Delete,
}

impl Transition {
    pub const ALL: [Transition; 7] = [
        Transition::Found,
        Transition::Occupy,
        Transition::Vacate,
        Transition::Rest,
        Transition::Touch,
        Transition::Expire,
        Transition::Delete,
    ];

    /// Where it leads from a state, if it may be taken there.
    #[must_use]
    pub fn from(self, state: LifecycleState) -> Option<LifecycleState> {
        use LifecycleState::{Fresh, Idle, Occupied, Vacant};
        match (self, state) {
            (Transition::Found, Fresh) | (Transition::Vacate, Occupied) | (Transition::Touch, Idle) => {
                Some(Vacant)
            }
            (Transition::Occupy, Fresh | Vacant | Idle) => Some(Occupied),
            (Transition::Rest, Vacant) => Some(Idle),
            (Transition::Expire, Idle) | (Transition::Delete, _) => Some(Fresh),
            _ => None,
        }
    }
}

/// A transition that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a room that is {from:?} cannot {wanted:?}; it can {valid:?}")]
pub struct InvalidTransition {
    pub from: LifecycleState,
    pub wanted: Transition,
    pub valid: Vec<Transition>,
}

/// Activity of a vacant room is written at most this often.
const ACTIVE_EVERY_MS: u64 = 60_000;

impl Lifecycle {
    pub(crate) const FRESH: Lifecycle =
        Lifecycle { state: LifecycleState::Fresh, since: 0, created_at: 0, active_at: 0 };

    /// The state after the transition.
    ///
    /// # Errors
    /// When the state does not allow it; the error names those that it does.
    pub fn after(self, transition: Transition, now: u64) -> Result<Lifecycle, InvalidTransition> {
        let Some(state) = transition.from(self.state) else {
            let valid = Transition::ALL.into_iter().filter(|other| other.from(self.state).is_some());
            return Err(InvalidTransition { from: self.state, wanted: transition, valid: valid.collect() });
        };
        if state == LifecycleState::Fresh {
            return Ok(Lifecycle::FRESH);
        }
        let created_at = if self.state == LifecycleState::Fresh { now } else { self.created_at };
        // Resting is no activity: the room's end counts from the last that was.
        let active_at = if transition == Transition::Rest { self.active_at } else { now };
        Ok(Lifecycle { state, since: now, created_at, active_at })
    }

    /// What follows from whether there are members, and from whether anything is being written.
    pub(crate) fn next(self, has_members: bool, writes: bool) -> Option<Transition> {
        use LifecycleState::{Fresh, Idle, Occupied, Vacant};
        match (self.state, has_members) {
            (Fresh | Vacant | Idle, true) => Some(Transition::Occupy),
            (Occupied, false) => Some(Transition::Vacate),
            (Fresh, false) => writes.then_some(Transition::Found),
            (Idle, false) => writes.then_some(Transition::Touch),
            (Occupied, true) | (Vacant, false) => None,
        }
    }

    /// A vacant room that is written to counts as active, if it has not for a while.
    pub(crate) fn noticed_activity(self, now: u64) -> Option<Lifecycle> {
        let stale = now.saturating_sub(self.active_at) >= ACTIVE_EVERY_MS;
        (self.state == LifecycleState::Vacant && stale).then_some(Lifecycle { active_at: now, ..self })
    }
}
