//! What the platform does to those who forget it: close replies, sockets that linger, compression.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::client::fresh_session;
use tests::raw_socket::{CLOSE, RawSocket, TEXT};
use tests::roster::list;
use tests::server::Server;

/// A raw socket in `room`, welcomed.
async fn raw_join(server: &Server, room: &str, user: &str, headers: &[(&str, &str)]) -> Result<RawSocket> {
    let token = server.mint(user, &json!({ room: ["join", "publish", "presence"] }), 3600).await?;
    let offered = format!("roomcast.v1.json, roomcast.token.{token}");
    let mut headers = headers.to_vec();
    headers.push(("Sec-WebSocket-Protocol", offered.as_str()));
    let path = format!("/v1/rooms/{room}/connect");
    let mut socket = RawSocket::upgrade(server.authority(), &path, &headers).await?;
    ensure!(socket.head.starts_with("http/1.1 101"), "{}", socket.head);
    socket.text(&json!({ "t": "hello", "session": fresh_session() }).to_string()).await?;
    let frame = socket.next().await?.context("a welcome")?;
    let first = String::from_utf8(frame.content)?;
    ensure!(frame.opcode == TEXT && first.contains("\"welcome\""), "{first}");
    Ok(socket)
}

fn connections(members: &Value) -> (usize, &Value) {
    (list(members, "members").len(), &members["connections"])
}

#[tokio::test]
async fn r_close_2_every_way_to_close_is_answered_and_the_tcp_connection_ends() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let mut watcher = server.visit("chat:closes", "watcher").join().await?;
    let closes: [(&str, Vec<u8>, Option<u16>); 8] = [
        ("1000", 1000u16.to_be_bytes().to_vec(), Some(1000)),
        ("1000 with a reason", [&1000u16.to_be_bytes()[..], b"bye"].concat(), Some(1000)),
        ("1001", 1001u16.to_be_bytes().to_vec(), None),
        ("4000", 4000u16.to_be_bytes().to_vec(), None),
        ("no code, which is 1005", Vec::new(), None),
        ("1005, which must not be sent", 1005u16.to_be_bytes().to_vec(), None),
        ("1006, which must not be sent", 1006u16.to_be_bytes().to_vec(), None),
        ("999, which does not exist", 999u16.to_be_bytes().to_vec(), None),
    ];
    for (name, content, answered) in closes {
        let mut socket = raw_join(&server, "chat:closes", "closer", &[]).await?;
        watcher.until_members(&["closer", "watcher"]).await.context(name)?;
        socket.send(CLOSE, &content).await?;
        match answered {
            Some(code) => assert_eq!(socket.close_code().await.context(name)?, code, "{name}"),
            None => socket.end().await.with_context(|| format!("{name}: the TCP connection ends"))?,
        }
        socket.end().await.with_context(|| format!("{name}: the TCP connection ends"))?;
        watcher.until_members(&["watcher"]).await.context(name)?;
        assert_eq!(connections(&server.members("chat:closes").await?), (1, &json!(1)), "{name}");
    }
    watcher.publish(json!("the room is fine")).await?;
    Ok(())
}

#[tokio::test]
async fn r_pres_3_connections_that_just_vanish_leave_after_their_grace() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let mut watcher = server.visit("chat:vanish", "watcher").join().await?;

    let reset = raw_join(&server, "chat:vanish", "reset", &[]).await?;
    watcher.until_members(&["reset", "watcher"]).await?;
    reset.reset()?;
    watcher.until_members(&["watcher"]).await.context("RST")?;

    let mut half = raw_join(&server, "chat:vanish", "half", &[]).await?;
    watcher.until_members(&["half", "watcher"]).await?;
    half.finish().await?;
    watcher.until_members(&["watcher"]).await.context("FIN without a close frame")?;

    let mut torn = raw_join(&server, "chat:vanish", "torn", &[]).await?;
    watcher.until_members(&["torn", "watcher"]).await?;
    torn.write(&[0x81, 0xfe, 0x10]).await?;
    drop(torn);
    watcher.until_members(&["watcher"]).await.context("FIN within a frame")?;
    assert_eq!(connections(&server.members("chat:vanish").await?), (1, &json!(1)));
    Ok(())
}

