//! The client for Rust against a real gateway.

use anyhow::{Context as _, Result, bail};
use roomcast_client::{
    Core, Error, ErrorCode, Event, Events, History, Payload, Room, Roomcast, StateOp, Status, TokenError,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::DEADLINE;
use tests::proxy::Proxy;
use tests::server::Server;
use tokio::time::timeout;

/// A client of `user` that reaches `server` at `authority`, with all rights.
fn client(server: &Arc<Server>, authority: &str, user: &'static str) -> Result<Roomcast> {
    let server = Arc::clone(server);
    Ok(Roomcast::new(&format!("http://{authority}"))?.token(move |room| {
        let server = Arc::clone(&server);
        async move {
            let rooms = json!({ room.to_string(): ["*"] });
            server.mint(user, &rooms, 3600).await.map_err(|error| TokenError::Failed(error.to_string()))
        }
    }))
}

async fn next(events: &mut Events) -> Result<Event> {
    timeout(DEADLINE, events.next()).await.context("no event came")?.context("the events ended")
}

/// The numbers that come as publications, up to `last`. Nothing may be missing in between.
async fn numbers(events: &mut Events, last: u64) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        match next(events).await? {
            Event::Published(publication) => numbers.push(number(publication.data.as_ref())?),
            Event::Gap { reason } => bail!("a gap: {reason:?}"),
            _ => {}
        }
    }
    Ok(numbers)
}

fn number(data: Option<&Payload>) -> Result<u64> {
    match data {
        Some(Payload::Json(text)) => Ok(text.as_str().parse()?),
        other => bail!("{other:?} is no number"),
    }
}

