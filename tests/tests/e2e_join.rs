//! Upgrade, hello, welcome, and what a session is.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::client::Upgrade;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

#[tokio::test]
async fn r_hello_2_the_welcome_tells_a_newcomer_everything_in_both_codecs() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:welcome-{codec:?}");
        let client = server.visit(&room, "ann").codec(codec).join().await?;
        let welcome = &client.welcome;
        ensure!(welcome["connection"].as_str().is_some_and(|id| !id.is_empty()), "{welcome}");
        assert_eq!(welcome["session"], client.public_session(), "{welcome}");
        assert_eq!(welcome["user"], "ann", "{welcome}");
        assert_eq!(welcome["room"], room, "{welcome}");
        assert_eq!(welcome["kind"], "chat", "{welcome}");
        assert_eq!(welcome["offset"], 0, "{welcome}");
        assert_eq!(welcome["recovered"], false, "{welcome}");
        assert_eq!(welcome["publications"], json!([]), "{welcome}");
        assert_eq!(welcome["tags"], json!([]), "{welcome}");
        assert_eq!(welcome["occupancy"], json!({ "members": 1, "users": 1 }), "{welcome}");
        ensure!(welcome["limits"].is_object(), "{welcome}");
        let epoch = welcome["epoch"].as_str().unwrap_or_default();
        ensure!(epoch.len() == 16 && epoch.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{welcome}");
        let now_ms = tests::tokens::now_s() * 1000;
        let server_ms = welcome["server_time"].as_i64().unwrap_or_default();
        ensure!((server_ms - now_ms).abs() < 60_000, "server_time {server_ms}, here {now_ms}");
        let expires_ms = welcome["expires_at"].as_i64().unwrap_or_default();
        ensure!((expires_ms - now_ms - 3_600_000).abs() < 60_000, "expires_at {expires_ms}, here {now_ms}");
    }
    Ok(())
}

#[tokio::test]
async fn r_auth_5_the_answer_to_the_upgrade_names_the_codec_and_never_the_token() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let client = server.visit("chat:echo", "ann").codec(codec).connect().await?;
        let chosen = client.headers.get("sec-websocket-protocol").map(|value| value.as_bytes());
        assert_eq!(chosen, Some(codec.subprotocol().as_bytes()));
    }
    Ok(())
}

#[tokio::test]
async fn r_hello_2_requests_behind_hello_in_one_frame_run_after_it() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:pipelined-{codec:?}");
        let mut client = server.visit(&room, "ann").codec(codec).connect().await?;
        let id = client.next_id();
        let hello = json!({ "t": "hello", "session": client.session });
        let publish = json!({ "t": "publish", "id": id, "data": "first" });
        client.send_all(&[hello, publish]).await?;
        let result = client.answer(id).await?.result()?;
        assert_eq!(result["offset"], 1);
        client.published(&json!("first")).await?;
        assert_eq!(client.seen[0]["t"], "welcome", "nothing precedes the welcome");
        assert_eq!(client.seen[0]["offset"], 0, "the publish came after hello");
    }
    Ok(())
}

#[tokio::test]
async fn r_pres_2_members_false_leaves_the_list_out_of_the_welcome() -> Result<()> {
    let server = Server::start().await?;
    let _ann = server.visit("chat:list", "ann").join().await?;
    let bob = server.visit("chat:list", "bob").join().await?;
    ensure!(!list(&bob.welcome, "members").is_empty(), "the list is there by default: {}", bob.welcome);
    let cid = server.visit("chat:list", "cid").hello(json!({ "members": false })).join().await?;
    ensure!(cid.welcome.get("members").is_none(), "{}", cid.welcome);
    Ok(())
}

#[tokio::test]
async fn r_addr_1_rooms_of_different_names_share_nothing() -> Result<()> {
    let server = Server::start().await?;
    let mut here = server.visit("chat:one", "ann").join().await?;
    let mut there = server.visit("chat:One", "ann").join().await?;
    here.publish(json!("for one")).await?;
    there.publish(json!("for One")).await?;
    there.published(&json!("for One")).await?;
    assert_eq!(there.payloads(), [json!("for One")], "names are compared byte by byte");
    assert_ne!(here.welcome["epoch"], there.welcome["epoch"]);
    Ok(())
}