#[tokio::test]
async fn r_close_2_a_server_close_that_is_never_answered_leaves_no_ghost() -> Result<()> {
    let server = Server::with("kinds.chat.presence.grace = '1s'").await?;
    let mut watcher = server.visit("chat:closing", "watcher").join().await?;
    let mut stubborn = raw_join(&server, "chat:closing", "stubborn", &[]).await?;
    watcher.until_members(&["stubborn", "watcher"]).await?;
    stubborn.text(r#"{"t":"hello","session":"a-second-hello"}"#).await?;
    assert_eq!(stubborn.close_code().await?, 3500);
    let members = server.members("chat:closing").await?;
    assert_eq!(members["connections"], 1, "a CLOSING socket is no connection: {members}");
    watcher.until_members(&["watcher"]).await?;
    let newcomer = server.visit("chat:closing", "newcomer").join().await?;
    assert_eq!(newcomer.welcome["occupancy"], json!({ "members": 2, "users": 2 }));
    watcher.publish(json!("sending goes on")).await?;
    watcher.published(&json!("sending goes on")).await?;
    Ok(())
}

#[tokio::test]
async fn r_close_2_after_a_server_close_the_tcp_connection_ends_once_answered() -> Result<()> {
    let server = Server::start().await?;
    let mut rude = raw_join(&server, "chat:ended", "rude", &[]).await?;
    rude.text(r#"{"t":"hello","session":"a-second-hello"}"#).await?;
    assert_eq!(rude.close_code().await?, 3500);
    rude.send(CLOSE, &3500u16.to_be_bytes()).await?;
    rude.end().await
}

#[tokio::test]
async fn r_frame_8_compression_is_not_negotiated_even_if_offered() -> Result<()> {
    let server = Server::start().await?;
    for offer in
        ["permessage-deflate", "permessage-deflate; client_max_window_bits; server_no_context_takeover"]
    {
        let headers = [("Sec-WebSocket-Extensions", offer)];
        let socket = raw_join(&server, "chat:deflate", "ann", &headers).await?;
        ensure!(!socket.head.contains("sec-websocket-extensions"), "{}", socket.head);
    }
    Ok(())
}

#[tokio::test]
async fn r_frame_2_frames_that_arrive_a_byte_at_a_time_or_in_fragments_are_whole_messages() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit("chat:slow", "watcher").join().await?;
    let mut slow = raw_join(&server, "chat:slow", "slow", &[]).await?;
    let publish = br#"{"t":"publish","id":1,"data":"slow"}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(publish.len())?, 0, 0, 0, 0];
    frame.extend_from_slice(publish);
    for byte in frame {
        slow.write(&[byte]).await?;
    }
    watcher.published(&json!("slow")).await?;
    let publish = br#"{"t":"publish","id":2,"data":"fragmented"}"#;
    let (first, rest) = publish.split_at(10);
    slow.write(&[&[0x01, 0x80 | 10, 0, 0, 0, 0][..], first].concat()).await?;
    slow.write(&[&[0x80, 0x80 | u8::try_from(rest.len())?, 0, 0, 0, 0][..], rest].concat()).await?;
    watcher.published(&json!("fragmented")).await?;
    Ok(())
}

#[tokio::test]
async fn r_beat_1_pings_make_no_traffic_for_the_room() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:beats", "ann").join().await?;
    for _ in 0..100 {
        ann.ping().await?;
    }
    assert_eq!(ann.publish(json!(1)).await?["offset"], 1);
    let errors = ann.seen.iter().filter(|m| m["t"] == "error").count();
    assert_eq!(errors, 0, "{:?}", ann.seen);
    Ok(())
}
