//! The life of a room: deserted it rests and expires, a backend asks about it and deletes it.

use room_core::{Input, RequestId};
use schemas::{
    CloseCode, Offset, Revocation, UserId,
    client_message::{History, StateOp},
    config::Rates,
    http::{Reader, RoomCall},
    server_message::{HistoryPage, LifecycleState, RequestError, RequestResult, RoomInfo},
};

use crate::{asking::Amend, gate::Disconnecting, kept::Stamp, listener::Line, listening::page, world::World};

/// What a backend waits for.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// A publish with this number.
    Publish(u64),
    /// An ephemeral.
    Fan,
    Messages(History),
    Info,
    Delete,
    /// The directory wants to know where the room stands.
    Standing,
    Disconnect(Disconnecting),
    /// A user publishes; whether it was blocked for certain.
    ByUser {
        user: UserId,
        number: u64,
        is_blocked: bool,
    },
    Revoke(Revocation),
    Amend(Amend),
    State(Vec<StateOp>),
}

/// Tries, and the hours between the last of them.
const TIMERS_WITHIN_MS: u64 = 4 * 60 * 60 * 1_000;
/// Time enough for the last ghost to be found and to lose its membership.
const VACANT_WITHIN_MS: u64 = 400_000;
/// A commit is tried again after a second; nothing else delays what is due.
const LATE_MS: u64 = 3_000;

impl World {
    pub(crate) fn ask(&mut self, asking: Asking, call: RoomCall) {
        // What this may lose is not this request.
        self.measure();
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.asked.insert(request, asking);
        let fate = self.object.step(self.clock.now(), Input::Asked { request, call });
        self.meet(fate);
    }

    pub(crate) fn ask_to_publish(&mut self, number: u64, call: schemas::http::PublishCall) {
        self.ask(Asking::Publish(number), RoomCall::Publish(call));
    }

    pub(crate) fn ask_to_fan(&mut self, call: schemas::http::PublishCall) {
        self.ask(Asking::Fan, RoomCall::Publish(call));
    }

    pub(crate) fn ask_for_directory(&mut self) {
        self.ask(Asking::Standing, RoomCall::Info);
    }

    pub(crate) fn ask_about_room(&mut self) {
        self.ask(Asking::Info, RoomCall::Info);
    }

    pub(crate) fn read_over_http(&mut self) {
        let limit = 1 + self.random.below(30) as u32;
        let place = self.object.storage.truth.head().back(self.random.below(60));
        let after = self.random.chance(50).then_some(place);
        let before = (after.is_none() && self.random.chance(60)).then_some(place);
        let history = History { id: 0, before, after, limit, tags: Vec::new() };
        let call = RoomCall::Messages { before, after, limit, tags: Vec::new(), reader: Reader::Service };
        self.ask(Asking::Messages(history), call);
    }

    pub(crate) fn delete_room(&mut self) {
        if self.is_short_lived {
            self.ask(Asking::Delete, RoomCall::Delete);
        }
    }

