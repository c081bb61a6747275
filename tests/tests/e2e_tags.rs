//! Tags: who carries one gets what carries one, live, by recovery and from history.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::client::Client;
use tests::server::Server;
use tests::wire::Codec;

async fn publish_tagged(client: &mut Client, data: &str, tags: &[&str]) -> Result<()> {
    let publish = json!({ "t": "publish", "data": data, "tags": tags });
    client.request(publish).await?.result().map(|_| ())
}

fn data(list: &Value) -> Vec<&str> {
    let publications = list.as_array().map_or(&[][..], Vec::as_slice);
    publications.iter().map(|publication| publication["data"].as_str().unwrap_or("?")).collect()
}

#[tokio::test]
async fn r_tag_1_a_tagged_publication_reaches_exactly_those_who_carry_one_of_its_tags() -> Result<()> {
    let server = Server::start().await?;
    for codec in Codec::BOTH {
        let room = format!("chat:tags-{codec:?}");
        let join =
            |user, tags: Value| server.visit(&room, user).codec(codec).hello(json!({ "tags": tags })).join();
        let mut red = join("red", json!(["red"])).await?;
        let mut both = join("both", json!(["red", "blue"])).await?;
        let mut none = join("none", json!([])).await?;
        assert_eq!(red.welcome["tags"], json!(["red"]));
        publish_tagged(&mut none, "r", &["red"]).await?;
        publish_tagged(&mut none, "b", &["blue", "green"]).await?;
        publish_tagged(&mut none, "all", &[]).await?;
        for client in [&mut red, &mut both, &mut none] {
            client.published(&json!("all")).await?;
        }
        assert_eq!(red.payloads(), [json!("r"), json!("all")]);
        assert_eq!(both.payloads(), [json!("r"), json!("b"), json!("all")]);
        assert_eq!(none.payloads(), [json!("all")], "who carries no tag gets untagged ones alone");
        let seen = both.seen.iter().find(|m| m["data"] == "b").cloned().unwrap_or_default();
        assert_eq!(seen["tags"], json!(["blue", "green"]));
        let offsets: Vec<&Value> =
            red.seen.iter().filter(|m| m["t"] == "publication").map(|m| &m["offset"]).collect();
        assert_eq!(offsets, [&json!(1), &json!(3)], "offsets count what one may not see");
    }
    Ok(())
}

#[tokio::test]
async fn r_tag_1_recovery_and_history_show_what_the_tags_allow_and_no_more() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:recover-tags", "author").join().await?;
    let red = json!({ "tags": ["red"] });
    let reader = server.visit("chat:recover-tags", "reader").hello(red).join().await?;
    let (position, session) = (reader.position()?, reader.session.clone());
    drop(reader);
    for (text, tags) in [("r1", &["red"][..]), ("b1", &["blue"]), ("u1", &[]), ("r2", &["blue", "red"])] {
        publish_tagged(&mut author, text, tags).await?;
    }
    let hello = json!({ "tags": ["red"], "recover": position });
    let mut reader =
        server.visit("chat:recover-tags", "reader").session(&session).hello(hello).join().await?;
    assert_eq!(reader.welcome["recovered"], true, "{}", reader.welcome);
    assert_eq!(data(&reader.welcome["publications"]), ["r1", "u1", "r2"]);
    assert_eq!(reader.welcome["offset"], 4);
    let page = reader.request(json!({ "t": "history" })).await?.result()?;
    assert_eq!(data(&page["messages"]), ["r1", "u1", "r2"]);
    let page = reader.request(json!({ "t": "history", "tags": ["blue"] })).await?.result()?;
    ensure!(!data(&page["messages"]).contains(&"b1"), "history shows a tag that was not subscribed: {page}");

    let hello = json!({ "tags": [], "recover": position });
    let plain = server.visit("chat:recover-tags", "reader").session(&session).hello(hello).join().await?;
    assert_eq!(data(&plain.welcome["publications"]), ["u1"], "hello's tags are the whole subscription");
    Ok(())
}

#[tokio::test]
async fn r_auth_4_tags_of_the_token_are_carried_without_asking() -> Result<()> {
    let server = Server::start().await?;
    let claims = json!({ "tags": ["team-a", "$staff"] });
    let mut member = server.visit("chat:token-tags", "m").claims(claims).join().await?;
    let mut tags: Vec<&str> =
        tests::roster::list(&member.welcome, "tags").iter().filter_map(Value::as_str).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["$staff", "team-a"]);
    let mut author = server.visit("chat:token-tags", "a").join().await?;
    publish_tagged(&mut author, "for a", &["team-a"]).await?;
    publish_tagged(&mut author, "for b", &["team-b"]).await?;
    publish_tagged(&mut author, "end", &[]).await?;
    member.published(&json!("end")).await?;
    assert_eq!(member.payloads(), [json!("for a"), json!("end")]);
    Ok(())
}

#[tokio::test]
async fn r_tag_3_a_tag_with_a_dollar_sign_cannot_be_chosen_by_a_client() -> Result<()> {
    let server = Server::start().await?;
    let mut sneak = server.visit("chat:dollar", "sneak").connect().await?;
    let hello = json!({ "t": "hello", "session": sneak.session, "tags": ["$staff"] });
    sneak.send(&hello).await?;
    let close = sneak.closed().await?;
    ensure!([3500, 3503].contains(&close.code), "{close:?}");
    ensure!(!sneak.seen.iter().any(|m| m["t"] == "welcome"), "{:?}", sneak.seen);
    Ok(())
}

