//! Which way to the room: a WebSocket, or HTTP alone where that does not pass.

/// How a socket is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    #[default]
    WebSocket,
    /// Frames come as server-sent events and go as requests.
    Http,
}

/// So many upgrades in a row that came to nothing, and HTTP is tried.
pub const UPGRADES_MAX: u32 = 2;
/// What HTTP reached is reached by HTTP for so long, before the upgrade is tried again.
pub const HTTP_FOR_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    present: Transport,
    /// Since one was welcomed, or HTTP was tried.
    failed_upgrades: u32,
    by_http_until: u64,
}

impl Ways {
    pub(crate) fn choose(&mut self, now: u64) -> Transport {
        let by_http = self.failed_upgrades >= UPGRADES_MAX || now < self.by_http_until;
        self.present = if by_http { Transport::Http } else { Transport::WebSocket };
        self.present
    }

    /// The present one ended before the welcome, and nobody said why.
    pub(crate) fn failed(&mut self) {
        match self.present {
            Transport::WebSocket => self.failed_upgrades += 1,
            Transport::Http => (self.failed_upgrades, self.by_http_until) = (0, 0),
        }
    }

    pub(crate) fn welcomed(&mut self, now: u64) {
        self.failed_upgrades = 0;
        self.by_http_until = if self.present == Transport::Http { now + HTTP_FOR_MS } else { 0 };
    }
}
