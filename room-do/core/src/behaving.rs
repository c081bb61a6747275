//! Where the room and its behavior meet: calls, joins, timers, ticks, streams.

use schemas::{
    Capability, Claims, ConnectionId, ErrorCode, Payload, PublicSession, ServerMessage, UserId,
    client_message::Hello,
    http::{MethodCall, MethodCaller},
    server_message::{LifecycleState, RequestError},
};

use crate::{
    asked::no_behavior,
    behavior::{
        Admission, Admitted, Afterwards, Caller, Hook, Joining, Refusal, Tick,
        streaming::{Reader, interrupted},
    },
    connection::Connection,
    input::RequestId,
    output::Output,
    presence::MemberRow,
    requests::check_bytes,
    room::{RETRY_AFTER_MS, Room},
    staging::{MethodRequest, Origin, Staged},
    storage::{Storage, StorageError},
    timer::Timer,
};

/// A room that ticks or streams is kept in memory: the platform lets go of one without an event for 10 s.
const AWAKE_MS: u64 = 5_000;

/// Ticks that fall due while nothing runs are made up for, up to so many.
const TICKS_MADE_UP: u64 = 4;

/// Timers that fire in one flush.
const TIMERS_AT_ONCE: usize = 100;

/// After a firing, what is due again waits so long: a timer that schedules itself at once does not hold the room.
const TIMERS_PAUSE_MS: u64 = 10;

/// Bytes of a method's name.
const METHOD_BYTES_MAX: usize = 64;

/// Tags that an admission may give.
const TAGS_ADMITTED_MAX: usize = schemas::limits::TAGS_TOKEN_MAX;

impl Room {
    /// Who asks, where a behavior wants to know.
    pub(crate) fn asking(&self, caller: impl FnOnce() -> Caller) -> Option<Box<Caller>> {
        self.host.is_some().then(|| Box::new(caller()))
    }

    /// Who speaks through a connection.
    pub(crate) fn caller_of(&self, connection: &Connection, id: Option<ConnectionId>) -> Caller {
        let joined = connection.joined();
        Caller {
            user: joined.map(|joined| joined.user.clone()),
            session: joined.map(|joined| joined.session.clone()),
            connection: id,
            info: connection.claims.info.clone(),
            capabilities: connection.claims.capabilities,
        }
    }

    pub(crate) fn on_call(
        &mut self,
        now: u64,
        id: ConnectionId,
        request: u32,
        method: String,
        args: Payload,
    ) {
        if !self.allow(now, id, Some(request), Capability::Call) {
            return;
        }
        if let Err(error) = self.check_call(Some(request), &method, &args) {
            return self.reject(id, error);
        }
        if self.streams_to(Reader::Connection(id, request)) {
            let message = "the id is that of a call whose result is streamed";
            return self.reject(id, RequestError::invalid(Some(request), "id", message));
        }
        let Some(connection) = self.connections.get(id) else { return };
        let caller = self.caller_of(connection, Some(id));
        let origin = Origin::Connection { connection: id, request: Some(request) };
        self.staging.call(MethodRequest { origin, caller, claims: None, method, args });
    }

    /// What somebody asks over HTTP, who may.
    pub(crate) fn stage_method(&mut self, request: RequestId, call: MethodCall) -> Result<(), RequestError> {
        let MethodCall { method, args, caller } = call;
        self.check_call(None, &method, &args)?;
        let (caller, claims) = match caller {
            MethodCaller::Service => (Caller::default(), None),
            MethodCaller::User { user, claims } => {
                let (info, capabilities) = (claims.info.clone(), claims.capabilities);
                let caller = Caller { user: Some(user.clone()), info, capabilities, ..Caller::default() };
                (caller, Some(Box::new(Claims { user: Some(user), ..claims })))
            }
        };
        self.staging.call(MethodRequest { origin: Origin::Http { request }, caller, claims, method, args });
        Ok(())
    }

    fn check_call(&self, id: Option<u32>, method: &str, args: &Payload) -> Result<(), RequestError> {
        if self.host.is_none() {
            return Err(RequestError { id, ..no_behavior(method) });
        }
        check_bytes(id, "method", method, METHOD_BYTES_MAX)?;
        let bytes_max = self.setup.config.limits.payload_bytes as usize;
        if args.len() > bytes_max {
            let message = format!("args is {} bytes, and at most {bytes_max}", args.len());
            return Err(RequestError::new(id, ErrorCode::TooLarge, message));
        }
        Ok(())
    }

    fn streams_to(&self, reader: Reader) -> bool {
        self.host.as_ref().is_some_and(|host| host.streams.open.contains_key(&reader))
    }

