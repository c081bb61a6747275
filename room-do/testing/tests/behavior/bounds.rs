//! What a behavior may fill, what is kept for it, and what nobody hears of what it stores.

use garde::Validate;
use room_core::behavior::{
    Admission, Behavior, Context, Failure, Interface, Joining, List, Message, Payload, Refusal, SqlError,
    When,
};
use room_testing::TestRoom;
use schemas::{Capabilities, ErrorCode, client_message::StateOp, http::RoomCall};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use ts_rs::TS;

use super::bench::Bench;

struct Shelf;

#[derive(Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
struct Doing {
    what: String,
    #[serde(default)]
    count: u32,
}

#[derive(Deserialize)]
struct Held<T> {
    held: T,
}

impl Behavior for Shelf {
    const NAME: &'static str = "shelf";
    const MIGRATIONS: &'static [&'static str] = &["CREATE TABLE shelf (held BLOB NOT NULL)"];

    fn describe(interface: &mut Interface<Self>) {
        interface.method("put", Self::put);
        interface.method("list", Self::list);
        interface.method("read", Self::read);
        interface.method("share", Self::share);
        interface.method("tag", Self::tag);
        interface.method("untag", Self::untag);
        interface.method("schedule", Self::schedule);
        interface.state::<u32>("own");
    }

    fn started(_: &mut Context<'_>) -> Result<Shelf, Failure> {
        Ok(Shelf)
    }

    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        match joining.user.as_str() {
            "large" => {
                ctx.send(Message::new("coming", &()));
                Ok(Admission::default().presence(&"x".repeat(2_047)))
            }
            "fits" => Ok(Admission::default().presence(&"x".repeat(2_046))),
            _ => Ok(Admission::tagged((0..8).map(|index| format!("$of-join-{index:0>52}")))),
        }
    }
}

impl Shelf {
    fn put(&mut self, ctx: &mut Context<'_>, Doing { what, count }: Doing) -> Result<(), Failure> {
        ctx.put(&what, &count);
        Ok(())
    }

    fn list(&mut self, ctx: &mut Context<'_>, doing: Doing) -> Result<Vec<(String, u32)>, Failure> {
        Ok(ctx.list(&List::prefix(&doing.what).limit(1)))
    }

    fn read(&mut self, ctx: &mut Context<'_>, Doing { what, .. }: Doing) -> Result<Vec<u8>, Failure> {
        ctx.put("text", &"secret");
        ctx.sql().execute("INSERT INTO shelf (held) VALUES (?)", (vec![1_u8, 2],))?;
        Ok(match what.as_str() {
            "vec" => held(ctx, "SELECT held FROM shelf")?,
            "array" => held::<[u8; 2]>(ctx, "SELECT held FROM shelf")?.to_vec(),
            "longer" => held::<[u8; 3]>(ctx, "SELECT held FROM shelf")?.to_vec(),
            "shorter" => held::<[u8; 1]>(ctx, "SELECT held FROM shelf")?.to_vec(),
            "maybe" => held::<Option<Vec<u8>>>(ctx, "SELECT held FROM shelf")?.unwrap_or_default(),
            "number" => vec![held(ctx, "SELECT 'secret' AS held")?],
            "other" => held(ctx, "SELECT 'secret' AS other")?,
            "bad" => held(ctx, "SELECT held FROM nowhere")?,
            key => ctx.get(key).unwrap_or_default(),
        })
    }

    fn share(&mut self, ctx: &mut Context<'_>, Doing { what, count }: Doing) -> Result<(), Failure> {
        for index in 0..count {
            ctx.share(&format!("{what}{index}"), &"x".repeat(15_000));
        }
        Ok(())
    }

    /// So many tags as long as they may be, in two goes.
    fn tag(&mut self, ctx: &mut Context<'_>, Doing { what, count }: Doing) -> Result<(), Failure> {
        let (Some(user), Some(session)) = (ctx.caller().user.clone(), ctx.caller().session.clone()) else {
            return Ok(());
        };
        let tags = tags(&what, count);
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let (first, rest) = tags.split_at(tags.len() / 2);
        ctx.tag(&user, &session, first, &[]);
        ctx.tag(&user, &session, rest, &[]);
        Ok(())
    }

