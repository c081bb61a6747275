//! The room in memory: its value, its sockets, its deadlines. The only place that sends.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
};

use deployment::clock;
use futures_channel::oneshot;
use room_core::{Attachment, Deadlines, Input, Output, Outputs, RequestId, Room, Setup, Waking, outbox::Try};
use schemas::{
    CloseCode, ConnectionId, Frame,
    client_message::TokenText,
    directory::Report,
    server_message::{RequestError, RequestResult},
    webhook::Parked,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::State;

use crate::{
    chunks::{self, Chunks, Feed},
    courier::Courier,
    directory::Directory,
    log::{By, Log},
    peers::Peers,
    platform::{auto_response, socket::Socket, timeout::Timeout},
    sql::RoomSql,
    verify::Verifier,
};

/// What a request comes to: at once, or chunk by chunk.
pub(crate) enum Answer {
    Whole(Result<RequestResult, RequestError>),
    Chunks(Chunks),
}

/// Who waits for an answer.
enum Asker {
    Waiting(oneshot::Sender<Answer>),
    Reading(Feed),
}

/// What a room asks of others, and where it writes its lines.
pub(crate) struct Outside {
    pub(crate) log: Log,
    pub(crate) verifier: Verifier,
    pub(crate) directory: Directory,
    pub(crate) courier: Courier,
}

pub(crate) struct Live {
    state: State,
    held: RefCell<Held>,
    log: Log,
    verifier: Rc<Verifier>,
    courier: Courier,
    /// The alarm that storage holds, as far as is known; `None` after waking.
    alarm_at: Cell<Option<u64>>,
    timeout: Timeout,
    report_timeout: Timeout,
    directory: Directory,
    this: Weak<Live>,
}

/// Borrowed for the length of one step, never across an await.
struct Held {
    room: Room,
    storage: RoomSql,
    peers: Peers,
    askers: HashMap<RequestId, Asker>,
    requests: u64,
    /// Outputs of steps that wrote, and of those behind them, until what was written is on disk.
    held_back: VecDeque<HeldBack>,
    is_syncing: bool,
    /// What others are to be asked, as the room's outputs are carried out.
    errands: Errands,
    live: Weak<Live>,
}

#[derive(Default)]
struct Errands {
    tokens: Vec<Shown>,
    reports: Vec<Report>,
    /// Posts to webhook endpoints, with their names and bodies.
    posts: Vec<(Try, String, String)>,
    parks: Vec<(Try, Box<Parked>)>,
}

/// A token that a connection showed, and the request that it came with.
struct Shown {
    connection: ConnectionId,
    request: u32,
    token: TokenText,
}

struct HeldBack {
    outputs: Outputs,
    /// When their step wrote, in milliseconds since 1970; `None` where it did not.
    since: Option<u64>,
}

impl Live {
    /// Rebuilds the room from its rows and its sockets' attachments. Writes nothing. `closing` is the socket whose
    /// close event woke the object: it is no longer open, and its member is told from it.
    ///
    /// # Errors
    /// A sentence, when storage cannot be read.
    pub(crate) fn restore(
        state: State,
        setup: Setup,
        outside: Outside,
        closing: Option<&Socket>,
        waking: Waking,
    ) -> Result<Rc<Live>, String> {
        let now = clock::now();
        let (storage, loaded) = RoomSql::open(state.storage(), now).map_err(|error| error.to_string())?;
        let Outside { log, verifier, directory, courier } = outside;
        let (mut peers, mut attachments) = (Peers::new(log.clone()), Vec::new());
        let listed = state.get_websockets().into_iter().map(|socket| -> Socket {
            let socket: JsValue = socket.as_ref().into();
            socket.unchecked_into()
        });
        for socket in listed.filter(Socket::is_open).chain(closing.cloned()) {
            let attachment = socket.attachment().and_then(|bytes| Attachment::decode(&bytes));
            let id = attachment
                .as_ref()
                .map_or_else(|| ConnectionId::new(clock::random()), |found| found.connection);
            socket.set_connection(id.value() as f64);
            attachments.push((id, attachment));
            peers.insert(id, socket);
        }
        let room = Room::restore(now, clock::seed(), setup, loaded, attachments, waking);
        let mut held = Held {
            room,
            storage,
            peers,
            askers: HashMap::new(),
            requests: 0,
            held_back: VecDeque::new(),
            is_syncing: false,
            errands: Errands::default(),
            live: Weak::new(),
        };
        Ok(Rc::new_cyclic(|this: &Weak<Live>| {
            held.live = Weak::clone(this);
            let stepping = |input: fn() -> Input| {
                let live = Weak::clone(this);
                move || {
                    if let Some(live) = live.upgrade() {
                        live.step(input());
                    }
                }
            };
            Live {
                state,
                held: RefCell::new(held),
                log,
                verifier: Rc::new(verifier),
                courier,
                alarm_at: Cell::new(None),
                timeout: Timeout::new(stepping(|| Input::TurnEnded)),
                report_timeout: Timeout::new(stepping(|| Input::ReportDue)),
                directory,
                this: Weak::clone(this),
            }
        }))
    }

    /// Whether a connection with these claims may be opened.
    ///
    /// # Errors
    /// The code to close it with.
    pub(crate) fn admit(&self, claims: &schemas::Claims, request_id: &str) -> Result<(), CloseCode> {
        let admitted = self.held.borrow().room.admit(clock::now(), claims);
        admitted.inspect_err(|code| self.log.refused(*code, request_id))
    }

    /// Takes a socket that the platform has accepted.
    pub(crate) fn open(
        &self,
        socket: Socket,
        codec: schemas::Codec,
        claims: schemas::Claims,
        request_id: &str,
    ) {
        let connection = {
            let mut held = self.held.borrow_mut();
            let fresh = std::iter::repeat_with(|| ConnectionId::new(clock::random()));
            let mut unused = fresh.filter(|id| held.peers.get(*id).is_none());
            let connection = unused.next().expect("randomness does not end");
            drop(unused);
            socket.set_connection(connection.value() as f64);
            held.peers.insert(connection, socket);
            connection
        };
        self.log.opened(connection, request_id);
        self.step(Input::Opened { connection, codec, claims });
    }

    pub(crate) fn receive(&self, socket: &Socket, frame: Frame) {
        if let Some(connection) = connection_of(socket) {
            self.step(Input::Received { connection, frame });
        }
    }

    /// The peer closed, or was lost. The platform does not answer a close on hibernatable sockets: without an answer
    /// TCP lingers.
    pub(crate) fn close(&self, socket: &Socket, code: u16) {
        if socket.close(code, "").is_err() {
            // The code may not be sent, or the socket is closed already: then there is nothing left to answer.
            drop(socket.close(CloseCode::Normal.code(), ""));
        }
        let Some(connection) = connection_of(socket) else { return };
        self.held.borrow_mut().peers.remove(connection, code, By::Client);
        self.step(Input::Closed { connection, code });
    }

    /// Waits for the answer that leaves with the flush.
    pub(crate) fn ask(&self, call: schemas::http::RoomCall) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let request = {
            let mut held = self.held.borrow_mut();
            held.requests += 1;
            let request = RequestId(held.requests);
            held.askers.insert(request, Asker::Waiting(sender));
            request
        };
        self.step(Input::Asked { request, call });
        receiver
    }

    /// The reader of a streamed answer is gone.
    pub(crate) fn abandon(&self, request: RequestId) {
        self.held.borrow_mut().askers.remove(&request);
        self.step(Input::Abandoned { request });
    }

    pub(crate) fn alarm(&self) {
        self.alarm_at.set(None);
        let heard = {
            let held = self.held.borrow();
            let answered_at = |socket| auto_response::answered_at(self.state.as_raw(), socket);
            held.peers.iter().filter_map(|(id, socket)| Some((id, answered_at(socket)?))).collect()
        };
        self.step(Input::AlarmFired { heard });
    }

    /// One input: the room decides, then its outputs are carried out and its deadlines armed.
    pub(crate) fn step(&self, input: Input) {
        let mut held = self.held.borrow_mut();
        let unsent = held.peers.measure();
        if !unsent.is_empty() {
            held.handle(Input::Measured { unsent });
        }
        held.handle(input);
        let must_wait = !held.held_back.is_empty() && !std::mem::replace(&mut held.is_syncing, true);
        let has_wiped = held.storage.take_has_wiped();
        let errands = std::mem::take(&mut held.errands);
        let deadlines = held.room.poll_timeout();
        drop(held);
        if must_wait {
            self.send_once_durable();
        }
        self.arm(&deadlines, has_wiped);
        self.run(errands);
    }

    fn run(&self, errands: Errands) {
        errands.tokens.into_iter().for_each(|shown| self.verify(shown));
        errands.reports.into_iter().for_each(|report| self.report(report));
        errands.posts.into_iter().for_each(|(this, id, body)| self.deliver(this, id, body));
        errands.parks.into_iter().for_each(|(this, parked)| self.park(this, parked));
    }

    /// Tells the room what came of a post, if it is still there by then.
    fn deliver(&self, this: Try, id: String, body: String) {
        let (live, courier) = (Weak::clone(&self.this), self.courier.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let outcome = courier.deliver(&this, &id, &body).await;
            if let Some(live) = live.upgrade() {
                live.step(Input::Delivered { this, outcome });
            }
        });
    }

    fn park(&self, this: Try, parked: Box<Parked>) {
        let (live, courier) = (Weak::clone(&self.this), self.courier.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let accepted = courier.park(&parked).await;
            if let Some(live) = live.upgrade() {
                live.step(Input::Parked { this, accepted });
            }
        });
    }

    /// Tells the room what a token is worth, once that is known.
    fn verify(&self, Shown { connection, request, token }: Shown) {
        let (this, verifier) = (Weak::clone(&self.this), Rc::clone(&self.verifier));
        let log = self.log.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let result = verifier.verify(&token.0).await;
            if let Err(refusal) = &result {
                log.token_refused(connection, refusal);
            }
            if let Some(live) = this.upgrade() {
                live.step(Input::Verified { connection, request, result });
            }
        });
    }

    /// Tells the directory, and the room what came of it. Nobody waits for this.
    fn report(&self, mut report: Report) {
        report.stored_bytes = self.state.storage().sql().database_size() as u64;
        let (this, directory, log) = (Weak::clone(&self.this), self.directory.clone(), self.log.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let answer = directory.report(&report).await;
            if let Err(error) = &answer {
                log.warn("report_failed").failed(error).write();
            }
            if let Some(live) = this.upgrade() {
                live.step(Input::Reported { answer: answer.ok() });
            }
        });
    }

    /// Carries out what is held back, in order, each once all that was written before it is on disk. The platform
    /// would hold each message back by itself; one wait for all of them is cheaper than one a message and socket.
    fn send_once_durable(&self) {
        let this = Weak::clone(&self.this);
        wasm_bindgen_futures::spawn_local(async move {
            loop {
                let Some(live) = this.upgrade() else { return };
                let count = live.held.borrow().held_back.len();
                let synced = live.state.storage().as_raw().sync();
                let durable = match synced {
                    Ok(promise) => JsFuture::from(promise).await.map(drop),
                    Err(error) => Err(error),
                };
                if let Err(error) = durable {
                    // The platform drops the object and its sockets: nothing was answered or delivered.
                    return live.log.error("not_on_disk").failed(&worker::Error::from(error)).write();
                }
                let mut held = live.held.borrow_mut();
                for _ in 0..count {
                    let Some(HeldBack { outputs, since }) = held.held_back.pop_front() else { break };
                    held.carry_out(outputs);
                    if let Some(since) = since {
                        held.room.count_flush_ms(clock::now().saturating_sub(since));
                    }
                }
                held.is_syncing = !held.held_back.is_empty();
                let is_done = !held.is_syncing;
                let errands = std::mem::take(&mut held.errands);
                drop(held);
                live.run(errands);
                if is_done {
                    return;
                }
            }
        });
    }

    /// A room that was wiped leaves no alarm behind, unless it has a use for one again.
    fn arm(&self, deadlines: &Deadlines, has_wiped: bool) {
        self.timeout.arm(deadlines.turn.as_ref().map(|deadline| deadline.at));
        self.report_timeout.arm(deadlines.report);
        match &deadlines.durable {
            Some(durable) => self.arm_alarm(durable.at),
            None if has_wiped => self.disarm_alarm(),
            None => {}
        }
    }

    /// Setting the alarm writes a row: only where none is set, or it must come earlier. One that comes too early
    /// finds nothing due and sets the next.
    fn arm_alarm(&self, at: u64) {
        if self.alarm_at.get().is_some_and(|set| set <= at) {
            return;
        }
        self.alarm_at.set(Some(at));
        let (this, storage, log) = (Weak::clone(&self.this), self.state.storage(), self.log.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let time = js_sys::Date::new(&JsValue::from_f64(at as f64));
            if let Err(error) = storage.set_alarm(worker::ScheduledTime::new(time)).await {
                log.error("alarm_not_set").failed(&error).write();
                // The next step tries again.
                if let Some(live) = this.upgrade() {
                    live.alarm_at.set(None);
                }
            }
        });
    }

    fn disarm_alarm(&self) {
        self.alarm_at.set(None);
        let (storage, log) = (self.state.storage(), self.log.clone());
        wasm_bindgen_futures::spawn_local(async move {
            if let Err(error) = storage.delete_alarm().await {
                // It fires, finds nothing due, and is gone.
                log.error("alarm_not_deleted").failed(&error).write();
            }
        });
    }
}

