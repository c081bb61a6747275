//! The lines of a room: of its connections one when each begins and one when it ends, none of what they say.

use std::rc::Rc;

use deployment::log::{self, Line};
use room_core::TokenRefusal;
use schemas::{CloseCode, ConnectionId, ErrorCode};

#[derive(Clone)]
pub(crate) struct Log {
    /// The object's.
    name: Rc<str>,
    /// Whether connections are told of that come and go.
    connections: bool,
}

/// Which end closed a connection, or lost it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Client,
    Room,
}

impl Log {
    pub(crate) fn new(name: &str, connections: bool) -> Log {
        Log { name: name.into(), connections }
    }

    /// Someone else was wrong, or failed.
    pub(crate) fn warn(&self, event: &'static str) -> Line {
        log::warn(event).with("room", &*self.name)
    }

    /// We failed, or something was lost.
    pub(crate) fn error(&self, event: &'static str) -> Line {
        log::error(event).with("room", &*self.name)
    }

    /// A connection, and the request that it came with.
    pub(crate) fn opened(&self, connection: ConnectionId, request_id: &str) {
        if self.connections {
            self.info("connected").with("connection", connection.to_string()).request(request_id).write();
        }
    }

    pub(crate) fn refused(&self, code: CloseCode, request_id: &str) {
        self.warn("connection_refused").with("code", code.code()).request(request_id).write();
    }

    /// A newer token of a connection was not taken.
    pub(crate) fn token_refused(&self, connection: ConnectionId, refusal: &TokenRefusal) {
        let line = match refusal.code {
            ErrorCode::Unavailable => self.error("token_not_verified"),
            _ => self.warn("token_refused"),
        };
        let line = line.with("connection", connection.to_string());
        line.with("code", refusal.reason).message(&refusal.message).write();
    }

    /// What failed in the behavior and nobody waits for; without a hook, a flush's commit.
    pub(crate) fn failed(&self, hook: Option<&str>, code: ErrorCode, message: &str, times: u32) {
        let line = match hook {
            Some(hook) => self.error("hook_failed").with("hook", hook),
            None => self.error("commit_failed"),
        };
        line.with("code", code.as_str()).with("times", times).message(message).write();
    }

    /// What is lost without a close is told as 1006.
    pub(crate) fn closed(&self, connection: ConnectionId, code: u16, by: By) {
        if self.connections {
            let by = match by {
                By::Client => "client",
                By::Room => "room",
            };
            let line = self.info("closed").with("connection", connection.to_string());
            line.with("code", code).with("by", by).write();
        }
    }

    fn info(&self, event: &'static str) -> Line {
        log::info(event).with("room", &*self.name)
    }
}
