//! Who sits where, and is ready: the part of the game that everyone sees as shared state.

use crate::round::{Phase, Quorum};
use crate::world::{SEATS, Seat};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How many bots of its own a room has at most.
pub const BOTS_MAX: usize = 7;
const BOT_NAMES: [&str; BOTS_MAX] = ["Umber", "Ochre", "Indigo", "Sienna", "Cobalt", "Madder", "Viridian"];
/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 20;

/// Someone who plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Seated {
    /// Their number, which is also their colour's.
    pub seat: Seat,
    /// The public session that plays. It is a member of the room: the seat goes when it does. Empty for a bot of the
    /// room's own.
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

impl Seated {
    /// Whether it is a bot of the room's own.
    #[must_use]
    pub fn is_rooms(&self) -> bool {
        self.session.is_empty()
    }
}

impl Lobby {
    /// Gives a session a seat, where need be that of one of the room's own bots, or the one that its user plays on from another, which `is_users` knows.
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
        let seat = self.free_seat().or_else(|| self.dismiss()).ok_or(Full)?;
        let (name, session) = (clean(name, seat), session.to_owned());
        self.insert(Seated { seat, session, name, is_bot, is_ready: false, wins: 0 });
        Ok(seat)
    }

    /// Has so many bots of the room's own sit, as far as there are seats for them, and [`BOTS_MAX`] at most.
    pub fn seat_bots(&mut self, count: usize) {
        let count = count.min(BOTS_MAX);
        while self.bots().count() > count {
            self.dismiss();
        }
        while self.bots().count() < count
            && let Some(seat) = self.free_seat()
        {
            let is_free = |name: &&str| self.bots().all(|bot| bot.name != *name);
            let name = BOT_NAMES.into_iter().find(is_free).unwrap_or_default().to_owned();
            let session = String::new();
            self.insert(Seated { seat, session, name, is_bot: true, is_ready: true, wins: 0 });
        }
    }

    /// The bots of the room's own.
    pub fn bots(&self) -> impl Iterator<Item = &Seated> {
        self.seats.iter().filter(|seated| seated.is_rooms())
    }

    fn free_seat(&self) -> Option<Seat> {
        (0..SEATS as Seat).find(|seat| self.seats.iter().all(|seated| seated.seat != *seat))
    }

    fn insert(&mut self, seated: Seated) {
        let at = self.seats.partition_point(|before| before.seat < seated.seat);
        self.seats.insert(at, seated);
    }

    /// The last of the room's own bots gets up, and leaves its seat.
    fn dismiss(&mut self) -> Option<Seat> {
        let at = self.seats.iter().rposition(Seated::is_rooms)?;
        Some(self.seats.remove(at).seat)
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

    /// Whether enough are ready. The room's own bots always are; they are company, and have no say.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        let people = self.seats.iter().filter(|seated| !seated.is_rooms());
        let ready = people.clone().filter(|seated| seated.is_ready).count();
        Quorum::of(people.count(), ready, self.bots().count())
    }

    /// Enters a phase. A round that begins is counted; one that ends is scored, and who plays the next says so anew.
    pub fn begin(&mut self, phase: Phase, tiles_of: impl Fn(Seat) -> u16) {
        self.phase = phase;
        match phase {
            Phase::Playing => {
                self.round += 1;
                self.seats.iter_mut().for_each(|seated| seated.is_ready = seated.is_rooms());
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
