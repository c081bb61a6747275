//! my-app as `cargo xtask build` made it, on a real workerd: `cargo xtask test` builds it first.

use my_app_rooms::counter::Added;
use roomcast_client::{Event, Events, Payload, Roomcast};
use roomcast_xtask::server::Server;
use serde_json::json;
use std::time::Duration;

const ROOM: &str = "counter:lobby";
const HEARD_WITHIN: Duration = Duration::from_secs(30);

fn start() -> Server {
    Server::start(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the server starts")
}

/// The next `added` that comes.
async fn next_added(events: &mut Events) -> Added {
    let next = async {
        while let Some(event) = events.next().await {
            if let Event::Published(publication) = event
                && publication.kind == "added"
                && let Some(Payload::Json(data)) = &publication.data
            {
                return serde_json::from_str(data.as_str()).expect("is what the room says it is");
            }
        }
        panic!("the room was left");
    };
    tokio::time::timeout(HEARD_WITHIN, next)
        .await
        .expect("is heard")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_counts_through_a_restart() {
    let mut server = start();
    let token = server.token("ada").expect("is signed");
    let client = Roomcast::new(&server.url()).expect("is an address");
    let client = client.token(move |_room| std::future::ready(Ok(token.clone())));
    let (room, mut events) = client.room(ROOM).expect("is a name").open();
    room.join().await.expect("may come in");

    let answer = server
        .call(ROOM, "add", &json!({ "by": 40 }))
        .expect("is answered");
    assert_eq!((answer.status, answer.body), (200, json!({ "count": 40 })));
    assert_eq!(
        next_added(&mut events).await,
        Added {
            by: 40,
            user: None,
            count: 40
        }
    );

    server.restart().expect("comes up again");
    let answer = server
        .call(ROOM, "add", &json!({ "by": 2 }))
        .expect("is answered");
    assert_eq!((answer.status, answer.body), (200, json!({ "count": 42 })));
    // The client has come back by itself, or comes and catches up.
    assert_eq!(
        next_added(&mut events).await,
        Added {
            by: 2,
            user: None,
            count: 42
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_argument_is_a_problem_that_names_it() {
    let answer = start()
        .call(ROOM, "add", &json!({ "by": 1000 }))
        .expect("is answered");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.body["code"], "invalid_argument");
    assert_eq!(answer.body["details"][0]["path"], "by");
}
