//! Players who want things at random.

use game_behavior::motion::Wish;
use game_behavior::world::{Seat, World};

/// SplitMix64: the same numbers from the same seed.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
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
