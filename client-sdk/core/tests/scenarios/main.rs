//! The client against a server that says what the test tells it to. Test names cite the rules of docs/PROTOCOL.md.

mod acks;
mod calls;
mod connecting;
mod heartbeat;
mod keys;
mod presence;
mod recovery;
mod refresh;
mod requests;
mod script;
mod shared_state;
mod transport;
