//! A disk that is full, and has room again. Needs the right to mount; skipped, and says so, where that is missing.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::client::{Answer, Client};
use tests::observer::{Answered, Trial, Witness};
use tests::server::Server;
use tests::wire::Codec;

const ROOM: &str = "chat:disk-full";

/// A small file system of its own; gone when dropped.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path) -> Result<Option<SmallDisk>> {
        std::fs::create_dir_all(path)?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Some(SmallDisk { path: path.to_owned() })),
            Ok(output) => {
                eprintln!("skipped: cannot mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                Ok(None)
            }
            Err(error) => {
                eprintln!("skipped: there is no mount: {error}");
                Ok(None)
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    fn fill(&self) -> Result<()> {
        let mut filler = std::fs::File::create(self.filler())?;
        while filler.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        std::fs::remove_file(self.filler()).context("the filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the process may still have files open there.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn data(number: u32) -> Value {
    json!(format!("{number}-{}", "x".repeat(8_000)))
}

fn keyed(number: u32) -> Value {
    json!({ "t": "publish", "data": data(number), "key": format!("k{number}") })
}

/// Keyed publishes over a socket while the disk is full; returns what was answered. A socket that drops is replaced.
async fn publish_all(
    server: &Server,
    client: &mut Client,
    witness: &mut Witness,
    numbers: std::ops::Range<u32>,
) -> Result<Vec<Answered>> {
    let mut answered = Vec::new();
    for number in numbers {
        match client.request(keyed(number)).await {
            Ok(Answer::Reply(reply)) => answered.push(Answered::new(data(number), &reply["result"])?),
            Ok(Answer::Error(error)) => assert_eq!(error["code"], "unavailable", "{error}"),
            Err(_) => {
                let close = client.closed().await?;
                ensure!(close.code < 3500, "not for good: {close:?}");
                come_back(server, client, witness).await?;
            }
        }
    }
    Ok(answered)
}

/// What may fail as long as the disk is full.
async fn come_back(server: &Server, client: &mut Client, witness: &mut Witness) -> Result<()> {
    client.seen.iter().for_each(|message| witness.saw(message));
    let recover = witness.recover().context("a position")?;
    let visit = server.visit(ROOM, "ann").session(&client.session).hello(json!({ "recover": recover }));
    if let Ok(again) = visit.join().await {
        *client = again;
    } else {
        client.seen.clear();
    }
    Ok(())
}

async fn publish_over_http(server: &Server, number: u32) -> Result<Option<Answered>> {
    let call = server.post(&format!("/v1/rooms/{ROOM}/publish")).bearer(&server.api_key());
    let answer = call.json(&json!({ "data": data(number), "key": format!("h{number}") })).send().await?;
    if answer.status == 200 {
        return Ok(Some(Answered::new(data(number), &answer.json()?)?));
    }
    answer.problem(503, "unavailable")?;
    Ok(None)
}

#[tokio::test]
async fn r_pub_3_a_full_disk_refuses_loses_nothing_that_was_answered_and_keys_succeed_once_it_has_room()
-> Result<()> {
    let mut server = Server::prepared("")?;
    let Some(disk) = SmallDisk::mount(&server.data().join("objects"))? else { return Ok(()) };
    server.start_again(0).await?;
    let pid = server.pid();
    let mut witness = Witness::new("ann");
    let mut ann = server.visit(ROOM, "ann").join().await?;
    let mut bob = server.visit(ROOM, "bob").codec(Codec::Msgpack).join().await?;
    let mut answered = publish_all(&server, &mut ann, &mut witness, 0..5).await?;
    assert_eq!(answered.len(), 5);
    bob.published(&data(4)).await?;

    disk.fill()?;
    let on_full = publish_all(&server, &mut ann, &mut witness, 5..15).await?;
    ensure!(on_full.len() < 10, "80 KB went to a full disk");
    answered.extend(on_full);
    let mut refused = Vec::new();
    for number in 100..110 {
        match publish_over_http(&server, number).await? {
            Some(answer) => answered.push(answer),
            None => refused.push(number),
        }
    }
    ensure!(!refused.is_empty(), "80 KB went to a full disk");
    ensure!(server.pid() == pid, "the process lives");

    disk.make_room()?;
    for number in 100..110 {
        let answer = publish_over_http(&server, number).await?.context("the disk has room")?;
        answered.push(answer);
    }
    come_back(&server, &mut ann, &mut witness).await?;
    let again = publish_all(&server, &mut ann, &mut witness, 5..15).await?;
    assert_eq!(again.len(), 10, "everything is answered now");
    answered.extend(again);
    ann.seen.iter().for_each(|message| witness.saw(message));
    let mut of_bob = Witness::new("bob");
    bob.seen.iter().for_each(|message| of_bob.saw(message));
    for round in 0..2 {
        let history = server.history(ROOM).await?;
        assert_eq!(history.publications.len(), 5 + 10 + 10, "each once, round {round}");
        let witnesses = vec![witness.clone(), of_bob.clone()];
        Trial { history, answered: answered.clone(), witnesses }.verdict()?;
        server.kill().await?;
        server.start_again(0).await?;
    }
    Ok(())
}