    /// The room's answer to a backend.
    pub(crate) fn backend_heard(
        &mut self,
        asking: &Asking,
        result: Result<RequestResult, RequestError>,
        stamp: Stamp,
    ) {
        let code = result.as_ref().err().map(|error| error.code);
        if let Asking::ByUser { user, is_blocked, .. } = asking {
            self.user_heard(user, *is_blocked, code);
        }
        match (asking, result) {
            (Asking::Disconnect(asking), result) => self.disconnected(asking, result),
            (Asking::Amend(amend), result) => self.backend_amended(amend, result, stamp),
            (Asking::State(ops), result) => self.backend_stated(ops, result, stamp),
            (Asking::Revoke(revocation), Ok(RequestResult::Closed(closed))) => {
                self.revoked(revocation, closed.closed);
            }
            (
                Asking::Publish(number) | Asking::ByUser { number, .. },
                Ok(RequestResult::Published(published)),
            ) => {
                self.tally.count("HTTP publishes answered");
                if self.keeps_log {
                    let fact = self.object.storage.truth.of(published.epoch).get(published.offset);
                    let stands = fact.is_some_and(|fact| fact.number == Some(*number));
                    assert!(stands, "R-PUB-3: what was answered is durable");
                    let is_new = published.offset > stamp.head_before;
                    assert!(is_new || published.duplicate, "R-KEY-1: {published:?} was there before");
                }
            }
            (Asking::Publish(_) | Asking::ByUser { .. }, Err(error)) => {
                let is_conflict = error.code == schemas::ErrorCode::Conflict;
                self.tally.count(if is_conflict {
                    "HTTP publishes in conflict"
                } else {
                    "HTTP publishes refused"
                });
            }
            (Asking::Messages(history), Ok(RequestResult::History(got))) => {
                self.judge_messages(history, got, stamp)
            }
            (Asking::Info, Ok(RequestResult::Room(info))) => self.judge_info(&info, stamp),
            (Asking::Standing, Ok(RequestResult::Room(info))) => {
                self.judge_info(&info, stamp);
                self.directory_heard(&info);
            }
            (Asking::Delete, Ok(RequestResult::Done {})) => {
                self.tally.count("rooms deleted");
                assert_eq!(self.object.storage.room_rows(), 0, "R-LIFE-6: a deleted room leaves nothing");
            }
            (Asking::Fan, Ok(RequestResult::Done {})) => self.tally.count("HTTP ephemerals answered"),
            (
                Asking::Messages(_)
                | Asking::Info
                | Asking::Standing
                | Asking::Delete
                | Asking::Fan
                | Asking::Revoke(_),
                Err(_),
            ) => self.tally.count("HTTP calls refused"),
            (asking, Ok(result)) => panic!("{asking:?} was answered with {result:?}"),
        }
    }

    fn judge_messages(&mut self, history: &History, got: HistoryPage, stamp: Stamp) {
        self.tally.count("HTTP pages of history");
        if !self.keeps_log {
            return assert_eq!(got.messages, [], "R-PUB-10: no log, no history");
        }
        let log = self.object.storage.truth.of(got.epoch);
        let (floor, _) = log.floor(&self.object.setup.config.log, stamp.head_before, stamp.at);
        if floor == stamp.floor_high {
            let expected = page(history, (log, floor, stamp.head_before), |_| true);
            assert_eq!((got.messages, got.next), expected, "R-HTTP-2, R-EDIT-5: {history:?}");
        }
    }

    /// R-LIFE-6. It tells what was committed before it was asked.
    fn judge_info(&mut self, info: &RoomInfo, stamp: Stamp) {
        self.tally.count("rooms asked about");
        self.tally.count_in("lifecycle", name_of_state(info.lifecycle));
        let before = self.object.before;
        assert_eq!(info.lifecycle, before.life, "R-LIFE-6: {info:?}");
        assert_eq!(info.since.is_some(), before.life != LifecycleState::Fresh, "R-LIFE-6: {info:?}");
        assert_eq!(info.state.version, before.state, "R-LIFE-6: {info:?}");
        assert!(info.connections as usize <= self.object.sockets(), "R-LIFE-6: {info:?}");
        assert_eq!(info.log.is_some(), self.keeps_log, "R-LIFE-6: {info:?}");
        if let Some(log) = &info.log {
            assert_eq!((log.epoch, log.head), (before.epoch, before.head), "R-LIFE-6: {info:?}");
            let is_above = log.floor <= stamp.floor_high || stamp.floor_high == Offset::ZERO;
            assert!(is_above && log.floor <= log.head, "R-HIST-2: {info:?}");
        }
    }

    /// R-LIFE-6, R-RATE-2: whether a player may be closed for good so.
    pub(crate) fn may_end(&mut self, code: u16) -> bool {
        let is_deleted = code == CloseCode::RoomDeleted.code() && self.tally.of("rooms deleted") > 0;
        let is_limited = self.object.setup.config.rates != Rates::OFF;
        let is_expelled =
            code == CloseCode::BlockedOrKicked.code() && self.tally.of("disconnects asked for") > 0;
        let is_revoked = code == CloseCode::Revoked.code() && self.tally.of("revocations") > 0;
        is_deleted || is_expelled || is_revoked || (code == CloseCode::RateLimited.code() && is_limited)
    }

    /// No fault is under way.
    fn calm(&mut self) {
        self.network_is_down = false;
        self.is_doomed = false;
        self.alarms_held_until = 0;
        self.alarms_to_fail = 0;
        self.alarms_to_repeat = 0;
        self.directory.is_down = false;
        self.endpoints_heal();
        self.object.calm();
        // The platform may have given the alarm up: an event sets it again.
        self.ask_about_room();
    }

