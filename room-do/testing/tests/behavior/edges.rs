//! Hooks and timers at the edges: what fails, what is due at once, what comes last.

use std::cell::Cell;

use garde::Validate;
use room_core::behavior::{
    Behavior, Context, Failure, Fired, Interface, Leaving, LifecycleState, Message, UserId, When, Who,
};
use room_testing::TestRoom;
use schemas::{
    Capabilities,
    config::{KindConfig, Rates},
    http::RoomCall,
    server_message::RequestResult,
};
use serde::Deserialize;
use serde_json::json;
use ts_rs::TS;

use super::bench::Bench;

thread_local! {
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, Default)]
struct Odd;

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
struct Named {
    name: String,
}

impl Behavior for Odd {
    const NAME: &'static str = "odd";

    fn describe(interface: &mut Interface<Self>) {
        interface.method("schedule", Self::schedule);
        interface.method("kick", Self::kick);
        interface.method("get", Self::get);
        interface.method("told", Self::told);
        interface.method("ban", Self::ban);
        interface.event::<u32>("told");
    }

    fn started(_: &mut Context<'_>) -> Result<Self, Failure> {
        if REFUSES.get() {
            return Err(Failure::new("a sentence that is longer than what a close may say. ".repeat(3)));
        }
        Ok(Odd)
    }

    fn leave(&mut self, ctx: &mut Context<'_>, left: &Leaving) {
        ctx.publish(Message::new("gone", &left.user));
    }

    fn lifecycle(&mut self, ctx: &mut Context<'_>, state: LifecycleState) {
        match state {
            LifecycleState::Vacant => drop(ctx.publish(Message::new("vacant", &()))),
            LifecycleState::Idle => ctx.put("idle", &1),
            LifecycleState::Fresh | LifecycleState::Occupied => {}
        }
    }

    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        let left: u32 = timer.payload()?;
        ctx.put("left", &left);
        ctx.put("attempt", &timer.attempt);
        if left > 0 {
            ctx.schedule(&timer.name, When::After(0), &(left - 1));
        }
        Ok(())
    }
}

