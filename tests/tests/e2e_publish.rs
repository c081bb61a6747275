//! Publishing: replies, order, recipients, keys, ephemerals, bounds.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::server::Server;
use tests::wire::Codec;

#[tokio::test]
async fn r_pub_1_a_publish_is_answered_and_reaches_everyone_with_its_author() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:talk-{codec:?}");
        let profile = json!({ "info": { "name": "Ann" } });
        let mut ann = server.visit(&room, "ann").claims(profile).codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        let result = ann.publish(json!({ "text": "hello" })).await?;
        let expected = json!({ "epoch": ann.welcome["epoch"], "offset": 1, "duplicate": false });
        assert_eq!(result, expected);
        for client in [&mut ann, &mut bob] {
            let publication = client.published(&json!({ "text": "hello" })).await?;
            assert_eq!(publication["offset"], 1);
            assert_eq!(publication["type"], "message");
            ensure!(publication["time"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000), "{publication}");
            let from = &publication["from"];
            assert_eq!(from["user"], "ann");
            assert_eq!(from["info"], json!({ "name": "Ann" }));
        }
        assert_eq!(ann.seen.iter().filter(|m| m["t"] == "publication").count(), 1, "one echo");
    }
    Ok(())
}

#[tokio::test]
async fn r_hello_3_nobody_is_shown_a_sessions_secret() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:secret", "ann").join().await?;
    let mut bob = server.visit("chat:secret", "bob").join().await?;
    ann.publish(json!(1)).await?;
    let publication = bob.published(&json!(1)).await?;
    assert_eq!(publication["from"]["session"], ann.public_session());
    bob.until_members(&["ann", "bob"]).await?;
    let everything = format!("{:?}{:?}", bob.seen, server.members("chat:secret").await?);
    ensure!(!everything.contains(&ann.session), "the secret session id is out");
    Ok(())
}

#[tokio::test]
async fn r_pub_5_echo_false_withholds_from_the_sending_connection_alone() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:echo", "ann").join().await?;
    let mut tab = server.visit("chat:echo", "ann").join().await?;
    let silent = json!({ "t": "publish", "data": "silent", "echo": false });
    ann.request(silent).await?.result()?;
    ann.publish(json!("loud")).await?;
    tab.published(&json!("loud")).await?;
    ann.published(&json!("loud")).await?;
    assert_eq!(tab.payloads(), [json!("silent"), json!("loud")], "another tab of the author");
    assert_eq!(ann.payloads(), [json!("loud")]);
    assert_eq!(server.history("chat:echo").await?.publications.len(), 2);
    Ok(())
}