    /// Nobody waits for the rest of a stream any more, or for a call that has not run. One that is answered already has
    /// nothing to cancel.
    pub(crate) fn on_cancel(&mut self, now: u64, id: ConnectionId, request: u32) {
        let Some(host) = &mut self.host else {
            return self.reject(id, RequestError { id: Some(request), ..no_behavior("cancel") });
        };
        let reader = Reader::Connection(id, request);
        let streamed = host.streams.open.remove(&reader).is_some();
        let is_meant = |call: &MethodRequest| Reader::of(&call.origin) == Some(reader);
        if streamed || !self.staging.take_back(is_meant).is_empty() {
            let error = RequestError::new(Some(request), ErrorCode::Cancelled, "the call was cancelled");
            self.reject(id, error);
            self.attach(now, id);
        }
    }

    pub(crate) fn on_wanted(&mut self, request: RequestId) {
        if let Some(host) = &mut self.host {
            host.streams.wanted(request);
        }
    }

    pub(crate) fn on_reading(&mut self, now: u64, request: RequestId) {
        if let Some(host) = &mut self.host {
            host.streams.read(now, request);
        }
    }

    /// Ends what users called over HTTP, those of whom `why` gives a reason: what streams, and what has not run.
    pub(crate) fn end_calls_of_users(&mut self, why: impl Fn(&Claims) -> Option<RequestError>) {
        let reason = |call: &MethodRequest| call.claims.as_deref().and_then(&why);
        for call in self.staging.take_back(|call| reason(call).is_some()) {
            if let (Origin::Http { request }, Some(error)) = (&call.origin, reason(&call)) {
                self.tally.rejected(error.code);
                self.outputs.push(Output::Answer { request: *request, result: Err(error) });
            }
        }
        if let Some(host) = &mut self.host {
            let ended = host.streams.take_of_users(why);
            self.cut(ended);
        }
    }

    fn cut(&mut self, ended: Vec<(RequestId, RequestError)>) {
        for (request, error) in ended {
            self.tally.rejected(error.code);
            self.outputs.push(Output::Cut { request, error });
        }
    }

    pub(crate) fn on_abandoned(&mut self, request: RequestId) {
        if let Some(host) = &mut self.host {
            host.streams.open.remove(&Reader::Http(request));
        }
    }

