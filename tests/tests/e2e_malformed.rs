//! Anything a peer may send: a clear error for it, no harm for the others in the room.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::server::Server;
use tests::wire::{Codec, Frame};

fn text(line: impl Into<String>) -> Frame {
    Frame::Text(line.into())
}

fn pack(value: &rmpv::Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value)?;
    Ok(bytes)
}

/// Someone else in the room, who must not notice anything.
async fn check_unharmed(witness: &mut Client, author: &mut Client, mark: &str) -> Result<()> {
    author.publish(json!(mark)).await?;
    witness.published(&json!(mark)).await?;
    witness.ping().await
}

async fn bad_request(client: &mut Client) -> Result<Value> {
    client.expect("bad_request", |m| m["t"] == "error" && m["code"] == "bad_request").await
}

#[tokio::test]
async fn r_frame_4_a_json_line_that_does_not_parse_is_answered_and_the_other_lines_stand() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:lines", "ann").join().await?;
    let frame = "{\"t\":\"publish\",\"id\":1,\"data\":1}\n{\"t\":\"publish\",\"id\":2,\n{\"t\":\"publish\",\"id\":3,\"data\":3}";
    ann.send_frame(text(frame)).await?;
    assert_eq!(ann.answer(1).await?.result()?["offset"], 1);
    bad_request(&mut ann).await?;
    assert_eq!(ann.answer(3).await?.result()?["offset"], 2);
    Ok(())
}

#[tokio::test]
async fn r_frame_4_the_error_carries_the_id_where_it_can_be_read() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:ids", "ann").join().await?;
    ann.send(&json!({ "t": "publish", "id": 7, "data": 1, "tags": "not a list" })).await?;
    let error = ann.expect("an error", |m| m["t"] == "error").await?;
    assert_eq!(error["id"], 7, "{error}");
    let code = &error["code"];
    ensure!(code == "bad_request" || code == "invalid_argument", "{error}");
    Ok(())
}

#[tokio::test]
async fn r_frame_3_an_unknown_message_is_unsupported_and_costs_nothing() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let mut ann = server.visit("chat:unknown", "ann").codec(codec).join().await?;
        for _ in 0..15 {
            ann.request(json!({ "t": "teleport", "where": "home" })).await?.refused("unsupported")?;
        }
        ann.publish(json!("still here")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_4_after_a_messagepack_error_the_rest_of_that_message_is_dropped() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:pack", "ann").codec(Codec::Msgpack).join().await?;
    let publish = |id: u32| {
        pack(&rmpv::Value::Map(vec![
            ("t".into(), "publish".into()),
            ("id".into(), id.into()),
            ("data".into(), "1".into()),
        ]))
    };
    let mut bytes = publish(1)?;
    bytes.push(0xc1);
    bytes.extend(publish(2)?);
    ann.send_frame(Frame::Binary(bytes)).await?;
    assert_eq!(ann.answer(1).await?.result()?["offset"], 1);
    bad_request(&mut ann).await?;
    assert_eq!(ann.publish(json!("after")).await?["offset"], 2, "request 2 was dropped");
    let errors = ann.seen.iter().filter(|m| m["t"] == "error").count();
    assert_eq!(errors, 1, "one bad_request: {:?}", ann.seen);
    Ok(())
}

#[tokio::test]
async fn r_frame_4_the_tenth_bad_request_closes_and_harms_nobody_else() -> Result<()> {
    let server = Server::start().await?;
    let mut witness = server.visit("chat:ten", "witness").join().await?;
    let mut author = server.visit("chat:ten", "author").codec(Codec::Msgpack).join().await?;
    for codec in Codec::BOTH {
        let mut bad = server.visit("chat:ten", "bad").codec(codec).join().await?;
        let frame = match codec {
            Codec::Json => text("{"),
            Codec::Msgpack => Frame::Binary(vec![0xc1]),
        };
        for _ in 0..9 {
            bad.send_frame(frame.clone()).await?;
            bad_request(&mut bad).await?;
        }
        bad.publish(json!("nine are forgiven")).await?;
        bad.send_frame(frame).await?;
        assert_eq!(bad.closed().await?.code, 3500, "{codec:?}");
        check_unharmed(&mut witness, &mut author, &format!("after {codec:?}")).await?;
    }
    Ok(())
}

