//! The client as a value: connection states, recovery, outbox, backoff. Pure.
