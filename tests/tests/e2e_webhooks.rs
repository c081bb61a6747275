//! Webhooks from a real workerd: what a receiver is sent, that nothing is lost when either side dies, and that the
//! standard's library takes every signature.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tests::eventually;
use tests::http::Call;
use tests::log;
use tests::receiver::{Manner, Receiver, published_key};
use tests::server::Server;

const ROOM: &str = "chat:hooked";
const TOLD: &str = "kinds.chat.webhooks = ['room.occupied', 'room.vacated', 'room.expired', 'room.deleted', \
                    'member.joined', 'member.left', 'message.published']\nkinds.chat.presence.grace = '1s'";

async fn server(receiver: &Receiver) -> Result<Server> {
    Server::with_secret(TOLD, "ROOMCAST_WEBHOOKS", receiver.configured()).await
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// Offsets of the messages among these events.
fn offsets(events: &[Value]) -> Vec<u64> {
    let messages = events.iter().filter(|event| event["type"] == "message.published");
    messages.filter_map(|event| event["data"]["offset"].as_u64()).collect()
}

async fn until_taken(receiver: &Receiver, count: usize) -> Result<Vec<Value>> {
    eventually("the receiver takes the events", async || {
        let taken = receiver.taken()?;
        Ok((taken.len() >= count).then_some(taken))
    })
    .await
}

async fn until_posts(receiver: &Receiver, count: usize) -> Result<()> {
    eventually("the receiver is sent something", async || Ok((receiver.posts().len() >= count).then_some(())))
        .await
}

#[tokio::test]
async fn r_hook_1_r_hook_11_a_receiver_is_told_in_order_and_can_verify_it() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(200)).await?;
    let server = server(&receiver).await?;
    let mut ann = server.visit(ROOM, "ann").claims(json!({ "info": { "name": "Ann" } })).join().await?;
    ann.publish(json!({ "n": 1 })).await?;
    until_taken(&receiver, 3).await?;
    ann.close(1000).await?;
    let events = until_taken(&receiver, 5).await?;
    let expected = ["room.occupied", "member.joined", "message.published", "member.left", "room.vacated"];
    assert_eq!(types(&events), expected);
    let epoch = ann.welcome["epoch"].as_str().context("an epoch")?;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["id"], format!("{epoch}-{}", index + 1));
        assert_eq!(
            (&event["tenant"], &event["room"], &event["kind"]),
            (&json!("default"), &json!(ROOM), &json!("chat"))
        );
        ensure!(event["time"].as_u64().is_some_and(|time| time > 1_700_000_000_000), "{event}");
    }
    assert_eq!(events[1]["data"]["info"]["name"], "Ann");
    assert_eq!(events[1]["data"]["session"], ann.welcome["session"]);
    assert_eq!(events[2]["data"]["data"]["n"], 1);
    assert_eq!(events[3]["data"]["reason"], "left");
    receiver.judge(&published_key(server.authority()).await?)?;
    let posts = receiver.posts();
    let first = posts.first().context("a post")?;
    assert_eq!(first.header("content-type")?, "application/json");
    ensure!(first.header("user-agent")?.starts_with("roomcast/"));
    Ok(())
}

#[tokio::test]
async fn r_hook_3_a_return_within_the_grace_is_not_told_over_a_real_network() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(200)).await?;
    let told = TOLD.replace("grace = '1s'", "grace = '12s'");
    let server = Server::with_secret(&told, "ROOMCAST_WEBHOOKS", receiver.configured()).await?;
    let ann = server.visit(ROOM, "ann").join().await?;
    let session = ann.session.clone();
    drop(ann);
    let ann = server.visit(ROOM, "ann").session(&session).join().await?;
    until_taken(&receiver, 2).await?;
    drop(ann);
    let events = until_taken(&receiver, 4).await?;
    assert_eq!(types(&events), ["room.occupied", "member.joined", "member.left", "room.vacated"]);
    assert_eq!(events[2]["data"]["reason"], "lost");
    Ok(())
}

