//! Two clocks: the world's, by which links and clients go, and the room's, which somebody may set.

/// One instant on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Never goes back. Links, clients and `setTimeout` go by it.
    pub real: u64,
    /// What the room is told, and what its alarm goes by.
    pub room: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub real: u64,
    room_ahead_ms: i64,
    /// How often somebody set the room's.
    pub sets: u64,
}

impl Clock {
    #[must_use]
    pub fn starting_at(real: u64) -> Clock {
        Clock { real, room_ahead_ms: 0, sets: 0 }
    }

    #[must_use]
    pub fn now(&self) -> Moment {
        Moment { real: self.real, room: self.real.saturating_add_signed(self.room_ahead_ms) }
    }

    /// Somebody sets the room's clock.
    pub fn jump(&mut self, ms: i64) {
        self.sets += 1;
        self.room_ahead_ms += ms;
    }

    /// When the room's clock will show `room`, if nobody sets it.
    #[must_use]
    pub fn real_when_room_shows(&self, room: u64) -> u64 {
        room.saturating_add_signed(-self.room_ahead_ms)
    }
}
