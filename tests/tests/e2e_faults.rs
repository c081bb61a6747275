//! Faults on command: a trap in each handler, a transaction that fails, an alarm that throws. On the module that is
//! built for it; the platform's part (the isolate that survives, retries of the alarm) is real.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::client::{Answer, Client, Upgrade};
use tests::observer::Trial;
use tests::server::Server;
use tests::talker::{Account, Orders, Talker};
use tests::wire::Codec;
use tests::{DEADLINE, eventually, roster};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Two who speak different codecs, in a room with a publication.
struct Scene {
    server: Server,
    room: &'static str,
    pid: Option<u32>,
    ann: Client,
    bob: Client,
}

impl Scene {
    async fn set(room: &'static str, changes: &str) -> Result<Scene> {
        let server = Server::with_faults(changes).await?;
        let pid = server.pid();
        let mut ann = server.visit(room, "ann").join().await?;
        let mut bob = server.visit(room, "bob").codec(Codec::Msgpack).join().await?;
        ann.publish(json!("before")).await?;
        for client in [&mut ann, &mut bob] {
            client.published(&json!("before")).await?;
            client.until_members(&["ann", "bob"]).await?;
        }
        Ok(Scene { server, room, pid, ann, bob })
    }

    async fn arm(&self, fault: &str) -> Result<()> {
        self.server.arm(self.room, fault).await
    }

    /// The room's next event: everyone who stayed is told, closed, and comes back to all that was committed.
    async fn goes_on(&mut self) -> Result<()> {
        eventually("the trap has happened", async || Ok(trapped(&self.server)?.then_some(()))).await?;
        self.server.members(self.room).await?;
        come_back(&self.server, self.room, "ann", &mut self.ann).await?;
        come_back(&self.server, self.room, "bob", &mut self.bob).await?;
        self.ann.publish(json!("after")).await?;
        self.bob.published(&json!("after")).await?;
        self.bob.publish(json!("going on")).await?;
        self.ann.published(&json!("going on")).await?;
        ensure!(self.server.pid() == self.pid, "the process lives");
        Ok(())
    }

    /// The log is exactly this, and both saw just that.
    async fn judge(&mut self, expected: &[&str]) -> Result<()> {
        let log = log(&self.server, self.room).await?;
        assert_eq!(log, expected);
        for client in [&mut self.ann, &mut self.bob] {
            client.barrier().await?;
            assert_eq!(client.payloads(), expected);
            let notices = client.seen.iter().filter(|m| m["t"] == "notice").count();
            assert_eq!(notices, 1, "one notice a fault: {:?}", client.seen);
        }
        Ok(())
    }
}

/// Told of the fault, closed, and recovered; what was seen before counts on.
async fn come_back(server: &Server, room: &str, user: &str, client: &mut Client) -> Result<()> {
    client.expect("the notice", |m| m["t"] == "notice" && m["code"] == "restarted").await?;
    assert_eq!(client.closed().await?.code, 3001);
    let hello = json!({ "recover": client.position()? });
    let visit = server.visit(room, user).codec(client.codec).session(&client.session);
    let mut again = visit.hello(hello).join().await?;
    assert_eq!(again.welcome["recovered"], true, "{}", again.welcome);
    client.seen.append(&mut again.seen);
    std::mem::swap(&mut client.seen, &mut again.seen);
    *client = again;
    Ok(())
}

async fn log(server: &Server, room: &str) -> Result<Vec<Value>> {
    let history = server.history(room).await?;
    let offsets: Vec<u64> = history.publications.keys().copied().collect();
    let dense: Vec<u64> = (1..=offsets.len() as u64).collect();
    ensure!(offsets == dense, "offsets were burnt: {offsets:?}");
    Ok(history.publications.into_values().map(|publication| publication["data"].clone()).collect())
}

fn keyed(data: &str) -> Value {
    json!({ "t": "publish", "data": data, "key": data })
}

/// A trap may take the answer along with it; then the caller learns by status and not by hanging.
async fn http_publish(server: &Server, room: &str, data: &str) -> Result<u16> {
    let call = server.post(&format!("/v1/rooms/{room}/publish")).bearer(&server.api_key());
    let answer = call.json(&json!({ "data": data, "key": data })).send().await?;
    Ok(answer.status)
}

