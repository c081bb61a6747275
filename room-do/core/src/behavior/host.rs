//! Which behaviors there are, and the one that a room runs.

use std::{any::Any, collections::BTreeMap, fmt, marker::PhantomData, rc::Rc};

use schemas::{
    ErrorCode, Payload,
    client_message::StateOp,
    http::DisconnectCall,
    server_message::{LifecycleState, RequestError},
};

use super::{
    Behavior,
    context::Context,
    events::{Admission, Amending, Caller, Fired, Joining, Leaving, Publishing, Tick, Verdict},
    failure::{Failure, Refusal},
    interface::{Audience, Interface, Outcome},
    streaming::Streams,
};
use crate::storage::TimerRow;

/// Under which it is kept how many of a behavior's migrations have run: its name follows.
const MIGRATED: &str = "$migrations/";

/// The behaviors that a deployment has, registered in one place.
#[derive(Debug, Clone, Default)]
pub struct Behaviors(Vec<Hosted>);

impl Behaviors {
    #[must_use]
    pub fn new() -> Behaviors {
        Behaviors::default()
    }

    /// With this one besides.
    ///
    /// # Panics
    /// Where the name is taken, is `relay`, or is not `[a-z][a-z0-9-]{0,31}`; where its ticks are out of bounds; and
    /// where its interface contradicts itself.
    #[must_use]
    pub fn with<B: Behavior>(mut self) -> Behaviors {
        let name = B::NAME;
        let is_free = self.find(name).is_none() && name != schemas::config::RELAY;
        assert!(is_free, "two behaviors are called {name:?}");
        assert!(schemas::ids::KindName::parse(name).is_some(), "{name:?} is no name of a behavior");
        let ticks = B::TICK_MS == 0 || (10..=60_000).contains(&B::TICK_MS);
        assert!(ticks, "{name}: TICK_MS is {}, and must be 0 or 10 to 60,000", B::TICK_MS);
        drop(Interface::<B>::of_behavior());
        self.0.push(Hosted::of::<B>());
        self
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<Hosted> {
        self.0.iter().find(|hosted| hosted.name() == name).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = Hosted> {
        self.0.iter().copied()
    }
}

/// A behavior without its type.
#[derive(Clone, Copy)]
pub struct Hosted(&'static dyn Blueprint);

impl Hosted {
    #[must_use]
    pub fn of<B: Behavior>() -> Hosted {
        Hosted(const { &Of::<B>(PhantomData) })
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Its TypeScript: see [`Interface::typescript`].
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn typescript(self) -> String {
        self.0.typescript()
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

trait Blueprint: Sync {
    fn name(&self) -> &'static str;
    fn migrations(&self) -> &'static [&'static str];
    fn tick_ms(&self) -> u64;
    fn start(&self, ctx: &mut Context<'_>) -> Result<Box<dyn Running>, Failure>;
    #[cfg(not(target_arch = "wasm32"))]
    fn typescript(&self) -> String;
}

struct Of<B>(PhantomData<fn() -> B>);

impl<B: Behavior> Blueprint for Of<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn migrations(&self) -> &'static [&'static str] {
        B::MIGRATIONS
    }

    fn tick_ms(&self) -> u64 {
        B::TICK_MS
    }

    fn start(&self, ctx: &mut Context<'_>) -> Result<Box<dyn Running>, Failure> {
        let behavior = B::started(ctx)?;
        Ok(Box::new(Live { behavior, interface: Interface::of_behavior() }))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn typescript(&self) -> String {
        Interface::<B>::of_behavior().typescript()
    }
}

/// A behavior in memory, without its type.
pub(crate) trait Running {
    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal>;
    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving);
    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict;
    fn amend(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure>;
    fn may_publish(&self, caller: &Caller, kind: &str) -> Result<(), Failure>;
    fn may_write(&self, caller: &Caller, ops: &[StateOp]) -> Result<(), Failure>;
    fn tick(&mut self, ctx: &mut Context<'_>, tick: Tick);
    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure>;
    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: LifecycleState);
    fn call(&mut self, ctx: &mut Context<'_>, method: &str, args: &Payload) -> Result<Outcome, Failure>;
    /// For the streams that it made.
    fn as_any(&mut self) -> &mut dyn Any;
}

struct Live<B> {
    behavior: B,
    interface: Interface<B>,
}

impl<B: Behavior> Running for Live<B> {
    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        let admission = self.behavior.join(ctx, joining)?;
        ctx.check_presence(admission.presence.as_ref());
        Ok(admission)
    }

    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        self.behavior.leave(ctx, left);
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        match self.may_publish(&ctx.caller, publishing.kind) {
            Ok(()) => self.behavior.publish(ctx, publishing),
            Err(refusal) => Verdict::Refuse(refusal),
        }
    }

    fn amend(&mut self, ctx: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure> {
        self.behavior.amend(ctx, amending)
    }

    fn may_publish(&self, caller: &Caller, kind: &str) -> Result<(), Failure> {
        self.interface.may_publish(caller, kind)
    }

    fn may_write(&self, caller: &Caller, ops: &[StateOp]) -> Result<(), Failure> {
        self.interface.may_write(caller, ops)
    }

    fn tick(&mut self, ctx: &mut Context<'_>, tick: Tick) {
        self.behavior.tick(ctx, tick);
    }

    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        self.behavior.timer(ctx, timer)
    }

    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: LifecycleState) {
        self.behavior.lifecycle(ctx, state);
    }

    fn call(&mut self, ctx: &mut Context<'_>, name: &str, args: &Payload) -> Result<Outcome, Failure> {
        let Some(method) = self.interface.find(name) else {
            let message = format!("no method is called {name:?}");
            return Err(Failure::with_code(ErrorCode::NotFound, message));
        };
        if method.audience == Audience::Services && !ctx.caller.is_service() {
            let message = format!("{name} is for API keys and Workers");
            return Err(Failure::with_code(ErrorCode::Forbidden, message));
        }
        method.run(&mut self.behavior, ctx, args)
    }

    fn as_any(&mut self) -> &mut dyn Any {
        &mut self.behavior
    }
}

/// What a room has of its behavior.
pub(crate) struct Host {
    hosted: Hosted,
    /// `None` until it is needed, and after a commit that failed.
    pub(crate) running: Option<Box<dyn Running>>,
    pub(crate) timers: Rc<BTreeMap<String, TimerRow>>,
    pub(crate) streams: Streams,
    /// When the next tick is due; `None` where nobody is connected.
    pub(crate) tick_at: Option<u64>,
    pub(crate) ticks: u64,
    pub(crate) seed: u64,
    /// When timers fired last.
    pub(crate) fired_at: u64,
    /// A trap may have been a timer's.
    pub(crate) suspects_timers: bool,
    /// Disconnections whose block could not be stored.
    pub(crate) owed: Vec<DisconnectCall>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("hosted", &self.hosted)
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}

impl Host {
    pub(crate) fn restored(hosted: Hosted, timers: Vec<TimerRow>, seed: u64) -> Host {
        let timers = timers.into_iter().map(|row| (row.name.clone(), row)).collect();
        Host {
            hosted,
            running: None,
            timers: Rc::new(timers),
            streams: Streams::default(),
            tick_at: None,
            ticks: 0,
            seed,
            fired_at: 0,
            suspects_timers: false,
            owed: Vec::new(),
        }
    }

    pub(crate) fn has_sql(&self) -> bool {
        !self.hosted.0.migrations().is_empty()
    }

    pub(crate) fn tick_ms(&self) -> u64 {
        self.hosted.0.tick_ms()
    }

    /// The clock went back: what is ahead keeps its distance, but for timers, which are at times of their own.
    pub(crate) fn step_back(&mut self, by_ms: u64) {
        self.tick_at = self.tick_at.map(|at| at.saturating_sub(by_ms));
        self.fired_at = self.fired_at.saturating_sub(by_ms);
        self.streams.step_back(by_ms);
    }

    /// When the next timer is due.
    pub(crate) fn next_timer_at(&self) -> Option<u64> {
        self.timers.values().map(|row| row.at).min()
    }

    /// When the last is.
    pub(crate) fn last_timer_at(&self) -> Option<u64> {
        self.timers.values().map(|row| row.at).max()
    }

    /// Builds the behavior, if it is not in memory: first come the migrations that this room has not seen.
    pub(crate) fn start(&mut self, ctx: &mut Context<'_>) -> Result<&mut dyn Running, Failure> {
        if self.running.is_none() {
            let hosted = self.hosted;
            let started = ctx.transaction(|ctx| {
                migrate(ctx, hosted.0)?;
                let started = hosted.0.start(ctx);
                ctx.settled(started)
            });
            self.running = Some(started?);
        }
        let running = self.running.as_deref_mut();
        Ok(running.expect("it was started just now"))
    }
}

fn migrate(ctx: &mut Context<'_>, blueprint: &dyn Blueprint) -> Result<(), Failure> {
    let (scripts, key) = (blueprint.migrations(), format!("{MIGRATED}{}", blueprint.name()));
    if scripts.is_empty() {
        return Ok(());
    }
    let done = ctx.read::<usize>(&key).unwrap_or(0);
    if done > scripts.len() {
        let message = format!("{done} migrations have run here, and this code knows {}", scripts.len());
        return Err(Failure::with_code(ErrorCode::Internal, message));
    }
    for (index, script) in scripts.iter().enumerate().skip(done) {
        let run = ctx.sql().execute(script, ());
        run.map_err(|error| {
            let which = format!("migration {}", index + 1);
            let failure = Failure::with_code(ErrorCode::Internal, format!("{which} was refused"));
            failure.caused_by(format!("{which}: {error}"))
        })?;
    }
    if done < scripts.len() {
        ctx.write(key, &scripts.len());
    }
    Ok(())
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Failure {
        let RequestError { code, message, details, data, .. } = error;
        Failure { details, data, ..Failure::with_code(code, message) }
    }
}