async fn until(room: &Room, holds: impl Fn(&Core) -> bool + Clone + Send + 'static) -> Result<()> {
    let seen = async {
        loop {
            let holds = holds.clone();
            if room.look(move |core| holds(core)).await? {
                return Ok::<(), Error>(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, seen).await.context("it never came to that")??;
    Ok(())
}

#[tokio::test]
async fn r_cli_1_a_room_joined_from_rust_has_all_that_a_room_has() -> Result<()> {
    let server = Arc::new(Server::start().await?);
    let authority = server.authority().to_owned();
    let (ada, mut heard) = client(&server, &authority, "ada")?.room("chat:rust")?.presence(&"here")?.open();
    let (bob, _) = client(&server, &authority, "bob")?.room("chat:rust")?.open();
    ada.join().await?;
    bob.join().await?;
    until(&ada, |core| core.members().len() == 2).await?;
    let members = bob.members().await?;
    let ada_there = members.iter().find(|member| member.user.as_str() == "ada").context("ada is a member")?;
    assert_eq!(ada_there.data, Some(Payload::of(&"here")));

    let published = bob.publish("message", &json!(1)).await?.context("a logged publish has an offset")?;
    assert_eq!(numbers(&mut heard, 1).await?, [1]);
    bob.edit(published.offset, &json!(2)).await?;
    bob.react(published.offset, "wave", true).await?;
    assert_eq!(bob.publish("cursor", &json!({ "x": 1 })).ephemeral().await?, None);
    let again = bob.publish("message", &json!(3)).key("three").await?.context("a place")?;
    let duplicate = ada.publish("message", &json!(3)).key("three").await?.context("a place")?;
    assert_ne!(again.offset, duplicate.offset, "keys of different users do not meet");
    let page = bob.history(History { id: 0, before: None, after: None, limit: 1, tags: Vec::new() }).await?;
    assert_eq!(page.messages.len(), 1);

    let set = |value: &Value, expected| StateOp::Set {
        key: "topic".to_owned(),
        value: Payload::of(value),
        expected,
        owned: false,
    };
    bob.write_state(vec![set(&json!("tea"), None)]).await?;
    until(&ada, |core| core.state().get("topic").is_some()).await?;
    let refused = bob.write_state(vec![set(&json!("coffee"), Some(0))]).await.expect_err("it is set");
    assert_eq!((refused.code(), refused.is_retryable()), (Some(ErrorCode::Conflict), false));
    bob.leave().await;
    assert_eq!(bob.status(), Status::Left);
    until(&ada, |core| core.members().len() == 1).await
}

#[tokio::test]
async fn r_cli_26_what_is_published_from_rust_under_a_key_arrives_once_over_cuts_and_kills() -> Result<()> {
    let mut server = Server::start().await?;
    let proxy = Proxy::start(server.authority()).await?;
    let token = server.mint("ada", &json!({ "chat:*": ["*"] }), 3600).await?;
    let client = Roomcast::new(&format!("http://{}", proxy.authority()))?.token(move |_| {
        let token = token.clone();
        async move { Ok(token) }
    });
    let (author, _) = client.room("chat:kept")?.open();
    let (reader, mut heard) = client.room("chat:kept")?.open();
    author.join().await?;
    reader.join().await?;
    const LAST: u64 = 120;
    let publishing = tokio::spawn({
        let author = author.clone();
        async move {
            for number in 1..=LAST {
                author.publish("message", &number).await?;
            }
            Ok::<(), Error>(())
        }
    });
    for cut_at in [20, 50] {
        numbers(&mut heard, cut_at).await?;
        proxy.cut();
        proxy.heal();
    }
    let mut seen = numbers(&mut heard, 80).await?;
    server.kill().await?;
    server.start_again(0).await?;
    proxy.redirect(server.authority());
    seen.extend(numbers(&mut heard, LAST).await?);
    publishing.await??;
    assert_eq!(seen, (51..=LAST).collect::<Vec<_>>());
    let history = server.history("chat:kept").await?;
    let stored: Vec<_> = history.publications.values().map(|publication| &publication["data"]).collect();
    assert_eq!(stored, (1..=LAST).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn r_cli_6_a_refusal_for_good_ends_the_client_for_rust() -> Result<()> {
    let server = Arc::new(Server::start().await?);
    let address = format!("http://{}", server.authority());
    let (nobody, _) = Roomcast::new(&address)?.room("chat:locked")?.open();
    match nobody.join().await {
        Err(Error::Failed(failure)) => assert_eq!(failure.code, 3501),
        other => bail!("without a token: {other:?}"),
    }
    let refusing = Roomcast::new(&address)?.token(|_| async { Err(TokenError::Refused("no".to_owned())) });
    let (refused, _) = refusing.room("chat:locked")?.open();
    assert!(matches!(refused.join().await, Err(Error::Failed(_))));
    assert!(matches!(refused.publish("message", &1).await, Err(Error::Rejected(_))));
    assert!(matches!(refusing.room("no kind"), Err(Error::Invalid(_))));
    assert!(matches!(Roomcast::new("ftp://rooms.example"), Err(Error::Invalid(_))));
    Ok(())
}

#[tokio::test]
async fn r_rust_1_whoever_reads_late_misses_nothing() -> Result<()> {
    let server = Arc::new(Server::start().await?);
    let authority = server.authority().to_owned();
    let (reader, mut heard) = client(&server, &authority, "ada")?.room("chat:late")?.open();
    reader.join().await?;
    let (deaf, unheard) = client(&server, &authority, "bob")?.room("chat:late")?.open();
    deaf.join().await?;
    const LAST: u64 = 9_000;
    for hundred in 0..LAST / 100 {
        let message = |number| json!({ "room": "chat:late", "data": hundred * 100 + number });
        let messages: Vec<Value> = (1..=100).map(message).collect();
        let answer =
            server.post("/v1/publish").bearer(&server.api_key()).json(&json!({ "messages": messages }));
        answer.send().await?.ok()?;
    }
    assert_eq!(numbers(&mut heard, LAST).await?, (1..=LAST).collect::<Vec<_>>());
    // Who says that nobody listens holds nothing up.
    drop(unheard);
    deaf.publish("message", &(LAST + 1)).await?;
    Ok(())
}
