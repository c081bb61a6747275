//! JSON and MessagePack clients in one room: one truth in two encodings.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::server::Server;
use tests::wire::{Codec, Frame, bin};

/// Payloads that trip encoders: every JSON type, numbers at their edges, line breaks, quotes, other scripts, bytes.
fn payloads() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(9_007_199_254_740_991u64),
        json!(0.1),
        json!(1e300),
        json!(""),
        json!("a\nb\r\n\u{2028}\u{2029}\t\"\\/"),
        json!("żółć 日本語 👩‍👩‍👧 \u{0}\u{1f}\u{7f}"),
        json!([]),
        json!({}),
        json!([[], {}, [null, {"a": [1, 2, {"b": false}]}]]),
        json!({ "": 1, "t": "welcome", "data": { "data": "nested" }, "$bin": "not alone", "x\ny": 1 }),
        json!({ "$bin": 5 }),
        bin(b""),
        bin(&[0, 1, 2, 253, 254, 255]),
        bin(b"{\"looks\":\"like JSON\"}"),
    ]
}

#[tokio::test]
async fn r_frame_2_both_codecs_carry_the_same_payloads_both_ways() -> Result<()> {
    let server = Server::start().await?;
    let mut text = server.visit("chat:mixed", "text").codec(Codec::Json).join().await?;
    let mut binary = server.visit("chat:mixed", "binary").codec(Codec::Msgpack).join().await?;
    let expected: Vec<Value> =
        payloads().into_iter().flat_map(|payload| [payload.clone(), payload]).collect();
    for payload in payloads() {
        text.publish(payload.clone()).await?;
        binary.publish(payload).await?;
    }
    let last = expected.len();
    for client in [&mut text, &mut binary] {
        client.publication("the last one", |m| m["offset"] == last).await?;
        assert_eq!(client.payloads(), expected, "{:?}", client.codec);
    }
    for codec in Codec::BOTH {
        let hello = json!({ "recover": { "epoch": text.welcome["epoch"], "offset": 0 } });
        let recovered = server.visit("chat:mixed", "late").codec(codec).hello(hello).join().await?;
        assert_eq!(recovered.payloads(), expected, "recovered in {codec:?}");
    }
    let history = server.history("chat:mixed").await?;
    let logged: Vec<Value> = history.publications.values().map(|p| p["data"].clone()).collect();
    assert_eq!(logged, expected, "over HTTP");
    Ok(())
}

#[tokio::test]
async fn r_frame_6_json_text_is_kept_as_it_was_written() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:verbatim", "author").join().await?;
    let mut reader = server.visit("chat:verbatim", "reader").codec(Codec::Msgpack).join().await?;
    let line = r#"{"t":"publish","id":1,"data":{"n":10000000000000000000001,"f":1.50,"k":1,"e":"\u00e9"}}"#;
    author.send_frame(Frame::Text(line.to_owned())).await?;
    author.answer(1).await?.result()?;
    let publication = reader.publication("any", |_| true).await?;
    assert_eq!(publication["data"]["e"], "é");
    assert_eq!(publication["data"]["f"], 1.5);
    let history = server.get("/v1/rooms/chat:verbatim/messages").bearer(&server.api_key()).send().await?;
    let verbatim = r#"{"n":10000000000000000000001,"f":1.50,"k":1,"e":"\u00e9"}"#;
    ensure!(history.text().contains(verbatim), "{}", history.text());
    Ok(())
}

#[tokio::test]
async fn r_frame_6_raw_line_breaks_between_tokens_do_not_break_other_peoples_lines() -> Result<()> {
    let server = Server::start().await?;
    let mut text = server.visit("chat:lines", "text").join().await?;
    let mut binary = server.visit("chat:lines", "binary").codec(Codec::Msgpack).join().await?;
    let spread = "{\n  \"a\": 1,\r\n  \"t\":\n\"welcome\" }\n";
    let publish = rmpv::Value::Map(vec![
        ("t".into(), "publish".into()),
        ("id".into(), 1.into()),
        ("data".into(), spread.into()),
    ]);
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &publish)?;
    binary.send_frame(Frame::Binary(bytes)).await?;
    binary.answer(1).await?.result()?;
    text.published(&json!({ "a": 1, "t": "welcome" })).await?;
    binary.published(&json!({ "a": 1, "t": "welcome" })).await?;
    Ok(())
}

#[tokio::test]
async fn r_frame_6_a_payload_that_is_not_one_json_value_is_an_invalid_argument() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit("chat:injection", "watcher").join().await?;
    let mut binary = server.visit("chat:injection", "binary").codec(Codec::Msgpack).join().await?;
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let bad = [
        "",
        "{",
        "1 2",
        "1\n{\"t\":\"welcome\"}",
        "nul",
        "NaN",
        "'x'",
        "{\"a\":1,}",
        "\"a\nb\"",
        deep.as_str(),
    ];
    for (id, payload) in (1u32..).zip(bad) {
        let publish = rmpv::Value::Map(vec![
            ("t".into(), "publish".into()),
            ("id".into(), id.into()),
            ("data".into(), payload.into()),
        ]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &publish)?;
        binary.send_frame(Frame::Binary(bytes)).await?;
        binary.answer(id).await?.refused("invalid_argument")?;
    }
    let at_bound: Value = serde_json::from_str(&format!("{}{}", "[".repeat(64), "]".repeat(64)))?;
    watcher.publish(at_bound.clone()).await?;
    binary.published(&at_bound).await?;
    watcher.published(&at_bound).await?;
    assert_eq!(watcher.payloads(), [at_bound], "none of the bad ones got through");
    Ok(())
}

#[tokio::test]
async fn r_beat_1_ping_is_answered_pong_as_text_in_either_codec() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let mut client = server.visit("chat:ping", "ann").codec(codec).connect().await?;
        client.ping().await?;
        client.hello(json!({})).await?;
        client.ping().await?;
        client.publish(json!("still fine")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_1_an_unknown_subprotocol_is_turned_away() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "*": ["*"] }), 60).await?;
    let url = server.connect_url("chat:codec");
    let mut newer = tests::client::Upgrade::new(url.clone(), Codec::Json, Some(&token));
    newer.subprotocols[0] = "roomcast.v9.json".to_owned();
    match newer.try_connect(Codec::Json).await? {
        Ok(mut client) => assert_eq!(client.closed().await?.code, 3508),
        Err(refusal) => ensure!((400..500).contains(&refusal.status), "{refusal:?}"),
    }
    let none = tests::client::Upgrade { url, subprotocols: Vec::new(), headers: Vec::new() }
        .header("authorization", format!("Bearer {token}"));
    let refusal = none.refused().await?;
    ensure!((400..500).contains(&refusal.status), "{refusal:?}");
    assert_eq!(refusal.code()?, "unsupported_protocol");
    Ok(())
}
