//! The client against a server that says what the test tells it to. Test names cite the rules of docs/PROTOCOL.md.

mod connecting;
mod heartbeat;
mod presence;
mod recovery;
mod requests;
mod script;
