//! One Durable Object: the room in memory, if it is awake, and what outlives it.

use std::collections::BTreeMap;

use room_core::{Attachment, Input, Output, Outputs, Room, Setup, Waking};
use schemas::{
    Claims, CloseCode, ConnectionId, Epoch, Offset, PublicSession, UserId,
    config::{KindConfig, Rates},
    http::RoomCall,
    limits,
    server_message::LifecycleState,
};

use crate::{clock::Moment, directory::Counting, platform::Recorder};

/// The platform tries an alarm again after so long, doubled each time …
const ALARM_RETRY_MS: u64 = 2_000;
/// … and gives it up after so many failures.
const ALARM_FAILURES_MAX: u32 = 7;

/// Where in a step the Wasm instance is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// The input did nothing.
    Before,
    /// What the step committed stays; what it wanted done is lost.
    Behind,
}

/// What a trap took along that somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Nothing,
    /// What was staged: nothing of it was committed.
    Staged,
    /// What was to be told of a commit.
    Outputs,
}

/// What became of a step.
#[derive(Debug)]
pub enum Fate {
    Done(Outputs),
    Trapped(Lost),
}

#[derive(Debug, Default)]
struct Socket {
    attachment: Option<Vec<u8>>,
    /// Whose it is, once it has joined.
    member: Option<(UserId, PublicSession)>,
    ponged_at: Option<u64>,
    /// Its peer has closed it: still listed, and no longer open.
    is_closing: bool,
}

#[derive(Debug, Clone, Copy)]
struct Alarm {
    /// By the room's clock.
    at: u64,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct Timeout {
    /// What the room asked for, by its own clock.
    at: u64,
    /// A timeout counts milliseconds: nobody can set that clock.
    fires_at: u64,
}

#[derive(Debug)]
pub struct Object {
    pub setup: Setup,
    pub storage: Recorder,
    room: Option<Room>,
    sockets: BTreeMap<ConnectionId, Socket>,
    alarm: Option<Alarm>,
    /// Whether this process knows what storage holds of it.
    alarm_is_known: bool,
    timeout: Option<Timeout>,
    /// When the room wants to report.
    report_timeout: Option<Timeout>,
    trap: Option<Trap>,
    /// How the room will wake.
    waking: Waking,
    seed: u64,
    /// When the last event came.
    stepped_at: u64,
    pub restores: u64,
    /// The highest offset that R-HIST-2 ever let go, in this epoch.
    pub floor_high: Offset,
    /// The epoch that it is of.
    floor_of: Option<Epoch>,
    /// What storage held before the last step.
    pub before: Before,
    counting: Counting,
    appends_at_waking: u64,
    /// Whose sockets the last step closed.
    pub closed: Vec<(ConnectionId, Claims)>,
}

/// What storage held before a step.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    pub head: Offset,
    pub epoch: Option<Epoch>,
    pub state: u64,
    pub life: LifecycleState,
}

impl Object {
    #[must_use]
    pub fn new(setup: Setup, seed: u64) -> Object {
        let KindConfig { idle_after_ms, expire_after_ms, .. } = setup.config;
        Object {
            setup,
            storage: Recorder::new(idle_after_ms, expire_after_ms),
            room: None,
            sockets: BTreeMap::new(),
            alarm: None,
            alarm_is_known: false,
            timeout: None,
            report_timeout: None,
            trap: None,
            waking: Waking::FromSleep,
            seed,
            stepped_at: 0,
            restores: 0,
            floor_high: Offset::ZERO,
            floor_of: None,
            before: Before { head: Offset::ZERO, epoch: None, state: 0, life: LifecycleState::Fresh },
            counting: Counting::default(),
            appends_at_waking: 0,
            closed: Vec::new(),
        }
    }

    /// The next step loses the Wasm instance.
    pub fn trap_next(&mut self, trap: Trap) {
        self.trap = Some(trap);
    }

