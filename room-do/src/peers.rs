//! The open sockets of a room, and what was sent to them and has not left.

use std::collections::{BTreeMap, BTreeSet};

use js_sys::Uint8Array;
use schemas::{ConnectionId, Frame, limits};
use wasm_bindgen::JsValue;

use crate::{
    log::{By, Log},
    platform::socket::Socket,
};

/// A socket is asked what has not left when so much was sent to it since the last time: a call each time would cost
/// more than it tells.
const MEASURED_EVERY_BYTES: usize = 64 * 1024;

pub(crate) struct Peers {
    pub(crate) log: Log,
    all: BTreeMap<ConnectionId, Peer>,
    /// Those to be measured at the next event: much was sent, or much had not left before.
    due: BTreeSet<ConnectionId>,
}

struct Peer {
    socket: Socket,
    sent_since_measured: usize,
    is_slow: bool,
}

impl Peers {
    pub(crate) fn new(log: Log) -> Peers {
        Peers { log, all: BTreeMap::new(), due: BTreeSet::new() }
    }

    pub(crate) fn insert(&mut self, id: ConnectionId, socket: Socket) {
        self.all.insert(id, Peer { socket, sent_since_measured: 0, is_slow: false });
    }

    /// Forgets one whose connection was closed, if it was still known.
    pub(crate) fn remove(&mut self, id: ConnectionId, code: u16, by: By) -> Option<Socket> {
        self.due.remove(&id);
        let socket = self.all.remove(&id).map(|peer| peer.socket);
        if socket.is_some() {
            self.log.closed(id, code, by);
        }
        socket
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Socket> {
        self.all.get(&id).map(|peer| &peer.socket)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Socket)> {
        self.all.iter().map(|(id, peer)| (*id, &peer.socket))
    }

    pub(crate) fn attach(&self, id: ConnectionId, attachment: &[u8]) {
        let Some(socket) = self.get(id) else { return };
        if let Err(error) = socket.serialize_attachment(&Uint8Array::from(attachment)) {
            let line = self.log.error("attachment_not_kept").with("connection", id.to_string());
            line.failed(&worker::Error::from(error)).write();
        }
    }

    /// One JS value for all recipients.
    pub(crate) fn send(&mut self, ids: &[ConnectionId], frame: &Frame) {
        let message: JsValue = match frame {
            Frame::Text(text) => JsValue::from_str(text),
            Frame::Binary(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        };
        for id in ids {
            let Some(peer) = self.all.get_mut(id) else { continue };
            // A socket that is closing throws; its close event is on its way.
            drop(peer.socket.send(&message));
            peer.sent_since_measured += frame.len();
            if peer.sent_since_measured >= MEASURED_EVERY_BYTES {
                self.due.insert(*id);
            }
        }
    }

    /// What has not left of what earlier events sent, where that is much or no longer is. (What this event sends has
    /// had no chance to leave.)
    pub(crate) fn measure(&mut self) -> Vec<(ConnectionId, u64)> {
        let mut unsent = Vec::new();
        for id in std::mem::take(&mut self.due) {
            let Some(peer) = self.all.get_mut(&id) else { continue };
            let Some(bytes) = peer.socket.unsent() else { continue };
            let was_slow = peer.is_slow;
            peer.is_slow = bytes >= limits::UNSENT_DROP_BYTES;
            peer.sent_since_measured = 0;
            if peer.is_slow {
                self.due.insert(id);
            }
            if peer.is_slow || was_slow {
                unsent.push((id, bytes));
            }
        }
        unsent
    }
}
