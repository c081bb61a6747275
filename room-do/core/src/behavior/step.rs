//! A flush under decision, with the behavior's hooks: each entry becomes what the hooks make of it.

use std::collections::BTreeSet;

use schemas::{
    CloseCode, ErrorCode, Payload,
    server_message::{LifecycleState, RequestError, RequestResult},
};

use super::{
    context::{Afterwards, Context},
    events::{
        Admission, Amending, Amendment as Amend, Caller, Change, Fired, Joining, Leaving, Publishing, Tick,
        Verdict as Said,
    },
    failure::{Failure, Refusal},
    host::{Host, Running},
    interface::Outcome,
    stream::Next,
    streaming::{CHUNK_BYTES_IN_FLUSH, Open, Reader, Streams, Wake},
};
use crate::{
    decide::Verdict,
    keys,
    staging::{
        Amendment, Change as Changing, DEFAULT_TYPE, Draft, Fate, MethodRequest, Origin, Staged, StateRequest,
    },
    storage::{StorageError, TimerRow},
};

/// Why is the operator's to know.
const DID_NOT_START: &str = "the room's behavior does not start";

/// What makes a hook run that nobody waits for.
#[derive(Debug, Clone)]
pub(crate) enum Hook {
    Tick(Tick),
    /// The timer of that name, if it is still due.
    Timer(String),
    /// The timer of that name counts as tried: its hook may be what trapped.
    PutOff(String),
    Lifecycle(LifecycleState),
    /// Streams have more to give.
    Streams(Vec<Reader>),
}

/// What an entry becomes: each decided already.
pub(crate) type Became = Vec<(Staged, Verdict)>;

/// What comes of a flush.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Ahead of all entries: what the behavior made of what happened before.
    pub(crate) first: Became,
    /// One for each entry.
    pub(crate) verdicts: Vec<Verdict>,
    /// Behind all entries.
    pub(crate) last: Became,
}

/// What joining came to.
pub(crate) type Admitted = Result<Admission, Refusal>;

/// The host's part of a flush, to be taken over once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) timers_put: Vec<TimerRow>,
    pub(crate) timers_removed: Vec<String>,
    pub(crate) afterwards: Vec<Afterwards>,
    opened: Vec<(Reader, Open)>,
    pub(crate) ended: Vec<Reader>,
    /// Timers that were done with.
    pub(crate) fired: Vec<Fired>,
    /// What failed, and nobody waits for.
    pub(crate) failed: Vec<(&'static str, Failure)>,
}

/// The host at work on one flush.
pub(crate) struct Step<'h, 'r> {
    host: &'h mut Host,
    pub(crate) ctx: Context<'r>,
    settled: Settled,
    has_run: bool,
}

impl<'h, 'r> Step<'h, 'r> {
    pub(crate) fn new(host: &'h mut Host, ctx: Context<'r>) -> Step<'h, 'r> {
        Step { host, ctx, settled: Settled::default(), has_run: false }
    }

