//! A session that outlives its connections: publishes numbered payloads, reconnects and recovers by itself, and keeps
//! account of everything for the observer. A publish whose outcome is unknown is repeated under its key, or never.

use crate::DEADLINE;
use crate::client::{Client, Upgrade, fresh_session};
use crate::observer::{Answered, Witness};
use crate::wire::Codec;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// Where the server is and whether to go on.
#[derive(Clone, Debug)]
pub struct Orders {
    /// `ws://host:port`; changes when the server comes back elsewhere.
    pub base: String,
    /// Publish no more, settle what is open, end.
    pub wind_up: bool,
}

/// How a talker behaves.
#[derive(Clone, Debug)]
pub struct Talker {
    pub name: String,
    pub room: String,
    pub token: String,
    pub codec: Codec,
    /// Publishes that wait for their reply at any time; 0 only listens.
    pub in_flight_max: usize,
    /// Whether its publishes carry a key, under which they are repeated until they are answered.
    pub keyed: bool,
}

/// What a talker did and saw.
#[derive(Debug)]
pub struct Account {
    pub witness: Witness,
    pub answered: Vec<Answered>,
    /// Publishes that were refused `unavailable`, and not repeated.
    pub rejected: Vec<Value>,
    /// Notices that the room was rebuilt after a fault.
    pub notices: usize,
    /// Connections that got a welcome.
    pub connections: usize,
    /// Welcomes with `recovered: true`.
    pub recoveries: usize,
    /// The reasons of welcomes that could not recover.
    pub refusals: Vec<Value>,
}

struct Run {
    talker: Talker,
    session: String,
    account: Account,
    next: u64,
    /// To be sent again, under their keys.
    unsettled: VecDeque<Value>,
}

/// Requests of one connection.
#[derive(Default)]
struct Open {
    waiting: BTreeMap<u32, Value>,
    /// Nobody waits for these any longer, but an answer that comes counts.
    given_up: BTreeMap<u32, Value>,
}

/// Nothing at all was heard for so long: what was asked may never be answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a connection's loop ended.
enum End {
    Lost,
    Settled,
}

impl Talker {
    /// Runs until told to wind up and everything is settled.
    pub async fn run(self, mut orders: watch::Receiver<Orders>) -> Result<Account> {
        let witness = Witness::new(&self.name);
        let account = Account {
            witness,
            answered: Vec::new(),
            rejected: Vec::new(),
            notices: 0,
            connections: 0,
            recoveries: 0,
            refusals: Vec::new(),
        };
        let session = fresh_session();
        let mut run = Run { talker: self, session, account, next: 0, unsettled: VecDeque::new() };
        loop {
            let client = run.connect(&mut orders).await?;
            match run.converse(client, &mut orders).await? {
                End::Lost => {}
                End::Settled => return Ok(run.account),
            }
        }
    }
}

impl Run {
    /// Tries until there is a welcome; a server that is down between two orders is nothing to complain about.
    async fn connect(&mut self, orders: &mut watch::Receiver<Orders>) -> Result<Client> {
        let deadline = Instant::now() + 3 * DEADLINE;
        loop {
            let base = orders.borrow_and_update().base.clone();
            let url = format!("{base}/v1/rooms/{}/connect", self.talker.room);
            let upgrade = Upgrade::new(url, self.talker.codec, Some(&self.talker.token));
            if let Ok(mut client) = upgrade.connect(self.talker.codec).await {
                client.session.clone_from(&self.session);
                let hello = match self.account.witness.recover() {
                    Some(position) => json!({ "recover": position }),
                    None => json!({}),
                };
                if client.hello(hello).await.is_ok() {
                    self.welcomed(&client.welcome);
                    return Ok(client);
                }
                ensure!(
                    !client.seen.iter().any(|m| m["t"] == "error"),
                    "{}: hello was refused: {:?}",
                    self.talker.name,
                    client.seen
                );
            }
            ensure!(Instant::now() < deadline, "{} found no way back", self.talker.name);
            // A new address ends the wait at once; the same one is worth another try a little later.
            let _elapsed = tokio::time::timeout(Duration::from_millis(20), orders.changed()).await;
        }
    }

    fn welcomed(&mut self, welcome: &Value) {
        let returning = self.account.connections > 0;
        self.account.connections += 1;
        self.account.witness.saw(welcome);
        if welcome["recovered"] == true {
            self.account.recoveries += 1;
        } else if returning {
            self.account.refusals.push(welcome["reason"].clone());
        }
    }

    async fn converse(&mut self, mut client: Client, orders: &mut watch::Receiver<Orders>) -> Result<End> {
        let mut open = Open::default();
        loop {
            let wind_up = orders.borrow().wind_up;
            if wind_up && open.waiting.is_empty() && self.unsettled.is_empty() {
                return Ok(End::Settled);
            }
            while open.waiting.len() < self.talker.in_flight_max {
                let Some(data) = self.next_payload(wind_up) else { break };
                let id = client.next_id();
                open.waiting.insert(id, data.clone());
                let mut publish = json!({ "t": "publish", "id": id, "data": data });
                if self.talker.keyed {
                    publish["key"] = data;
                }
                if client.send(&publish).await.is_err() {
                    self.give_up(&mut open);
                    return Ok(End::Lost);
                }
            }
            let message = tokio::select! {
                message = client.next_message() => message?,
                changed = orders.changed() => {
                    changed.context("whoever gives the orders is gone")?;
                    continue;
                }
                () = tokio::time::sleep(PATIENCE), if !open.waiting.is_empty() => {
                    self.give_up(&mut open);
                    continue;
                }
            };
            let Some(message) = message else {
                self.give_up(&mut open);
                return Ok(End::Lost);
            };
            self.take(&mut open, &message)?;
            if message["t"] == "notice" && message["code"] == "restarted" {
                self.account.notices += 1;
                self.give_up(&mut open);
            }
        }
    }

    fn next_payload(&mut self, wind_up: bool) -> Option<Value> {
        if let Some(again) = self.unsettled.pop_front() {
            return Some(again);
        }
        let number = (!wind_up).then_some(self.next)?;
        self.next += 1;
        Some(json!(format!("{}-{number}", self.talker.name)))
    }

    /// What waits for an answer has an unknown outcome.
    fn give_up(&mut self, open: &mut Open) {
        let waiting = std::mem::take(&mut open.waiting);
        if self.talker.keyed {
            self.unsettled.extend(waiting.values().cloned());
        }
        open.given_up.extend(waiting);
    }

    fn take(&mut self, open: &mut Open, message: &Value) -> Result<()> {
        self.account.witness.saw(message);
        let answer_to = message["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let Some(id) = answer_to else { return Ok(()) };
        let waited = open.waiting.remove(&id);
        let is_repeated = waited.is_none();
        let Some(data) = waited.or_else(|| open.given_up.remove(&id)) else { return Ok(()) };
        if message["t"] == "reply" {
            self.account.answered.push(Answered::new(data, &message["result"])?);
        } else if message["code"] != "unavailable" {
            bail!("{}: the publish of {data} was refused: {message}", self.talker.name);
        } else if !self.talker.keyed {
            self.account.rejected.push(data);
        } else if !is_repeated {
            self.unsettled.push_back(data);
        }
        Ok(())
    }
}
