//! `cargo run -p game-bots -- --url http://127.0.0.1:8787 --room arena:lobby --count 5`

use anyhow::{Result, bail};
use clap::Parser;
use game_bots::bot::{Bot, Heard};
use game_bots::tokens::Tokens;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

const NAMES: [&str; 24] = [
    "Umber", "Ochre", "Indigo", "Sienna", "Cobalt", "Madder", "Viridian", "Carmine", "Azure", "Sepia",
    "Saffron", "Celadon", "Mauve", "Russet", "Teal", "Coral", "Olive", "Plum", "Amber", "Slate", "Rose",
    "Jade", "Rust", "Lilac",
];

#[derive(Debug, Parser)]
#[command(about = "Players for an arena, by the dozen")]
struct Arguments {
    /// The deployment
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    url: String,
    /// The room
    #[arg(long, default_value = "arena:lobby")]
    room: String,
    /// How many
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// An API key of the deployment, which signs their tokens; without one it must be a development server
    #[arg(long, env = "ROOMCAST_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Leave after so many seconds, and print a line of JSON about each: how its frames came
    #[arg(long)]
    seconds: Option<u64>,
    /// Frames of the first seconds are not counted
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let tokens = Tokens::new(&arguments.url, arguments.key.clone());
    let mut bots = JoinSet::new();
    let mut told = Vec::new();
    for number in 0..arguments.count {
        let name = NAMES[usize::from(number) % NAMES.len()].to_owned();
        let bot = Bot {
            url: arguments.url.clone(),
            room: arguments.room.clone(),
            tokens: tokens.clone(),
            user: format!("bot-{number}"),
            name,
            seed: u64::from(number),
            warm_up: Duration::from_secs(arguments.warm_up),
        };
        let heard = Arc::new(Mutex::new(Heard::default()));
        told.push(Arc::clone(&heard));
        bots.spawn(bot.play(move |now| *heard.lock().unwrap_or_else(PoisonError::into_inner) = now));
    }
    let time = Duration::from_secs(arguments.seconds.unwrap_or(u64::MAX / 1_000));
    tokio::select! {
        Some(ended) = bots.join_next() => match ended? {
            Ok(()) => bail!("a bot's room is gone"),
            Err(error) => return Err(error),
        },
        () = tokio::time::sleep(time) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    if arguments.seconds.is_some() {
        for heard in told {
            report(*heard.lock().unwrap_or_else(PoisonError::into_inner))?;
        }
    }
    Ok(())
}

fn report(heard: Heard) -> Result<()> {
    let Heard { frames, changed, missing, bytes, fewest, most, worst_gap, span } = heard;
    let line = serde_json::json!({
        "frames": frames,
        "changed": changed,
        "missing": missing,
        "bytes": bytes,
        "fewest": fewest,
        "most": most,
        "worst_gap_ms": worst_gap.as_secs_f64() * 1e3,
        "span_ms": span.as_secs_f64() * 1e3,
    });
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