    /// One step, as the shell takes it. What the room wants sent comes back; the rest is done here.
    pub fn step(&mut self, now: Moment, input: Input) -> Fate {
        let closed = match &input {
            Input::Closed { connection, .. } => Some(*connection),
            _ => None,
        };
        let owed = self.wake(now, closed);
        if let Some(connection) = closed {
            self.sockets.remove(&connection);
        }
        if let Input::Opened { connection, .. } = &input {
            self.sockets.insert(*connection, Socket::default());
        }
        let (opened, read) = match &input {
            Input::Opened { connection, .. } => (Some(*connection), None),
            Input::Received { connection, frame } if self.sockets.contains_key(connection) => {
                (None, Some((*connection, frame.len() as u64)))
            }
            _ => (None, None),
        };
        let trap = self.trap.take();
        let is_staged = self.timeout.is_some() || matches!(input, Input::TurnEnded);
        let lost = if is_staged { Lost::Staged } else { Lost::Nothing };
        if trap == Some(Trap::Before) {
            self.lose_memory(Waking::FromFault);
            return Fate::Trapped(lost);
        }
        let commits = self.storage.commits();
        self.before = self.storage.before();
        self.stepped_at = now.real;
        let wipes = self.storage.wipes();
        self.storage.now = now.room;
        self.storage.is_deleting = matches!(input, Input::Asked { call: RoomCall::Delete, .. });
        let room = self.room.as_mut().expect("an awake object has a room");
        let outputs = room.handle(now.room, input, &mut self.storage);
        let (head, deadlines) = (room.head(), room.poll_timeout());
        self.move_floor(now);
        if trap == Some(Trap::Behind) {
            self.lose_memory(Waking::FromFault);
            let committed = self.storage.commits() > commits;
            return Fate::Trapped(if committed { Lost::Outputs } else { lost });
        }
        if self.setup.config.log.count > 0 {
            assert_eq!(head, self.storage.truth.head(), "the head is what was committed");
        }
        assert_restarted(&owed, &outputs);
        self.judge_counts(opened, read, &outputs);
        let is_unused = self.storage.row_count() == 0;
        assert!(
            self.storage.room_rows() == 0 || self.storage.truth.epoch().is_some(),
            "R-HELLO-5: something is kept, and no epoch"
        );
        let is_left = is_unused && self.sockets.is_empty();
        assert!(!is_left || deadlines.durable.is_none(), "R-LIFE-5: an unused room waits for {deadlines:?}");
        if deadlines.durable.is_none() && self.storage.wipes() > wipes {
            (self.alarm, self.alarm_is_known) = (None, true);
        }
        self.arm_alarm(deadlines.durable.map(|deadline| deadline.at));
        arm_timeout(&mut self.timeout, now, deadlines.turn.map(|deadline| deadline.at));
        arm_timeout(&mut self.report_timeout, now, deadlines.report);
        self.keep_sockets(&outputs);
        Fate::Done(outputs)
    }

    /// A step that ends an epoch is judged by what it ended.
    fn move_floor(&mut self, now: Moment) {
        let truth = &self.storage.truth;
        let epoch = self.before.epoch.or(truth.epoch());
        if self.floor_of != epoch {
            (self.floor_of, self.floor_high) = (epoch, Offset::ZERO);
        }
        let log = epoch.map_or(truth.log(), |epoch| truth.of(epoch));
        let (_, floor) = log.floor(&self.setup.config.log, log.head(), now.room);
        self.floor_high = self.floor_high.max(floor);
    }

    /// Rebuilds the room, if it is not in memory. A socket that is closing is not open, but the one whose close wakes
    /// the object is told of. Returns the sockets that lived through a fault.
    fn wake(&mut self, now: Moment, closed: Option<ConnectionId>) -> Vec<(ConnectionId, bool)> {
        if self.room.is_some() {
            return Vec::new();
        }
        self.seed += 1;
        self.restores += 1;
        (self.counting, self.appends_at_waking) = (Counting::default(), self.storage.appends());
        let commits = self.storage.commits();
        self.sockets.retain(|id, socket| !socket.is_closing || Some(*id) == closed);
        let attached = |socket: &Socket| socket.attachment.as_deref().and_then(Attachment::decode);
        let sockets = self.sockets.iter().map(|(id, socket)| (*id, attached(socket))).collect();
        let loaded = self.storage.load();
        let setup = self.setup.clone();
        let waking = std::mem::replace(&mut self.waking, Waking::FromSleep);
        self.room = Some(Room::restore(now.room, self.seed, setup, loaded, sockets, waking));
        assert_eq!(commits, self.storage.commits(), "R-LIFE-2: restoring reads only");
        match waking {
            Waking::FromSleep => Vec::new(),
            Waking::FromFault => {
                self.sockets.iter().map(|(id, socket)| (*id, socket.member.is_some())).collect()
            }
        }
    }

    fn arm_alarm(&mut self, wanted: Option<u64>) {
        let Some(at) = wanted else { return };
        if !(self.alarm_is_known && self.alarm.is_some_and(|alarm| alarm.at <= at)) {
            self.alarm = Some(Alarm { at, failures: 0 });
            self.alarm_is_known = true;
        }
    }