#[tokio::test]
async fn r_life_7_a_trap_in_a_message_loses_that_message_alone() -> Result<()> {
    let mut scene = Scene::set("chat:trap-message", "").await?;
    scene.arm("trap_on_message").await?;
    let id = scene.ann.next_id();
    let mut publish = keyed("trapped");
    publish["id"] = json!(id);
    scene.ann.send(&publish).await?;
    scene.goes_on().await?;
    ensure!(!scene.ann.seen.iter().any(|m| m["id"] == id), "unanswered: {:?}", scene.ann.seen);
    let again = scene.ann.request(keyed("trapped")).await?.result()?;
    assert_eq!(again["duplicate"], false, "it had never been published");
    scene.judge(&["before", "after", "going on", "trapped"]).await
}

/// The log of the process tells of a lost instance.
fn trapped(server: &Server) -> Result<bool> {
    Ok(tests::log::lines(server)?.iter().any(|line| line["event"] == "panicked"))
}

#[tokio::test]
async fn r_life_7_a_trap_in_a_hello_is_no_final_word_to_the_newcomer() -> Result<()> {
    let mut scene = Scene::set("chat:trap-hello", "").await?;
    let mut cid = scene.server.visit(scene.room, "cid").connect().await?;
    scene.arm("trap_on_message").await?;
    cid.send(&json!({ "t": "hello", "session": cid.session })).await?;
    scene.goes_on().await?;
    let close = cid.closed().await?;
    ensure!(close.code < 3500, "a client stops for good at {close:?}");
    let cid = scene.server.visit(scene.room, "cid").session(&cid.session).join().await?;
    assert_eq!(cid.welcome["occupancy"]["members"], 3);
    Ok(())
}

#[tokio::test]
async fn r_life_7_a_trap_in_an_upgrade_refuses_it_and_nobody_else() -> Result<()> {
    let mut scene = Scene::set("chat:trap-open", "").await?;
    scene.arm("trap_on_open").await?;
    let token = scene.server.mint("cid", &json!({ "chat:*": ["join"] }), 60).await?;
    let upgrade = Upgrade::new(scene.server.connect_url(scene.room), Codec::Json, Some(&token));
    match upgrade.try_connect(Codec::Json).await? {
        Ok(mut cid) => {
            let close = cid.closed().await?;
            ensure!(close.code < 3500, "it failed, and not for good: {close:?}");
        }
        Err(refusal) => assert_eq!((refusal.status, refusal.code()?.as_str()), (503, "unavailable")),
    }
    scene.goes_on().await?;
    let cid = scene.server.visit(scene.room, "cid").join().await?;
    assert_eq!(cid.welcome["occupancy"]["members"], 3);
    scene.judge(&["before", "after", "going on"]).await
}

#[tokio::test]
async fn r_life_7_a_trap_in_a_close_ends_the_membership_after_its_grace() -> Result<()> {
    let mut scene = Scene::set("chat:trap-close", "kinds.chat.presence.grace = '5s'").await?;
    let mut cid = scene.server.visit(scene.room, "cid").join().await?;
    scene.ann.until_members(&["ann", "bob", "cid"]).await?;
    scene.arm("trap_on_close").await?;
    assert_eq!(cid.close(1000).await?.code, 1000, "the close itself is answered");
    scene.goes_on().await?;
    for client in [&mut scene.ann, &mut scene.bob] {
        client.until_members(&["ann", "bob"]).await?;
    }
    let members = scene.server.members(scene.room).await?;
    assert_eq!((&members["users"], &members["connections"]), (&json!(2), &json!(2)), "{members}");
    scene.judge(&["before", "after", "going on"]).await
}

#[tokio::test]
async fn r_life_7_a_trap_in_a_call_answers_5xx_and_its_key_succeeds_once() -> Result<()> {
    let mut scene = Scene::set("chat:trap-call", "").await?;
    scene.arm("trap_on_call").await?;
    let status = http_publish(&scene.server, scene.room, "called").await?;
    ensure!(status == 503, "the caller learns that it failed, by {status}");
    assert_eq!(http_publish(&scene.server, scene.room, "called").await?, 200);
    scene.goes_on().await?;
    scene.judge(&["before", "called", "after", "going on"]).await
}

