//! A WebSocket client that follows the contract's page and trusts nobody: whatever the server sends is decoded
//! strictly, and the first thing that breaks the contract fails the test that waits next.

use crate::observer::Witness;
use crate::roster::{self, Roster};
use crate::wire::{Codec, Frame};
use crate::{DEADLINE, tokens};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

type Socket = WebSocketStream<TcpStream>;

/// 1 MiB + 64 KiB.
pub const FRAME_BYTES_MAX: usize = (1 << 20) + (64 << 10);

/// What arrives on a connection.
#[derive(Debug)]
enum Arrival {
    /// A WebSocket message of so many protocol messages, which follow.
    Frame(usize),
    Message(Value),
    Pong,
    Closed(Close),
    Fault(anyhow::Error),
}

/// The end of a connection as its peer saw it; 1006 is the one without a close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: String,
}

/// What became of a request: its `reply` or its `error`, whole.
#[derive(Clone, Debug)]
pub enum Answer {
    Reply(Value),
    Error(Value),
}

impl Answer {
    /// The reply's `result`.
    pub fn result(self) -> Result<Value> {
        match self {
            Answer::Reply(mut reply) => Ok(reply["result"].take()),
            Answer::Error(error) => bail!("refused: {error}"),
        }
    }

    /// The error, if its code is `code`.
    pub fn refused(self, code: &str) -> Result<Value> {
        match self {
            Answer::Error(error) if error["code"] == code => Ok(error),
            other => bail!("expected the error {code}, got {other:?}"),
        }
    }
}

/// An upgrade to be made.
#[derive(Clone, Debug)]
pub struct Upgrade {
    pub url: String,
    pub subprotocols: Vec<String>,
    pub headers: Vec<(&'static str, String)>,
}

/// The HTTP answer to an upgrade that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Refusal {
    /// The problem's `code`.
    pub fn code(&self) -> Result<String> {
        let problem: Value = serde_json::from_slice(&self.body)
            .with_context(|| format!("problem+json: {}", String::from_utf8_lossy(&self.body)))?;
        Ok(problem["code"].as_str().context("a problem has a code")?.to_owned())
    }
}

