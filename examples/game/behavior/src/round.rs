//! A round's phases, and what leads from one to the next.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Ticks a second.
pub const TICKS_A_SECOND: u16 = 20;
/// How long a round is played.
pub const PLAYING_TICKS: u16 = 75 * TICKS_A_SECOND;
/// How long the result is shown before the floor is open again.
pub const FINISHED_TICKS: u16 = 15 * TICKS_A_SECOND;
/// From when all are ready.
pub const COUNTDOWN_TICKS: u16 = 3 * TICKS_A_SECOND;
/// From when most are.
pub const LONG_COUNTDOWN_TICKS: u16 = 10 * TICKS_A_SECOND;

/// Where a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Until enough are ready; the floor is open to try things.
    #[default]
    Lobby,
    /// All stand in their places on a bare floor.
    Countdown,
    Playing,
    /// The result stands; nobody paints.
    Finished,
}

impl Phase {
    const ALL: [Phase; 4] = [Phase::Lobby, Phase::Countdown, Phase::Playing, Phase::Finished];

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn numbered(number: u8) -> Option<Phase> {
        Phase::ALL.get(usize::from(number)).copied()
    }

    /// Whether whoever walks leaves paint.
    #[must_use]
    pub fn paints(self) -> bool {
        matches!(self, Phase::Lobby | Phase::Playing)
    }

    /// How long it lasts, with that many of the players ready; 0 where it has no end.
    #[must_use]
    pub fn ticks(self, quorum: Quorum) -> u16 {
        match self {
            Phase::Lobby => 0,
            Phase::Countdown if quorum == Quorum::All => COUNTDOWN_TICKS,
            Phase::Countdown => LONG_COUNTDOWN_TICKS,
            Phase::Playing => PLAYING_TICKS,
            Phase::Finished => FINISHED_TICKS,
        }
    }
}

/// What may happen to a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Enough are ready.
    Gather,
    /// Not enough are ready any more.
    Scatter,
    Go,
    TimeUp,
    /// Everyone got up.
    Abandon,
    /// All are ready again while the result still stands.
    Rematch,
    Rest,
}

/// Which event leads from where to where.
pub const TRANSITIONS: &[(Phase, Event, Phase)] = &[
    (Phase::Lobby, Event::Gather, Phase::Countdown),
    (Phase::Countdown, Event::Scatter, Phase::Lobby),
    (Phase::Countdown, Event::Go, Phase::Playing),
    (Phase::Playing, Event::TimeUp, Phase::Finished),
    (Phase::Playing, Event::Abandon, Phase::Lobby),
    (Phase::Finished, Event::Rematch, Phase::Countdown),
    (Phase::Finished, Event::Rest, Phase::Lobby),
];

/// How many of the people who sit are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// Nobody sits.
    Nobody,
    /// Too few, or one without company.
    Few,
    /// More than half.
    Most,
    All,
}

impl Quorum {
    /// Of so many people, and in the company of so many of the room's own bots.
    #[must_use]
    pub fn of(seated: usize, ready: usize, bots: usize) -> Quorum {
        match (seated, ready) {
            (0, _) => Quorum::Nobody,
            (1, _) if bots == 0 => Quorum::Few,
            _ if ready >= seated => Quorum::All,
            _ if 2 * ready > seated => Quorum::Most,
            _ => Quorum::Few,
        }
    }

    fn is_enough(self) -> bool {
        matches!(self, Quorum::Most | Quorum::All)
    }
}

/// What happens now, where anything does. `left` is how many ticks the phase has left.
#[must_use]
pub fn due(phase: Phase, quorum: Quorum, left: u16) -> Option<Event> {
    match phase {
        Phase::Lobby if quorum.is_enough() => Some(Event::Gather),
        Phase::Countdown if !quorum.is_enough() => Some(Event::Scatter),
        Phase::Countdown if left == 0 => Some(Event::Go),
        Phase::Playing if quorum == Quorum::Nobody => Some(Event::Abandon),
        Phase::Playing if left == 0 => Some(Event::TimeUp),
        Phase::Finished if quorum == Quorum::All => Some(Event::Rematch),
        Phase::Finished if left == 0 || quorum == Quorum::Nobody => Some(Event::Rest),
        _ => None,
    }
}