    /// Everyone leaves and stays away: the room is vacant, then idle, and then it is not.
    pub(crate) fn desert(&mut self) {
        if !self.is_short_lived || self.tally.of("rooms deserted") > 1 {
            return;
        }
        self.tally.count("rooms deserted");
        self.calm();
        for index in 0..self.players.len() {
            if self.players[index].is_joined {
                self.leave(index);
            }
        }
        let far = self.clock.real + 10 * VACANT_WITHIN_MS;
        for index in 0..self.listeners.len() {
            if let Some(connection) = self.listeners[index].connection() {
                self.close_from_client(connection, CloseCode::Normal.code());
            }
            self.listeners[index].line = Line::Waiting { until: far };
        }
        self.rest_and_expire();
        let soon = self.clock.real + self.random.below(3_000);
        for listener in &mut self.listeners {
            listener.line = Line::Waiting { until: soon };
        }
        if self.random.chance(70) {
            self.everyone_joins();
        }
    }

    /// Whether the clock was set back behind what was published: then nobody says when the room rests (finding F).
    fn is_ahead(&self) -> bool {
        let times = self.object.storage.load().meta.map(|meta| meta.time.max(meta.lifecycle.active_at));
        let newest = self.object.storage.truth.log().all().last().map(|fact| fact.record.publication.time);
        times.max(newest) > Some(self.clock.now().room)
    }

    /// A room with timers does not expire (R-BEH-20), and traps have put them off.
    fn let_timers_fire(&mut self) {
        let mut waited = 0;
        while let Some(at) = self.object.storage.load().timers.iter().map(|row| row.at).max() {
            assert!(waited < TIMERS_WITHIN_MS, "R-BEH-19: a timer does not fire");
            let ahead = at.saturating_sub(self.clock.now().room) + LATE_MS;
            self.pass(ahead);
            waited += ahead;
        }
    }

    fn rest_and_expire(&mut self) {
        // Visitors that are on their way come and go.
        self.pass(25_000);
        let mut waited = 0;
        while self.object.storage.life() == LifecycleState::Occupied {
            assert!(waited < VACANT_WITHIN_MS, "R-LIFE-4, R-PRES-3: everyone left, and the room is occupied");
            self.pass(2_000);
            waited += 2_000;
        }
        self.let_timers_fire();
        if self.object.storage.life() == LifecycleState::Fresh || self.is_ahead() {
            return;
        }
        let config = &self.object.setup.config;
        let (idle_ms, expire_ms) = (config.idle_after_ms, config.expire_after_ms);
        if expire_ms > idle_ms + 2 * LATE_MS + 2_000 {
            self.pass(idle_ms + LATE_MS);
            let is_idle = self.object.storage.life() == LifecycleState::Idle;
            let is_gone = self.object.storage.life() == LifecycleState::Fresh;
            assert!(is_idle || is_gone, "R-LIFE-4: nobody touched it: {:?}", self.object.storage.life());
            self.tally.count("rooms at rest");
            self.ask_about_room();
            if self.random.chance(75) && self.keeps_log && is_idle {
                self.tally.count("rooms touched at rest");
                self.publish_over_http();
                self.pass(100);
                assert_eq!(self.object.storage.life(), LifecycleState::Vacant, "R-LIFE-4: it was written to");
            }
        }
        self.pass(expire_ms + idle_ms + LATE_MS);
        assert_eq!(self.object.storage.room_rows(), 0, "R-LIFE-5: nothing of an expired room stays");
        let is_told = self.object.storage.row_count() == 0;
        assert!(is_told || !self.endpoints.is_empty(), "R-HOOK-1: what tells nobody stores nothing");
        self.tally.count(if is_told { "rooms gone without a trace" } else { "last words that wait" });
        assert_eq!(is_told, self.object.alarm_at().is_none(), "R-LIFE-5: an expired room's alarm");
        self.tally.count("rooms expired");
        if self.random.chance(30) {
            self.ask_about_room();
        }
    }
}

fn name_of_state(state: LifecycleState) -> &'static str {
    match state {
        LifecycleState::Fresh => "fresh",
        LifecycleState::Occupied => "occupied",
        LifecycleState::Vacant => "vacant",
        LifecycleState::Idle => "idle",
    }
}