fn hostile_json() -> Vec<(&'static str, String)> {
    let deep = 100_000;
    vec![
        ("not JSON", "hello?".to_owned()),
        ("an array", "[]".to_owned()),
        ("a number", "1".to_owned()),
        ("null", "null".to_owned()),
        ("no t", r#"{"id":1}"#.to_owned()),
        ("t is a number", r#"{"t":1,"id":1}"#.to_owned()),
        ("NaN", r#"{"t":"publish","id":NaN,"data":1}"#.to_owned()),
        ("id over u32", r#"{"t":"publish","id":4294967296,"data":1}"#.to_owned()),
        ("id over 2^53", r#"{"t":"publish","id":18446744073709551616,"data":1}"#.to_owned()),
        ("negative id", r#"{"t":"publish","id":-1,"data":1}"#.to_owned()),
        ("id is a float", r#"{"t":"publish","id":1.5,"data":1}"#.to_owned()),
        ("no data", r#"{"t":"publish","id":1}"#.to_owned()),
        ("duplicate t", r#"{"t":"publish","t":"history","id":1,"data":1}"#.to_owned()),
        ("duplicate id", r#"{"t":"publish","id":1,"id":2,"data":1}"#.to_owned()),
        ("duplicate data", r#"{"t":"publish","id":1,"data":1,"data":2}"#.to_owned()),
        ("lone surrogate", r#"{"t":"publish","id":1,"type":"\ud800","data":1}"#.to_owned()),
        ("deep arrays", "[".repeat(deep)),
        ("deep objects", r#"{"a":"#.repeat(deep)),
        (
            "a deep payload",
            format!(r#"{{"t":"publish","id":1,"data":{}{}}}"#, "[".repeat(deep), "]".repeat(deep)),
        ),
        (
            "a deep unknown field",
            format!(r#"{{"t":"publish","x":{}{}}}"#, "[".repeat(deep), "]".repeat(deep)),
        ),
    ]
}

fn hostile_msgpack() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("reserved byte", vec![0xc1]),
        ("a claimed array of 2^32-1", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("a claimed map of 2^32-1", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("a claimed str of 2^32-1", vec![0xdb, 0xff, 0xff, 0xff, 0xff]),
        (
            "a claimed bin of 2^32-1 inside",
            vec![0x81, 0xa4, b'd', b'a', b't', b'a', 0xc6, 0xff, 0xff, 0xff, 0xff],
        ),
        ("a number", vec![0x01]),
        ("nil", vec![0xc0]),
        ("keys that are numbers", vec![0x81, 0x01, 0x02]),
        ("an extension", vec![0xc7, 0x01, 0x05, 0x00]),
        ("invalid UTF-8", vec![0x81, 0xa1, b't', 0xa2, 0xff, 0xfe]),
        ("truncated", vec![0x82, 0xa1, b't', 0xa7, b'p', b'u']),
        ("deep arrays", vec![0x91; 100_000]),
        ("deep maps", [0x81, 0xa1, b'a'].repeat(100_000)),
    ]
}

#[tokio::test]
async fn r_life_3_hostile_bytes_get_an_error_or_a_close_and_harm_nobody_else() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:hostile";
    let mut witness = server.visit(room, "witness").join().await?;
    let mut author = server.visit(room, "author").codec(Codec::Msgpack).join().await?;
    let json = hostile_json().into_iter().map(|(name, line)| (name, Codec::Json, text(line)));
    let pack =
        hostile_msgpack().into_iter().map(|(name, bytes)| (name, Codec::Msgpack, Frame::Binary(bytes)));
    for (name, codec, frame) in json.chain(pack) {
        let mut bad = server.visit(room, "bad").codec(codec).join().await?;
        bad.send_frame(frame.clone()).await?;
        let error = bad.expect(name, |m| m["t"] == "error" || m["t"] == "reply").await?;
        let code = &error["code"];
        ensure!(code == "bad_request" || code == "invalid_argument", "{name} in {codec:?} got {error}");
        bad.request(json!({ "t": "history", "limit": 1 })).await?.result()?;
        bad.close(1000).await?;

        let mut early = server.visit(room, "early").codec(codec).connect().await?;
        early.send_frame(frame).await?;
        let close = early.closed().await?;
        ensure!(close.code == 3500, "{name} in {codec:?} before hello: {close:?}");
    }
    check_unharmed(&mut witness, &mut author, "after all").await?;
    assert_eq!(server.history(room).await?.publications.len(), 1, "nothing hostile was logged");
    Ok(())
}

#[tokio::test]
async fn r_frame_2_the_other_codecs_frames_are_bad_requests() -> Result<()> {
    let server = Server::start().await?;
    let mut json_client = server.visit("chat:crossed", "ann").join().await?;
    json_client.send_frame(Frame::Binary(b"{\"t\":\"history\",\"id\":1}".to_vec())).await?;
    bad_request(&mut json_client).await?;
    let mut pack_client = server.visit("chat:crossed", "bob").codec(Codec::Msgpack).join().await?;
    pack_client.send_frame(text("{\"t\":\"history\",\"id\":1}")).await?;
    bad_request(&mut pack_client).await?;
    json_client.publish(json!("fine")).await?;
    pack_client.published(&json!("fine")).await?;
    Ok(())
}

#[tokio::test]
async fn r_hello_1_a_request_before_hello_and_a_second_hello_close_3500() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let mut witness = server.visit("chat:hellos", "witness").join().await?;
        let mut author = server.visit("chat:hellos", "author").join().await?;
        let mut rude = server.visit("chat:hellos", "rude").codec(codec).connect().await?;
        rude.send(&json!({ "t": "publish", "id": 1, "data": "rude" })).await?;
        assert_eq!(rude.closed().await?.code, 3500);
        let mut twice = server.visit("chat:hellos", "twice").codec(codec).join().await?;
        let hello = json!({ "t": "hello", "session": twice.session });
        twice.send(&hello).await?;
        assert_eq!(twice.closed().await?.code, 3500);
        check_unharmed(&mut witness, &mut author, "after").await?;
        ensure!(!witness.payloads().contains(&json!("rude")), "{:?}", witness.payloads());
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_5_a_message_beyond_the_frame_bound_is_closed_1009_ahead_of_the_room() -> Result<()> {
    let server = Server::start().await?;
    let bound = (1 << 20) + (64 << 10);
    let mut witness = server.visit("chat:giant", "witness").join().await?;
    let mut author = server.visit("chat:giant", "author").join().await?;
    for codec in Codec::BOTH {
        let giant = |length: usize| match codec {
            Codec::Json => text("x".repeat(length)),
            Codec::Msgpack => Frame::Binary(vec![0xc1; length]),
        };
        let mut bad = server.visit("chat:giant", "bad").codec(codec).join().await?;
        bad.send_frame(giant(bound)).await?;
        bad_request(&mut bad).await?;
        bad.send_frame(giant(bound + 1)).await?;
        assert_eq!(bad.closed().await?.code, 1009, "{codec:?}");
        let mut early = server.visit("chat:giant", "early").codec(codec).connect().await?;
        early.send_frame(giant(8 << 20)).await?;
        assert_eq!(early.closed().await?.code, 1009, "{codec:?} before hello");
        check_unharmed(&mut witness, &mut author, &format!("after {codec:?}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_5_a_text_of_wide_characters_is_measured_in_bytes() -> Result<()> {
    let server = Server::start().await?;
    let mut bad = server.visit("chat:wide", "bad").join().await?;
    bad.send_frame(text("日".repeat((1 << 20) / 2))).await?;
    assert_eq!(bad.closed().await?.code, 1009, "1.5 MiB of UTF-8 in 0.5 Mi characters");
    Ok(())
}

#[tokio::test]
async fn r_frame_7_a_field_out_of_bounds_is_named_with_its_path() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let mut ann = server.visit("chat:details", "ann").codec(codec).join().await?;
        for (request, path) in [
            (json!({ "t": "publish" }), "data"),
            (json!({ "t": "publish", "data": 1, "tags": ["ok", ""] }), "tags[1]"),
            (json!({ "t": "publish", "data": 1, "type": "x".repeat(65) }), "type"),
            (json!({ "t": "publish", "data": 1, "type": "edit" }), "type"),
            (
                json!({ "t": "publish", "data": 1, "to": { "connections": ["0123456789abcd"] } }),
                "to.connections",
            ),
            (json!({ "t": "history", "limit": 201 }), "limit"),
            (json!({ "t": "history", "limit": 0 }), "limit"),
            (json!({ "t": "members", "limit": 501 }), "limit"),
            (json!({ "t": "subscribe", "tags": ["x".repeat(65)] }), "tags[0]"),
        ] {
            let error = ann.request(request.clone()).await?.refused("invalid_argument")?;
            assert_eq!(error["details"][0]["path"], path, "{request} in {codec:?}: {error}");
            ensure!(error["details"][0]["message"].is_string(), "{error}");
        }
        ann.publish(json!("these cost nothing")).await?;
    }
    Ok(())
}
