//! Between clients and the room: sockets, what they carry, and what becomes of each step of the room.

use client_core::Attempt;
use room_core::{Input, Output, Outputs};
use schemas::{Claims, Codec, ConnectionId, Frame, ServerMessage, UserId, codec};

use crate::{
    backlog::Backlog,
    kept::Stamp,
    link::{Link, Quality, Signal},
    platform::{Fate, Lost},
    world::World,
};

/// Whose socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Player {
        index: usize,
        attempt: Attempt,
    },
    Listener {
        index: usize,
    },
    /// Comes with what it says and when it goes already under way, and heeds no answer.
    Visitor,
}

/// One socket: whose, and its way.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) peer: Peer,
    pub(crate) link: Link,
    pub(crate) backlog: Backlog,
    /// Its client has closed it, or was told that it is closed.
    pub(crate) is_done: bool,
    /// Whose token opened it.
    pub(crate) user: Option<UserId>,
    /// What the room has done with it so far.
    pub(crate) is_welcomed: bool,
    pub(crate) is_closed_by_room: bool,
}

/// How long the platform may take to tell of a close.
const CLOSE_LATE_MS: u64 = 100_000;

impl World {
    /// Opens a socket, unless the network is down or the room traps on it.
    pub(crate) fn open(&mut self, peer: Peer, codec: Codec, claims: Claims) -> Option<ConnectionId> {
        if self.network_is_down {
            self.tally.count("connections refused");
            return None;
        }
        let connection = ConnectionId::new(self.random.bits());
        let is_slow = !self.is_healing && self.random.chance(self.slow_percent);
        let quality = if is_slow { Quality::slow(&mut self.random) } else { Quality::GOOD };
        if is_slow {
            self.tally.count("slow links");
        }
        self.pipes.insert(
            connection,
            Pipe {
                peer,
                link: Link::new(quality),
                backlog: Backlog::of_new(),
                is_done: false,
                user: claims.user.clone(),
                is_welcomed: false,
                is_closed_by_room: false,
            },
        );
        let is_open = self.server(Input::Opened { connection, codec, claims });
        if !is_open {
            // The client gets no answer; the object's end is closed, and may be listed as open until it hears of that.
            self.pipes.remove(&connection);
            if self.random.chance(50) {
                self.object.peer_closed(connection);
            } else {
                self.late_closes.push((self.clock.real + 1_000, connection, 1006));
            }
        }
        is_open.then_some(connection)
    }

