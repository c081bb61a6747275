//! `cargo run -p webhook-receiver`: prints a line an event. `ROOMCAST_WEBHOOK_SECRET` is the endpoint's `secret`,
//! `ROOMCAST_KEY` the `x` of the key in the gateway's `/.well-known/jwks.json`: one of them is enough.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use webhook_receiver::{Receiver, Verifier};

fn main() -> Result<()> {
    let variable = |name| std::env::var(name).ok();
    let (secret, key) = (variable("ROOMCAST_WEBHOOK_SECRET"), variable("ROOMCAST_KEY"));
    let receiver = Receiver::new(Verifier::new(secret.as_deref(), key.as_deref())?);
    let port = variable("PORT").and_then(|port| port.parse().ok()).unwrap_or(8790);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    receiver.serve(
        address,
        |port| println!("listening on {port}"),
        |event| {
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            println!("{} {} {} {}", word("type"), word("room"), word("id"), event["data"]);
            true
        },
    )
}
