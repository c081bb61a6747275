//! Recovery, rewind and history.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

fn offsets(publications: &[Value]) -> Vec<u64> {
    publications.iter().map(|publication| publication["offset"].as_u64().unwrap_or_default()).collect()
}

async fn publish_numbers(client: &mut Client, numbers: std::ops::RangeInclusive<u64>) -> Result<()> {
    for number in numbers {
        client.publish(json!(number)).await?;
    }
    Ok(())
}

/// Joins with `recover` and expects to be told `reason` instead.
async fn refused(server: &Server, room: &str, position: Value, reason: &str) -> Result<Client> {
    let client = server.visit(room, "ann").hello(json!({ "recover": position })).join().await?;
    assert_eq!(client.welcome["recovered"], false, "{position} {}", client.welcome);
    assert_eq!(client.welcome["reason"], reason, "{position} {}", client.welcome);
    assert_eq!(client.welcome["publications"], json!([]), "never a partial recovery");
    Ok(client)
}

#[tokio::test]
async fn r_rec_1_a_reconnecting_client_gets_exactly_what_it_missed() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:recover-{codec:?}");
        let mut author = server.visit(&room, "author").join().await?;
        publish_numbers(&mut author, 1..=2).await?;
        let mut reader = server.visit(&room, "reader").codec(codec).join().await?;
        publish_numbers(&mut author, 3..=3).await?;
        reader.published(&json!(3)).await?;
        let (position, session) = (reader.position()?, reader.session.clone());
        drop(reader);
        publish_numbers(&mut author, 4..=6).await?;
        let hello = json!({ "recover": position });
        let mut reader =
            server.visit(&room, "reader").codec(codec).session(&session).hello(hello).join().await?;
        assert_eq!(reader.welcome["recovered"], true, "{}", reader.welcome);
        assert_eq!(offsets(list(&reader.welcome, "publications")), [4, 5, 6]);
        assert_eq!(reader.welcome["offset"], 6);
        assert_eq!(list(&reader.welcome, "publications")[0]["from"]["user"], "author");
        publish_numbers(&mut author, 7..=7).await?;
        reader.published(&json!(7)).await?;
        assert_eq!(reader.payloads(), [json!(4), json!(5), json!(6), json!(7)]);
    }
    Ok(())
}

#[tokio::test]
async fn r_rec_1_nothing_is_replayed_twice_over_reconnects_without_traffic() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:quiet", "author").join().await?;
    publish_numbers(&mut author, 1..=3).await?;
    let mut hello = json!({ "recover": { "epoch": author.welcome["epoch"], "offset": 1 } });
    for expected in [&[2, 3][..], &[], &[], &[]] {
        let reader = server.visit("chat:quiet", "reader").hello(hello).join().await?;
        assert_eq!(reader.welcome["recovered"], true, "{}", reader.welcome);
        assert_eq!(offsets(list(&reader.welcome, "publications")), expected);
        hello = json!({ "recover": reader.position()? });
    }
    Ok(())
}

#[tokio::test]
async fn r_rec_4_offset_0_means_from_the_beginning() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:zero", "author").join().await?;
    publish_numbers(&mut author, 1..=3).await?;
    let hello = json!({ "recover": { "epoch": author.welcome["epoch"], "offset": 0 } });
    let reader = server.visit("chat:zero", "reader").hello(hello).join().await?;
    assert_eq!(reader.welcome["recovered"], true, "{}", reader.welcome);
    assert_eq!(offsets(list(&reader.welcome, "publications")), [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn r_rec_2_a_position_that_cannot_be_served_is_refused_with_its_reason() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:reasons", "author").join().await?;
    publish_numbers(&mut author, 1..=3).await?;
    let epoch = &author.welcome["epoch"];
    let room = "chat:reasons";
    let told = refused(&server, room, json!({ "epoch": epoch, "offset": 4 }), "ahead").await?;
    assert_eq!(told.welcome["offset"], 3, "{}", told.welcome);
    let elsewhere = json!({ "epoch": "0123456789abcdef", "offset": 1 });
    refused(&server, room, elsewhere, "epoch_changed").await?;
    Ok(())
}

#[tokio::test]
async fn r_rec_2_more_than_the_bound_in_bytes_is_too_far_behind() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:far", "author").join().await?;
    for number in 0..17 {
        author.publish(json!(format!("{number:02}{}", "x".repeat(65_000)))).await?;
    }
    let epoch = author.welcome["epoch"].clone();
    refused(&server, "chat:far", json!({ "epoch": epoch, "offset": 0 }), "too_far_behind").await?;
    let hello = json!({ "recover": { "epoch": epoch, "offset": 2 } });
    let near = server.visit("chat:far", "ann").hello(hello).join().await?;
    assert_eq!(near.welcome["recovered"], true, "15 × 65 kB are below 1 MiB");
    assert_eq!(list(&near.welcome, "publications").len(), 15);
    Ok(())
}

