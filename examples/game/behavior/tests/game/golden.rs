//! `golden/*.json`: what the page's own copy of the movement, and its reader of frames, are held to
//! (`tests/browser/game_golden.mjs`). `GOLDEN=write` writes them anew.

use crate::support::{Random, stir};
use game_behavior::frame::Frame;
use game_behavior::motion::{Body, FIELD, RADIUS};
use game_behavior::round::Phase;
use game_behavior::world::{SEATS, Seat, World};
use serde_json::{Value, json};
use std::path::Path;

fn is_golden(name: &str, made: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let made = format!("{made}\n").replace("},{", "},\n{");
    if std::env::var_os("GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(&file, &made).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).expect("the file is committed");
    assert!(
        committed == made,
        "{name} is not what this code comes to: GOLDEN=write cargo nextest run golden"
    );
}

fn numbers(body: &Body) -> Value {
    let Body { x, y, vx, vy, fx, fy, dash, stun, cooldown, shield } = *body;
    json!([x, y, vx, vy, fx, fy, dash, stun, cooldown, shield])
}

#[test]
fn golden_steps() {
    let mut random = Random(7);
    let mut walks = Vec::new();
    for walk in 0..12 {
        let place = |random: &mut Random| RADIUS + random.below(FIELD - 2 * RADIUS);
        let mut body = Body::at(place(&mut random), place(&mut random));
        if walk % 3 == 1 {
            (body.vx, body.vy, body.stun) = (random.below(601) - 300, random.below(601) - 300, 14);
        }
        let from = numbers(&body);
        let mut steps = Vec::new();
        let mut raw = (0, 0);
        for step in 0..60 {
            if step % 7 == 0 {
                raw = (random.below(321) - 160, random.below(321) - 160);
            }
            if step % 29 == 28 {
                raw = (0, 0);
            }
            let dash = random.below(8) == 0;
            body.step(game_behavior::motion::Wish::new(raw.0, raw.1, dash));
            steps.push(json!({ "wish": [raw.0, raw.1, dash], "body": numbers(&body) }));
        }
        walks.push(json!({ "from": from, "steps": steps }));
    }
    is_golden("motion.json", &Value::from(walks));
}

fn told(frame: &Frame) -> Value {
    json!({
        "full": frame.is_full,
        "tick": frame.tick,
        "since": frame.since,
        "phase": frame.phase,
        "left": frame.left,
        "players": frame.standings.iter().map(|standing| json!([standing.seat, standing.ack, numbers(&standing.body)])).collect::<Vec<_>>(),
        "gone": frame.gone,
        "buckets": frame.buckets,
        "tiles": frame.tiles,
        "bumps": frame.bumps.iter().map(|bump| json!([bump.by, bump.who])).collect::<Vec<_>>(),
    })
}

#[test]
fn golden_frames() {
    let (mut world, mut random) = (World::new(11), Random(13));
    let seats: Vec<Seat> = (0..SEATS as Seat).step_by(2).collect();
    seats.iter().for_each(|seat| world.enter(*seat));
    world.begin(Phase::Playing, 900);
    let mut frames = Vec::new();
    for number in 1..=260 {
        stir(&mut world, &seats, number, &mut random);
        if number == 200 {
            world.exit(2);
        }
        let Some(frame) = world.frame(false) else { continue };
        let is_shown =
            number % 65 == 0 || !frame.gone.is_empty() || (!frame.bumps.is_empty() && number % 10 == 0);
        frames.extend([frame].into_iter().filter(|_| is_shown));
    }
    frames.push(world.full_frame());
    assert!(
        frames.iter().any(|frame| !frame.bumps.is_empty())
            && frames.iter().any(|frame| !frame.gone.is_empty())
    );
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let frames: Vec<Value> =
        frames.iter().map(|frame| json!({ "bytes": hex(frame.encode()), "frame": told(frame) })).collect();
    is_golden("frames.json", &Value::from(frames));
}
