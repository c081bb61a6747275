//! One sender, many receivers, and a clock.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitStream};
use tokio::{net::TcpStream, task::LocalSet};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a payload travels.
#[derive(Debug, Clone)]
pub(crate) enum Dialect {
    /// The text is the payload, and comes back to its sender as its acknowledgement.
    Raw,
    /// `publish` and `publication`; the reply is the acknowledgement.
    Roomcast { token: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) dialect: Dialect,
    pub(crate) receivers: usize,
    pub(crate) in_flight: usize,
    pub(crate) seconds: u64,
}

/// What one round found. Times are in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) deliveries_per_second: f64,
    pub(crate) busy_p50: f64,
    pub(crate) busy_p99: f64,
    pub(crate) idle_p50: f64,
    pub(crate) idle_p99: f64,
}

const WARM_UP: Duration = Duration::from_secs(1);
const IDLE_MESSAGES: usize = 300;
const IDLE_PAUSE: Duration = Duration::from_millis(5);
/// Latency is taken at one receiver in so many.
const SAMPLED_EVERY: usize = 10;
const PAYLOAD_BYTES: usize = 100;
/// Stands once in each payload and nowhere else.
const MARK: u8 = b'#';

/// What the receivers saw while the window was open.
#[derive(Debug, Default)]
struct Window {
    is_open: bool,
    deliveries: u64,
    latencies: Vec<Duration>,
}

impl Load {
    pub(crate) async fn run(&self) -> Result<Measurement> {
        LocalSet::new().run_until(self.run_here()).await
    }

    async fn run_here(&self) -> Result<Measurement> {
        let began = Instant::now();
        let window = Rc::new(RefCell::new(Window::default()));
        for index in 0..self.receivers {
            let stream = self.join(index).await?;
            let (sink, stream) = stream.split();
            let window = Rc::clone(&window);
            tokio::task::spawn_local(async move {
                // The sink is held so that the connection stays.
                let _sink = sink;
                receive(stream, index % SAMPLED_EVERY == 0, began, &window).await;
            });
        }
        let mut sender = self.join(self.receivers).await?;
        let busy = self.busy(&mut sender, began, &window).await?;
        let idle = self.idle(&mut sender, began, &window).await?;
        let deliveries_per_second = busy.deliveries as f64 / self.seconds as f64;
        Ok(Measurement {
            deliveries_per_second,
            busy_p50: percentile(&busy.latencies, 50),
            busy_p99: percentile(&busy.latencies, 99),
            idle_p50: percentile(&idle.latencies, 50),
            idle_p99: percentile(&idle.latencies, 99),
        })
    }

    async fn join(&self, index: usize) -> Result<Socket> {
        let mut request = self.url.as_str().into_client_request()?;
        if let Dialect::Roomcast { token } = &self.dialect {
            let protocols = format!("roomcast.v1.json, roomcast.token.{token}");
            request.headers_mut().insert("sec-websocket-protocol", protocols.parse()?);
        }
        let (mut socket, _) = connect_async(request).await.context("failed to connect")?;
        if let Dialect::Roomcast { .. } = self.dialect {
            socket
                .send(Message::text(format!(r#"{{"t":"hello","session":"bench-session-{index}"}}"#)))
                .await?;
            match socket.next().await {
                Some(Ok(Message::Text(text))) if text.starts_with(r#"{"t":"welcome""#) => {}
                other => bail!("no welcome: {other:?}"),
            }
        }
        Ok(socket)
    }

    /// One message at a time, each after a pause.
    async fn idle(&self, sender: &mut Socket, began: Instant, window: &RefCell<Window>) -> Result<Window> {
        window.borrow_mut().is_open = true;
        for sequence in 0..IDLE_MESSAGES {
            sender.send(self.message(sequence, began)).await?;
            while acknowledged(&self.dialect, sender).await? == 0 {}
            tokio::time::sleep(IDLE_PAUSE).await;
        }
        Ok(std::mem::take(&mut *window.borrow_mut()))
    }

    /// So many in flight, for the measured time behind a warm-up.
    async fn busy(&self, sender: &mut Socket, began: Instant, window: &RefCell<Window>) -> Result<Window> {
        let (start, length) = (Instant::now(), Duration::from_secs(self.seconds));
        let (mut sequence, mut room) = (0, self.in_flight);
        while start.elapsed() < WARM_UP + length {
            window.borrow_mut().is_open = start.elapsed() >= WARM_UP;
            for _ in 0..std::mem::take(&mut room) {
                sender.feed(self.message(sequence, began)).await?;
                sequence += 1;
            }
            sender.flush().await?;
            room = acknowledged(&self.dialect, sender).await?;
        }
        let busy = std::mem::take(&mut *window.borrow_mut());
        while room < self.in_flight {
            room += acknowledged(&self.dialect, sender).await?;
        }
        Ok(busy)
    }

    fn message(&self, sequence: usize, began: Instant) -> Message {
        let mut payload = format!("{}{:012}", MARK as char, began.elapsed().as_nanos());
        payload.push_str(&"x".repeat(PAYLOAD_BYTES - payload.len()));
        Message::text(match self.dialect {
            Dialect::Raw => payload,
            Dialect::Roomcast { .. } => format!(r#"{{"t":"publish","id":{sequence},"data":"{payload}"}}"#),
        })
    }
}

/// How many of the sender's messages the next frame acknowledges.
async fn acknowledged(dialect: &Dialect, sender: &mut Socket) -> Result<usize> {
    let Some(Ok(Message::Text(text))) = sender.next().await else { bail!("the sender's connection ended") };
    Ok(match dialect {
        Dialect::Raw => 1,
        Dialect::Roomcast { .. } => {
            if memchr::memmem::find(text.as_bytes(), br#"{"t":"error""#).is_some() {
                bail!("refused: {text}");
            }
            memchr::memmem::find_iter(text.as_bytes(), br#"{"t":"reply""#).count()
        }
    })
}

async fn receive(mut stream: SplitStream<Socket>, samples: bool, began: Instant, window: &RefCell<Window>) {
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let mut window = window.borrow_mut();
        if !window.is_open {
            continue;
        }
        for at in memchr::memchr_iter(MARK, text.as_bytes()) {
            window.deliveries += 1;
            let sent = samples.then(|| text.get(at + 1..at + 13)?.parse().ok()).flatten();
            if let Some(sent) = sent {
                window.latencies.push(began.elapsed().saturating_sub(Duration::from_nanos(sent)));
            }
        }
    }
}

/// In microseconds; NaN of nothing.
fn percentile(latencies: &[Duration], percent: usize) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |latency| latency.as_nanos() as f64 / 1_000.0)
}
