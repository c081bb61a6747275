//! One bot's stay in a room.

use crate::tokens::Tokens;
use anyhow::Result;
use game_behavior::brain::Brain;
use game_behavior::frame::Frame;
use game_behavior::lobby::Lobby;
use game_behavior::round::Phase;
use game_behavior::view::View;
use game_behavior::world::Seat;
use roomcast_client::{Event, Events, Payload, Request, Room, Roomcast, Status, TokenError};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a bot waits before it asks for a seat or says it is ready again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whom to be, and where.
#[derive(Debug, Clone)]
pub struct Bot {
    pub url: String,
    pub room: String,
    pub tokens: Tokens,
    pub user: String,
    pub name: String,
    pub seed: u64,
    /// Frames that come sooner after its entry are not counted.
    pub warm_up: Duration,
}

/// How frames came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Frames, since the first that counts.
    pub frames: u64,
    /// Of them, those that say that something moved or was painted.
    pub changed: u64,
    /// Times that one was missing.
    pub missing: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Frames in the whole seconds since the first one: the fewest and the most.
    pub fewest: Option<u64>,
    pub most: u64,
    /// The longest time between two.
    pub worst_gap: Duration,
    /// From the first to the last.
    pub span: Duration,
}

impl Bot {
    /// Plays for as long as the future is polled, and tells through `heard` how frames come.
    ///
    /// # Errors
    /// Where the room refuses for good.
    pub async fn play(self, heard: impl FnMut(Heard)) -> Result<()> {
        let Bot { url, room, tokens, user, name, seed, warm_up } = self;
        let client = Roomcast::new(&url)?.token(move |room| {
            let (tokens, user, name) = (tokens.clone(), user.clone(), name.clone());
            async move {
                let fetching =
                    tokio::task::spawn_blocking(move || tokens.fetch(&user, &room.to_string(), &name));
                let fetched = fetching.await.map_err(|error| TokenError::Failed(error.to_string()))?;
                fetched.map_err(|error| TokenError::Failed(format!("{error:#}")))
            }
        });
        let (room, events) = client.room(&room)?.open();
        let player = Player {
            room: room.clone(),
            session: None,
            brain: Brain::new(seed),
            view: View::default(),
            lobby: Lobby::default(),
            number: 0,
            asked: None,
            clock: Clock::counting_from(Instant::now() + warm_up),
            heard,
        };
        room.join().await?;
        player.run(events).await
    }
}

struct Player<H> {
    room: Room,
    /// Our public one.
    session: Option<String>,
    brain: Brain,
    view: View,
    lobby: Lobby,
    /// Of the last wish; they rise for as long as the session lasts.
    number: u32,
    /// When we last asked to sit, or said that we are ready.
    asked: Option<Instant>,
    clock: Clock,
    heard: H,
}

#[derive(Debug)]
struct Clock {
    from: Instant,
    heard: Heard,
    began: Option<Instant>,
    last: Option<Instant>,
    /// The second at hand since the first frame, and how many it has.
    second: (u64, u64),
}

impl<H: FnMut(Heard)> Player<H> {
    async fn run(mut self, mut events: Events) -> Result<()> {
        while let Some(event) = events.next().await {
            match event {
                Event::Fanned(ephemeral) if ephemeral.kind == "frame" => {
                    if let Payload::Bytes(bytes) = &ephemeral.data {
                        self.frame(bytes)?;
                    }
                }
                Event::StateChanged(_) => self.look_at_lobby().await?,
                Event::Welcomed(me) => {
                    (self.session, self.asked) = (Some(me.session.as_str().to_owned()), None)
                }
                Event::StatusChanged(Status::Failed(failure)) => {
                    anyhow::bail!("the room refused: {failure:?}")
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn look_at_lobby(&mut self) -> Result<()> {
        if let Some(entry) = self.room.state("lobby").await?
            && let Payload::Json(text) = &entry.value
        {
            self.lobby = serde_json::from_str(text.as_str())?;
        }
        Ok(())
    }

    fn frame(&mut self, bytes: &[u8]) -> Result<()> {
        let frame = Frame::decode(bytes)?;
        let now = Instant::now();
        let is_first = !self.view.is_whole();
        if self.view.apply(&frame).is_err() {
            self.clock.heard.missing += u64::from(!is_first);
            self.send("resync", &json!(null));
            return Ok(());
        }
        self.clock.count(&frame, bytes.len(), now);
        (self.heard)(self.clock.heard);
        let seated = self.lobby.seats.iter().find(|seated| Some(&seated.session) == self.session.as_ref());
        let Some((seat, is_ready)) = seated.map(|seated| (seated.seat, seated.is_ready)) else {
            self.ask(now, "sit", &json!(null));
            return Ok(());
        };
        if !is_ready && self.view.phase != Phase::Playing {
            self.ask(now, "ready", &json!({ "ready": true }));
        }
        self.want(seat);
        Ok(())
    }

    fn want(&mut self, seat: Seat) {
        let wish = self.brain.think(&self.view, seat);
        self.number += 1;
        self.send("input", &json!({ "n": self.number, "x": wish.x, "y": wish.y, "dash": wish.dash }));
    }

    /// Nobody waits for the answer: a frame says what became of it.
    fn send(&self, kind: &str, data: &serde_json::Value) {
        let publish = self.room.publish(kind, data).ephemeral();
        tokio::spawn(async move { publish.await.ok() });
    }

    fn ask(&mut self, now: Instant, method: &str, args: &serde_json::Value) {
        if self.asked.is_some_and(|asked| now.duration_since(asked) < PATIENCE) {
            return;
        }
        self.asked = Some(now);
        let (room, request) =
            (self.room.clone(), Request::Call { method: method.to_owned(), args: Payload::of(args) });
        tokio::spawn(async move { room.request(request).await.ok() });
    }
}

impl Clock {
    fn counting_from(from: Instant) -> Clock {
        Clock { from, heard: Heard::default(), began: None, last: None, second: (0, 0) }
    }

    fn count(&mut self, frame: &Frame, bytes: usize, now: Instant) {
        if now < self.from {
            return;
        }
        let heard = &mut self.heard;
        if let Some(last) = self.last {
            heard.worst_gap = heard.worst_gap.max(now.duration_since(last));
        }
        let began = *self.began.get_or_insert(now);
        (self.last, heard.span) = (Some(now), now.duration_since(began));
        let (second, count) = (heard.span.as_secs(), self.second.1);
        if second > self.second.0 {
            // A second that passed without any has none.
            let count_least = if second > self.second.0 + 1 { 0 } else { count };
            heard.fewest = Some(heard.fewest.map_or(count_least, |fewest| fewest.min(count_least)));
            heard.most = heard.most.max(count);
            self.second = (second, 0);
        }
        self.second.1 += 1;
        heard.frames += 1;
        heard.bytes += bytes as u64;
        let is_change = !frame.standings.is_empty() || !frame.tiles.is_empty();
        heard.changed += u64::from(is_change);
    }
}