#[tokio::test]
async fn r_hook_5_a_receiver_that_fails_redirects_asks_for_time_or_drops_is_tried_again() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(500)).await?;
    let server = server(&receiver).await?;
    server.publish(ROOM, &json!({ "data": 1 })).await?;
    until_posts(&receiver, 1).await?;
    receiver.set(Manner::Redirect);
    until_posts(&receiver, 2).await?;
    receiver.set(Manner::Answer(204));
    let events = until_taken(&receiver, 1).await?;
    assert_eq!(offsets(&events), [1]);
    for (offset, manner) in [(2, Manner::AskLater(1)), (3, Manner::Drop)] {
        receiver.set(manner);
        let before = receiver.posts().len();
        server.publish(ROOM, &json!({ "data": offset })).await?;
        until_posts(&receiver, before + 1).await?;
        receiver.set(Manner::Answer(200));
        until_taken(&receiver, offset).await?;
    }
    assert_eq!(offsets(&receiver.taken()?), [1, 2, 3]);
    let posts = receiver.posts();
    let (first, third) = (&posts[0], &posts[2]);
    assert_eq!((first.header("webhook-id")?, &first.body), (third.header("webhook-id")?, &third.body));
    receiver.judge(&published_key(server.authority()).await?)
}

#[tokio::test]
async fn r_hook_5_a_receiver_that_hangs_is_given_up_and_tried_again() -> Result<()> {
    let receiver = Receiver::start(Manner::Hang).await?;
    let server = server(&receiver).await?;
    server.publish(ROOM, &json!({ "data": 1 })).await?;
    until_posts(&receiver, 1).await?;
    receiver.set(Manner::Answer(200));
    server.publish(ROOM, &json!({ "data": 2 })).await?;
    let events = until_taken(&receiver, 2).await?;
    assert_eq!(offsets(&events), [1, 2]);
    receiver.judge(&published_key(server.authority()).await?)
}

#[tokio::test]
async fn r_hook_6_nothing_is_lost_when_workerd_is_killed_again_and_again() -> Result<()> {
    let mut receiver = Receiver::start(Manner::Answer(500)).await?;
    let mut server = server(&receiver).await?;
    let mut published = 0;
    for manner in [Manner::Answer(500), Manner::Hang, Manner::Drop, Manner::Answer(200), Manner::Answer(200)]
    {
        receiver.set(manner);
        for _ in 0..30 {
            published += 1;
            server.publish(ROOM, &json!({ "data": published })).await?;
        }
        // In the middle of whatever is being sent.
        let port = server.port();
        server.kill().await?;
        if manner == Manner::Drop {
            receiver.go_away();
        }
        server.start_again(port).await?;
        if manner == Manner::Drop {
            server.publish(ROOM, &json!({ "data": "nobody listens" })).await?;
            published += 1;
            receiver.come_back().await?;
        }
    }
    receiver.set(Manner::Answer(200));
    let patience = std::time::Instant::now() + 4 * tests::DEADLINE;
    let mut events = receiver.taken()?;
    while events.len() < published {
        ensure!(std::time::Instant::now() < patience, "{} of {published} events", events.len());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        events = receiver.taken()?;
    }
    assert_eq!(offsets(&events), (1..=published as u64).collect::<Vec<_>>(), "each once, in order");
    receiver.judge(&published_key(server.authority()).await?)
}

#[tokio::test]
async fn r_hook_6_a_trap_in_the_middle_of_a_delivery_loses_nothing() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(200)).await?;
    let mut server = Server::not_yet_with_faults(TOLD)?;
    server.set_secret("ROOMCAST_WEBHOOKS", receiver.configured());
    server.start_again(0).await?;
    server.publish(ROOM, &json!({ "data": 1 })).await?;
    until_taken(&receiver, 1).await?;
    server.arm(ROOM, "trap_on_delivered 1").await?;
    server.publish(ROOM, &json!({ "data": 2 })).await?;
    until_taken(&receiver, 2).await?;
    server.publish(ROOM, &json!({ "data": 3 })).await?;
    let events = until_taken(&receiver, 3).await?;
    assert_eq!(offsets(&events), [1, 2, 3]);
    receiver.judge(&published_key(server.authority()).await?)
}

#[tokio::test]
async fn r_hook_8_a_deleted_room_leaves_its_outbox_until_it_is_taken() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(500)).await?;
    let mut server = server(&receiver).await?;
    let ann = server.visit(ROOM, "ann").join().await?;
    server.call(hyper::Method::DELETE, &format!("/v1/rooms/{ROOM}")).bearer(&server.api_key()).send().await?;
    drop(ann);
    let port = server.port();
    server.kill().await?;
    server.start_again(port).await?;
    receiver.set(Manner::Answer(200));
    let events = until_taken(&receiver, 5).await?;
    let expected = ["room.occupied", "member.joined", "member.left", "room.vacated", "room.deleted"];
    assert_eq!(types(&events), expected);
    // The name is a new room's, and nothing of the old one is in its way.
    server.publish(ROOM, &json!({ "data": "new" })).await?;
    let events = until_taken(&receiver, 6).await?;
    assert_eq!(offsets(&events), [1]);
    ensure!(events[5]["epoch"] != events[4]["epoch"]);
    Ok(())
}