    fn untag(&mut self, ctx: &mut Context<'_>, Doing { what, count }: Doing) -> Result<(), Failure> {
        let (Some(user), Some(session)) = (ctx.caller().user.clone(), ctx.caller().session.clone()) else {
            return Ok(());
        };
        let (old, new) = (tags(&what, count), tags("new", count));
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        let undone: Result<(), Failure> = ctx.transaction(|ctx| {
            ctx.tag(&user, &session, &["undone"], &old);
            Err(Failure::new("on second thoughts"))
        });
        drop(undone);
        ctx.tag(&user, &session, &new, &old);
        Ok(())
    }

    fn schedule(&mut self, ctx: &mut Context<'_>, Doing { what, count }: Doing) -> Result<usize, Failure> {
        for index in 0..count {
            ctx.schedule(&format!("{what}{index}"), When::after("1h"), &());
        }
        ctx.cancel("gone0");
        ctx.schedule("last", When::after("1h"), &());
        ctx.schedule("last", When::after("2h"), &());
        Ok(ctx.timers().len())
    }
}

fn held<T: DeserializeOwned>(ctx: &mut Context<'_>, query: &str) -> Result<T, SqlError> {
    let row = ctx.sql().first::<Held<T>>(query, ())?;
    row.map(|row| row.held).ok_or_else(|| SqlError("no row".to_owned()))
}

fn tags(what: &str, count: u32) -> Vec<String> {
    (0..count).map(|index| format!("{what}-{index:0>width$}", width = 63 - what.len())).collect()
}

fn doing(what: &str, count: u32) -> Value {
    json!({ "what": what, "count": count })
}

fn write(key: &str, value: &impl Serialize) -> RoomCall {
    let (key, value) = (key.to_owned(), Payload::of(value));
    RoomCall::WriteState {
        ops: vec![StateOp::Set { key, value, expected: None, owned: false }],
        moderates: true,
    }
}

fn shelf() -> TestRoom<Shelf> {
    TestRoom::new()
}

#[test]
fn r_beh_4_a_limit_counts_no_keys_of_the_rooms_own() {
    let mut room = shelf();
    room.service("put", &doing("a", 7)).expect("it is put");
    room.sleep();
    assert_eq!(room.service("list", &doing("", 0)), Ok(json!([["a", 7]])));
    assert_eq!(room.service("list", &doing("$", 0)), Ok(json!([])));
}

#[test]
fn r_beh_5_each_behavior_has_migrations_of_its_own() {
    let mut room = TestRoom::<Bench>::new();
    room.service("note", &json!({ "name": "milk" })).expect("two migrations have run");
    let mut room = room.with_behavior::<Shelf>();
    assert_eq!(room.service("read", &doing("vec", 0)), Ok(json!([1, 2])), "its only one has");
    let mut room = room.with_behavior::<Bench>();
    let notes = room.service("notes", &json!(null)).expect("a list");
    assert_eq!(notes[0]["text"], "milk", "and none of them twice");
}

#[test]
fn r_beh_5_a_blob_comes_back_as_bytes() {
    let mut room = shelf();
    for what in ["vec", "array", "maybe"] {
        assert_eq!(room.service("read", &doing(what, 0)), Ok(json!([1, 2])), "{what}");
    }
    for what in ["longer", "shorter"] {
        let error = room.service("read", &doing(what, 0)).expect_err("another length");
        assert_eq!(error.code, ErrorCode::Internal, "{what}");
    }
}

#[test]
fn r_log_5_what_sqlite_says_is_for_the_operator_and_what_is_stored_for_nobody() {
    for (what, why) in [
        ("bad", "no such table: nowhere"),
        ("number", "column held does not fit"),
        ("other", "no column is called `held`"),
        ("text", "\"text\""),
    ] {
        let mut room = shelf();
        let error = room.service("read", &doing(what, 0)).expect_err("it cannot be read");
        assert_eq!(error.code, ErrorCode::Internal);
        assert!(!error.message.contains(why) || what == "text", "{}", error.message);
        let [(hook, said)] = room.failures() else { panic!("{what}: {:?}", room.failures()) };
        assert!(*hook == "call" && said.contains(why), "{what}: {said}");
        assert!(![said, &error.message].iter().any(|said| said.contains("secret")), "{what}: {said}");
    }
}

struct Misspelt;

impl Behavior for Misspelt {
    const NAME: &'static str = "misspelt";
    const MIGRATIONS: &'static [&'static str] = &["CREATE TABLE fine (id INTEGER)", "CREATE TABEL wrong"];

    fn describe(_: &mut Interface<Self>) {}

    fn started(_: &mut Context<'_>) -> Result<Misspelt, Failure> {
        Ok(Misspelt)
    }
}