    /// R-DIR-3: a report says what was counted.
    fn judge_counts(
        &mut self,
        opened: Option<ConnectionId>,
        read: Option<(ConnectionId, u64)>,
        outputs: &Outputs,
    ) {
        let is_closed = |id: ConnectionId, why: Option<CloseCode>| {
            let is_its = |output: &Output| {
                matches!(output, Output::Close { connection, code, .. }
                    if *connection == id && why.is_none_or(|why| why == *code))
            };
            outputs.0.iter().any(is_its)
        };
        let so_far = &mut self.counting.so_far;
        so_far.opened += u64::from(opened.is_some_and(|id| !is_closed(id, None)));
        // Who is told of a fault is not heard any more.
        let heard = read.filter(|(id, _)| !is_closed(*id, Some(CloseCode::Restarted)));
        so_far.bytes_in += heard.map_or(0, |(_, bytes)| bytes);
        let appends = self.storage.appends() - self.appends_at_waking;
        for output in &outputs.0 {
            match output {
                Output::Broadcast { connections, frame } => {
                    self.counting.so_far.bytes_out += (frame.len() * connections.len()) as u64;
                }
                Output::Report(report) if self.setup.config.log.count > 0 => {
                    self.counting.judge(report, appends);
                }
                _ => {}
            }
        }
        self.counting.so_far.appends = appends;
    }

    fn keep_sockets(&mut self, outputs: &Outputs) {
        let mut joined = Vec::new();
        self.closed.clear();
        for output in &outputs.0 {
            match output {
                Output::Attach { connection, attachment } => {
                    let found = Attachment::decode(attachment).expect("the room writes what it can read");
                    let Some(socket) = self.sockets.get_mut(connection) else { continue };
                    socket.attachment = Some(attachment.clone());
                    if let (Some(join), Some(user)) = (found.joined, found.claims.user) {
                        socket.member = Some((user, join.session));
                        joined.push(*connection);
                    }
                }
                Output::Close { connection, .. } => {
                    let socket = self.sockets.remove(connection);
                    let attached = socket.and_then(|socket| Attachment::decode(&socket.attachment?));
                    self.closed.push((*connection, attached.map(|found| found.claims).unwrap_or_default()));
                }
                Output::Broadcast { .. }
                | Output::Answer { .. }
                | Output::Stream { .. }
                | Output::Chunk { .. }
                | Output::Cut { .. }
                | Output::Verify { .. }
                | Output::Report(_)
                | Output::Failed { .. }
                | Output::Deliver { .. }
                | Output::Park { .. } => {}
            }
        }
        for id in joined {
            self.assert_bounds(id);
        }
    }

    /// One open connection a session, and no more of a user than the kind allows.
    fn assert_bounds(&self, joined: ConnectionId) {
        let Some(Socket { member: Some(member), is_closing: false, .. }) = self.sockets.get(&joined) else {
            return;
        };
        let open = self.sockets.values().filter(|socket| !socket.is_closing);
        let members = open.filter_map(|socket| socket.member.as_ref());
        let of_session = members.clone().filter(|other| *other == member).count();
        assert_eq!(of_session, 1, "R-HELLO-4: open connections of one session");
        let of_user = members.filter(|other| other.0 == member.0).count();
        let bound = self.setup.config.limits.connections_user as usize;
        assert!(of_user <= bound, "R-LIMIT-1: a user has {of_user} connections");
    }

