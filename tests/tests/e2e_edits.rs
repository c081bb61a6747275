//! Edits, removals and reactions: live, folded in history, on recovery, and what erasure leaves.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::roster::list;
use tests::server::Server;
use tests::wire::Codec;

fn edit(offset: u64, data: &str) -> Value {
    json!({ "t": "edit", "offset": offset, "data": data })
}

fn remove(offset: u64) -> Value {
    json!({ "t": "remove", "offset": offset })
}

fn react(offset: u64, name: &str, on: bool) -> Value {
    json!({ "t": "react", "offset": offset, "name": name, "on": on })
}

fn edits_own() -> Value {
    json!(["join", "publish", "presence", "history", "edit-own"])
}

async fn joined(server: &Server, room: &str, user: &str, codec: Codec) -> Result<Client> {
    server.visit(room, user).codec(codec).rights(edits_own()).join().await
}

/// The folded messages over WebSocket, which HTTP must tell alike.
async fn history(server: &Server, room: &str, client: &mut Client) -> Result<Vec<Value>> {
    let page = client.request(json!({ "t": "history" })).await?.result()?;
    let path = format!("/v1/rooms/{room}/messages");
    let over_http = server.get(&path).bearer(&server.api_key()).send().await?.ok()?;
    assert_eq!(page, over_http, "both doors tell the same");
    Ok(list(&page, "messages").to_vec())
}

fn about(publication: &Value) -> (&Value, &Value, &Value, &Value) {
    (&publication["type"], &publication["ref"], &publication["offset"], &publication["data"])
}

#[tokio::test]
async fn r_edit_1_edits_reactions_and_removals_reach_everyone_as_publications() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:edits-{codec:?}");
        let mut ann = joined(&server, &room, "ann", codec).await?;
        let mut bob = joined(&server, &room, "bob", codec).await?;
        ann.publish(json!("text")).await?;
        assert_eq!(ann.request(edit(1, "better")).await?.result()?, json!({ "offset": 2 }));
        assert_eq!(bob.request(react(1, "+1", true)).await?.result()?, json!({ "offset": 3 }));
        assert_eq!(ann.request(remove(1)).await?.result()?, json!({ "offset": 4 }));
        for client in [&mut ann, &mut bob] {
            let seen = client.publication("the edit", |m| m["type"] == "edit").await?;
            assert_eq!(about(&seen), (&json!("edit"), &json!(1), &json!(2), &json!("better")));
            assert_eq!(seen["from"]["user"], "ann");
            let seen = client.publication("the reaction", |m| m["type"] == "react").await?;
            let says = json!({ "name": "+1", "on": true });
            assert_eq!(about(&seen), (&json!("react"), &json!(1), &json!(3), &says));
            assert_eq!(seen["from"]["user"], "bob");
            let seen = client.publication("the removal", |m| m["type"] == "remove").await?;
            assert_eq!(about(&seen), (&json!("remove"), &json!(1), &json!(4), &Value::Null));
            ensure!(seen.get("data").is_some(), "a removal says null: {seen}");
        }
        assert_eq!(ann.publish(json!("next")).await?["offset"], 5);
    }
    Ok(())
}

#[tokio::test]
async fn r_edit_1_they_reach_whoever_sees_their_target_and_nobody_else() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:edit-audience";
    let reds = json!({ "tags": ["red"] });
    let mut ann = server.visit(room, "ann").rights(edits_own()).hello(reds).join().await?;
    let mut bob = joined(&server, room, "bob", Codec::Msgpack).await?;
    let mut cid = joined(&server, room, "cid", Codec::Json).await?;
    let to_bob = json!({ "t": "publish", "data": "for bob", "to": { "users": ["bob"] } });
    ann.request(to_bob).await?.result()?;
    cid.request(json!({ "t": "subscribe", "tags": ["red"] })).await?.result()?;
    ann.request(json!({ "t": "publish", "data": "for red", "tags": ["red"] })).await?.result()?;
    ann.request(edit(1, "bob's, edited")).await?.result()?;
    ann.request(edit(2, "red, edited")).await?.result()?;
    bob.request(react(1, "seen", true)).await?.result()?;
    ann.publish(json!("end")).await?;
    for client in [&mut ann, &mut bob, &mut cid] {
        client.published(&json!("end")).await?;
    }
    let seen = json!({ "name": "seen", "on": true });
    assert_eq!(ann.payloads().len(), 6, "{:?}", ann.payloads());
    assert_eq!(bob.payloads(), [json!("for bob"), json!("bob's, edited"), seen, json!("end")]);
    assert_eq!(cid.payloads(), [json!("for red"), json!("red, edited"), json!("end")]);
    cid.request(react(1, "spy", true)).await?.refused("not_found")?;
    bob.request(react(2, "spy", true)).await?.refused("not_found")?;
    Ok(())
}