    /// Whether the behavior lets somebody in. What it does is committed, behind all that was staged before.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) fn admit_by_behavior(
        &mut self,
        now: u64,
        id: ConnectionId,
        hello: &Hello,
        (user, session): (&UserId, &PublicSession),
        storage: &mut dyn Storage,
    ) -> Result<Admitted, StorageError> {
        let Some(connection) = self.connections.get(id).filter(|_| self.host.is_some()) else {
            return Ok(Ok(Admission::default()));
        };
        let joining = Joining {
            user: user.clone(),
            session: session.clone(),
            connection: id,
            info: connection.claims.info.clone(),
            capabilities: connection.claims.capabilities,
            returning: self.presence.get(&(user.clone(), session.clone())).is_some(),
            presence: hello.presence.clone(),
        };
        self.staging.entries.push(Staged::Join(Box::new(joining)));
        self.flush(now, storage);
        let failed = || StorageError("joining could not be committed".to_owned());
        let admitted = self.staging.admitted.take().ok_or_else(failed)?;
        Ok(admitted.map(|mut admission| {
            admission.tags.retain(|tag| schemas::ids::is_tag(tag));
            admission.tags.truncate(TAGS_ADMITTED_MAX);
            admission
        }))
    }

    pub(crate) fn refuse_by_behavior(&mut self, now: u64, id: ConnectionId, refusal: Refusal) {
        self.close_as(id, refusal.code, Some(refusal.reason));
        self.forget_refused(now, id);
    }

    /// The state that a flush is about to tell the behavior of.
    pub(crate) fn told_lifecycle(&self, now: u64) -> Option<LifecycleState> {
        let (before, after) = (self.lifecycle.state, self.next_lifecycle(now, false).state);
        let is_told = matches!(after, LifecycleState::Occupied | LifecycleState::Vacant);
        (before != after && is_told).then_some(after)
    }

    /// Fires the timers that are due.
    pub(crate) fn fire_timers(&mut self, now: u64, storage: &mut dyn Storage) {
        let Some(host) = &mut self.host else { return };
        host.fired_at = now;
        let due = host.timers.values().filter(|row| row.at <= now);
        let mut due: Vec<(u64, String)> = due.map(|row| (row.at, row.name.clone())).collect();
        due.sort_unstable();
        if std::mem::take(&mut host.suspects_timers) && !due.is_empty() {
            // A timer's hook that traps takes all that is due with it: it is put off before anything runs.
            let (_, name) = due.remove(0);
            self.staging.hook(Hook::PutOff(name));
            self.flush(now, storage);
        }
        for (_, name) in due.into_iter().take(TIMERS_AT_ONCE) {
            self.staging.hook(Hook::Timer(name));
        }
        self.flush(now, storage);
    }

    pub(crate) fn tick(&mut self, now: u64, storage: &mut dyn Storage) {
        let Some(host) = &mut self.host else { return };
        let Some(at) = host.tick_at else { return };
        host.ticks += 1;
        let interval = host.tick_ms();
        let is_far_behind = now >= at + interval * TICKS_MADE_UP;
        host.tick_at = Some(if is_far_behind { now + interval } else { at + interval });
        if now < self.staging.retry_at {
            return;
        }
        self.staging.hook(Hook::Tick(Tick { number: host.ticks, at }));
        self.flush(now, storage);
    }

    /// What the behavior wants next, as timers; streams that have more to give ride the next flush.
    pub(crate) fn plan_behavior(&mut self, now: u64) {
        let Some(host) = &mut self.host else { return };
        let overdue = host.streams.take_overdue(now);
        let ticks = host.tick_ms() > 0 && self.connections.joined_count() > 0;
        host.tick_at = ticks.then(|| host.tick_at.unwrap_or(now + host.tick_ms()));
        match host.tick_at {
            Some(at) => self.timers.set(Timer::Tick, at),
            None => self.timers.clear(&Timer::Tick),
        }
        let connections = &self.connections;
        let is_slow = |id| connections.get(id).is_some_and(|connection| connection.backlog.is_long());
        let ready = host.streams.ready(now, is_slow);
        // What is further off is seen again by then.
        let is_near = |at: &u64| ready.is_empty() && *at <= now + AWAKE_MS;
        match host.streams.next_at(now).filter(is_near) {
            Some(at) => self.timers.set(Timer::Streams, at),
            None => self.timers.clear(&Timer::Streams),
        }
        if ticks || !host.streams.is_empty() {
            self.timers.set_if_unset(Timer::Awake, now + AWAKE_MS);
        } else {
            self.timers.clear(&Timer::Awake);
        }
        let is_asked = |entry: &Staged| matches!(entry, Staged::Hook(Hook::Streams(_)));
        if !ready.is_empty() && !self.staging.entries.iter().any(is_asked) {
            self.staging.hook(Hook::Streams(ready));
        }
        self.cut(overdue);
    }

    /// The timer that follows from the behavior's own.
    pub(crate) fn set_scheduled_timer(&mut self, now: u64) {
        let Some(host) = &self.host else { return };
        match host.next_timer_at() {
            Some(at) => {
                let at = at.max(now).max(self.staging.retry_at).max(host.fired_at + TIMERS_PAUSE_MS);
                self.timers.set(Timer::Scheduled, at);
            }
            None => self.timers.clear(&Timer::Scheduled),
        }
    }

    /// Does to those who are here what hooks asked for.
    pub(crate) fn do_afterwards(&mut self, now: u64, afterwards: Vec<Afterwards>, storage: &mut dyn Storage) {
        for one in afterwards {
            match one {
                Afterwards::SetPresence { user, session, data } => {
                    if let Some(row) = self.presence.get(&(user, session)) {
                        self.presence.put(MemberRow { data: Some(data), ..row.clone() });
                    }
                }
                Afterwards::Tag { user, session, add, remove } => {
                    if let Some(id) = self.connections.of_member(&user, &session) {
                        self.connections.unsubscribe(id, &remove);
                        self.connections.subscribe(id, add);
                        self.attach(now, id);
                    }
                }
                Afterwards::Disconnect(call) => {
                    let failed = self.disconnect(now, call.clone(), storage);
                    let failed = failed.is_err_and(|error| error.code == ErrorCode::Unavailable);
                    if let Some(host) = self.host.as_mut().filter(|_| failed) {
                        host.owed.push(call);
                        self.staging.retry_at = now + RETRY_AFTER_MS;
                    }
                }
            }
        }
    }

    /// Streams went with the behavior's memory: their readers are told.
    pub(crate) fn end_streams(&mut self, now: u64, readers: Vec<Reader>) {
        for reader in readers {
            match reader {
                Reader::Connection(id, request) => {
                    self.reject(id, interrupted(Some(request)));
                    self.attach(now, id);
                }
                Reader::Http(request) => {
                    let result = Err(interrupted(None));
                    self.outputs.push(Output::Answer { request, result });
                }
            }
        }
    }

    /// A connection's calls that streamed when its room left memory.
    pub(crate) fn tell_interrupted(&mut self, now: u64, id: ConnectionId, calls: &[u32]) {
        for call in calls {
            self.send_now(id, &ServerMessage::Error(interrupted(Some(*call))));
        }
        if !calls.is_empty() {
            self.attach(now, id);
        }
    }
}