#[tokio::test]
async fn r_pub_2_all_connections_see_concurrent_publishes_in_one_dense_order() -> Result<()> {
    let server = Server::start().await?;
    let mut clients = Vec::new();
    for (user, codec) in [("ann", Codec::Json), ("bob", Codec::Msgpack), ("cid", Codec::Json)] {
        clients.push(server.visit("chat:order", user).codec(codec).join().await?);
    }
    for number in 0..20 {
        for (index, client) in clients.iter_mut().enumerate() {
            let id = client.next_id();
            client.send(&json!({ "t": "publish", "id": id, "data": [index, number] })).await?;
        }
    }
    let mut orders = Vec::new();
    for client in &mut clients {
        client.publication("the last one", |m| m["offset"] == 60).await?;
        let seen: Vec<(u64, Value)> = client
            .seen
            .iter()
            .filter(|m| m["t"] == "publication")
            .map(|m| (m["offset"].as_u64().unwrap_or_default(), m["data"].clone()))
            .collect();
        assert_eq!(seen.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
        orders.push(seen);
    }
    ensure!(orders.windows(2).all(|pair| pair[0] == pair[1]), "the orders differ: {orders:?}");
    for (index, client) in clients.iter().enumerate() {
        let own: Vec<Value> = client
            .payloads()
            .into_iter()
            .filter(|data| data[0] == index)
            .map(|data| data[1].clone())
            .collect();
        assert_eq!(
            own,
            (0..20).map(Value::from).collect::<Vec<_>>(),
            "a connection's publishes keep their order"
        );
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_2_several_requests_in_one_frame_are_each_answered_in_order() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let mut ann = server.visit(&format!("chat:batch-{codec:?}"), "ann").codec(codec).join().await?;
        let batch: Vec<Value> = (1..=5)
            .map(|n| json!({ "t": "publish", "id": 100 + n, "data": n, "unknown-field": true }))
            .collect();
        ann.send_all(&batch).await?;
        for n in 1..=5 {
            assert_eq!(ann.answer(100 + n).await?.result()?["offset"], n);
        }
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_7_the_type_is_the_applications_except_for_those_with_a_meaning() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:types", "ann").join().await?;
    ann.request(json!({ "t": "publish", "data": 1, "type": "poll.opened" })).await?.result()?;
    assert_eq!(ann.published(&json!(1)).await?["type"], "poll.opened");
    for reserved in ["edit", "remove", "react"] {
        let publish = json!({ "t": "publish", "data": 2, "type": reserved });
        ann.request(publish).await?.refused("invalid_argument")?;
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_6_to_names_users_and_sessions_and_includes_the_author() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:to", "ann").join().await?;
    let mut bob = server.visit("chat:to", "bob").join().await?;
    let mut cid = server.visit("chat:to", "cid").join().await?;
    let mut cid_tab = server.visit("chat:to", "cid").join().await?;
    let to_users = json!({ "users": ["bob", "nobody"] });
    ann.request(json!({ "t": "publish", "data": "bob's", "to": to_users })).await?.result()?;
    let to_sessions = json!({ "sessions": [cid_tab.public_session()] });
    ann.request(json!({ "t": "publish", "data": "a tab's", "to": to_sessions })).await?.result()?;
    ann.publish(json!("all's")).await?;
    for client in [&mut ann, &mut bob, &mut cid, &mut cid_tab] {
        client.published(&json!("all's")).await?;
    }
    assert_eq!(ann.payloads(), [json!("bob's"), json!("a tab's"), json!("all's")]);
    assert_eq!(bob.payloads(), [json!("bob's"), json!("all's")]);
    assert_eq!(cid.payloads(), [json!("all's")]);
    assert_eq!(cid_tab.payloads(), [json!("a tab's"), json!("all's")]);

    let page = cid.request(json!({ "t": "history" })).await?.result()?;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "history shows cid's first tab {page}");
    let page = bob.request(json!({ "t": "history" })).await?.result()?;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(2), "history shows bob {page}");
    Ok(())
}

#[tokio::test]
async fn r_pub_6_to_connections_is_for_ephemerals_alone() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:to-connection", "ann").join().await?;
    let mut bob = server.visit("chat:to-connection", "bob").join().await?;
    let mut bob_tab = server.visit("chat:to-connection", "bob").join().await?;
    let to = json!({ "connections": [bob.welcome["connection"]] });
    ann.request(json!({ "t": "publish", "data": 1, "to": to })).await?.refused("invalid_argument")?;
    ann.request(json!({ "t": "publish", "data": 2, "to": to, "ephemeral": true })).await?.result()?;
    ann.publish(json!("end")).await?;
    bob.expect("the ephemeral", |m| m["t"] == "ephemeral" && m["data"] == 2).await?;
    bob_tab.published(&json!("end")).await?;
    ensure!(!bob_tab.seen.iter().any(|m| m["t"] == "ephemeral"), "{:?}", bob_tab.seen);
    Ok(())
}

