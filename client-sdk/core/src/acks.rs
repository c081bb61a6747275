//! How much of a socket was read, told where the server asks for it: it cannot see what is unsent.

use schemas::limits::{ACK_BYTES, ACK_FRAMES};

/// What came over the present socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acks {
    frames: u64,
    acked_frames: u64,
    unacked_bytes: u64,
    /// As the welcome said.
    pub(crate) wanted: bool,
}

impl Acks {
    /// A frame with messages, which a pong is not.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.frames += 1;
        self.unacked_bytes += bytes as u64;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.wanted && (self.frames - self.acked_frames >= ACK_FRAMES || self.unacked_bytes >= ACK_BYTES)
    }

    /// What to tell, where it is time to.
    pub(crate) fn take(&mut self) -> Option<u64> {
        if !self.is_due() {
            return None;
        }
        self.acked_frames = self.frames;
        self.unacked_bytes = 0;
        Some(self.frames)
    }
}