#[tokio::test]
async fn r_edit_2_what_cannot_be_a_target_is_not_found() -> Result<()> {
    let server = Server::with("kinds.chat.log.count = 5").await?;
    let room = "chat:edit-targets";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    for n in 1..=8 {
        ann.publish(json!(n)).await?;
    }
    ann.request(edit(8, "edited")).await?.result()?;
    ann.request(remove(7)).await?.result()?;
    for (what, offset) in [("zero", 0), ("trimmed", 1), ("an edit", 9), ("removed", 7), ("to come", 99)] {
        for request in [edit(offset, "x"), remove(offset), react(offset, "x", true)] {
            ann.request(request).await?.refused("not_found").with_context(|| what.to_owned())?;
        }
    }
    for wrong in [json!({ "t": "edit", "offset": 8 }), json!({ "t": "remove" }), react(8, "", true)] {
        ann.request(wrong).await?.refused("invalid_argument")?;
    }
    let large = json!({ "t": "edit", "offset": 8, "data": "x".repeat(65_535) });
    ann.request(large).await?.refused("too_large")?;
    assert_eq!(ann.publish(json!("next")).await?["offset"], 11, "refusals take no offset");
    Ok(())
}

#[tokio::test]
async fn r_edit_3_each_needs_its_capability() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:edit-rights";
    let with = |user: &'static str, more: &[&str]| {
        let mut rights = vec!["join", "history"];
        rights.extend(more);
        server.visit(room, user).rights(json!(rights)).join()
    };
    let mut ann = with("ann", &["publish", "edit-own"]).await?;
    let mut publisher = with("publisher", &["publish"]).await?;
    let mut editor = with("editor", &["edit-any"]).await?;
    let mut moderator = with("moderator", &["moderate"]).await?;
    let mut reader = with("reader", &[]).await?;
    for data in ["one", "two", "three"] {
        ann.publish(json!(data)).await?;
    }
    publisher.publish(json!("the publisher's")).await?;
    publisher.request(edit(4, "own, without the right")).await?.refused("forbidden")?;
    publisher.request(remove(4)).await?.refused("forbidden")?;
    for request in [edit(4, "another's"), remove(4)] {
        ann.request(request).await?.refused("forbidden").context("edit-own is for one's own")?;
    }
    moderator.request(edit(1, "moderated")).await?.refused("forbidden")?;
    for client in [&mut reader, &mut moderator, &mut editor] {
        client.request(react(1, "+1", true)).await?.refused("forbidden")?;
    }
    reader.request(edit(1, "x")).await?.refused("forbidden")?;
    reader.request(remove(1)).await?.refused("forbidden")?;
    editor.request(edit(1, "by the editor")).await?.result()?;
    editor.request(remove(1)).await?.result()?;
    moderator.request(remove(2)).await?.result()?;
    publisher.request(react(3, "+1", true)).await?.result()?;
    let mut tab = with("ann", &["edit-own"]).await?;
    tab.request(edit(3, "from another session")).await?.result()?;
    assert_eq!(server.history(room).await?.publications[&3]["edited"]["offset"], 9);
    Ok(())
}

/// What the log still says, wherever one may read it.
async fn everything(server: &Server, room: &str, client: &mut Client) -> Result<String> {
    let history = history(server, room, client).await?;
    let recover = json!({ "recover": { "epoch": client.welcome["epoch"], "offset": 0 } });
    let recovered = server.visit(room, "ann").hello(recover).join().await?;
    assert_eq!(recovered.welcome["recovered"], true, "{}", recovered.welcome);
    let rewound = server.visit(room, "ann").hello(json!({ "rewind": 200 })).join().await?;
    Ok(format!("{history:?}{:?}{:?}", recovered.welcome, rewound.welcome))
}

