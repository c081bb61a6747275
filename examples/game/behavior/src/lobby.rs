//! Who sits where, and is ready: the part of the game that everyone sees as shared state.

use crate::round::{Phase, Quorum};
use crate::world::{SEATS, Seat};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 20;

/// Someone who plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Seated {
    /// Their number, which is also their colour's.
    pub seat: Seat,
    /// The public session that plays. It is a member of the room: the seat goes when it does.
    pub session: String,
    pub name: String,
    pub is_bot: bool,
    pub is_ready: bool,
    /// Rounds won since they sat down.
    pub wins: u16,
}

/// How many tiles someone had when the time was up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Score {
    pub seat: Seat,
    pub name: String,
    pub tiles: u16,
}

/// The lobby.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct Lobby {
    pub phase: Phase,
    /// Rounds that were begun.
    pub round: u32,
    /// By their number.
    pub seats: Vec<Seated>,
    /// Of the last round, the most tiles first.
    pub scores: Vec<Score>,
    /// Who had more tiles than anyone else.
    pub winner: Option<Seat>,
}

/// Every seat is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Lobby {
    /// Gives a session a seat, or the one that its user plays on from another, which `is_users` knows.
    ///
    /// # Errors
    /// [`Full`], where each of the [`SEATS`] is another's.
    pub fn sit(
        &mut self,
        session: &str,
        is_users: impl Fn(&str) -> bool,
        name: &str,
        is_bot: bool,
    ) -> Result<Seat, Full> {
        let mine = |seated: &&mut Seated| seated.session == session || is_users(&seated.session);
        if let Some(seated) = self.seats.iter_mut().find(mine) {
            session.clone_into(&mut seated.session);
            return Ok(seated.seat);
        }
        let is_free = |seat: &Seat| self.seats.iter().all(|seated| seated.seat != *seat);
        let seat = (0..SEATS as Seat).find(is_free).ok_or(Full)?;
        let (name, session) = (clean(name, seat), session.to_owned());
        let at = self.seats.partition_point(|seated| seated.seat < seat);
        self.seats.insert(at, Seated { seat, session, name, is_bot, is_ready: false, wins: 0 });
        Ok(seat)
    }

    /// Frees a session's seat, and says which it was.
    pub fn stand(&mut self, session: &str) -> Option<Seat> {
        let at = self.seats.iter().position(|seated| seated.session == session)?;
        Some(self.seats.remove(at).seat)
    }

    /// Whether a session that sits is ready. Returns false for one that does not sit.
    pub fn ready(&mut self, session: &str, is_ready: bool) -> bool {
        let seated = self.seats.iter_mut().find(|seated| seated.session == session);
        seated.map(|seated| seated.is_ready = is_ready).is_some()
    }

    /// The seat that this session plays on.
    #[must_use]
    pub fn seat_of(&self, session: &str) -> Option<Seat> {
        self.seats.iter().find(|seated| seated.session == session).map(|seated| seated.seat)
    }

    #[must_use]
    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.seats.len(), self.seats.iter().filter(|seated| seated.is_ready).count())
    }

    /// Enters a phase. A round that begins is counted; one that ends is scored, and who plays the next says so anew.
    pub fn begin(&mut self, phase: Phase, tiles_of: impl Fn(Seat) -> u16) {
        self.phase = phase;
        match phase {
            Phase::Playing => {
                self.round += 1;
                self.seats.iter_mut().for_each(|seated| seated.is_ready = false);
            }
            Phase::Finished => self.score(tiles_of),
            Phase::Lobby | Phase::Countdown => {}
        }
    }

    fn score(&mut self, tiles_of: impl Fn(Seat) -> u16) {
        let score = |seated: &Seated| Score {
            seat: seated.seat,
            name: seated.name.clone(),
            tiles: tiles_of(seated.seat),
        };
        self.scores = self.seats.iter().map(score).collect();
        self.scores.sort_by_key(|score| std::cmp::Reverse(score.tiles));
        self.winner = match self.scores.as_slice() {
            [first, second, ..] if first.tiles == second.tiles => None,
            [first, ..] => Some(first.seat),
            [] => None,
        };
        if let Some(winner) = self.seats.iter_mut().find(|seated| Some(seated.seat) == self.winner) {
            winner.wins = winner.wins.saturating_add(1);
        }
    }
}

/// A name as it is shown: in one line, not too long, never empty, and without what turns the text around it.
fn clean(name: &str, seat: Seat) -> String {
    let is_unseen = |c| matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control() || is_unseen(c)).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() { format!("Player {}", u16::from(seat) + 1) } else { name }
}