#[tokio::test]
async fn r_tag_3_tags_over_their_bounds_are_refused_and_at_them_accepted() -> Result<()> {
    let server = Server::start().await?;
    let mut ann = server.visit("chat:many-tags", "ann").join().await?;
    let tags = |count: usize| (0..count).map(|n| format!("tag-{n}")).collect::<Vec<_>>();
    ann.request(json!({ "t": "publish", "data": 1, "tags": tags(8) })).await?.result()?;
    ann.request(json!({ "t": "publish", "data": 1, "tags": tags(9) })).await?.refused("invalid_argument")?;
    ann.request(json!({ "t": "publish", "data": 1, "tags": ["x".repeat(64)] })).await?.result()?;
    let long = json!({ "t": "publish", "data": 1, "tags": ["x".repeat(65)] });
    ann.request(long).await?.refused("invalid_argument")?;
    let many = server.visit("chat:many-tags", "bob").hello(json!({ "tags": tags(32) })).join().await?;
    assert_eq!(tests::roster::list(&many.welcome, "tags").len(), 32);
    Ok(())
}

#[tokio::test]
async fn r_tag_2_subscribe_and_unsubscribe_change_what_arrives_from_their_offset_on() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:subscribe", "author").join().await?;
    let claims = json!({ "tags": ["fixed"] });
    let mut reader = server.visit("chat:subscribe", "reader").claims(claims).join().await?;
    publish_tagged(&mut author, "too early", &["red"]).await?;
    let subscribe = json!({ "t": "subscribe", "tags": ["red"] });
    let result = reader.request(subscribe).await?.result()?;
    assert_eq!(result, json!({ "tags": ["fixed", "red"], "offset": 1 }));
    publish_tagged(&mut author, "in time", &["red"]).await?;
    reader.published(&json!("in time")).await?;
    let unsubscribe = json!({ "t": "unsubscribe", "tags": ["red", "fixed"] });
    let result = reader.request(unsubscribe).await?.result()?;
    assert_eq!(result, json!({ "tags": ["fixed"], "offset": 2 }), "the token's tags cannot be dropped");
    publish_tagged(&mut author, "too late", &["red"]).await?;
    publish_tagged(&mut author, "end", &["fixed"]).await?;
    reader.published(&json!("end")).await?;
    assert_eq!(reader.payloads(), [json!("in time"), json!("end")]);
    let staff = json!({ "t": "subscribe", "tags": ["$staff"] });
    reader.request(staff).await?.refused("invalid_argument")?;
    Ok(())
}

#[tokio::test]
async fn r_tag_4_who_is_far_behind_by_filters_is_told_its_position() -> Result<()> {
    let server = Server::start().await?;
    let mut author = server.visit("chat:withheld", "author").join().await?;
    let mut reader = server.visit("chat:withheld", "reader").join().await?;
    author.until_members(&["author", "reader"]).await?;
    let tagged = |id: u32| json!({ "t": "publish", "id": id, "data": id, "tags": ["other"] });
    author.send_all(&(1..=300).map(tagged).collect::<Vec<_>>()).await?;
    author.answer(300).await?.result()?;
    let _newcomer = server.visit("chat:withheld", "newcomer").join().await?;
    reader.until_members(&["author", "newcomer", "reader"]).await?;
    reader.expect("the position beside the diff", |m| m["t"] == "position" && m["offset"] == 300).await?;
    for part in (301..=1700).collect::<Vec<u32>>().chunks(100) {
        author.send_all(&part.iter().copied().map(tagged).collect::<Vec<_>>()).await?;
    }
    author.answer(1700).await?.result()?;
    let alone = |m: &Value| m["t"] == "position" && m["offset"].as_u64().is_some_and(|offset| offset >= 1300);
    reader.expect("a position of its own", alone).await?;
    ensure!(reader.payloads().is_empty(), "{:?}", reader.payloads());
    Ok(())
}

#[tokio::test]
async fn r_tag_3_only_a_token_that_has_a_dollar_tag_may_publish_to_it() -> Result<()> {
    let server = Server::start().await?;
    let staff = json!({ "tags": ["$staff"] });
    let mut boss = server.visit("chat:staff", "boss").claims(staff).join().await?;
    let mut guest = server.visit("chat:staff", "guest").join().await?;
    let secret = |text: &str| json!({ "t": "publish", "data": text, "tags": ["$staff"] });
    guest.request(secret("forged")).await?.refused("invalid_argument")?;
    boss.request(secret("for staff")).await?.result()?;
    boss.publish(json!("for all")).await?;
    guest.published(&json!("for all")).await?;
    assert_eq!(guest.payloads(), [json!("for all")]);
    assert_eq!(boss.payloads(), [json!("for staff"), json!("for all")]);
    let body = json!({ "data": "forged", "tags": ["$staff"] });
    let token = server.mint("guest", &json!({ "chat:staff": ["publish"] }), 60).await?;
    let call = server.post("/v1/rooms/chat:staff/publish").bearer(&token).json(&body);
    call.send().await?.problem(400, "invalid_argument")?;
    Ok(())
}