    /// What comes of who came and went before, and of everything that is staged, in its order.
    pub(crate) fn entries(
        &mut self,
        entries: &[Staged],
        superseded: &BTreeSet<usize>,
    ) -> Result<Entries, StorageError> {
        let mut first = Vec::new();
        let state = self.ctx.deciding.room.told_lifecycle(self.ctx.now());
        if state == Some(LifecycleState::Occupied) {
            first.extend(self.hook(&Hook::Lifecycle(LifecycleState::Occupied))?);
        }
        let owed = self.ctx.deciding.room.staging.owed_ends.clone();
        for ((user, session), reason) in owed {
            first.extend(self.leave(&Leaving { user, session, reason })?);
        }
        let mut verdicts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            verdicts.push(match superseded.contains(&index) {
                true => Verdict::Superseded,
                false => self.entry(entry)?,
            });
        }
        let last = match state {
            // Behind those who left.
            Some(LifecycleState::Vacant) => self.hook(&Hook::Lifecycle(LifecycleState::Vacant))?,
            _ => Vec::new(),
        };
        Ok(Entries { first, verdicts, last })
    }

    fn entry(&mut self, entry: &Staged) -> Result<Verdict, StorageError> {
        let become_all = |became| Ok(Verdict::Became(became));
        match entry {
            Staged::Publish(draft) => self.publish(draft),
            Staged::Amend(amendment) => self.amend(amendment),
            Staged::State(request) => self.state(request),
            Staged::Call(call) => become_all(self.call(call)?),
            Staged::Join(joining) => become_all(self.join(joining)?),
            Staged::Hook(hook) => become_all(self.hook(hook)?),
            Staged::Ended { key: (user, session), reason } => {
                self.ctx.deciding.entry(entry)?;
                let left = Leaving { user: user.clone(), session: session.clone(), reason: *reason };
                become_all(self.leave(&left)?)
            }
            other => self.ctx.deciding.entry(other),
        }
    }

    /// Runs a part of the behavior. Where it fails nothing of it is kept, and the rest of the flush stands.
    fn run<T>(
        &mut self,
        hook: &'static str,
        caller: Caller,
        part: impl FnOnce(&mut dyn Running, &mut Context<'_>) -> Result<T, Failure>,
    ) -> Result<Result<T, Failure>, StorageError> {
        self.has_run = true;
        self.ctx.caller = caller;
        let (host, ctx) = (&mut *self.host, &mut self.ctx);
        let (hook, result) = match host.start(ctx) {
            Ok(running) => {
                let ran = ctx.transaction(|ctx| {
                    let result = part(running, ctx);
                    ctx.settled(result)
                });
                (hook, ran)
            }
            Err(failure) => ("started", Err(failure)),
        };
        if let Some(failure) = result.as_ref().err().filter(|failure| is_for_operator(hook, failure)) {
            self.settled.failed.push((hook, failure.clone()));
        }
        let result = match hook {
            "started" => result.map_err(|_| Failure::with_code(ErrorCode::Unavailable, DID_NOT_START)),
            _ => result,
        };
        ctx.caller = Caller::default();
        ctx.forget_checkpoints();
        match ctx.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(result),
        }
    }

    fn take_out(&mut self) -> Became {
        std::mem::take(&mut self.ctx.out)
    }

    fn call(&mut self, call: &MethodRequest) -> Result<Became, StorageError> {
        let MethodRequest { origin, caller, claims, method, args } = call;
        let has_place = |reader: &Reader| {
            self.host.streams.has_place(*reader, caller.user.as_ref(), &self.settled.opened)
        };
        let reader = Reader::of(origin).filter(has_place);
        let outcome = self.run("call", caller.clone(), |running, ctx| {
            match (running.call(ctx, method, args)?, reader) {
                (Outcome::Value(value), _) => Ok(Ok(value)),
                (Outcome::Stream(chunks), Some(reader)) => Ok(Err((reader, chunks))),
                (Outcome::Stream(_), None) => {
                    Err(Failure::with_code(ErrorCode::Overloaded, "too many streams are open"))
                }
            }
        })?;
        let mut became = self.take_out();
        let result = match outcome {
            Ok(Ok(value)) => Ok(RequestResult::Called(value)),
            Ok(Err((reader, chunks))) => {
                became.push((Staged::Opened(reader), Verdict::AsStaged));
                self.settled.opened.push((reader, Open::new(chunks, claims.clone())));
                return Ok(became);
            }
            Err(failure) => Err(failure.into_error(None)),
        };
        became.push(answer(origin.clone(), result));
        Ok(became)
    }

    /// A publish that comes again under its key is the one before, whatever a hook would say now.
    fn publish(&mut self, draft: &Draft) -> Result<Verdict, StorageError> {
        if let Some(known) = self.ctx.deciding.known(draft) {
            return Ok(known);
        }
        let room = self.ctx.deciding.room;
        let publishing = Publishing {
            author: draft.author.as_ref(),
            connection: draft.origin.connection(),
            kind: draft.kind.as_deref().unwrap_or(DEFAULT_TYPE),
            data: &draft.data,
            tags: &draft.tags,
            to: draft.to.as_ref(),
            ephemeral: draft.fate != Fate::Logged,
        };
        let said = self.run("publish", known(&draft.caller), |running, ctx| {
            let changed = match running.publish(ctx, &publishing) {
                Said::Refuse(failure) => return Err(failure),
                Said::Consume => return Ok(None),
                Said::Pass => draft.clone(),
                Said::Change(change) => changed(draft, change),
            };
            room.check_draft(None, &changed)?;
            Ok(Some(changed))
        })?;
        let mut became = self.take_out();
        let changed = match said {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                became.push(answer(draft.origin.clone(), Ok(RequestResult::Done {})));
                return Ok(Verdict::Became(became));
            }
            Err(failure) => return Ok(Verdict::Refused(failure.into_error(None))),
        };
        let verdict = match changed.fate {
            Fate::Logged => self.ctx.deciding.publish_as(&changed, || keys::hash(draft)),
            Fate::Ephemeral { .. } => Verdict::AsStaged,
        };
        became.push((Staged::Publish(Box::new(changed)), verdict));
        Ok(Verdict::Became(became))
    }

    /// The hook first, and then what the protocol has to say.
    fn amend(&mut self, amendment: &Amendment) -> Result<Verdict, StorageError> {
        let change = match &amendment.change {
            Changing::Edit(data) => Amend::Edit(data),
            Changing::Remove => Amend::Remove,
            Changing::React { name, on, .. } => Amend::React { name, on: *on },
        };
        let amending = Amending { author: amendment.author.as_ref(), target: amendment.target, change };
        let said = self.run("amend", known(&amendment.caller), |running, ctx| {
            let allowed = running.amend(ctx, &amending);
            ctx.settled(allowed)?;
            let found = ctx.deciding.find_target(amendment);
            let target = ctx.stored(found);
            let says = target.as_ref().filter(|_| !matches!(amendment.change, Changing::React { .. }));
            says.map_or(Ok(()), |target| running.may_publish(&ctx.caller, &target.publication.kind))?;
            // From here on nothing is taken back any more.
            let amended = ctx.deciding.amend_found(amendment, target).map(Some);
            match ctx.stored(amended).transpose()?.flatten() {
                Some(record) => Ok(ctx.deciding.log(record)),
                None => Ok(Verdict::Unchanged),
            }
        })?;
        let mut became = self.take_out();
        Ok(match said {
            Ok(verdict) => {
                became.push((Staged::Amend(Box::new(amendment.clone())), verdict));
                Verdict::Became(became)
            }
            Err(failure) => Verdict::Refused(failure.into_error(None)),
        })
    }

    fn state(&mut self, request: &StateRequest) -> Result<Verdict, StorageError> {
        let written = self.run("state", known(&request.caller), |running, ctx| {
            running.may_write(&ctx.caller, &request.ops)?;
            let committed = &ctx.deciding.room.state;
            Ok(ctx.deciding.state.apply(committed, &request.ops, &request.writer)?)
        })?;
        Ok(written.map_or_else(|failure| Verdict::Refused(failure.into_error(None)), Verdict::Stated))
    }

    fn join(&mut self, joining: &Joining) -> Result<Became, StorageError> {
        let caller = Caller {
            user: Some(joining.user.clone()),
            session: Some(joining.session.clone()),
            connection: Some(joining.connection),
            info: joining.info.clone(),
            capabilities: joining.capabilities,
        };
        let mut refusal = None;
        let admitted = self.run("join", caller, |running, ctx| {
            running.join(ctx, joining).map_err(|refused| {
                refusal = Some(refused);
                Failure::new("may not join")
            })
        })?;
        let admitted: Admitted = admitted.map_err(|failure| {
            refusal.unwrap_or(Refusal { code: CloseCode::Overloaded, reason: failure.message })
        });
        let mut became = self.take_out();
        became.push((Staged::Admitted(Box::new(admitted)), Verdict::AsStaged));
        Ok(became)
    }

    fn leave(&mut self, left: &Leaving) -> Result<Became, StorageError> {
        // Nobody waits for it: what fails is as if it had not run.
        let _ = self.run("leave", Caller::default(), |running, ctx| {
            running.leave(ctx, left);
            Ok(())
        })?;
        Ok(self.take_out())
    }

    fn hook(&mut self, hook: &Hook) -> Result<Became, StorageError> {
        match hook {
            Hook::Tick(tick) => {
                let _ = self.run("tick", Caller::default(), |running, ctx| {
                    running.tick(ctx, *tick);
                    Ok(())
                })?;
            }
            Hook::Lifecycle(state) => {
                let _ = self.run("lifecycle", Caller::default(), |running, ctx| {
                    running.lifecycle(ctx, *state);
                    Ok(())
                })?;
            }
            Hook::Timer(name) => self.timer(name)?,
            Hook::PutOff(name) => {
                if let Some(row) = self.ctx.timer(name).cloned() {
                    self.ctx.put_off(row);
                }
            }
            Hook::Streams(readers) => {
                let mut bytes = 0;
                for reader in readers {
                    if bytes >= CHUNK_BYTES_IN_FLUSH {
                        break;
                    }
                    bytes += self.read(*reader)?;
                }
            }
        }
        Ok(self.take_out())
    }

    fn timer(&mut self, name: &str) -> Result<(), StorageError> {
        let now = self.ctx.now();
        let Some(row) = self.ctx.timer(name).filter(|row| row.at <= now).cloned() else { return Ok(()) };
        let TimerRow { name, payload, attempt, due, .. } = row.clone();
        let fired = Fired { name, payload, attempt, due };
        let done = self.run("timer", Caller::default(), |running, ctx| {
            // Gone before its hook, which may schedule the same name anew.
            ctx.cancel(&fired.name);
            running.timer(ctx, &fired)
        })?;
        match done {
            Ok(()) => self.settled.fired.push(fired),
            Err(_) => self.ctx.put_off(row),
        }
        Ok(())
    }

    /// Asks a stream for what it has, up to what its reader takes at once. Returns how many bytes that are.
    fn read(&mut self, reader: Reader) -> Result<usize, StorageError> {
        let Some(mut open) = self.host.streams.open.remove(&reader) else { return Ok(0) };
        self.host.streams.asked.insert(reader);
        self.host.streams.last = Some(reader);
        let (now, had_run, mut bytes) = (self.ctx.now(), self.has_run, 0);
        open.wake = Wake::Now;
        if let Reader::Connection(..) = reader {
            open.caught_up();
        }
        while open.has_place() {
            let next = self.run("stream", Caller::default(), |running, ctx| {
                match open.chunks.next(running.as_any(), ctx) {
                    Next::Fail(failure) => Err(failure),
                    next => Ok(next),
                }
            })?;
            // Streams do not wake one another.
            self.has_run = had_run;
            let end = match next {
                Ok(Next::Item(chunk)) => {
                    open.gave(now, chunk.len());
                    bytes += chunk.len();
                    self.ctx.out.push((Staged::Chunk { reader, chunk }, Verdict::AsStaged));
                    continue;
                }
                Ok(Next::Wait) => {
                    open.wake = Wake::AfterOthers;
                    break;
                }
                Ok(Next::After(ms)) => {
                    open.wake = Wake::At(now.saturating_add(ms));
                    break;
                }
                Ok(Next::Done) => Ok(RequestResult::Called(Payload::of(&()))),
                Ok(Next::Fail(failure)) | Err(failure) => Err(failure.into_error(None)),
            };
            self.ctx.out.push(answer(reader.origin(), end));
            self.settled.ended.push(reader);
            return Ok(bytes);
        }
        self.host.streams.open.insert(reader, open);
        Ok(bytes)
    }

    /// What is to be written, and what is to be taken over once it is.
    pub(crate) fn finish(self) -> (crate::decide::Deciding<'r>, Settled) {
        let Step { host, ctx, mut settled, has_run } = self;
        let Context { mut deciding, values, timers, afterwards, seed, .. } = ctx;
        host.seed = seed;
        if has_run {
            host.streams.others_ran();
        }
        for (key, value) in values.into_changes() {
            match value {
                Some(value) => deciding.writes.values_put.push((key, value)),
                None => deciding.writes.values_removed.push(key),
            }
        }
        for (name, row) in timers.into_changes() {
            match row {
                Some(row) => settled.timers_put.push(row),
                None => settled.timers_removed.push(name),
            }
        }
        deciding.writes.timers_put = settled.timers_put.clone();
        deciding.writes.timers_removed = settled.timers_removed.clone();
        settled.afterwards = afterwards;
        (deciding, settled)
    }
}