impl Upgrade {
    /// With the codec's subprotocol and the token beside it, as a browser would.
    #[must_use]
    pub fn new(url: String, codec: Codec, token: Option<&str>) -> Upgrade {
        let mut subprotocols = vec![codec.subprotocol().to_owned()];
        subprotocols.extend(token.map(|token| format!("roomcast.token.{token}")));
        Upgrade { url, subprotocols, headers: Vec::new() }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Upgrade {
        self.headers.push((name, value.into()));
        self
    }

    async fn perform(&self) -> Result<Result<(Socket, HeaderMap), Refusal>> {
        let mut request = self.url.as_str().into_client_request()?;
        if !self.subprotocols.is_empty() {
            let offered = HeaderValue::from_str(&self.subprotocols.join(", "))?;
            request.headers_mut().insert("sec-websocket-protocol", offered);
        }
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value)?);
        }
        let host = request.uri().host().context("the address has a host")?;
        let port = request.uri().port_u16().context("the address has a port")?;
        let stream = TcpStream::connect((host, port)).await.context("connect")?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, response)) => Ok(Ok((socket, response.headers().clone()))),
            Err(Error::Http(response)) => Ok(Err(Refusal {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.body().clone().unwrap_or_default(),
            })),
            Err(error) => Err(error).with_context(|| format!("upgrade {}", self.url)),
        }
    }

    /// The connection, hello not yet said.
    pub async fn connect(&self, codec: Codec) -> Result<Client> {
        match self.try_connect(codec).await? {
            Ok(client) => Ok(client),
            Err(refusal) => bail!("the upgrade was refused: {refusal:?}"),
        }
    }

    pub async fn try_connect(&self, codec: Codec) -> Result<Result<Client, Refusal>> {
        let outcome = tokio::time::timeout(DEADLINE, self.perform()).await.context("upgrade in time")??;
        Ok(outcome.map(|(socket, headers)| Client::new(socket, headers, codec)))
    }

    /// The HTTP answer of an upgrade that must not succeed.
    pub async fn refused(&self) -> Result<Refusal> {
        match self.try_connect(Codec::Json).await? {
            Ok(_) => bail!("{} was upgraded", self.url),
            Err(refusal) => Ok(refusal),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    pub codec: Codec,
    /// The session's secret id, chosen here.
    pub session: String,
    /// Null before [`Client::hello`].
    pub welcome: Value,
    /// The server's answer to the upgrade.
    pub headers: HeaderMap,
    /// Every message in the order of arrival.
    pub seen: Vec<Value>,
    /// How many of them each WebSocket message carried.
    pub frames: Vec<usize>,
    waiting: Vec<Value>,
    pongs: usize,
    closed: Option<Close>,
    request_id: u32,
    sink: SplitSink<Socket, Message>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    reader: JoinHandle<()>,
}

impl Drop for Client {
    /// The TCP connection goes, without a close frame.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Client {
    fn new(socket: Socket, headers: HeaderMap, codec: Codec) -> Client {
        let (sink, stream) = socket.split();
        let (arrived, arrivals) = mpsc::unbounded_channel();
        Client {
            codec,
            session: fresh_session(),
            welcome: Value::Null,
            headers,
            seen: Vec::new(),
            frames: Vec::new(),
            waiting: Vec::new(),
            pongs: 0,
            closed: None,
            request_id: 0,
            sink,
            arrivals,
            reader: tokio::spawn(read(stream, codec, arrived)),
        }
    }

    /// Says hello with `extra` fields and waits for the welcome, which nothing may precede.
    pub async fn hello(&mut self, extra: Value) -> Result<&Value> {
        let mut hello = json!({ "t": "hello", "session": self.session });
        let (Value::Object(hello_fields), Value::Object(extra)) = (&mut hello, extra) else {
            bail!("hello's fields are an object")
        };
        hello_fields.extend(extra);
        self.send(&hello).await?;
        self.welcome = self.expect("welcome", |m| m["t"] == "welcome").await?;
        ensure!(self.seen[0]["t"] == "welcome", "{} precedes the welcome", self.seen[0]);
        Ok(&self.welcome)
    }

    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.send_all(std::slice::from_ref(message)).await
    }

    /// Several protocol messages in one WebSocket message.
    pub async fn send_all(&mut self, messages: &[Value]) -> Result<()> {
        let frame = self.codec.encode(messages)?;
        self.send_frame(frame).await
    }

    pub async fn send_frame(&mut self, frame: Frame) -> Result<()> {
        let message = match frame {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        };
        self.sink.send(message).await.context("send")
    }

    pub fn next_id(&mut self) -> u32 {
        self.request_id += 1;
        self.request_id
    }

    /// Sends `message` under a fresh id and waits for what becomes of it.
    pub async fn request(&mut self, mut message: Value) -> Result<Answer> {
        let id = self.next_id();
        message["id"] = json!(id);
        self.send(&message).await?;
        self.answer(id).await
    }

    pub async fn answer(&mut self, id: u32) -> Result<Answer> {
        let what = format!("the answer to request {id}");
        let answer =
            self.expect(&what, |m| m["id"] == id && (m["t"] == "reply" || m["t"] == "error")).await?;
        Ok(if answer["t"] == "reply" { Answer::Reply(answer) } else { Answer::Error(answer) })
    }

    /// Publishes and returns the result.
    pub async fn publish(&mut self, data: Value) -> Result<Value> {
        self.request(json!({ "t": "publish", "data": data })).await?.result()
    }

    /// The first message not yet taken that `is_it`, now or within the deadline.
    pub async fn expect(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + DEADLINE;
        if let Some(found) = self.waiting.iter().position(&is_it) {
            return Ok(self.waiting.remove(found));
        }
        loop {
            match self.arrival(deadline).await.with_context(|| format!("waiting for {what}"))? {
                Some(message) if is_it(&message) => return Ok(message),
                Some(message) => self.waiting.push(message),
                None => {}
            }
            if let Some(close) = &self.closed {
                bail!("closed {} {:?} while waiting for {what}", close.code, close.reason);
            }
        }
    }

    pub async fn publication(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        self.expect(what, |m| m["t"] == "publication" && is_it(m)).await
    }

    /// The publication whose payload is `data`.
    pub async fn published(&mut self, data: &Value) -> Result<Value> {
        self.publication(&format!("the publication of {data}"), |m| m["data"] == *data).await
    }

    /// Waits until everything seen so far satisfies `is_so`.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&[Value]) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(&self.seen)? {
            ensure!(self.closed.is_none(), "closed {:?} while waiting until {what}", self.closed);
            if let Some(message) =
                self.arrival(deadline).await.with_context(|| format!("waiting until {what}"))?
            {
                self.waiting.push(message);
            }
        }
        Ok(())
    }

    /// Waits until the member list consists of these users, one entry a session, in any order.
    pub async fn until_members(&mut self, users: &[&str]) -> Result<Roster> {
        let mut expected = users.to_vec();
        expected.sort_unstable();
        let what = format!("the members are {expected:?}");
        self.until(&what, |seen| Ok(roster::users(&roster::roster(seen)?) == expected)).await?;
        roster::roster(&self.seen)
    }

    /// The payloads of the publications seen, recovered and rewound ones included, in the order of arrival.
    #[must_use]
    pub fn payloads(&self) -> Vec<Value> {
        let live = |message: &Value| message["t"] == "publication";
        self.seen
            .iter()
            .flat_map(|message| match live(message) {
                true => std::slice::from_ref(message),
                false => roster::list(message, "publications"),
            })
            .map(|publication| publication["data"].clone())
            .collect()
    }

    /// The public form of this session, as others see it.
    #[must_use]
    pub fn public_session(&self) -> String {
        tokens::public_session(&self.session)
    }

    /// Where this connection stands, as a hello's `recover` wants it.
    pub fn position(&self) -> Result<Value> {
        let mut witness = Witness::new("position");
        self.seen.iter().for_each(|message| witness.saw(message));
        witness.recover().context("no position before the welcome")
    }

    /// Everything that was sent to this connection before now has arrived once the answer to a request has.
    pub async fn barrier(&mut self) -> Result<()> {
        self.request(json!({ "t": "history", "limit": 1 })).await.map(|_| ())
    }

    pub async fn ping(&mut self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let before = self.pongs;
        self.sink.send(Message::text("ping")).await?;
        while self.pongs == before {
            if let Some(message) = self.arrival(deadline).await.context("waiting for pong")? {
                self.waiting.push(message);
            }
            ensure!(self.closed.is_none(), "closed while waiting for pong: {:?}", self.closed);
        }
        Ok(())
    }

    /// How the server ends the connection.
    pub async fn closed(&mut self) -> Result<Close> {
        self.closed_within(DEADLINE).await
    }

    pub async fn closed_within(&mut self, limit: Duration) -> Result<Close> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(close) = &self.closed {
                return Ok(close.clone());
            }
            if let Some(message) = self.arrival(deadline).await.context("waiting for the close")? {
                self.waiting.push(message);
            }
        }
    }

    /// Closes with `code` and waits until the server's answer and the end of its TCP connection were seen.
    pub async fn close(&mut self, code: u16) -> Result<Close> {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.sink.send(Message::Close(Some(frame))).await.context("send the close frame")?;
        self.closed().await
    }

    async fn arrival(&mut self, deadline: Instant) -> Result<Option<Value>> {
        if self.closed.is_some() {
            return Ok(None);
        }
        let arrival = timeout_at(deadline, self.arrivals.recv())
            .await
            .map_err(|_| anyhow!("nothing more in time; seen: {}", self.last_seen()))?;
        match arrival.context("the reader has ended")? {
            Arrival::Message(message) => {
                self.seen.push(message.clone());
                Ok(Some(message))
            }
            Arrival::Frame(messages) => {
                self.frames.push(messages);
                Ok(None)
            }
            Arrival::Pong => {
                self.pongs += 1;
                Ok(None)
            }
            Arrival::Closed(close) => {
                self.closed = Some(close);
                Ok(None)
            }
            Arrival::Fault(fault) => Err(fault.context("the server broke the contract")),
        }
    }

    /// The next message of any kind, however long it takes; `None` once the connection has ended.
    pub async fn next_message(&mut self) -> Result<Option<Value>> {
        loop {
            if !self.waiting.is_empty() {
                return Ok(Some(self.waiting.remove(0)));
            }
            if self.closed.is_some() {
                return Ok(None);
            }
            match self.arrivals.recv().await.context("the reader has ended")? {
                Arrival::Message(message) => {
                    self.seen.push(message.clone());
                    return Ok(Some(message));
                }
                Arrival::Frame(messages) => self.frames.push(messages),
                Arrival::Pong => self.pongs += 1,
                Arrival::Closed(close) => self.closed = Some(close),
                Arrival::Fault(fault) => return Err(fault.context("the server broke the contract")),
            }
        }
    }

    fn last_seen(&self) -> String {
        let from = self.seen.len().saturating_sub(8);
        self.seen[from..].iter().map(|m| format!("\n    {m}")).collect()
    }
}

