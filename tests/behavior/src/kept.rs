//! Values by key, SQL, timers, a state machine.

use std::collections::BTreeMap;

use garde::Validate;
use room_core::behavior::{Context, Failure, Interface, List, StateMachine, When};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Fixture;

pub(crate) fn describe(interface: &mut Interface<Fixture>) {
    interface.method("put", Fixture::put);
    interface.method("get", Fixture::get);
    interface.method("delete", Fixture::delete);
    interface.method("list", Fixture::list);
    interface.method("note", Fixture::note);
    interface.method("notes", Fixture::notes);
    interface.method("note_pairs", Fixture::note_pairs);
    interface.method("schedule", Fixture::schedule);
    interface.method("unschedule", Fixture::unschedule);
    interface.method("timers", Fixture::timers);
    interface.method("door", Fixture::door);
    interface.method("reset_door", Fixture::reset_door);
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Put {
    values: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Keys {
    keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
#[serde(default, deny_unknown_fields)]
pub struct Listed {
    prefix: String,
    start: Option<String>,
    end: Option<String>,
    limit: Option<u32>,
    reverse: bool,
}

#[derive(Debug, Serialize, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Note {
    text: String,
    #[serde(default)]
    stars: i32,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Stars {
    #[serde(default)]
    at_least: i32,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Pairs {
    /// Each pair is noted as a whole, or not: one that begins with "no" is refused behind its first half.
    pairs: Vec<(String, String)>,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Schedule {
    name: String,
    after: String,
    #[serde(default)]
    note: String,
    /// So many of its first attempts fail.
    #[serde(default)]
    fails: u32,
}

/// What a timer carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) note: String,
    pub(crate) fails: u32,
}

#[derive(Debug, Serialize, TS)]
pub struct Waiting {
    name: String,
    attempt: u32,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Turn {
    event: Turned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Turned {
    Open,
    Close,
    Lock,
    Unlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    Opened,
    Closed,
    Locked,
}

struct Door;

impl StateMachine for Door {
    const NAME: &'static str = "door";
    type State = Position;
    type Event = Turned;
    const INITIAL: Position = Position::Closed;
    const TRANSITIONS: &'static [(Position, Turned, Position)] = &[
        (Position::Closed, Turned::Open, Position::Opened),
        (Position::Closed, Turned::Lock, Position::Locked),
        (Position::Opened, Turned::Close, Position::Closed),
        (Position::Locked, Turned::Unlock, Position::Closed),
    ];
}

impl Fixture {
    fn put(&mut self, ctx: &mut Context<'_>, Put { values }: Put) -> Result<(), Failure> {
        ctx.put_many(values.iter().map(|(key, value)| (key.as_str(), value)));
        Ok(())
    }

    fn get(
        &mut self,
        ctx: &mut Context<'_>,
        Keys { keys }: Keys,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Ok(ctx.get_many(&keys))
    }

    fn delete(&mut self, ctx: &mut Context<'_>, Keys { keys }: Keys) -> Result<(), Failure> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        ctx.delete_many(&keys);
        Ok(())
    }

    fn list(&mut self, ctx: &mut Context<'_>, listed: Listed) -> Result<Vec<(String, String)>, Failure> {
        let mut list = List::prefix(&listed.prefix);
        if let Some(start) = &listed.start {
            list = list.start(start);
        }
        if let Some(end) = &listed.end {
            list = list.end(end);
        }
        if let Some(limit) = listed.limit {
            list = list.limit(limit as usize);
        }
        if listed.reverse {
            list = list.reverse();
        }
        Ok(ctx.list(&list))
    }

    fn note(&mut self, ctx: &mut Context<'_>, Note { text, stars }: Note) -> Result<(), Failure> {
        ctx.sql().execute("INSERT INTO notes (text, stars) VALUES (?, ?)", (text, stars))?;
        Ok(())
    }

    fn notes(&mut self, ctx: &mut Context<'_>, Stars { at_least }: Stars) -> Result<Vec<Note>, Failure> {
        let query = "SELECT text, stars FROM notes WHERE stars >= ? ORDER BY id";
        Ok(ctx.sql().query(query, (at_least,))?)
    }

    /// How many pairs were noted.
    fn note_pairs(&mut self, ctx: &mut Context<'_>, Pairs { pairs }: Pairs) -> Result<u32, Failure> {
        let mut noted = 0;
        for (first, second) in pairs {
            let pair = ctx.transaction(|ctx| {
                let insert = "INSERT INTO notes (text) VALUES (?)";
                ctx.sql().execute(insert, (first.as_str(),))?;
                ctx.put("last noted", &first);
                if second.starts_with("no") {
                    return Err(Failure::new("refused"));
                }
                ctx.sql().execute(insert, (second.as_str(),))?;
                ctx.put("last noted", &second);
                Ok(())
            });
            noted += u32::from(pair.is_ok());
        }
        Ok(noted)
    }

    fn schedule(&mut self, ctx: &mut Context<'_>, schedule: Schedule) -> Result<(), Failure> {
        let Schedule { name, after, note, fails } = schedule;
        ctx.schedule(&name, When::after(&after), &Alarm { note, fails });
        Ok(())
    }

    fn unschedule(&mut self, ctx: &mut Context<'_>, Keys { keys }: Keys) -> Result<u32, Failure> {
        Ok(keys.iter().map(|name| u32::from(ctx.cancel(name))).sum())
    }

    fn timers(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Vec<Waiting>, Failure> {
        let waiting = ctx.timers().into_iter();
        Ok(waiting.map(|timer| Waiting { name: timer.name, attempt: timer.attempt }).collect())
    }

    fn door(&mut self, ctx: &mut Context<'_>, Turn { event }: Turn) -> Result<Position, Failure> {
        ctx.fire::<Door>(event).map_err(Failure::from)
    }

    fn reset_door(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Vec<Turned>, Failure> {
        ctx.reset::<Door>();
        Ok(ctx.valid_events::<Door>())
    }
}