impl Odd {
    fn schedule(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<(), Failure> {
        match args.name.as_str() {
            "zero" => ctx.schedule("zero", When::After(0), &2_000),
            "never" => ctx.schedule("never", When::At(u64::MAX), &0),
            name => ctx.schedule(name, When::after("1s"), &0),
        }
        Ok(())
    }

    fn kick(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<(), Failure> {
        let user = UserId::parse(&args.name).ok_or_else(|| Failure::new("no user"))?;
        ctx.disconnect(Who::User(user), Some(&"why ".repeat(50)), None);
        Ok(())
    }

    fn get(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<Option<u32>, Failure> {
        Ok(ctx.get(&args.name))
    }

    fn told(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<u64, Failure> {
        let author = ctx.caller().author().ok_or_else(|| Failure::new("nobody"))?;
        Ok(ctx.publish(Message::new("told", &1).from(author)).value())
    }

    fn ban(&mut self, ctx: &mut Context<'_>, args: Named) -> Result<(), Failure> {
        let user = UserId::parse(&args.name).ok_or_else(|| Failure::new("no user"))?;
        ctx.put("banned", &1);
        ctx.disconnect(Who::User(user), None, Some(60_000));
        Ok(())
    }
}

#[test]
fn r_beh_11_no_ephemeral_passes_by_the_hook_where_a_commit_fails() {
    let mut room = TestRoom::<Bench>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.advance("1s");
    room.inbox(bob);
    room.fail_commits(1);
    let answer = room.send(ada, "curse", json!("!"));
    assert_eq!(room.heard(bob), [], "it is refused by the hook whenever storage answers ({answer:?})");
}

#[test]
fn r_beh_7_a_close_has_a_reason_that_fits() {
    REFUSES.set(true);
    let mut room = TestRoom::<Odd>::new();
    let (code, reason) = room.try_join("ada", Capabilities::all()).expect_err("it does not start");
    REFUSES.set(false);
    assert_eq!(code, 3004);
    assert!(reason.len() <= 123, "{} bytes: a socket does not close with that", reason.len());
}

#[test]
fn r_beh_16_a_long_reason_disconnects_all_the_same() {
    let mut room = TestRoom::<Odd>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    let told = room.call(ada, "kick", json!({ "name": "bob" }));
    let reason = room.closed(bob).map(|(_, reason)| reason.len());
    assert!(told.is_err() || reason.is_some_and(|bytes| bytes <= 123), "{told:?} {reason:?}");
}

#[test]
fn r_beh_18_a_timer_that_schedules_itself_at_once_leaves_room_for_others() {
    let mut room = TestRoom::<Odd>::new();
    room.service("schedule", &json!({ "name": "zero" })).expect("it is scheduled");
    room.advance("1ms");
    let left = room.service("get", &json!({ "name": "left" })).expect("a number");
    assert!(left.as_u64().is_some_and(|left| left > 1_900), "{left}: all of them in one alarm, without end");
}

#[test]
fn r_beh_20_a_timer_for_never_is_no_trap() {
    let config = KindConfig {
        idle_after_ms: 1_000,
        expire_after_ms: 2_000,
        rates: Rates::OFF,
        ..KindConfig::default()
    };
    let mut room = TestRoom::<Odd>::of_kind(config);
    room.service("schedule", &json!({ "name": "never" })).expect("it is scheduled");
    room.advance("1m");
    assert_eq!(room.service("get", &json!({ "name": "idle" })), Ok(json!(1)));
}

#[test]
fn r_beh_13_rest_is_told_where_a_commit_fails() {
    let config = KindConfig { idle_after_ms: 60_000, rates: Rates::OFF, ..KindConfig::default() };
    let mut room = TestRoom::<Odd>::of_kind(config);
    room.service("schedule", &json!({ "name": "a" })).expect("it is put");
    room.fail_commits_after(1, 1);
    room.advance("10m");
    assert_eq!(room.service("get", &json!({ "name": "idle" })), Ok(json!(1)));
}

#[test]
fn r_beh_13_the_last_is_gone_before_the_room_is_vacant() {
    let mut room = TestRoom::<Odd>::new();
    let ada = room.join("ada");
    room.advance("1s");
    room.leave(ada);
    room.advance("1s");
    let page = room.backend(RoomCall::RawMessages { before: None, after: None, limit: 10, tags: Vec::new() });
    let Ok(RequestResult::History(page)) = page else { panic!("a page") };
    let kinds: Vec<String> = page.messages.into_iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["gone", "vacant"]);
}

#[test]
fn r_beh_24_a_user_edits_nothing_that_the_room_told() {
    let mut room = TestRoom::<Odd>::new();
    let ada = room.join("ada");
    let offset = room.call(ada, "told", json!(null)).expect("it is told");
    let edited = room.request(ada, json!({ "t": "edit", "offset": offset, "data": 2 }));
    assert!(edited.is_err(), "{edited:?}");
}

#[test]
fn r_beh_16_a_block_that_is_owed_needs_no_other_flush() {
    let mut room = TestRoom::<Odd>::new();
    let (ada, bob) = (room.join("ada"), room.join("bob"));
    room.advance("1s");
    room.fail_commits_after(1, 1);
    room.call(ada, "ban", json!({ "name": "bob" })).expect("it is done");
    room.advance("40s");
    let closed = room.closed(bob).cloned();
    room.sleep();
    room.advance("1s");
    let later = room.closed(bob).cloned();
    assert!(closed.is_some(), "bob is still here 40 s later, and after sleep: {later:?}");
}

#[test]
fn r_beh_19_a_timer_that_may_have_been_a_trap_is_put_off_and_counted() {
    let mut room = TestRoom::<Odd>::new();
    room.service("schedule", &json!({ "name": "late" })).expect("it is scheduled");
    room.advance("900ms");
    room.trap();
    room.advance("500ms");
    let attempt = |room: &mut TestRoom<Odd>| room.service("get", &json!({ "name": "attempt" }));
    assert_eq!(attempt(&mut room), Ok(json!(null)), "it is not the first to run again");
    room.advance("2s");
    assert_eq!(attempt(&mut room), Ok(json!(2)));
    room.service("schedule", &json!({ "name": "next" })).expect("it is scheduled");
    room.advance("2s");
    assert_eq!(attempt(&mut room), Ok(json!(1)), "and nothing is suspect any more");
}