impl Held {
    fn handle(&mut self, input: Input) {
        #[cfg(feature = "faults")]
        crate::faults::strike(&input);
        let now = clock::now();
        let outputs = self.room.handle(now, input, &mut self.storage);
        let has_written = self.storage.take_has_written();
        if has_written || self.is_syncing {
            self.held_back.push_back(HeldBack { outputs, since: has_written.then_some(now) });
        } else {
            self.carry_out(outputs);
        }
    }

    fn carry_out(&mut self, outputs: Outputs) {
        for output in outputs {
            match output {
                Output::Attach { connection, attachment } => self.peers.attach(connection, &attachment),
                Output::Broadcast { connections, frame } => self.peers.send(&connections, &frame),
                Output::Close { connection, code, reason } => {
                    if let Some(socket) = self.peers.remove(connection, code.code(), By::Room) {
                        // The peer may have closed in the meantime.
                        drop(socket.close(code.code(), reason.as_deref().unwrap_or(code.reason())));
                    }
                }
                Output::Verify { connection, request, token } => {
                    self.errands.tokens.push(Shown { connection, request, token });
                }
                Output::Deliver { this, id, body } => self.errands.posts.push((this, id, body)),
                Output::Failed { hook, code, message, times } => {
                    self.peers.log.failed(hook, code, &message, times);
                }
                Output::Park { this, parked } => self.errands.parks.push((this, parked)),
                Output::Stream { request } => self.begin_chunks(request),
                Output::Chunk { request, chunk } => {
                    if let Some(Asker::Reading(feed)) = self.askers.get(&request) {
                        feed.send(chunk);
                    }
                }
                Output::Cut { request, error } => {
                    if let Some(Asker::Reading(feed)) = self.askers.remove(&request) {
                        feed.cut(error);
                    }
                }
                Output::Answer { request, result } => match self.askers.remove(&request) {
                    // The caller may have given up waiting.
                    Some(Asker::Waiting(sender)) => drop(sender.send(Answer::Whole(result))),
                    Some(Asker::Reading(feed)) => feed.end(result),
                    None => {}
                },
                Output::Report(report) => self.errands.reports.push(*report),
            }
        }
    }

    fn begin_chunks(&mut self, request: RequestId) {
        let Some(Asker::Waiting(sender)) = self.askers.remove(&request) else { return };
        let (feed, chunks) = chunks::feed(Weak::clone(&self.live), request);
        self.askers.insert(request, Asker::Reading(feed));
        // Where the caller gave up waiting, dropping its end tells the room.
        drop(sender.send(Answer::Chunks(chunks)));
    }
}

/// The property is gone with the JS object after hibernation, but restoring sets it anew on every socket.
fn connection_of(socket: &Socket) -> Option<ConnectionId> {
    if let Some(value) = socket.connection() {
        return Some(ConnectionId::new(value as u64));
    }
    let attachment = Attachment::decode(&socket.attachment()?)?;
    socket.set_connection(attachment.connection.value() as f64);
    Some(attachment.connection)
}
