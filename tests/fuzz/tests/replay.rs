//! Each target over its corpus, and over seeded mutations of it: the same inputs on every machine.
//!
//! `ROOMCAST_FUZZ=1000000` runs so many mutations a target instead of the few that a test has time for.

use std::{env, fs, panic, path::Path, time::Instant};

use fuzz::{TARGETS, mutate::Mutator};

const SEED: u64 = 0x726f_6f6d_6361_7374;

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&folder).expect("a target has a corpus");
    let paths = entries.map(|entry| entry.expect("a corpus can be listed").path());
    let mut seeds: Vec<(String, Vec<u8>)> = paths
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a seed can be read")))
        .collect();
    seeds.sort();
    seeds
}

/// Replays a target's corpus, then so many mutations of it.
fn replay(name: &str, mutations: u64) {
    let asked_for = env::var("ROOMCAST_FUZZ").ok().and_then(|count| count.parse().ok());
    let count = asked_for.unwrap_or(mutations);
    let (_, target) = TARGETS.into_iter().find(|(other, _)| *other == name).expect("a target's name");
    let seeds = corpus(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let began = Instant::now();
    for (path, seed) in &seeds {
        check(path, target, seed);
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, seed)| seed).collect();
    let mut mutator = Mutator::new(&seeds, SEED);
    for number in 0..count {
        check(&format!("mutation {number} of {name}"), target, &mutator.next_input());
    }
    let seconds = began.elapsed().as_secs_f32();
    println!("{name}: {} seeds and {count} mutations in {seconds:.1} s", seeds.len());
}

fn check(input_name: &str, target: fn(&[u8]), input: &[u8]) {
    if let Err(failure) = panic::catch_unwind(|| target(input)) {
        eprintln!("{input_name}: b\"{}\"", input.escape_ascii());
        panic::resume_unwind(failure);
    }
}

#[test]
fn every_target_is_replayed() {
    let source = include_str!("replay.rs");
    for (name, _) in TARGETS {
        assert!(source.contains(&format!("replay(\"{name}\"")), "{name} is not replayed");
    }
}

#[test]
fn r_frame_4_any_bytes_are_messages_or_refusals() {
    replay("client_frames", 10_000);
}

#[test]
fn r_cli_22_both_decoders_read_any_bytes_alike() {
    replay("server_frames", 10_000);
}

#[test]
fn r_cli_22_no_bytes_panic_a_client() {
    replay("client", 4_000);
}

#[test]
fn r_life_3_no_bytes_panic_a_room() {
    replay("room", 3_000);
}

#[test]
fn r_life_1_any_bytes_are_a_row_or_none() {
    replay("rows", 20_000);
}

#[test]
fn r_auth_1_no_bytes_are_a_token_by_chance() {
    replay("tokens", 2_000);
}

#[test]
fn r_conf_1_any_text_is_a_configuration_or_a_mistake() {
    replay("config", 10_000);
}

#[test]
fn r_frame_6_a_payload_is_one_json_value() {
    replay("payloads", 10_000);
}