/// Whether nobody waits for the hook, or it is a mistake in the behavior, of which callers learn little.
fn is_for_operator(hook: &str, failure: &Failure) -> bool {
    failure.code == ErrorCode::Internal
        || matches!(hook, "started" | "leave" | "tick" | "timer" | "lifecycle")
}

/// Who asked, as it was known when they did.
fn known(caller: &Option<Box<Caller>>) -> Caller {
    caller.as_deref().cloned().unwrap_or_default()
}

/// A draft as a hook has it.
fn changed(draft: &Draft, Change { kind, data, tags }: Change) -> Draft {
    Draft {
        kind: kind.or_else(|| draft.kind.clone()),
        data: data.unwrap_or_else(|| draft.data.clone()),
        tags: tags.unwrap_or_else(|| draft.tags.clone()),
        ..draft.clone()
    }
}

fn answer(origin: Origin, result: Result<RequestResult, RequestError>) -> (Staged, Verdict) {
    (Staged::Answer { origin, result: Box::new(result) }, Verdict::AsStaged)
}

impl Host {
    /// The flush was committed. Returns what is to be done to those who are here, and whose streams changed.
    pub(crate) fn take_over(&mut self, settled: &mut Settled) -> Vec<Afterwards> {
        self.streams.asked.clear();
        let timers = std::rc::Rc::make_mut(&mut self.timers);
        for row in settled.timers_put.drain(..) {
            timers.insert(row.name.clone(), row);
        }
        for name in settled.timers_removed.drain(..) {
            timers.remove(&name);
        }
        self.streams.open.extend(settled.opened.drain(..));
        std::mem::take(&mut settled.afterwards)
    }

    /// The flush was not committed: what the behavior has in memory may be ahead of what is stored, and so may its
    /// streams. Returns whose they were.
    pub(crate) fn lose_memory(&mut self) -> Vec<Reader> {
        self.running = None;
        let Streams { open, asked, .. } = std::mem::take(&mut self.streams);
        open.into_keys().chain(asked).collect::<BTreeSet<Reader>>().into_iter().collect()
    }
}
