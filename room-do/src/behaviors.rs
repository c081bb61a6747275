//! Which behaviors there are.

use std::cell::OnceCell;

use room_core::behavior::{Behaviors, Hosted};
use schemas::config::{KindConfig, RELAY};

thread_local! {
    static REGISTERED: OnceCell<Behaviors> = const { OnceCell::new() };
}

/// Names the behaviors that the kinds of the configuration may have, once, before the first event: as an instance of
/// the module begins. Settings that name others are refused.
///
/// # Panics
/// Where two of them have the same name, or one of them contradicts itself.
pub fn register(behaviors: fn() -> Behaviors) {
    REGISTERED.with(|registered| {
        let registered = registered.get_or_init(behaviors);
        deployment::settings::know_behaviors(registered.iter().map(Hosted::name).collect());
    });
}

/// The logic of rooms of this kind, if they have any.
///
/// # Errors
/// A sentence, where it is not registered.
pub(crate) fn of(kind: &KindConfig) -> Result<Option<Hosted>, String> {
    if kind.behavior == RELAY {
        return Ok(None);
    }
    let found = REGISTERED.with(|registered| registered.get()?.find(&kind.behavior));
    found.map(Some).ok_or_else(|| format!("no behavior is registered as {:?}", kind.behavior))
}