/// What was staged when the turn's end trapped was answered to nobody.
#[tokio::test]
async fn r_life_7_a_trap_in_a_flush_loses_what_was_staged_and_keys_bring_it_back_once() -> Result<()> {
    let mut scene = Scene::set("chat:trap-turn", "kinds.chat.flush = '500ms'").await?;
    scene.arm("trap_on_turn").await?;
    let staged = ["one", "two", "three"];
    for (data, id) in staged.iter().zip(900u32..) {
        let mut publish = keyed(data);
        publish["id"] = json!(id);
        scene.ann.send(&publish).await?;
    }
    scene.goes_on().await?;
    let answered = |m: &&Value| m["id"].as_u64().is_some_and(|id| id >= 900);
    let early = scene.ann.seen.iter().filter(answered).count();
    for data in staged {
        let result = scene.ann.request(keyed(data)).await?.result()?;
        ensure!(result["duplicate"] == false || early > 0, "{data}: {result}");
    }
    let mut expected = vec!["before", "after", "going on"];
    if early > 0 {
        // The quiet room took the first at once.
        expected.insert(1, staged[0]);
    }
    expected.extend(&staged[early..]);
    scene.judge(&expected).await
}

#[tokio::test]
async fn r_life_2_a_trap_in_the_alarm_only_puts_off_what_was_due() -> Result<()> {
    let mut scene = Scene::set("chat:trap-alarm", "kinds.chat.presence.grace = '5s'").await?;
    let cid = scene.server.visit(scene.room, "cid").join().await?;
    scene.ann.until_members(&["ann", "bob", "cid"]).await?;
    scene.arm("trap_on_alarm").await?;
    drop(cid);
    scene.goes_on().await?;
    scene.ann.until_members(&["ann", "bob"]).await?;
    scene.bob.until_members(&["ann", "bob"]).await?;
    scene.judge(&["before", "after", "going on"]).await
}