#[tokio::test]
async fn r_pub_4_an_ephemeral_is_fanned_out_and_never_logged() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:ephemeral-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        let typing =
            json!({ "t": "publish", "data": { "typing": true }, "ephemeral": true, "type": "typing" });
        ann.send(&typing).await?;
        let seen = bob.expect("the ephemeral", |m| m["t"] == "ephemeral").await?;
        assert_eq!(seen["data"], json!({ "typing": true }));
        assert_eq!(seen["type"], "typing");
        assert_eq!(seen["from"]["user"], "ann");
        ensure!(seen["time"].is_u64() && seen.get("offset").is_none(), "{seen}");
        assert_eq!(ann.request(typing).await?.result()?, json!({}), "with an id it gets a reply");
        assert_eq!(ann.publish(json!("logged")).await?["offset"], 1, "no offset was spent");
        let answers = ann.seen.iter().filter(|m| m["t"] == "reply" || m["t"] == "error").count();
        assert_eq!(answers, 2, "without an id there is no answer: {:?}", ann.seen);
        let history = server.history(&room).await?;
        assert_eq!(history.publications.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_7_a_payload_at_the_bound_passes_and_one_byte_more_is_too_large() -> Result<()> {
    let server = Server::with("kinds.chat.limits.payload_bytes = 1024").await?;
    for codec in Codec::BOTH {
        let room = format!("chat:large-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let fits = json!("x".repeat(1022));
        ann.publish(fits.clone()).await?;
        ann.published(&fits).await?;
        let publish = json!({ "t": "publish", "data": "x".repeat(1023) });
        ann.request(publish).await?.refused("too_large")?;
        assert_eq!(ann.publish(json!("after")).await?["offset"], 2, "nothing was spent on the refused one");
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_7_sixty_four_kibibytes_pass_by_default() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:default-bound", "ann").join().await?;
    ann.publish(json!("x".repeat(65_534))).await?;
    let publish = json!({ "t": "publish", "data": "x".repeat(65_535) });
    ann.request(publish).await?.refused("too_large")?;
    Ok(())
}

#[tokio::test]
async fn r_pub_8_a_publish_without_the_capability_is_forbidden_and_the_connection_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let mut reader = server.visit("chat:read-only", "ann").rights(json!(["join"])).join().await?;
    let mut writer = server.visit("chat:read-only", "bob").join().await?;
    let error = reader.request(json!({ "t": "publish", "data": 1 })).await?.refused("forbidden")?;
    assert_eq!(error["retryable"], false, "{error}");
    ensure!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    reader.request(json!({ "t": "publish", "data": 1, "ephemeral": true })).await?.refused("forbidden")?;
    writer.publish(json!("allowed")).await?;
    reader.published(&json!("allowed")).await?;
    assert_eq!(server.history("chat:read-only").await?.publications.len(), 1);
    Ok(())
}

#[tokio::test]
async fn r_pub_9_what_comes_in_one_turn_leaves_in_one_message_a_connection() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:turn-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        ann.until_members(&["ann", "bob"]).await?;
        let before = (ann.frames.len(), bob.frames.len());
        let batch: Vec<Value> = (1..=20).map(|n| json!({ "t": "publish", "id": n, "data": n })).collect();
        ann.send_all(&batch).await?;
        ann.published(&json!(20)).await?;
        ann.answer(20).await?.result()?;
        bob.published(&json!(20)).await?;
        assert_eq!(ann.frames[before.0..], [40], "20 replies and 20 publications");
        assert_eq!(bob.frames[before.1..], [20]);
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_11_where_there_is_no_behavior_nothing_is_called_or_cancelled() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:later-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).rights(json!(["*"])).join().await?;
        for request in [json!({ "t": "call", "method": "m", "args": [] }), json!({ "t": "cancel" })] {
            ann.request(request).await?.refused("unsupported")?;
        }
        ann.publish(json!("fine")).await?;
        ann.published(&json!("fine")).await?;
        assert_eq!(ann.payloads(), [json!("fine")]);
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_12_of_the_ephemerals_of_one_name_that_wait_for_a_flush_the_latest_stands_for_all() -> Result<()>
{
    let server = Server::with("kinds.chat.flush = '100ms'").await?;
    for codec in Codec::BOTH {
        let room = format!("chat:conflate-{codec:?}");
        let mut ann = server.visit(&room, "ann").codec(codec).join().await?;
        let mut bob = server.visit(&room, "bob").codec(codec).join().await?;
        ann.until_members(&["ann", "bob"]).await?;
        let cursor = |id: u32, name: &str| json!({ "t": "publish", "id": id, "data": [name, id], "ephemeral": true, "conflate": name });
        let mut batch: Vec<Value> = (101..=110).map(|id| cursor(id, "mouse")).collect();
        batch.push(cursor(111, "scroll"));
        ann.send_all(&batch).await?;
        for id in 101..=111 {
            assert_eq!(ann.answer(id).await?.result()?, json!({}), "each is answered");
        }
        ann.publish(json!("end")).await?;
        bob.published(&json!("end")).await?;
        let ephemerals: Vec<&Value> =
            bob.seen.iter().filter(|m| m["t"] == "ephemeral").map(|m| &m["data"]).collect();
        assert_eq!(ephemerals, [&json!(["mouse", 110]), &json!(["scroll", 111])]);
        let logged = json!({ "t": "publish", "data": 1, "conflate": "mouse" });
        ann.request(logged).await?.refused("invalid_argument")?;
        let long = json!({ "t": "publish", "data": 1, "ephemeral": true, "conflate": "x".repeat(65) });
        ann.request(long).await?.refused("invalid_argument")?;
    }
    Ok(())
}

#[tokio::test]
async fn r_pub_13_a_publication_is_the_same_in_both_codecs_and_in_history() -> Result<()> {
    let server = Server::start().await?;
    let mut text = server.visit("chat:same-for-all", "ann").join().await?;
    let mut pack = server.visit("chat:same-for-all", "bob").codec(Codec::Msgpack).join().await?;
    let payloads = [
        json!({ "$bin": "AP8=" }),
        json!({ "$bin": "AP8=", "more": 1 }),
        json!({ "deep": [[[null, 1.5e300, -0.0, "\u{2028}"]]], "$bin": 7 }),
        json!("line\nbreak"),
        Value::Null,
    ];
    for data in &payloads {
        text.publish(data.clone()).await?;
        pack.publish(data.clone()).await?;
    }
    text.publication("the last", |m| m["offset"] == 10).await?;
    pack.publication("the last", |m| m["offset"] == 10).await?;
    let publications =
        |seen: &[Value]| -> Vec<Value> { seen.iter().filter(|m| m["t"] == "publication").cloned().collect() };
    assert_eq!(publications(&text.seen), publications(&pack.seen));
    let expected: Vec<Value> = payloads.iter().flat_map(|data| [data.clone(), data.clone()]).collect();
    assert_eq!(text.payloads(), expected);
    let history = server.history("chat:same-for-all").await?;
    let logged: Vec<Value> = history.publications.into_values().map(|p| p["data"].clone()).collect();
    assert_eq!(logged, expected);
    Ok(())
}
