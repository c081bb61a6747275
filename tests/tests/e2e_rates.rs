//! How fast a connection may ask, with the rates as they are shipped, and with slower ones.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::server::Server;
use tests::wire::Codec;

/// `count` publishes in one frame; returns how each was answered.
async fn burst(client: &mut Client, first_id: u32, count: u32) -> Result<Vec<Answer>> {
    let publish = |id: u32| json!({ "t": "publish", "id": id, "data": id });
    let ids = first_id..first_id + count;
    client.send_all(&ids.clone().map(publish).collect::<Vec<Value>>()).await?;
    let mut answers = Vec::new();
    for id in ids {
        answers.push(client.answer(id).await?);
    }
    Ok(answers)
}

/// How many were accepted; the others must say when to come again.
fn accepted(answers: Vec<Answer>, retry_max_ms: u64) -> Result<usize> {
    let mut accepted = 0;
    for answer in answers {
        match answer {
            Answer::Reply(_) => accepted += 1,
            Answer::Error(error) => {
                ensure!(error["code"] == "rate_limited", "{error}");
                let retry_ms = error["retry_after_ms"].as_u64();
                ensure!(retry_ms.is_some_and(|ms| (1..=retry_max_ms).contains(&ms)), "{error}");
            }
        }
    }
    Ok(accepted)
}

#[tokio::test]
async fn r_rate_1_the_publish_beyond_the_burst_is_refused_with_the_time_to_wait_and_without_effect()
-> Result<()> {
    let server = Server::with_rates("").await?;
    for codec in Codec::BOTH {
        let room = format!("chat:burst-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        // One frame is one moment.
        let answers = burst(&mut ann, 1_000, 110).await?;
        let (first, rest) = answers.split_at(100);
        assert_eq!(accepted(first.to_vec(), 0)?, 100, "the burst");
        assert_eq!(accepted(rest.to_vec(), 20 * 10)?, 0, "and no more");
        for n in 0..5 {
            bob.publish(json!(format!("bob's {n}"))).await?;
        }
        ann.publish(json!("later")).await.or_else(|error| {
            match error.to_string().contains("rate_limited") {
                true => Ok(Value::Null),
                false => Err(error),
            }
        })?;
        let log = server.history(&room).await?.publications.len();
        ensure!((105..=106).contains(&log), "{log} in the log: a refusal has no effect");
    }
    Ok(())
}

#[tokio::test]
async fn r_rate_1_requests_have_a_bucket_of_their_own_and_some_are_free() -> Result<()> {
    let server = Server::with_rates("kinds.chat.rates = { publish = [1, 1], request = [1, 5] }").await?;
    let mut ann = server.visit("chat:requests", "ann").rights(json!(["*"])).join().await?;
    ann.publish(json!(1)).await?;
    ann.request(json!({ "t": "publish", "data": 2 })).await?.refused("rate_limited")?;
    for amendment in [
        json!({ "t": "edit", "offset": 1, "data": 2 }),
        json!({ "t": "react", "offset": 1, "name": "+1", "on": true }),
        json!({ "t": "remove", "offset": 1 }),
    ] {
        // At one a second the next token may have come in the meantime.
        match ann.request(amendment.clone()).await? {
            Answer::Error(error) => ensure!(error["code"] == "rate_limited", "{error}"),
            Answer::Reply(_) => {
                ann.request(amendment).await?.refused("rate_limited")?;
            }
        }
    }
    let requests: Vec<Value> = (0..9).map(|n| json!({ "t": "history", "id": 500 + n, "limit": 1 })).collect();
    ann.send_all(&requests).await?;
    let mut refused = 0;
    for id in 500..509 {
        match ann.answer(id).await? {
            Answer::Error(error) => refused += u32::from(error["code"] == "rate_limited"),
            Answer::Reply(_) => ensure!(refused == 0, "first come, first served"),
        }
    }
    assert_eq!(refused, 4, "five at once");
    for frames in 0..20 {
        ann.send(&json!({ "t": "ack", "frames": frames })).await?;
    }
    let id = ann.next_id();
    ann.send(&json!({ "t": "leave", "id": id })).await?;
    ann.answer(id).await?.result()?;
    assert_eq!(ann.closed().await?.code, 1000, "leave and ack are free");
    Ok(())
}

#[tokio::test]
async fn r_rate_1_a_rate_that_is_off_bounds_nothing_and_http_has_none() -> Result<()> {
    let changes =
        "kinds.chat.rates = { publish = 'off', request = 'off' }\nkinds.slow.rates = { publish = [1, 1] }";
    let server = Server::with_rates(changes).await?;
    let mut ann = server.visit("chat:unbounded", "ann").join().await?;
    assert_eq!(accepted(burst(&mut ann, 1_000, 500).await?, 0)?, 500);
    for n in 0..20 {
        server.publish("slow:http", &json!({ "data": n })).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_rate_2_the_hundredth_refusal_closes_3509_and_the_room_goes_on() -> Result<()> {
    let server = Server::with_rates("").await?;
    for codec in Codec::BOTH {
        let room = format!("chat:refused-{codec:?}");
        let mut bob = server.visit(&room, "bob").join().await?;
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let publish = |id: u32| json!({ "t": "publish", "id": id, "data": id });
        for part in (1_000..2_000).collect::<Vec<u32>>().chunks(10) {
            let part: Vec<Value> = part.iter().copied().map(publish).collect();
            // What a turn leaves unanswered because it ended with the close has an unknown outcome.
            if ann.send_all(&part).await.is_err() || ann.answer(id_of(&part)).await.is_err() {
                break;
            }
        }
        assert_eq!(ann.closed().await?.code, 3509);
        let refused: Vec<&Value> = ann.seen.iter().filter(|m| m["code"] == "rate_limited").collect();
        // The frame that held the hundredth is not answered whole.
        ensure!((90..=100).contains(&refused.len()), "closed after {} refusals", refused.len());
        bob.publish(json!("the room goes on")).await?;
        bob.published(&json!("the room goes on")).await?;
        let history = server.history(&room).await?;
        let effect = history.publications.values().find(|p| refused.iter().any(|r| r["id"] == p["data"]));
        ensure!(effect.is_none(), "{effect:?} was refused");
        for answered in ann.seen.iter().filter(|m| m["t"] == "reply") {
            let offset = answered["result"]["offset"].as_u64().unwrap_or_default();
            let logged = history.publications.get(&offset).map(|p| &p["data"]);
            assert_eq!(logged, Some(&answered["id"]), "what was answered stands");
        }
        server.visit(&room, "ann").join().await?;
    }
    Ok(())
}

fn id_of(frame: &[Value]) -> u32 {
    frame.last().and_then(|last| u32::try_from(last["id"].as_u64()?).ok()).unwrap_or_default()
}

#[tokio::test]
async fn r_rate_3_a_slow_bucket_is_kept_through_sleep() -> Result<()> {
    let server = Server::with_rates("kinds.chat.rates = { publish = [1, 30] }").await?;
    let room = "chat:asleep";
    let mut ann = server.visit(room, "ann").join().await?;
    assert_eq!(accepted(burst(&mut ann, 1_000, 30).await?, 0)?, 30);
    for round in 0..5 {
        server.evict(room).await?;
        let answers = burst(&mut ann, 2_000 + 100 * round, 10).await?;
        let more = accepted(answers, 1_000 * 10)?;
        ensure!(more < 10, "round {round}: the sleep filled the bucket");
    }
    // Twenty idle seconds would fill 20 of 30: an eviction must not fill all of them.
    let log = server.history(room).await?.publications.len();
    ensure!(log < 60, "{log} publications");
    Ok(())
}