    pub(crate) fn send_up(&mut self, connection: ConnectionId, frame: Frame) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        let quality = pipe.link.quality;
        pipe.link.up.send(self.clock.real, frame, Stamp::default(), quality, &mut self.random);
    }

    pub(crate) fn close_from_client(&mut self, connection: ConnectionId, code: u16) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        pipe.is_done = true;
        let at = self.clock.real + pipe.link.quality.latency_ms + self.random.below(60);
        pipe.link.up.push(at, Signal::Closed(code));
    }

    // --- what the room does

    /// Gives the room an input; `false` where it was lost to a trap.
    pub(crate) fn server(&mut self, input: Input) -> bool {
        self.measure();
        let fate = self.object.step(self.clock.now(), input);
        self.meet(fate)
    }

    pub(crate) fn meet(&mut self, fate: Fate) -> bool {
        match fate {
            Fate::Trapped(lost) => {
                self.trapped(lost);
                false
            }
            Fate::Done(_) if std::mem::take(&mut self.is_doomed) => {
                self.gate_stepped();
                self.tally.count("kills behind a commit");
                self.kill_process();
                false
            }
            Fate::Done(outputs) => {
                self.carry_out(outputs);
                true
            }
        }
    }

    /// The Wasm instance is gone: nobody who asked over HTTP gets an answer.
    pub(crate) fn trapped(&mut self, lost: Lost) {
        self.gate_stepped();
        self.tally.count(match lost {
            Lost::Nothing => "traps",
            Lost::Staged => "traps that lost what was staged",
            Lost::Outputs => "traps behind a commit",
        });
        self.asked.clear();
        self.forget_errands();
    }

    /// All sockets are lost, and all memory.
    pub(crate) fn kill_process(&mut self) {
        for connection in self.object.kill() {
            let Some(pipe) = self.pipes.get_mut(&connection) else { continue };
            let kept = self.random.index(pipe.link.down.len() + 1);
            pipe.link.down.break_off(kept, self.clock.real + self.random.below(200));
        }
        // Whoever asked over HTTP is left without an answer.
        self.asked.clear();
        self.forget_errands();
    }

    fn carry_out(&mut self, outputs: Outputs) {
        let truth = &self.object.storage.truth;
        let before = self.object.before;
        // A step that ends an epoch speaks of that one.
        let log = before.epoch.map_or(truth.log(), |epoch| truth.of(epoch));
        let stamp = Stamp {
            head_before: before.head,
            head: log.head(),
            epoch: log.epoch,
            state_before: before.state,
            state: log.shared.version(),
            floor_high: self.object.floor_high,
            at: self.clock.now().room,
        };
        self.event += 1;
        self.gate_stepped();
        let mut closes = Vec::new();
        for output in outputs {
            match output {
                Output::Attach { .. } => {}
                Output::Verify { connection, request, token } => self.verifies(connection, request, &token),
                Output::Report(report) => self.reports(*report),
                Output::Deliver { this, id, body } => self.posts(this, &id, body, stamp),
                Output::Park { this, parked } => self.parks(this, &parked),
                Output::Failed { hook, message, .. } => {
                    // The witness's timers fail now and then, as they are asked to.
                    assert!(matches!(hook, None | Some("timer")), "R-LOG-5: {hook:?}: {message}");
                }
                Output::Stream { .. } | Output::Chunk { .. } | Output::Cut { .. } => {
                    panic!("R-CALL-1: nobody called a method")
                }
                Output::Broadcast { connections, frame } => {
                    for connection in connections {
                        self.judge_sending(connection, &frame);
                        self.judge_first(connection, &frame);
                        let Some(pipe) = self.pipes.get_mut(&connection) else { continue };
                        let Pipe { link, .. } = pipe;
                        let frame = frame.clone();
                        link.down.send(self.clock.real, frame, stamp, link.quality, &mut self.random);
                    }
                }
                Output::Close { connection, code, .. } => {
                    self.tally.count_in("closes", code.reason());
                    self.judge_closing(connection, code);
                    closes.push((connection, code));
                    let at = self.clock.real + self.random.below(60);
                    if let Some(pipe) = self.pipes.get_mut(&connection) {
                        pipe.link.down.push(at, Signal::Closed(code.code()));
                        pipe.is_closed_by_room = true;
                    }
                }
                Output::Answer { request, result } => {
                    let asking = self.asked.remove(&request).expect("R-HTTP-1: a request is answered once");
                    self.backend_heard(&asking, result, stamp);
                }
            }
        }
        self.judge_slow();
        self.judge_expelled(&closes);
    }

    /// Nothing is sent behind a close; and who may not be here is not welcomed.
    fn judge_first(&mut self, connection: ConnectionId, frame: &Frame) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        assert!(!pipe.is_closed_by_room, "R-BLOCK-1: {connection} was closed, and is sent {frame:?}");
        if !pipe.is_welcomed {
            let mut messages = codec::decode_server(frame).into_iter().flatten();
            pipe.is_welcomed = messages.any(|message| matches!(message, ServerMessage::Welcome(_)));
            if pipe.is_welcomed {
                self.judge_welcome(connection);
            }
        }
    }

    // --- what the network brings

    /// One signal from a client, if one is due.
    pub(crate) fn deliver_up(&mut self, connection: ConnectionId) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        let Some(signal) = pipe.link.up.pop(self.clock.real) else { return };
        if !self.object.is_open(connection) {
            return;
        }
        match signal {
            Signal::Frame(Frame::Text(text), _) if text == "ping" => {
                self.object.pong(self.clock.now(), connection);
                self.tally.count("pings");
                let Pipe { link, .. } = pipe;
                let pong = Frame::Text("pong".into());
                link.down.send(self.clock.real, pong, Stamp::default(), link.quality, &mut self.random);
            }
            Signal::Frame(frame, _) => {
                let peer = pipe.peer;
                let codec = match peer {
                    Peer::Player { .. } => Codec::Msgpack,
                    Peer::Listener { index } => self.listeners[index].codec,
                    Peer::Visitor => Codec::Json,
                };
                self.note_acks(connection, codec, &frame);
                if let Peer::Listener { index } = peer {
                    let at = self.clock.now().room;
                    let rates = self.object.setup.config.rates;
                    self.listeners[index].reached_room(connection, &frame, at, rates);
                }
                self.server(Input::Received { connection, frame });
            }
            Signal::Closed(code) => self.closed_by_peer(connection, code),
        }
    }

    /// The socket is closing. The platform tells of it now, or late, or never.
    fn closed_by_peer(&mut self, connection: ConnectionId, code: u16) {
        self.object.peer_closed(connection);
        let percent = if self.is_healing { 100 } else { self.random.below(100) };
        match percent {
            0..=5 => self.tally.count("closes never told"),
            6..=11 => {
                self.tally.count("closes told late");
                let at = self.clock.real + self.random.below(CLOSE_LATE_MS);
                self.late_closes.push((at, connection, code));
            }
            _ => drop(self.server(Input::Closed { connection, code })),
        }
    }

    pub(crate) fn tell_late_closes(&mut self, until: u64) {
        while let Some(index) = self.late_closes.iter().position(|(at, _, _)| *at <= until) {
            let (_, connection, code) = self.late_closes.swap_remove(index);
            if self.object.has_socket(connection) {
                self.server(Input::Closed { connection, code });
            }
        }
    }

    /// One signal from the room, if one is due.
    pub(crate) fn deliver_down(&mut self, connection: ConnectionId) {
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        let Some(signal) = pipe.link.down.pop(self.clock.real) else { return };
        pipe.is_done |= matches!(signal, Signal::Closed(_));
        match pipe.peer {
            Peer::Player { index, attempt } => self.player_heard(index, attempt, signal),
            Peer::Listener { index } => self.listener_heard(index, connection, signal),
            Peer::Visitor => {}
        }
    }

    /// Forgets sockets that neither end has any more.
    pub(crate) fn collect_pipes(&mut self) {
        let object = &self.object;
        self.pipes.retain(|id, pipe| !pipe.is_done || object.is_open(*id));
    }
}