/// The answer's body, where the status is that.
async fn json_of(call: Call, status: u16) -> Result<Value> {
    let answer = call.send().await?;
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.text());
    answer.json()
}

/// Batches that a tenant's directory keeps.
const PARKED_MAX: usize = 1_000;

#[tokio::test]
async fn r_dir_9_beyond_a_thousand_batches_the_oldest_go_and_that_is_logged() -> Result<()> {
    let server = Server::with_faults("").await?;
    for number in 0..PARKED_MAX + 2 {
        server.arm("chat:given-up", &format!("give_up batch_{number}")).await?;
    }
    let (mut ids, mut path) = (Vec::new(), "/v1/webhooks/parked?limit=200".to_owned());
    loop {
        let page = json_of(server.get(&path).bearer(&server.api_key()), 200).await?;
        let parked = page["parked"].as_array().context("a page")?;
        ids.extend(parked.iter().filter_map(|one| Some(one["id"].as_str()?.to_owned())));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/webhooks/parked?limit=200&cursor={next}");
    }
    let kept: Vec<String> = (2..PARKED_MAX + 2).map(|number| format!("batch_{number}")).collect();
    assert_eq!(ids, kept);
    let lines = log::lines(&server)?;
    let gone = lines.iter().filter(|line| line["event"] == "parked_webhooks_gone");
    assert_eq!(gone.filter_map(|line| line["count"].as_u64()).sum::<u64>(), 2);
    Ok(())
}

#[tokio::test]
async fn r_dir_9_what_was_given_up_is_listed_and_can_be_sent_again_or_forgotten() -> Result<()> {
    let receiver = Receiver::start(Manner::Answer(500)).await?;
    let mut server = Server::not_yet_with_faults(TOLD)?;
    server.set_secret("ROOMCAST_WEBHOOKS", receiver.configured());
    server.start_again(0).await?;
    let key = server.api_key();
    let rooms = ["chat:a", "chat:b", "game:c"];
    for (index, room) in rooms.into_iter().enumerate() {
        server.arm(room, &format!("give_up batch_{index}")).await?;
    }
    // Once more: it changes nothing.
    server.arm(rooms[0], "give_up batch_0").await?;

    let page = json_of(server.get("/v1/webhooks/parked?limit=2").bearer(&key), 200).await?;
    let ids = |page: &Value| -> Vec<String> {
        let parked = page["parked"].as_array().into_iter().flatten();
        parked.filter_map(|one| Some(one["id"].as_str()?.to_owned())).collect()
    };
    assert_eq!(ids(&page), ["batch_0", "batch_1"]);
    let first = &page["parked"][0];
    assert_eq!(
        (&first["endpoint"], &first["room"], &first["events"], &first["attempts"], &first["last_status"]),
        (&json!("test"), &json!("chat:a"), &json!(1), &json!(9), &json!(500))
    );
    let next = page["next"].as_str().context("a next page")?;
    let rest =
        json_of(server.get(&format!("/v1/webhooks/parked?limit=2&cursor={next}")).bearer(&key), 200).await?;
    assert_eq!((ids(&rest), &rest["next"]), (vec!["batch_2".to_owned()], &Value::Null));

    let replay = |id: &str| server.post(&format!("/v1/webhooks/parked/{id}/replay")).bearer(&key);
    assert_eq!(json_of(replay("batch_1"), 200).await?, json!({ "delivered": false, "status": 500 }));
    receiver.set(Manner::Answer(200));
    assert_eq!(json_of(replay("batch_1"), 200).await?, json!({ "delivered": true, "status": 200 }));
    assert_eq!(json_of(replay("batch_1"), 404).await?["code"], "not_found");
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    for post in &posts {
        assert_eq!(post.header("webhook-id")?, "batch_1");
    }
    receiver.judge(&published_key(server.authority()).await?)?;

    let forget = || server.call(Method::DELETE, "/v1/webhooks/parked/batch_2").bearer(&key);
    assert_eq!(json_of(forget(), 200).await?, json!({}));
    assert_eq!(json_of(forget(), 404).await?["code"], "not_found");
    server.kill().await?;
    server.start_again(0).await?;
    let left = json_of(server.get("/v1/webhooks/parked").bearer(&key), 200).await?;
    assert_eq!(ids(&left), ["batch_0"]);
    Ok(())
}
