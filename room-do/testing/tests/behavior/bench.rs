//! The behavior under test: a workshop with a tool for each thing a behavior can do.

use garde::Validate;
use room_core::behavior::*;
use schemas::server_message::LifecycleState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Default)]
pub(crate) struct Bench {
    /// In memory alone.
    count: u32,
    ticks: u64,
    queue: Vec<u32>,
}

#[derive(Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roll {
    #[serde(default = "six")]
    #[garde(range(min = 2, max = 100))]
    sides: u32,
    #[serde(default)]
    #[garde(length(max = 3), inner(length(min = 1, max = 8)))]
    labels: Vec<String>,
}

fn six() -> u32 {
    6
}

#[derive(Serialize, TS)]
pub(crate) struct Rolled {
    sides: u32,
    labels: Vec<String>,
}

#[derive(Debug, thiserror::Error, Serialize, TS)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub(crate) enum Broken {
    #[error("out of {what}")]
    OutOf { what: String },
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub(crate) struct Put {
    key: String,
    value: u32,
    #[serde(default)]
    fails: bool,
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Listing {
    prefix: String,
    start: Option<String>,
    end: Option<String>,
    limit: Option<usize>,
    reverse: bool,
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub(crate) struct Timing {
    name: String,
    after: String,
    #[serde(default)]
    payload: u32,
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub(crate) struct Telling {
    how: String,
    #[serde(default)]
    whom: String,
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub(crate) struct Named {
    name: String,
}

#[derive(Debug, Deserialize, Serialize, PartialEq, TS)]
pub(crate) struct Note {
    id: u32,
    text: String,
    done: bool,
    stars: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    Open,
    Shut,
    Locked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hand {
    Push,
    Pull,
    Turn,
}

pub(crate) struct Doorway;

impl StateMachine for Doorway {
    const NAME: &'static str = "doorway";
    type State = Door;
    type Event = Hand;
    const INITIAL: Door = Door::Shut;
    const TRANSITIONS: &'static [(Door, Hand, Door)] = &[
        (Door::Shut, Hand::Pull, Door::Open),
        (Door::Open, Hand::Push, Door::Shut),
        (Door::Shut, Hand::Turn, Door::Locked),
        (Door::Locked, Hand::Turn, Door::Shut),
    ];
}

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub(crate) struct Doing {
    hand: Option<Hand>,
}

impl Behavior for Bench {
    const NAME: &'static str = "bench";
    const MIGRATIONS: &'static [&'static str] = &[
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
         CREATE INDEX notes_text ON notes (text);",
        "ALTER TABLE notes ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE notes ADD COLUMN stars REAL;",
    ];
    const TICK_MS: u64 = 1_000;

    fn describe(interface: &mut Interface<Self>) {
        interface.method("roll", Self::roll);
        interface.method("who", Self::who);
        interface.method("count", Self::count);
        interface.method("ticks", Self::ticks);
        interface.method("put", Self::put);
        interface.method("get", Self::get);
        interface.method("list", Self::list);
        interface.method("nested", Self::nested);
        interface.method("note", Self::note);
        interface.method("notes", Self::notes);
        interface.method("bad_sql", Self::bad_sql);
        interface.method("schedule", Self::schedule);
        interface.method("cancel_timer", Self::cancel_timer);
        interface.method("timers", Self::timers);
        interface.method("tell", Self::tell);
        interface.method("amend", Self::amend);
        interface.method("door", Self::door);
        interface.method("expel", Self::expel);
        interface.method("push", Self::push);
        interface.method("break_it", Self::break_it);
        interface.service("secret", Self::secret);
        interface.stream("tail", Self::tail);
        interface.stream("numbers", Self::numbers);
        interface.event::<Note>("note");
        interface.state::<u32>("total");
        interface.presence::<Named>();
    }

    fn started(ctx: &mut Context<'_>) -> Result<Self, Failure> {
        if ctx.get::<bool>("refuses_to_start") == Some(true) {
            return Err(Failure::new("it was told not to"));
        }
        Ok(Bench::default())
    }

    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        match joining.user.as_str() {
            "mallory" => {
                ctx.put("mallory", &1);
                Err(Refusal::last(4_501, "not you"))
            }
            "later" => Err(Refusal::for_now(4_001, "come back")),
            user => {
                ctx.send(Message::new("coming", &(user, joining.returning)));
                Ok(Admission::tagged([format!("$user-{user}")]).presence(&Named_ { name: user }))
            }
        }
    }

    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        ctx.publish(Message::new("gone", &(&left.user, left.reason)));
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        match publishing.kind {
            "shout" => {
                let Ok(text) = publishing.data::<String>() else {
                    return Verdict::Refuse(Failure::invalid("data", "is text"));
                };
                let data = Some(Payload::of(&text.to_uppercase()));
                Verdict::Change(Change { data, ..Change::default() })
            }
            "spoilt" => {
                ctx.publish(Message::new("never", &()));
                Verdict::Change(Change { kind: Some("edit".to_owned()), ..Change::default() })
            }
            "curse" => {
                ctx.put("cursed", &true);
                Verdict::Refuse(Failure::with_code(ErrorCode::Forbidden, "mind your language"))
            }
            "input" => {
                self.count += 1;
                Verdict::Consume
            }
            "counted" => {
                let counted = ctx.get::<u32>("counted").unwrap_or(0) + 1;
                ctx.put("counted", &counted);
                ctx.publish(Message::new("tally", &counted));
                Verdict::Pass
            }
            _ => Verdict::Pass,
        }
    }

    fn tick(&mut self, ctx: &mut Context<'_>, tick: Tick) {
        self.ticks = tick.number;
        if ctx.get::<bool>("tells_ticks") == Some(true) {
            ctx.send(Message::new("tick", &(tick.number, tick.at)));
        }
    }

    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        let payload: u32 = timer.payload()?;
        ctx.send(Message::new("fired", &(&timer.name, payload, timer.attempt)));
        if timer.name == "again" && payload > 0 {
            ctx.schedule("again", When::after("5s"), &(payload - 1));
        }
        match timer.name.as_str() {
            "fails" if timer.attempt < 3 => {
                ctx.put("half_done", &true);
                Err(Failure::new("not yet"))
            }
            name => {
                ctx.put(&format!("fired/{name}"), &timer.attempt);
                Ok(())
            }
        }
    }

    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: LifecycleState) {
        let digit = match state {
            LifecycleState::Fresh => 0,
            LifecycleState::Occupied => 1,
            LifecycleState::Vacant => 2,
            LifecycleState::Idle => 3,
        };
        let states = ctx.get::<u32>("0states").unwrap_or(0);
        ctx.put("0states", &(states * 10 + digit));
    }
}