async fn read(mut stream: SplitStream<Socket>, codec: Codec, arrived: mpsc::UnboundedSender<Arrival>) {
    let mut close = Close { code: 1006, reason: String::new() };
    while let Some(Ok(message)) = stream.next().await {
        let frame = match message {
            Message::Text(text) if text.as_str() == "pong" => {
                if arrived.send(Arrival::Pong).is_err() {
                    return;
                }
                continue;
            }
            Message::Text(text) => Frame::Text(text.as_str().to_owned()),
            Message::Binary(bytes) => Frame::Binary(bytes.to_vec()),
            Message::Close(frame) => {
                close = match frame {
                    Some(frame) => Close { code: frame.code.into(), reason: frame.reason.to_string() },
                    None => Close { code: 1005, reason: String::new() },
                };
                continue;
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let arrivals = match decode(codec, &frame) {
            Ok(messages) => {
                let head = Arrival::Frame(messages.len());
                std::iter::once(head).chain(messages.into_iter().map(Arrival::Message)).collect()
            }
            Err(fault) => vec![Arrival::Fault(fault)],
        };
        for arrival in arrivals {
            if arrived.send(arrival).is_err() {
                return;
            }
        }
    }
    // Whoever listened may have gone; then nobody wants to know.
    let _gone = arrived.send(Arrival::Closed(close));
}

/// The messages of a frame, which is within the bound unless one message alone is beyond it.
fn decode(codec: Codec, frame: &Frame) -> Result<Vec<Value>> {
    let messages = codec.decode(frame)?;
    let bytes = match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    };
    ensure!(bytes <= FRAME_BYTES_MAX || messages.len() == 1, "{} messages in {bytes} bytes", messages.len());
    Ok(messages)
}

/// A session id that no other client of this run has.
#[must_use]
pub fn fresh_session() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("s{:05}-{}", NEXT.fetch_add(1, Ordering::Relaxed), tokens::now_s())
}
