//! Behaviors for the end-to-end tests: [`Fixture`] does a little of everything, [`Ticker`] ticks.
//!
//! * [`methods`]: values, errors, state, presence, messages.
//! * [`kept`]: values by key, SQL, timers, a state machine.
//! * [`streams`]: results that come chunk by chunk.

pub mod kept;
pub mod methods;
pub mod streams;
mod ticker;

use room_core::behavior::{
    Admission, Amending, Behavior, Change, Context, Failure, Fired, Interface, Joining, Leaving, Message,
    Payload, Publishing, Refusal, Verdict,
};
use serde::Serialize;
use ts_rs::TS;

pub use ticker::Ticker;

/// Where the counter is kept.
const COUNT: &str = "count";

#[derive(Debug)]
pub struct Fixture {
    /// As it is stored.
    count: u32,
    /// Nowhere else: gone when the room leaves memory.
    remembered: u32,
    inputs: u32,
}

/// Published by a timer.
#[derive(Debug, Serialize, TS)]
pub struct Rang {
    name: String,
    attempt: u32,
    note: String,
}

impl Behavior for Fixture {
    const NAME: &'static str = "fixture";
    const MIGRATIONS: &'static [&'static str] = &[
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
        "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 0; \
         CREATE INDEX notes_by_stars ON notes (stars)",
    ];

    fn describe(interface: &mut Interface<Self>) {
        methods::describe(interface);
        kept::describe(interface);
        streams::describe(interface);
        interface.event::<Rang>("rang");
    }

    fn started(ctx: &mut Context<'_>) -> Result<Fixture, Failure> {
        Ok(Fixture { count: ctx.get(COUNT).unwrap_or_default(), remembered: 0, inputs: 0 })
    }

    /// `mallory` may never come in, `early` not yet, `crowd` finds it full; `red-…` is of team red.
    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        match joining.user.as_str() {
            "mallory" => return Err(Refusal::last(4900, "not you")),
            "early" => return Err(Refusal::for_now(4100, "not yet")),
            "crowd" => return Err(Refusal::full()),
            _ => {}
        }
        let greeted = format!("greeted/{}", joining.user);
        let before: String = ctx.get(&greeted).unwrap_or_default();
        ctx.put(&greeted, &(before + "hi"));
        match joining.user.as_str().split_once('-') {
            Some((team, _)) => Ok(Admission::tagged([format!("$team-{team}")]).presence(&team)),
            None => Ok(Admission::default()),
        }
    }

    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        ctx.put(&format!("left/{}", left.user), &left.session.as_str());
    }

    /// `shout` is said aloud, `spam` refused, `input` counted and told nobody.
    fn publish(&mut self, _: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        match publishing.kind {
            "shout" => match publishing.data::<String>() {
                Ok(text) => Verdict::Change(Change {
                    kind: Some("message".into()),
                    data: Some(Payload::of(&text.to_uppercase())),
                    tags: None,
                }),
                Err(failure) => Verdict::Refuse(failure),
            },
            "spam" => Verdict::Refuse(Failure::new("no spam here").data(&"spam")),
            "input" => {
                self.inputs += 1;
                Verdict::Consume
            }
            _ => Verdict::Pass,
        }
    }

    /// Nobody says `spam` by an edit either.
    fn amend(&mut self, _: &mut Context<'_>, amending: &Amending<'_>) -> Result<(), Failure> {
        match amending.data::<String>()?.as_deref() {
            Some("spam") => Err(Failure::new("no spam here").data(&"spam")),
            _ => Ok(()),
        }
    }

    /// Tells that it fired, once it has failed as often as it was asked to.
    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        let kept::Alarm { note, fails } = timer.payload()?;
        ctx.put("half done", &timer.attempt);
        if timer.attempt <= fails {
            return Err(Failure::new("asked to fail"));
        }
        ctx.delete("half done");
        ctx.publish(Message::new("rang", &Rang { name: timer.name.clone(), attempt: timer.attempt, note }));
        Ok(())
    }

    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: room_core::behavior::LifecycleState) {
        ctx.put(&format!("life/{state:?}"), &ctx.now());
    }
}
