//! What a client knows of the world: frames, put together. Bots look at it; `src/view.ts` is the page's.

use crate::floor::{Floor, Tile};
use crate::frame::{Frame, Standing};
use crate::motion::Body;
use crate::round::Phase;
use crate::world::{SEATS, Seat};

/// A frame is missing: only a full one helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame is missing")]
pub struct Missing;

/// The world as it was told.
#[derive(Debug, Clone)]
pub struct View {
    pub tick: u32,
    pub phase: Phase,
    pub left: u16,
    pub floor: Floor,
    pub buckets: Vec<Tile>,
    players: [Option<Standing>; SEATS],
    is_whole: bool,
}

impl Default for View {
    fn default() -> View {
        View {
            tick: 0,
            phase: Phase::Lobby,
            left: 0,
            floor: Floor::bare(),
            buckets: Vec::new(),
            players: [None; SEATS],
            is_whole: false,
        }
    }
}

impl View {
    /// Takes in the next frame. One that says what is known already changes nothing.
    ///
    /// # Errors
    /// [`Missing`] where the frames before it did not all come.
    pub fn apply(&mut self, frame: &Frame) -> Result<(), Missing> {
        if frame.is_full {
            *self = View { is_whole: true, ..View::default() };
        } else if !self.is_whole || self.tick.wrapping_add(frame.since.into()) != frame.tick {
            if self.is_whole && self.tick == frame.tick {
                return Ok(());
            }
            self.is_whole = false;
            return Err(Missing);
        }
        (self.tick, self.phase, self.left) = (frame.tick, frame.phase, frame.left);
        self.buckets.clone_from(&frame.buckets);
        for seat in &frame.gone {
            self.players[usize::from(*seat)] = None;
        }
        for standing in &frame.standings {
            self.players[usize::from(standing.seat)] = Some(*standing);
        }
        frame.tiles.iter().for_each(|(tile, paint)| self.floor.set(*tile, *paint));
        drop(self.floor.take_changes());
        Ok(())
    }

    /// Whether all frames came since a full one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    #[must_use]
    pub fn body(&self, seat: Seat) -> Option<&Body> {
        self.players.get(usize::from(seat))?.as_ref().map(|standing| &standing.body)
    }

    /// Who is there, by seat.
    pub fn standings(&self) -> impl Iterator<Item = &Standing> {
        self.players.iter().flatten()
    }
}
