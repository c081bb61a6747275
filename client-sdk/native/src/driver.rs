//! Between the pure core and the platform: one task a room, which carries what happens in and what the core asks for
//! out, in order. Decides nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use client_core::{
    Attempt, Call, Client as Core, Due, Event, Input, Options, Outcome, Output, Request, Status,
};
use schemas::{RoomName, server_message::RequestResult};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    Error, Events, Room, TokenError,
    call::{Calling, Returned},
    roomcast::{TokenFunction, random},
    socket::{Arrival, Socket},
};

/// So many events wait to be read; then nothing more is read from the server.
const EVENTS_MAX: usize = 8_192;

pub(crate) type Answer = oneshot::Sender<Result<RequestResult, Error>>;
pub(crate) type Answered = oneshot::Receiver<Result<RequestResult, Error>>;

/// What a [`Room`] asks of its task.
pub(crate) enum Command {
    Join,
    Leave,
    Request(Box<Request>, Answer),
    Call(Box<Calling>),
    Cancel(Call),
    Look(Box<dyn FnOnce(&Core) + Send>),
}

/// How many events wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    count: AtomicUsize,
    has_room: Notify,
}

impl Waiting {
    fn told(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn taken(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) <= EVENTS_MAX {
            self.has_room.notify_one();
        }
    }

    pub(crate) fn nobody_listens(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.has_room.notify_one();
    }

    async fn room(&self) {
        while self.count.load(Ordering::Relaxed) >= EVENTS_MAX {
            self.has_room.notified().await;
        }
    }
}

struct Driver {
    core: Core,
    started: Instant,
    room: RoomName,
    address: String,
    token: Option<TokenFunction>,
    fetching: JoinSet<(Attempt, Result<String, TokenError>)>,
    socket: Option<Socket>,
    last_call: u32,
    answers: HashMap<Call, Answer>,
    /// Of calls of methods.
    returns: HashMap<Call, mpsc::UnboundedSender<Returned>>,
    status: watch::Sender<Status>,
    events: mpsc::UnboundedSender<Event>,
    waiting: Arc<Waiting>,
}

pub(crate) fn start(address: String, token: Option<TokenFunction>, options: Options) -> (Room, Events) {
    let (commands, asked) = mpsc::unbounded_channel();
    let (events, receiver) = mpsc::unbounded_channel();
    let (told, status) = watch::channel(Status::Idle);
    let waiting = Arc::new(Waiting::default());
    let driver = Driver {
        room: options.room.clone(),
        core: Core::new(0, random(), options),
        started: Instant::now(),
        address,
        token,
        fetching: JoinSet::new(),
        socket: None,
        last_call: 0,
        answers: HashMap::new(),
        returns: HashMap::new(),
        status: told,
        events,
        waiting: Arc::clone(&waiting),
    };
    tokio::spawn(driver.run(asked));
    (Room { commands, status }, Events { receiver, waiting })
}