#[tokio::test]
async fn r_edit_4_removal_erases_the_target_and_its_edits_for_good() -> Result<()> {
    let mut server = Server::start().await?;
    let room = "chat:erased";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    ann.publish(json!("SECRET-ZERO")).await?;
    ann.request(edit(1, "SECRET-ONE")).await?.result()?;
    ann.request(react(1, "SECRET-TWO", true)).await?.result()?;
    ann.publish(json!("kept")).await?;
    ann.request(remove(1)).await?.result()?;
    ann.request(edit(1, "late")).await?.refused("not_found")?;
    for round in ["live", "evicted", "killed", "stopped"] {
        match round {
            "evicted" => server.evict(room).await?,
            "killed" => server.kill().await?,
            "stopped" => server.stop().await?,
            _ => {}
        }
        if server.pid().is_none() {
            server.start_again(0).await?;
            ann = joined(&server, room, "ann", Codec::Json).await?;
        }
        let said = everything(&server, room, &mut ann).await?;
        ensure!(!said.contains("SECRET-ZERO") && !said.contains("SECRET-ONE"), "{round}: {said}");
        let messages = history(&server, room, &mut ann).await?;
        let offsets: Vec<&Value> = messages.iter().map(|message| &message["offset"]).collect();
        assert_eq!(offsets, [1, 4], "{round}");
        let erased = &messages[0];
        ensure!(erased["removed"] == true && erased.get("data").is_none(), "{round}: {erased}");
        ensure!(erased.get("reactions").is_none() && erased.get("edited").is_none(), "{round}: {erased}");
        assert_eq!(erased["from"]["user"], "ann", "who and when stay");
        let recover = json!({ "recover": { "epoch": ann.welcome["epoch"], "offset": 0 } });
        let recovered = server.visit(room, "ann").hello(recover).join().await?;
        let publications = list(&recovered.welcome, "publications");
        let offsets: Vec<&Value> = publications.iter().map(|p| &p["offset"]).collect();
        assert_eq!(offsets, [1, 2, 3, 4, 5], "recovery stays dense");
        for erased in &publications[..2] {
            ensure!(erased["removed"] == true && erased.get("data").is_none(), "{round}: {erased}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn r_edit_5_history_folds_edits_and_reactions_into_their_targets() -> Result<()> {
    let mut server = Server::start().await?;
    let room = "chat:folded";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    let mut bob = joined(&server, room, "bob", Codec::Msgpack).await?;
    ann.publish(json!("first")).await?;
    ann.publish(json!("second")).await?;
    ann.request(edit(1, "first, edited")).await?.result()?;
    ann.request(edit(1, "first, edited again")).await?.result()?;
    bob.request(react(1, "+1", true)).await?.result()?;
    ann.request(react(1, "+1", true)).await?.result()?;
    ann.request(react(1, "heart", true)).await?.result()?;
    ann.request(react(1, "heart", false)).await?.result()?;
    let expected = json!({ "+1": { "count": 2, "users": ["bob", "ann"] } });
    for round in 0..3 {
        match round {
            1 => server.evict(room).await?,
            2 => {
                server.kill().await?;
                server.start_again(0).await?;
                ann = joined(&server, room, "ann", Codec::Msgpack).await?;
            }
            _ => {}
        }
        let messages = history(&server, room, &mut ann).await?;
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(
            (&messages[0]["offset"], &messages[0]["data"]),
            (&json!(1), &json!("first, edited again"))
        );
        assert_eq!(messages[0]["edited"]["offset"], 4);
        ensure!(messages[0]["edited"]["time"].as_u64() >= messages[0]["time"].as_u64(), "{messages:?}");
        assert_eq!(messages[0]["reactions"], expected);
        ensure!(messages[1].get("edited").is_none() && messages[1].get("reactions").is_none());
        let rewound = server.visit(room, "cid").hello(json!({ "rewind": 2 })).join().await?;
        assert_eq!(list(&rewound.welcome, "publications"), messages, "a rewind is history");
    }
    Ok(())
}

#[tokio::test]
async fn r_edit_5_a_reaction_lists_its_first_twenty_users_and_counts_all() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:many-reactions";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    ann.publish(json!("popular")).await?;
    for n in 0..25 {
        let mut client = joined(&server, room, &format!("u{n:02}"), Codec::Json).await?;
        client.request(react(1, "+1", true)).await?.result()?;
    }
    let messages = history(&server, room, &mut ann).await?;
    let reaction = &messages[0]["reactions"]["+1"];
    let users: Vec<String> = (0..20).map(|n| format!("u{n:02}")).collect();
    assert_eq!((&reaction["count"], &reaction["users"]), (&json!(25), &json!(users)));
    Ok(())
}

#[tokio::test]
async fn r_edit_6_a_reaction_counts_once_and_one_that_changes_nothing_is_published_to_nobody() -> Result<()> {
    let server = Server::start().await?;
    let room = "chat:reactions";
    let mut ann = joined(&server, room, "ann", Codec::Json).await?;
    ann.publish(json!("text")).await?;
    assert_eq!(ann.request(react(1, "+1", true)).await?.result()?, json!({ "offset": 2 }));
    assert_eq!(ann.request(react(1, "+1", true)).await?.result()?, json!({ "offset": 2 }), "the head");
    assert_eq!(ann.request(react(1, "no", false)).await?.result()?, json!({ "offset": 2 }));
    assert_eq!(ann.request(react(1, "+1", false)).await?.result()?, json!({ "offset": 3 }));
    assert_eq!(ann.request(react(1, "+1", false)).await?.result()?, json!({ "offset": 3 }));
    for name in [String::new(), "x".repeat(33)] {
        ann.request(react(1, &name, true)).await?.refused("invalid_argument")?;
    }
    for n in 0..64 {
        ann.request(react(1, &format!("{n:032}"), true)).await?.result()?;
    }
    ann.request(react(1, "one too many", true)).await?.refused("invalid_argument")?;
    ann.request(react(1, &format!("{:032}", 7), false)).await?.result()?;
    ann.request(react(1, "one too many", true)).await?.result()?;
    let reactions = ann.seen.iter().filter(|m| m["type"] == "react").count();
    ann.barrier().await?;
    assert_eq!(reactions, 2 + 64 + 2, "only changes are published");
    let messages = history(&server, room, &mut ann).await?;
    assert_eq!(messages[0]["reactions"].as_object().map(serde_json::Map::len), Some(64));
    Ok(())
}
