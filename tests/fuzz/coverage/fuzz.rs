//! One binary for all targets: `ROOMCAST_TARGET` names the one that libFuzzer's inputs go to.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("ROOMCAST_TARGET").expect("ROOMCAST_TARGET names a target");
    let found = fuzz::TARGETS.into_iter().find(|(name, _)| *name == wanted);
    found.expect("a target of that name").1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