#[tokio::test]
async fn r_rec_2_a_thousand_publications_are_recovered_and_one_more_is_too_far_behind() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:thousand", "author").join().await?;
    let batch: Vec<Value> = (1..=1001).map(|n| json!({ "t": "publish", "id": n, "data": n })).collect();
    for part in batch.chunks(100) {
        author.send_all(part).await?;
    }
    author.answer(1001).await?.result()?;
    let epoch = author.welcome["epoch"].clone();
    refused(&server, "chat:thousand", json!({ "epoch": epoch, "offset": 0 }), "too_far_behind").await?;
    let hello = json!({ "recover": { "epoch": epoch, "offset": 1 } });
    let at_bound = server.visit("chat:thousand", "ann").hello(hello).join().await?;
    assert_eq!(at_bound.welcome["recovered"], true);
    assert_eq!(offsets(list(&at_bound.welcome, "publications")), (2..=1001).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn r_hist_2_what_the_log_no_longer_holds_is_trimmed() -> Result<()> {
    let server = Server::with("kinds.chat.log.count = 5").await?;
    let mut author = server.visit("chat:trim", "author").join().await?;
    publish_numbers(&mut author, 1..=12).await?;
    let oldest = tests::eventually("the alarm trims down to log.count", async || {
        let history = server.history("chat:trim").await?;
        ensure!(history.publications.len() >= 5, "fewer than log.count are left");
        let oldest = *history.publications.first_key_value().context("the log holds something")?.0;
        Ok((oldest == 8).then_some(oldest))
    })
    .await?;
    let epoch = author.welcome["epoch"].clone();
    refused(&server, "chat:trim", json!({ "epoch": epoch, "offset": oldest - 2 }), "trimmed").await?;
    refused(&server, "chat:trim", json!({ "epoch": epoch, "offset": 0 }), "trimmed").await?;
    let hello = json!({ "recover": { "epoch": epoch, "offset": oldest - 1 } });
    let complete = server.visit("chat:trim", "ann").hello(hello).join().await?;
    assert_eq!(complete.welcome["recovered"], true, "nothing between was trimmed");
    assert_eq!(offsets(list(&complete.welcome, "publications")), [8, 9, 10, 11, 12]);
    Ok(())
}

#[tokio::test]
async fn r_pub_10_a_kind_without_a_log_has_nothing_to_recover() -> Result<()> {
    let server = Server::with("kinds.chat.log.count = 0").await?;
    let mut ann = server.visit("chat:no-log", "ann").join().await?;
    assert_eq!(ann.publish(json!(1)).await?["offset"], 1);
    ann.published(&json!(1)).await?;
    refused(&server, "chat:no-log", ann.position()?, "no_log").await?;
    Ok(())
}

#[tokio::test]
async fn r_rec_3_without_history_only_a_session_that_is_still_a_member_recovers() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1h'").await?;
    let room = "chat:no-history";
    let mut author = server.visit(room, "author").join().await?;
    publish_numbers(&mut author, 1..=2).await?;
    let rights = json!(["join", "presence"]);
    let reader = server.visit(room, "reader").rights(rights.clone()).join().await?;
    let (position, session) = (reader.position()?, reader.session.clone());
    drop(reader);
    publish_numbers(&mut author, 3..=4).await?;
    let visit = |position: &Value| {
        server.visit(room, "reader").rights(rights.clone()).hello(json!({ "recover": position }))
    };
    let member = visit(&position).session(&session).join().await?;
    assert_eq!(member.welcome["recovered"], true, "{}", member.welcome);
    assert_eq!(offsets(list(&member.welcome, "publications")), [3, 4]);
    drop(member);
    let stranger = visit(&position).join().await?;
    assert_eq!(stranger.welcome["recovered"], false, "{}", stranger.welcome);
    assert_eq!(stranger.welcome["reason"], "forbidden", "{}", stranger.welcome);
    let before = json!({ "epoch": position["epoch"], "offset": 0 });
    let greedy = visit(&before).session(&session).join().await?;
    let got = offsets(list(&greedy.welcome, "publications"));
    ensure!(!got.contains(&1) && !got.contains(&2), "from before its first welcome: {}", greedy.welcome);
    assert_eq!(greedy.welcome["reason"], "forbidden", "{}", greedy.welcome);
    Ok(())
}

