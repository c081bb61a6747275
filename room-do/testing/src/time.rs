//! Time passes, and the room comes and goes.

use std::marker::PhantomData;

use room_core::{
    Attachment, Input, Room, Setup, Waking,
    behavior::{Behavior, Hosted},
};
use schemas::{ConnectionId, config::parse_duration};

use crate::TestRoom;

/// What may happen at one instant, a turn or an alarm each.
const AT_ONCE_MAX: u32 = 10_000;

impl<B: Behavior> TestRoom<B> {
    /// Lets time pass, such as `"30s"`: everything that falls due happens at its time.
    ///
    /// # Panics
    /// Where it is no duration, and where the room goes on and on at one instant.
    pub fn advance(&mut self, duration: &str) {
        let ms = parse_duration(duration).expect("a duration such as \"30s\"");
        let end = self.now + ms;
        let mut at_once = 0;
        loop {
            let deadlines = self.room.poll_timeout();
            let turn = deadlines.turn.map(|deadline| (deadline.at, false));
            let durable = deadlines.durable.map(|deadline| (deadline.at, true));
            let Some((at, is_alarm)) = turn.into_iter().chain(durable).min().filter(|(at, _)| *at <= end)
            else {
                break;
            };
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(
                at_once < AT_ONCE_MAX,
                "the room does not come to rest: it goes on and on at {}",
                self.now
            );
            self.now = self.now.max(at);
            if is_alarm {
                let heard = self.attachments.keys().map(|id| (*id, self.now)).collect();
                self.input(Input::AlarmFired { heard });
            } else {
                self.input(Input::TurnEnded);
            }
        }
        self.now = end;
    }

    /// The room leaves memory, as it does when nothing happens, and is rebuilt; connections stay.
    ///
    /// # Panics
    /// Where an attachment of its own cannot be read.
    pub fn sleep(&mut self) {
        self.wake(Waking::FromSleep);
    }

    /// The instance is lost to a trap, and made anew for the connections that are still open: they are closed 3004.
    ///
    /// # Panics
    /// As [`TestRoom::sleep`].
    pub fn trap(&mut self) {
        self.wake(Waking::FromFault);
    }

    fn wake(&mut self, waking: Waking) {
        let sockets = self.attachments.iter().map(|(id, bytes)| {
            let attachment = Attachment::decode(bytes).expect("the room's attachments can be read");
            (*id, Some(attachment))
        });
        let sockets = sockets.collect();
        self.rebuild(sockets, waking);
        // What restoring has to tell leaves with the first input.
        self.input(Input::TurnEnded);
        self.end_turn();
    }

    /// The process ends and another begins: connections are lost, what was committed stays.
    pub fn restart(&mut self) {
        self.attachments.clear();
        self.inboxes.clear();
        self.rebuild(Vec::new(), Waking::FromSleep);
    }

    /// The room leaves memory, and another behavior has it from then on, as after a change of its kind's
    /// configuration.
    #[must_use]
    pub fn with_behavior<C: Behavior>(self) -> TestRoom<C> {
        let setup = Setup { behavior: Some(Hosted::of::<C>()), ..self.setup };
        let mut room = TestRoom {
            now: self.now,
            setup,
            storage: self.storage,
            room: self.room,
            seed: self.seed,
            attachments: self.attachments,
            inboxes: self.inboxes,
            closed: self.closed,
            answers: self.answers,
            chunks: self.chunks,
            events: self.events,
            failures: self.failures,
            connections: self.connections,
            requests: self.requests,
            of: PhantomData,
        };
        room.sleep();
        room
    }

    fn rebuild(&mut self, sockets: Vec<(ConnectionId, Option<Attachment>)>, waking: Waking) {
        self.seed += 1;
        let loaded = self.storage.load();
        self.room = Room::restore(self.now, self.seed, self.setup.clone(), loaded, sockets, waking);
    }
}
