//! Players who want things at random, and two who sit in a room.

use game_behavior::Game;
use game_behavior::frame::Frame;
use game_behavior::motion::Wish;
use game_behavior::world::{Seat, World};
use room_testing::{Seat as Connection, TestRoom};
use serde_json::json;

#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        game_behavior::random::draw(&mut self.0)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: i32) -> i32 {
        i32::try_from(self.draw() % u64::try_from(bound).expect("a bound above 0")).expect("it fits")
    }

    pub(crate) fn wish(&mut self) -> Wish {
        Wish::new(self.below(401) - 200, self.below(401) - 200, self.below(6) == 0)
    }
}

/// Takes one step in which each of these seats wants something at random.
pub(crate) fn stir(world: &mut World, seats: &[Seat], number: u32, random: &mut Random) {
    for seat in seats {
        world.wish(*seat, number, random.wish());
    }
    world.step();
}

/// Ada and Bob sit and are ready, three seconds before their round begins.
pub(crate) fn begun() -> (TestRoom<Game>, Connection, Connection) {
    let mut room = TestRoom::<Game>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    for player in [ada, bob] {
        room.call(player, "sit", json!(null)).expect("there is room");
        room.call(player, "ready", json!({ "ready": true })).expect("they sit");
    }
    (room, ada, bob)
}

/// The frames that a connection has heard since this was asked before.
pub(crate) fn frames(room: &mut TestRoom<Game>, connection: Connection) -> Vec<Frame> {
    let heard = room.heard(connection).into_iter().filter(|(kind, _)| kind == "frame");
    let bytes = heard.map(|(_, data)| serde_json::from_value::<Vec<u8>>(data).expect("a frame is bytes"));
    bytes.map(|bytes| Frame::decode(&bytes).expect("and can be read")).collect()
}