#[tokio::test]
async fn r_hello_6_rewind_shows_the_last_ones_and_stands_in_for_a_failed_recovery() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:rewind", "author").join().await?;
    publish_numbers(&mut author, 1..=5).await?;
    let epoch = author.welcome["epoch"].clone();
    let join = |hello: Value| server.visit("chat:rewind", "ann").hello(hello).join();
    let newest = join(json!({ "rewind": 2 })).await?;
    assert_eq!(offsets(list(&newest.welcome, "publications")), [4, 5]);
    assert_eq!(newest.welcome["recovered"], false);
    let all = join(json!({ "rewind": 200 })).await?;
    assert_eq!(offsets(list(&all.welcome, "publications")), [1, 2, 3, 4, 5]);
    let recovered = join(json!({ "rewind": 4, "recover": { "epoch": epoch, "offset": 4 } })).await?;
    assert_eq!(recovered.welcome["recovered"], true);
    assert_eq!(offsets(list(&recovered.welcome, "publications")), [5], "recover wins over rewind");
    let failed = join(json!({ "rewind": 1, "recover": { "epoch": epoch, "offset": 99 } })).await?;
    assert_eq!(failed.welcome["reason"], "ahead");
    assert_eq!(offsets(list(&failed.welcome, "publications")), [5]);
    let rights = json!(["join"]);
    let visit = server.visit("chat:rewind", "ann").rights(rights).hello(json!({ "rewind": 2 }));
    let without = visit.join().await?;
    assert_eq!(without.welcome["publications"], json!([]), "rewind needs history");
    Ok(())
}

#[tokio::test]
async fn r_hist_1_history_pages_ascend_in_both_directions() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:history-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        publish_numbers(&mut ann, 1..=7).await?;
        let mut ask = async |request: Value| -> Result<(Vec<u64>, Value)> {
            let mut history = json!({ "t": "history", "limit": 3 });
            for (name, value) in request.as_object().context("fields")? {
                history[name] = value.clone();
            }
            let page = ann.request(history).await?.result()?;
            assert_eq!(page["epoch"], ann.welcome["epoch"]);
            Ok((offsets(list(&page, "messages")), page["next"].clone()))
        };
        let (newest, next) = ask(json!({})).await?;
        assert_eq!(newest, [5, 6, 7]);
        let (older, next) = ask(json!({ "before": next })).await?;
        assert_eq!(older, [2, 3, 4]);
        let (oldest, next) = ask(json!({ "before": next })).await?;
        assert_eq!((oldest, next), (vec![1], Value::Null));
        let (first, next) = ask(json!({ "after": 0 })).await?;
        assert_eq!(first, [1, 2, 3]);
        let (second, next) = ask(json!({ "after": next })).await?;
        assert_eq!(second, [4, 5, 6]);
        let (third, next) = ask(json!({ "after": next })).await?;
        assert_eq!((third, next), (vec![7], Value::Null));
        let (nothing, _) = ask(json!({ "after": 7 })).await?;
        assert_eq!(nothing, [0; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_8_history_needs_its_capability() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:history-right", "ann").rights(json!(["join"])).join().await?;
    ann.request(json!({ "t": "history" })).await?.refused("forbidden")?;
    Ok(())
}
