//! Time and randomness, which the core takes as arguments.

/// Milliseconds since 1970. On Workers the clock stands still between two I/O events.
#[must_use]
pub fn now() -> u64 {
    let now = js_sys::Date::now() as u64;
    #[cfg(feature = "faults")]
    let now = now + crate::faults::ahead_ms();
    now
}

/// 52 random bits, from the platform's generator: enough for an id, and no more than a JavaScript number holds.
#[must_use]
pub fn random() -> u64 {
    let (high, low) = (js_sys::Math::random(), js_sys::Math::random());
    let bits = |value: f64| (value * f64::from(1u32 << 26)) as u64;
    bits(high) << 26 | bits(low)
}

/// 64 random bits.
#[must_use]
pub fn seed() -> u64 {
    random() << 32 ^ random()
}
