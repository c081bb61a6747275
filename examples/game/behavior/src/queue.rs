//! What a player wants in the ticks to come.

use crate::motion::Wish;
use std::collections::VecDeque;

/// Wishes that wait; above it the oldest go.
const WAITING_MAX: usize = 6;
/// Above it two are taken in one tick: the player's clock runs ahead of ours, or the network held some back.
const WAITING_WELL: usize = 3;
/// For so many ticks without a wish the last one goes on.
const PATIENCE_TICKS: u8 = 6;

/// One player's wishes, a tick each.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: VecDeque<(u32, Wish)>,
    /// The number of the last that came.
    newest: u32,
    /// The number of the last that was granted.
    done: u32,
    last: Wish,
    without: u8,
}

impl Queue {
    /// Wishes come numbered and rising; what is not newer is dropped.
    pub fn push(&mut self, number: u32, wish: Wish) {
        if number <= self.newest {
            return;
        }
        self.newest = number;
        self.waiting.push_back((number, wish));
        if self.waiting.len() > WAITING_MAX {
            self.merge();
        }
    }

    /// What is wanted in this tick.
    pub fn grant(&mut self) -> Wish {
        if self.waiting.len() > WAITING_WELL {
            self.merge();
        }
        if let Some((number, wish)) = self.waiting.pop_front() {
            (self.done, self.last, self.without) = (number, Wish { dash: false, ..wish }, 0);
            return wish;
        }
        self.without = self.without.saturating_add(1);
        if self.without > PATIENCE_TICKS {
            self.last = Wish::default();
        }
        self.last
    }

    /// The number of the last wish that was granted, without its higher bits.
    #[must_use]
    pub fn done(&self) -> u8 {
        self.done.to_le_bytes()[0]
    }

    /// The oldest goes; its dash is not lost.
    fn merge(&mut self) {
        if let Some((_, oldest)) = self.waiting.pop_front()
            && let Some((_, next)) = self.waiting.front_mut()
        {
            next.dash |= oldest.dash;
        }
    }
}
