//! The module that is built and deployed: the gateway and the rooms, as [`gateway`] exports them, and which behaviors
//! the kinds of its `wrangler.toml` may name.

use room_core::behavior::Behaviors;

gateway::worker!(behaviors);

fn behaviors() -> Behaviors {
    let behaviors = roomcast_behaviors::all();
    #[cfg(feature = "faults")]
    let behaviors = behaviors.with::<fixture_behavior::Fixture>().with::<fixture_behavior::Ticker>();
    behaviors
}