#[tokio::test]
async fn r_life_2_an_alarm_that_throws_three_times_still_ends_a_grace() -> Result<()> {
    let mut scene = Scene::set("chat:throw-alarm", "kinds.chat.presence.grace = '1s'").await?;
    let cid = scene.server.visit(scene.room, "cid").join().await?;
    scene.ann.until_members(&["ann", "bob", "cid"]).await?;
    scene.arm("throw_on_alarm 3").await?;
    drop(cid);
    let left = |m: &Value| !roster::list(m, "left").is_empty();
    let left = scene.ann.expect("the end of the grace", left).await?;
    assert_eq!((&left["left"][0]["user"], &left["left"][0]["reason"]), (&json!("cid"), &json!("lost")));
    scene.bob.until_members(&["ann", "bob"]).await?;
    ensure!(!scene.ann.seen.iter().any(|m| m["t"] == "notice"), "a throw is no trap: {:?}", scene.ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_life_5_an_alarm_that_throws_three_times_still_expires_the_room() -> Result<()> {
    let server = Server::with_faults("kinds.chat.idle_after = '1s'\nkinds.chat.expire_after = '2s'").await?;
    let room = "chat:throw-expiry";
    let first = server.publish(room, &json!({ "data": 1 })).await?;
    server.arm(room, "throw_on_alarm 3").await?;
    let path = format!("/v1/rooms/{room}");
    eventually("the room expires", async || {
        let info = server.get(&path).bearer(&server.api_key()).send().await?.ok()?;
        Ok((info["lifecycle"] == "fresh").then_some(()))
    })
    .await?;
    let next = server.publish(room, &json!({ "data": 2 })).await?;
    assert_eq!(next["offset"], 1);
    ensure!(next["epoch"] != first["epoch"], "a new room's epoch: {next}");
    Ok(())
}

/// A trap takes along every room of the isolate.
#[tokio::test]
async fn r_life_7_a_trap_in_one_room_tells_the_clients_of_another_that_had_staged() -> Result<()> {
    let mut scene = Scene::set("chat:bystander", "kinds.chat.flush = '3s'").await?;
    let (server, room) = (&scene.server, scene.room);
    let mut stranger = server.visit("game:trapped", "eve").join().await?;
    for (client, data) in [(&mut scene.ann, "ann's"), (&mut scene.bob, "bob's")] {
        let mut publish = keyed(data);
        publish["id"] = json!(77);
        client.send(&publish).await?;
        // The answer to it is staged behind the publish: both are in the room before the trap.
        client.ping().await?;
    }
    let call = server.post(&format!("/v1/rooms/{room}/publish")).bearer(&server.api_key());
    let called = tokio::spawn(call.json(&json!({ "data": "called", "key": "called" })).send());
    server.arm("game:trapped", "trap_on_message").await?;
    stranger.send(&json!({ "t": "publish", "id": 1, "data": 1 })).await?;
    eventually("the trap has happened", async || Ok(trapped(server)?.then_some(()))).await?;

    let status = called.await??.status;
    ensure!([200, 503].contains(&status), "the caller of the other room is answered too, with {status}");
    scene.goes_on().await?;
    for data in ["ann's", "called"] {
        scene.ann.request(keyed(data)).await?.result()?;
    }
    assert_eq!(http_publish(&scene.server, scene.room, "called").await?, 200);
    scene.bob.request(keyed("bob's")).await?.result()?;
    for client in [&mut scene.ann, &mut scene.bob] {
        client.barrier().await?;
        let mut payloads: Vec<String> = client.payloads().iter().map(Value::to_string).collect();
        payloads.sort();
        let mut expected = ["before", "ann's", "bob's", "called", "called", "after", "going on"];
        expected.sort_unstable();
        assert_eq!(payloads, expected.map(|data| json!(data).to_string()));
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_3_a_failed_commit_rejects_what_was_staged_delivers_none_and_burns_no_offset() -> Result<()> {
    let mut scene = Scene::set("chat:fail-commit", "kinds.chat.flush = '700ms'").await?;
    scene.arm("fail_commit").await?;
    let (server, room) = (&scene.server, scene.room);
    let call = server.post(&format!("/v1/rooms/{room}/publish")).bearer(&server.api_key());
    let called = tokio::spawn(call.json(&json!({ "data": "called", "key": "called" })).send());
    let publishes: Vec<Value> =
        (901..=903).map(|id| json!({ "t": "publish", "id": id, "data": id })).collect();
    scene.ann.send_all(&publishes).await?;
    let mut refused = 0;
    for id in 901..=903 {
        if let Answer::Error(error) = scene.ann.answer(id).await? {
            assert_eq!(
                (&error["code"], &error["retryable"]),
                (&json!("unavailable"), &json!(true)),
                "{error}"
            );
            refused += 1;
        }
    }
    let answer = called.await??;
    if answer.status == 503 {
        answer.problem(503, "unavailable")?;
    }
    ensure!(refused == 3 || answer.status == 503, "one flush failed: {refused} refused, {}", answer.status);
    let offset = scene.ann.publish(json!("next")).await?["offset"].clone();
    scene.bob.published(&json!("next")).await?;
    let log = log(server, room).await?;
    assert_eq!(offset, log.len(), "no offset was burnt: {log:?}");
    assert_eq!(scene.bob.payloads(), log, "and nothing was delivered that is not in the log");
    ensure!(refused == 0 || !log.contains(&json!(901)), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn r_pub_3_every_kind_of_write_is_rejected_whole_by_a_failed_commit_and_succeeds_later() -> Result<()> {
    let server = Server::with_faults("").await?;
    let room = "chat:fail-writes";
    let mut ann = server.visit(room, "ann").rights(json!(["*"])).join().await?;
    ann.publish(json!("target")).await?;
    ann.published(&json!("target")).await?;
    let writes = [
        json!({ "t": "publish", "data": "new", "key": "k" }),
        json!({ "t": "edit", "offset": 1, "data": "edited" }),
        json!({ "t": "react", "offset": 1, "name": "+1", "on": true }),
        json!({ "t": "state", "ops": [{ "set": "k", "value": 1 }] }),
        json!({ "t": "remove", "offset": 1 }),
    ];
    for write in writes {
        let before = (log_rows(&server, room).await?, ann.seen.len());
        server.arm(room, "fail_commit").await?;
        ann.request(write.clone()).await?.refused("unavailable").with_context(|| write.to_string())?;
        assert_eq!(log_rows(&server, room).await?, before.0, "{write} left nothing");
        ann.request(write.clone()).await?.result().with_context(|| write.to_string())?;
        let told = |m: &&Value| m["t"] == "publication" || m["t"] == "state";
        ann.barrier().await?;
        assert_eq!(
            ann.seen[before.1..].iter().filter(told).count(),
            1,
            "{write} was told once: {:?}",
            ann.seen
        );
    }
    Ok(())
}

async fn log_rows(server: &Server, room: &str) -> Result<Value> {
    let path = format!("/v1/rooms/{room}/messages");
    server.get(&path).bearer(&server.api_key()).send().await?.ok()
}

#[tokio::test]
async fn r_pres_1_a_newcomer_whose_membership_could_not_be_written_is_one_all_the_same() -> Result<()> {
    let mut scene = Scene::set("chat:fail-join", "").await?;
    scene.arm("fail_commit").await?;
    let _cid = scene.server.visit(scene.room, "cid").join().await?;
    for client in [&mut scene.ann, &mut scene.bob] {
        client.until_members(&["ann", "bob", "cid"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_life_6_a_deletion_whose_commit_fails_is_refused_and_leaves_the_room_whole() -> Result<()> {
    let mut scene = Scene::set("chat:fail-delete", "").await?;
    let path = format!("/v1/rooms/{}", scene.room);
    let delete = || scene.server.call(hyper::Method::DELETE, &path).bearer(&scene.server.api_key()).send();
    scene.arm("fail_commit").await?;
    delete().await?.problem(503, "unavailable")?;
    scene.ann.publish(json!("still here")).await?;
    scene.bob.published(&json!("still here")).await?;
    delete().await?.ok()?;
    assert_eq!(scene.ann.closed().await?.code, 3510);
    assert_eq!(scene.bob.closed().await?.code, 3510);
    Ok(())
}

const CHAOS: &str = "chat:chaos";

/// Faults under load; `ROOMCAST_FAULTS` asks for more.
fn rounds() -> usize {
    std::env::var("ROOMCAST_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

async fn talkers(server: &Server, orders: &watch::Receiver<Orders>) -> Result<JoinSet<Result<Account>>> {
    let mut set = JoinSet::new();
    for (name, codec, in_flight_max, keyed) in [
        ("json", Codec::Json, 6, false),
        ("pack-keyed", Codec::Msgpack, 6, true),
        ("json-keyed", Codec::Json, 6, true),
        ("listener", Codec::Msgpack, 0, false),
    ] {
        let token = server.mint(name, &json!({ CHAOS: ["*"] }), 3600).await?;
        let (name, room) = (name.to_owned(), CHAOS.to_owned());
        set.spawn(Talker { name, room, token, codec, in_flight_max, keyed }.run(orders.clone()));
    }
    Ok(set)
}

/// The head of the log; `None` where the question itself fell victim to a fault.
async fn head(server: &Server) -> Result<Option<u64>> {
    let path = format!("/v1/rooms/{CHAOS}/messages?limit=1");
    let answer = server.get(&path).bearer(&server.api_key()).send().await?;
    if answer.status != 200 {
        return Ok(None);
    }
    Ok(Some(answer.json()?["messages"][0]["offset"].as_u64().unwrap_or_default()))
}

async fn grown(server: &Server, count: u64) -> Result<()> {
    let start = eventually("the head", async || head(server).await).await?;
    eventually("the log grows", async || {
        Ok(head(server).await?.filter(|head| *head >= start + count).map(drop))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_pub_3_faults_under_load_lose_no_answered_publish_and_double_none() -> Result<()> {
    let server = Server::with_faults("kinds.chat.log.count = 1000000").await?;
    let (send, orders) = watch::channel(Orders { base: server.ws(), wind_up: false });
    let mut set = talkers(&server, &orders).await?;
    let faults = ["trap_on_message", "fail_commit", "trap_on_turn", "trap_on_call", "fail_commit 3"];
    for (round, fault) in (0u64..).zip(faults.iter().cycle().take(rounds())) {
        grown(&server, 10 + 7 * (round % 5)).await.with_context(|| format!("round {round}"))?;
        server.arm(CHAOS, fault).await?;
    }
    grown(&server, 20).await?;
    send.send_modify(|orders| orders.wind_up = true);
    let mut accounts = Vec::new();
    while let Some(account) = tokio::time::timeout(4 * DEADLINE, set.join_next()).await.context("settle")? {
        accounts.push(account??);
    }
    let history = server.history(CHAOS).await?;
    let logged: BTreeSet<String> = history.publications.values().map(|p| p["data"].to_string()).collect();
    for account in &accounts {
        ensure!(account.notices > 0, "{} was told of no fault", account.witness.name);
        let back = account.rejected.iter().find(|data| logged.contains(&data.to_string()));
        ensure!(back.is_none(), "{back:?} was rejected, and is in the log");
    }
    let answered = accounts.iter().flat_map(|account| account.answered.clone()).collect();
    let witnesses = accounts.into_iter().map(|account| account.witness).collect();
    Trial { history, answered, witnesses }.verdict()
}