#[tokio::test]
async fn r_addr_1_the_rooms_path_segment_is_percent_decoded_once() -> Result<()> {
    let server = Server::start().await?;
    let plain = server.visit("chat:a~b", "ann").join().await?;
    let token = server.mint("bob", &json!({ "chat:a~b": ["join"] }), 60).await?;
    let url = server.connect_url("chat%3Aa%7Eb");
    let mut encoded = Upgrade::new(url, Codec::Json, Some(&token)).connect(Codec::Json).await?;
    encoded.hello(json!({})).await?;
    assert_eq!(encoded.welcome["room"], "chat:a~b");
    assert_eq!(encoded.welcome["epoch"], plain.welcome["epoch"], "it is the same room");
    Ok(())
}

#[tokio::test]
async fn r_auth_5_a_bearer_header_serves_for_the_upgrade_and_a_query_does_not() -> Result<()> {
    let server = Server::start().await?;
    let token = server.mint("ann", &json!({ "chat:bearer": ["join"] }), 60).await?;
    let url = server.connect_url("chat:bearer");
    let mut client = Upgrade::new(url.clone(), Codec::Json, None)
        .header("authorization", format!("Bearer {token}"))
        .connect(Codec::Json)
        .await?;
    client.hello(json!({})).await?;
    assert_eq!(client.welcome["user"], "ann");

    let in_query = Upgrade::new(format!("{url}?token={token}"), Codec::Json, None);
    assert_eq!(in_query.connect(Codec::Json).await?.closed().await?.code, 3501);
    Ok(())
}

#[tokio::test]
async fn r_hello_4_a_newer_connection_of_a_session_replaces_the_older_without_a_flap() -> Result<()> {
    let server = Server::start().await?;
    let mut watcher = server.visit("chat:twice", "eve").join().await?;
    let mut old = server.visit("chat:twice", "ann").join().await?;
    watcher.until_members(&["ann", "eve"]).await?;
    let session = old.session.clone();
    let mut new = server.visit("chat:twice", "ann").session(&session).join().await?;
    assert_eq!(old.closed().await?.code, 3511);
    assert_ne!(new.welcome["connection"], old.welcome["connection"]);
    new.publish(json!("still here")).await?;
    watcher.published(&json!("still here")).await?;
    let diffs = watcher.seen.iter().filter(|m| m["t"] == "presence").count();
    assert_eq!(diffs, 1, "ann joined once: {:?}", watcher.seen);
    watcher.until_members(&["ann", "eve"]).await?;
    Ok(())
}

#[tokio::test]
async fn r_hello_4_the_same_session_id_of_another_user_is_another_session() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:shared", "ann").join().await?;
    let session = ann.session.clone();
    let mut bob = server.visit("chat:shared", "bob").session(&session).join().await?;
    bob.publish(json!("hi")).await?;
    ann.published(&json!("hi")).await?;
    Ok(())
}

#[tokio::test]
async fn r_hello_3_a_session_id_outside_its_alphabet_or_length_is_refused() -> Result<()> {
    let server = Server::start().await?;
    for session in ["short12", "has space", "has:colon:", &"x".repeat(65), ""] {
        let mut client = server.visit("chat:sessions", "ann").session(session).connect().await?;
        client.send(&json!({ "t": "hello", "session": session })).await?;
        assert_eq!(client.closed().await?.code, 3500, "{session:?}");
    }
    for session in ["exactly8", &"y".repeat(64)] {
        server.visit("chat:sessions", "ann").session(session).join().await?;
    }
    Ok(())
}

#[tokio::test]
async fn r_addr_3_tenants_share_nothing_but_the_rooms_name() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:same-name";
    let join = async |tenant: Option<&str>| -> Result<tests::client::Client> {
        let mut claims = tests::tokens::claims("ann", room, &json!(["*"]));
        if let Some(tenant) = tenant {
            claims["tenant"] = json!(tenant);
        }
        let upgrade = Upgrade::new(server.connect_url(room), Codec::Json, Some(&tests::keys::good(&claims)));
        let mut client = upgrade.connect(Codec::Json).await?;
        client.hello(json!({})).await?;
        Ok(client)
    };
    let mut default = join(None).await?;
    let mut named = join(Some("default")).await?;
    let mut acme = join(Some("acme")).await?;
    assert_eq!(default.welcome["epoch"], named.welcome["epoch"]);
    assert_ne!(default.welcome["epoch"], acme.welcome["epoch"]);
    assert_eq!(acme.welcome["occupancy"], json!({ "members": 1, "users": 1 }));
    default.publish(json!("ours")).await?;
    named.published(&json!("ours")).await?;
    acme.publish(json!("theirs")).await?;
    acme.published(&json!("theirs")).await?;
    assert_eq!(acme.payloads(), [json!("theirs")]);
    assert_eq!(server.history(room).await?.publications.len(), 1, "the API key is of the tenant default");
    Ok(())
}