#[derive(Serialize)]
struct Named_<'a> {
    name: &'a str,
}

type Done = Result<(), Failure>;

impl Bench {
    pub(crate) fn roll(&mut self, _: &mut Context<'_>, args: Roll) -> Result<Rolled, Broken> {
        if args.sides == 13 {
            return Err(Broken::OutOf { what: "luck".to_owned() });
        }
        Ok(Rolled { sides: args.sides, labels: args.labels })
    }

    fn who(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Option<String>, Failure> {
        Ok(ctx.caller().user.as_ref().map(ToString::to_string))
    }

    fn count(&mut self, _: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        Ok(self.count)
    }

    fn ticks(&mut self, _: &mut Context<'_>, (): ()) -> Result<u64, Failure> {
        Ok(self.ticks)
    }

    fn put(&mut self, ctx: &mut Context<'_>, args: Put) -> Done {
        self.count += 1;
        ctx.put(&args.key, &args.value);
        ctx.share("total", &args.value);
        ctx.schedule("put", When::after("1h"), &0);
        ctx.publish(Message::new("put", &args.value));
        if args.fails {
            return Err(Failure::new("asked to fail"));
        }
        Ok(())
    }

    fn get(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<Option<u32>, Failure> {
        Ok(ctx.get(&args.name))
    }

    fn list(&mut self, ctx: &mut Context<'_>, args: Listing) -> Result<Vec<(String, u32)>, Failure> {
        let mut list = List::prefix(&args.prefix);
        if let Some(start) = &args.start {
            list = list.start(start);
        }
        if let Some(end) = &args.end {
            list = list.end(end);
        }
        if let Some(limit) = args.limit {
            list = list.limit(limit);
        }
        if args.reverse {
            list = list.reverse();
        }
        // What the step itself does shows in what it lists.
        ctx.put_many([("a/5", 5), ("z", 26)]);
        ctx.delete_many(&["a/1"]);
        let found = ctx.list(&list);
        let many = ctx.get_many::<u32>(&["a/5", "a/1", "a/2"]);
        assert!(!many.contains_key("a/1") && many.get("a/5") == Some(&5), "as the list has it");
        Ok(found)
    }

    fn nested(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<(Option<u32>, u32), Failure> {
        ctx.put("outer", &1);
        let inner: Result<(), Failure> = ctx.transaction(|ctx| {
            ctx.put("outer", &2);
            ctx.put("inner", &2);
            ctx.share("total", &99);
            ctx.publish(Message::new("never", &()));
            ctx.sql().execute("INSERT INTO notes (text) VALUES (?)", ("never",))?;
            Err(Failure::new("back"))
        });
        assert!(inner.is_err(), "what the transaction returned");
        assert_eq!(ctx.get::<u32>("inner"), None, "nothing of it is there");
        #[derive(Deserialize)]
        struct Count {
            count: u32,
        }
        let count = ctx.sql().first::<Count>("SELECT count(*) AS count FROM notes", ())?;
        Ok((ctx.get("outer"), count.map_or(0, |found| found.count)))
    }

    fn note(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<u64, Failure> {
        let mut sql = ctx.sql();
        sql.execute("INSERT INTO notes (text, stars) VALUES (?, ?)", (&args.name, Some(4.5)))?;
        if args.name == "fails" {
            return Err(Failure::new("asked to fail"));
        }
        Ok(sql.execute("UPDATE notes SET done = 1 WHERE text = ?", (args.name,))?)
    }

    fn notes(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Vec<Note>, Failure> {
        Ok(ctx.sql().query("SELECT id, text, done, stars FROM notes ORDER BY id", ())?)
    }

    fn bad_sql(&mut self, ctx: &mut Context<'_>, (): ()) -> Done {
        let inexact = ctx.sql().execute("INSERT INTO notes (id, text) VALUES (?, ?)", (u64::MAX, "far"));
        let said = inexact.map_err(|error| error.to_string());
        assert!(matches!(&said, Err(said) if said.contains("binding 1")), "{said:?}");
        ctx.sql().execute("SELECT FROM nowhere", ())?;
        Ok(())
    }

    fn schedule(&mut self, ctx: &mut Context<'_>, args: Timing) -> Done {
        let when = match args.after.parse() {
            Ok(at) => When::At(at),
            Err(_) => When::after(&args.after),
        };
        ctx.schedule(&args.name, when, &args.payload);
        Ok(())
    }

    fn cancel_timer(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<bool, Failure> {
        Ok(ctx.cancel(&args.name))
    }

    fn timers(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Vec<(String, u64, u32)>, Failure> {
        Ok(ctx.timers().into_iter().map(|timer| (timer.name, timer.at, timer.attempt)).collect())
    }

    fn tell(&mut self, ctx: &mut Context<'_>, args: Telling) -> Result<u64, Failure> {
        let message = Message::new("told", &args.how);
        let user = UserId::parse(&args.whom);
        let member = ctx.members().into_iter().find(|member| Some(&member.user) == user.as_ref());
        let caller = ctx.caller().clone();
        Ok(match (args.how.as_str(), user, member) {
            ("all", ..) => ctx.publish(message).value(),
            ("tags", ..) => ctx.publish(message.tags([args.whom])).value(),
            ("user", Some(user), _) => ctx.publish(message.to_users([user])).value(),
            ("session", _, Some(member)) => ctx.publish(message.to_sessions([member.session])).value(),
            ("but_user", Some(user), _) => {
                ctx.send(message.but_user(&user));
                0
            }
            ("but_me", ..) => {
                ctx.send(message.but_session(&caller.session.clone().ok_or_else(|| Failure::new("nobody"))?));
                0
            }
            ("me", ..) => {
                ctx.send(message.to_connections(caller.connection));
                0
            }
            ("as_me", ..) => match caller.author() {
                Some(author) => ctx.publish(message.from(author)).value(),
                None => 0,
            },
            ("presence", _, Some(member)) => {
                ctx.set_presence(&member.user, &member.session, &"set");
                0
            }
            ("tag", _, Some(member)) => {
                ctx.tag(&member.user, &member.session, &["$extra"], &[]);
                0
            }
            ("large", ..) => ctx.publish(Message::new("large", &"x".repeat(2_000_000))).value(),
            other => return Err(Failure::invalid("how", format!("{} is not known", other.0))),
        })
    }

    fn amend(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<Vec<String>, Failure> {
        let said = ctx.history(None, 10);
        let first = said.first().ok_or_else(|| Failure::new("nothing was said"))?.offset;
        match args.name.as_str() {
            "edit" => drop(ctx.edit(first, &"edited")?),
            "remove" => drop(ctx.remove(first)?),
            "remove_and_fail" => {
                ctx.remove(first)?;
                return Err(Failure::new("asked to fail"));
            }
            _ => {}
        }
        let texts = said.iter().filter_map(|message| match &message.data {
            Some(Payload::Json(text)) => Some(text.as_str().to_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }

    fn door(&mut self, ctx: &mut Context<'_>, args: Doing) -> Result<(Door, Vec<Hand>), Failure> {
        match args.hand {
            Some(hand) => {
                let can = ctx.can::<Doorway>(hand);
                let fired = ctx.fire::<Doorway>(hand);
                assert_eq!(can, fired.is_ok(), "`can` says what `fire` does");
                fired?;
            }
            None => ctx.reset::<Doorway>(),
        }
        Ok((ctx.machine::<Doorway>(), ctx.valid_events::<Doorway>()))
    }

    fn expel(&mut self, ctx: &mut Context<'_>, args: Named) -> Done {
        let user = UserId::parse(&args.name).ok_or_else(|| Failure::invalid("name", "is no user"))?;
        ctx.disconnect(Who::User(user), Some("enough"), Some(60_000));
        Ok(())
    }

    fn push(&mut self, _: &mut Context<'_>, args: Put) -> Done {
        self.queue.push(args.value);
        Ok(())
    }

    fn break_it(&mut self, ctx: &mut Context<'_>, (): ()) -> Done {
        ctx.put("refuses_to_start", &true);
        Ok(())
    }

    fn secret(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<bool, Failure> {
        Ok(ctx.caller().is_service())
    }

    /// What is pushed, until 0 is.
    fn tail(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Stream<Self, u32>, Failure> {
        let tails = ctx.get::<u32>("tails").unwrap_or(0) + 1;
        ctx.put("tails", &tails);
        Ok(Stream::new(|bench: &mut Bench, _| match bench.queue.is_empty() {
            true => Next::Wait,
            false => match bench.queue.remove(0) {
                0 => Next::Done,
                13 => Next::Fail(Failure::new("out of luck")),
                value => Next::Item(value),
            },
        }))
    }

    fn numbers(&mut self, _: &mut Context<'_>, args: Put) -> Result<Stream<Self, u32>, Failure> {
        if args.fails {
            return Err(Failure::new("asked to fail"));
        }
        Ok(Stream::of(0..args.value))
    }
}