#[test]
fn r_log_5_why_a_migration_failed_is_for_the_operator() {
    let mut room = TestRoom::<Misspelt>::new();
    let (code, reason) = room.try_join("ada", Capabilities::all()).expect_err("it does not start");
    assert_eq!((code, reason.as_str()), (3004, "the room's behavior does not start"));
    let [("started", said)] = room.failures() else { panic!("{:?}", room.failures()) };
    assert!(said.contains("migration 2: SQL: near \"TABEL\": syntax error"), "{said}");
}

#[test]
fn r_state_6_users_and_backends_leave_place_for_the_rooms_own() {
    let mut room = shelf();
    let ada = room.join("ada");
    for batch in 0..9 {
        let ops: Vec<Value> =
            (0..100).map(|index| json!({ "set": format!("{batch}/{index}"), "value": 1 })).collect();
        room.request(ada, json!({ "t": "state", "ops": ops })).expect("900 keys");
    }
    let set = |key: &str, value: Value| json!({ "t": "state", "ops": [{ "set": key, "value": value }] });
    assert_eq!(room.request(ada, set("k", json!(1))).expect_err("the rest").code, ErrorCode::TooLarge);
    let refused = room.backend(write("k", &1)).expect_err("of backends, too");
    assert_eq!(refused.code, ErrorCode::TooLarge);
    room.service("share", &doing("own", 1)).expect("is the room's own");
    room.request(ada, set("0/0", json!(2))).expect("what is there can be written");
    room.request(ada, json!({ "t": "state", "ops": [{ "delete": "0/1" }] })).expect("and deleted");
    assert_eq!(room.state("0/0"), Some(json!(2)));
}

#[test]
fn r_state_6_an_eighth_of_the_bytes_is_the_rooms_own() {
    let mut room = shelf();
    let value = "x".repeat(16_382);
    let fits = (0..).take_while(|index| room.backend(write(&format!("{index:0>128}"), &value)).is_ok());
    assert_eq!(fits.count(), 55, "7/8 of 1 MiB in keys and values of 16,512 bytes");
    room.service("share", &doing("own", 8)).expect("120,000 bytes");
    let refused = room.service("share", &doing("more", 2)).expect_err("and no more than 1 MiB");
    assert_eq!((refused.code, room.state("more0")), (ErrorCode::TooLarge, None));
}

#[test]
fn r_beh_9_presence_that_join_gives_is_bounded() {
    let mut room = shelf();
    let bob = room.join("bob");
    room.join("fits");
    assert_eq!(room.try_join("large", Capabilities::all()).expect_err("too large").0, 3004);
    assert_eq!(room.heard(bob), [], "nothing of the step is kept");
    let told = ("join", "presence data is at most 2048 bytes".to_owned());
    assert_eq!(room.failures(), [told]);
}

#[test]
fn r_beh_16_a_connection_has_at_most_64_tags_beside_its_tokens() {
    let mut room = shelf();
    let ada = room.join("ada");
    let own: Vec<String> = tags("ada", 24);
    room.request(ada, json!({ "t": "subscribe", "tags": own })).expect("32, with those of join");
    room.call(ada, "tag", doing("$room", 32)).expect("the room's");
    let refused = room.call(ada, "tag", doing("$more", 1)).expect_err("one too many");
    assert_eq!(refused.code, ErrorCode::Internal);
    room.call(ada, "tag", doing("$room", 32)).expect("which it has");
    room.call(ada, "untag", doing("$room", 32)).expect("others in their place");
    room.call(ada, "tag", doing("$room", 1)).expect_err("as many");
    room.sleep();
    room.call(ada, "tag", doing("$room", 1)).expect_err("it is known after sleep");
    room.call(ada, "tag", doing("new", 32)).expect("these it has");
}

#[test]
fn r_beh_21_timers_are_counted_with_those_of_the_step() {
    let mut room = shelf();
    assert_eq!(room.service("schedule", &doing("gone", 999)), Ok(json!(999)));
    assert_eq!(room.service("schedule", &doing("gone", 999)), Ok(json!(999)), "they are replaced");
    let refused = room.service("schedule", &doing("more", 2)).expect_err("1,001");
    assert_eq!(refused.code, ErrorCode::Internal);
    assert_eq!(room.service("schedule", &doing("more", 1)), Ok(json!(1_000)));
}