    /// The platform answers a ping, waking nobody.
    pub fn pong(&mut self, now: Moment, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.ponged_at = Some(now.room);
        }
    }

    /// The peer has closed; whether and when the object hears of it is another matter.
    pub fn peer_closed(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.is_closing = true;
        }
    }

    /// Listed, be it open or closing.
    #[must_use]
    pub fn has_socket(&self, connection: ConnectionId) -> bool {
        self.sockets.contains_key(&connection)
    }

    #[must_use]
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.sockets.get(&connection).is_some_and(|socket| !socket.is_closing)
    }

    /// Open and closing.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// No fault is under way.
    pub fn calm(&mut self) {
        self.trap = None;
        self.storage.fail_next(0);
    }

    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.sockets.values().filter(|socket| !socket.is_closing).count()
    }

    /// What the tokens of open sockets are worth.
    pub fn claims(&self) -> impl Iterator<Item = (ConnectionId, Claims)> {
        let open = self.sockets.iter().filter(|(_, socket)| !socket.is_closing);
        open.filter_map(|(id, socket)| Some((*id, Attachment::decode(socket.attachment.as_deref()?)?.claims)))
    }

    /// Members with an open socket.
    pub fn members(&self) -> impl Iterator<Item = (ConnectionId, &(UserId, PublicSession))> {
        let open = self.sockets.iter().filter(|(_, socket)| !socket.is_closing);
        open.filter_map(|(id, socket)| Some((*id, socket.member.as_ref()?)))
    }

    /// Fires the alarm, due or not: the platform has its own idea of when.
    pub fn fire_alarm(&mut self, now: Moment) -> Fate {
        self.alarm = None;
        self.alarm_is_known = true;
        let heard = self.sockets.iter().filter_map(|(id, socket)| Some((*id, socket.ponged_at?))).collect();
        self.step(now, Input::AlarmFired { heard })
    }

    /// Fires the alarm, whose handler throws. Tells what was lost, and whether the platform has given the alarm up.
    pub fn fail_alarm(&mut self, now: Moment) -> (Lost, bool) {
        let failures = self.alarm.map_or(0, |alarm| alarm.failures) + 1;
        self.trap = Some(Trap::Behind);
        let lost = match self.fire_alarm(now) {
            Fate::Trapped(lost) => lost,
            Fate::Done(_) => panic!("a trap was set"),
        };
        let is_over = failures >= ALARM_FAILURES_MAX;
        let at = now.room + (ALARM_RETRY_MS << (failures - 1));
        self.alarm = (!is_over).then_some(Alarm { at, failures });
        (lost, is_over)
    }

    /// Ends the turn, if the room waits for that.
    pub fn end_turn(&mut self, now: Moment) -> Option<Fate> {
        self.timeout.filter(|timeout| timeout.fires_at <= now.real)?;
        self.timeout = None;
        Some(self.step(now, Input::TurnEnded))
    }

    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.room.is_some()
    }

    /// Lets the room report, if it waits for that.
    pub fn end_quiet(&mut self, now: Moment) -> Option<Fate> {
        self.report_timeout.filter(|timeout| timeout.fires_at <= now.real)?;
        self.report_timeout = None;
        Some(self.step(now, Input::ReportDue))
    }

    #[must_use]
    pub fn report_at(&self) -> Option<u64> {
        self.report_timeout.map(|timeout| timeout.fires_at)
    }

    #[must_use]
    pub fn turn_at(&self) -> Option<u64> {
        self.timeout.map(|timeout| timeout.fires_at)
    }

    /// By the room's clock.
    #[must_use]
    pub fn alarm_at(&self) -> Option<u64> {
        self.alarm.map(|alarm| alarm.at)
    }

    /// Hibernation: memory goes, sockets stay. Not while a short timeout runs.
    pub fn sleep(&mut self, now: Moment) -> bool {
        // What a connection may ask for is kept for as long as a room takes to fall asleep.
        let is_due =
            self.setup.config.rates == Rates::OFF || now.real >= self.stepped_at + limits::SLEEPS_AFTER_MS;
        let may = is_due && self.room.is_some() && self.timeout.is_none();
        if may {
            self.lose_memory(Waking::FromSleep);
        }
        may
    }

    fn lose_memory(&mut self, waking: Waking) {
        self.room = None;
        self.waking = waking;
        (self.timeout, self.report_timeout) = (None, None);
        self.alarm_is_known = false;
        self.trap = None;
    }

    /// The process dies: all but storage goes. Returns whose sockets were lost.
    pub fn kill(&mut self) -> Vec<ConnectionId> {
        self.lose_memory(Waking::FromSleep);
        std::mem::take(&mut self.sockets).into_keys().collect()
    }
}

fn arm_timeout(timeout: &mut Option<Timeout>, now: Moment, wanted: Option<u64>) {
    if timeout.map(|timeout| timeout.at) != wanted {
        let fires_at = |at: u64| now.real + at.saturating_sub(now.room);
        *timeout = wanted.map(|at| Timeout { at, fires_at: fires_at(at) });
    }
}

/// R-LIFE-7: each is told, where it has joined, and closed.
fn assert_restarted(owed: &[(ConnectionId, bool)], outputs: &Outputs) {
    for (owed, has_joined) in owed {
        let is_close = |output: &Output| matches!(output, Output::Close { connection, code: CloseCode::Restarted, .. } if connection == owed);
        assert!(outputs.0.iter().any(is_close), "R-LIFE-7: {owed} lived through a fault");
        let is_notice = |output: &Output| matches!(output, Output::Broadcast { connections, .. } if connections.contains(owed));
        assert!(!has_joined || outputs.0.iter().any(is_notice), "R-LIFE-7: {owed} was not told of a fault");
    }
}