impl Driver {
    /// Until nobody can ask any more, and the room is left.
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Command>) {
        let mut is_asked = true;
        while is_asked || matches!(self.core.status(), Status::Connected) {
            let at = self.core.poll_timeout().map(|deadline| match deadline.due {
                // What is asked already belongs to the same turn: commands are looked at first.
                Due::TurnEnd => self.started,
                _ => self.started + Duration::from_millis(deadline.at_ms),
            });
            tokio::select! {
                biased;
                command = asked.recv(), if is_asked => match command {
                    Some(command) => self.on_command(command),
                    None => {
                        is_asked = false;
                        self.handle(Input::LeaveRequested);
                    }
                },
                () = sleep_until(at.unwrap_or(self.started)), if at.is_some() => self.handle(Input::TimedOut),
                Some(fetched) = self.fetching.join_next() => {
                    // A token function that panicked has said so; the core's deadline for tokens tries again.
                    if let Ok((attempt, token)) = fetched {
                        self.on_token(attempt, token);
                    }
                }
                Some(arrival) = arrival(&mut self.socket, &self.waiting) => self.on_arrival(arrival),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Join => self.handle(Input::JoinRequested),
            Command::Leave => self.handle(Input::LeaveRequested),
            Command::Look(look) => look(&self.core),
            Command::Request(request, answer) => {
                let call = self.next_call();
                self.answers.insert(call, answer);
                self.handle(Input::Requested { call, request: *request });
            }
            Command::Call(calling) => {
                let Calling { request, begun, returns, answer } = *calling;
                let call = self.next_call();
                self.answers.insert(call, answer);
                self.returns.insert(call, returns);
                // Who asked may have stopped waiting already.
                let _ = begun.send(call);
                self.handle(Input::Requested { call, request });
            }
            Command::Cancel(call) => self.handle(Input::Cancelled { call }),
        }
    }

    fn next_call(&mut self) -> Call {
        self.last_call = self.last_call.wrapping_add(1);
        Call(self.last_call)
    }

    fn on_token(&mut self, attempt: Attempt, token: Result<String, TokenError>) {
        self.handle(match token {
            Ok(token) => Input::TokenFetched { attempt, token },
            Err(TokenError::Failed(_)) => Input::TokenFailed { attempt },
            Err(TokenError::Refused(reason)) => Input::TokenRefused { attempt, reason },
        });
    }

    fn on_arrival(&mut self, (attempt, arrival): (Attempt, Arrival)) {
        let input = match arrival {
            Arrival::Opened => Input::SocketOpened { attempt },
            Arrival::Frame(frame) => Input::FrameReceived { attempt, frame },
            Arrival::Closed { code, reason } => {
                self.socket = None;
                Input::SocketClosed { attempt, code, reason }
            }
        };
        self.handle(input);
    }

    fn handle(&mut self, input: Input) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        for output in self.core.handle(now, input) {
            self.apply(output);
        }
    }

    fn apply(&mut self, output: Output) {
        match output {
            Output::FetchToken { attempt } => {
                if let Some(function) = &self.token {
                    let fetching = function(self.room.clone());
                    self.fetching.spawn(async move { (attempt, fetching.await) });
                }
            }
            Output::OpenSocket { attempt, token, .. } => {
                self.socket = Some(Socket::open(attempt, self.address.clone(), token));
            }
            Output::Send { attempt, frame } => {
                if let Some(socket) = self.socket.as_ref().filter(|socket| socket.attempt == attempt) {
                    socket.send(frame);
                }
            }
            Output::CloseSocket { code, .. } => {
                if let Some(socket) = self.socket.take() {
                    socket.close(code.code());
                }
            }
            Output::Emit(Event::Settled { call, outcome }) => self.settle(call, outcome),
            Output::Emit(Event::Returned { call, value, more }) => {
                if let Some(returns) = self.returns.get(&call) {
                    // Nobody may read it any more.
                    drop(returns.send(Returned { value, more }));
                }
            }
            Output::Emit(event) => {
                if let Event::StatusChanged(status) = &event {
                    self.status.send_replace(status.clone());
                }
                if self.events.send(event).is_ok() {
                    self.waiting.told();
                }
            }
        }
    }

    fn settle(&mut self, call: Call, outcome: Outcome) {
        self.returns.remove(&call);
        let Some(answer) = self.answers.remove(&call) else { return };
        // Who asked may have stopped waiting.
        drop(answer.send(match outcome {
            Outcome::Acknowledged(result) => Ok(result),
            Outcome::Rejected(error) => Err(Error::Rejected(error)),
            Outcome::Unknown(error) => Err(Error::Unknown(error)),
        }));
    }
}

/// What comes next from the socket, once there is room for the events that it may bring.
async fn arrival(socket: &mut Option<Socket>, waiting: &Waiting) -> Option<(Attempt, Arrival)> {
    let socket = socket.as_mut()?;
    waiting.room().await;
    let arrival = socket.arrivals.recv().await?;
    Some((socket.attempt, arrival))
}
