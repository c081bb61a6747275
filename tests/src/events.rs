//! A reader of server-sent events, as the HTML standard tells how to read them.

use crate::DEADLINE;
use crate::http::{Call, Response};
use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinHandle;

/// One event. The id is the last that was told, here or before.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// An open stream. Dropping it breaks the connection.
#[derive(Debug)]
pub struct Stream {
    pub head: Response,
    /// What the server asked to wait before coming back.
    pub retry_ms: Option<u64>,
    /// How many comments came.
    pub comments: usize,
    body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
    unread: String,
    last_id: String,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Stream {
    /// Calls, and expects a stream.
    pub async fn open(call: Call) -> Result<Stream> {
        let answered = tokio::time::timeout(DEADLINE, call.answered()).await;
        let (parts, mut body, connection) = answered.context("no answer in time")??;
        let mut head =
            Response { status: parts.status.as_u16(), headers: parts.headers, body: bytes::Bytes::new() };
        if head.status != 200 {
            head.body = (&mut body).collect().await?.to_bytes();
            bail!("status {}: {}", head.status, head.text());
        }
        ensure!(head.header("content-type") == Some("text/event-stream"), "{head:?}");
        let (unread, last_id) = (String::new(), String::new());
        Ok(Stream { head, retry_ms: None, comments: 0, body, connection, unread, last_id })
    }

    /// The next event, within the deadline.
    pub async fn next(&mut self) -> Result<Event> {
        let next = tokio::time::timeout(DEADLINE, self.read()).await.context("no event in time")?;
        next?.context("the stream ended")
    }

    /// The next event of that name; what comes before it is passed over.
    pub async fn until(&mut self, name: &str) -> Result<Event> {
        loop {
            let event = self.next().await?;
            if event.name == name {
                return Ok(event);
            }
        }
    }

    /// The next publication or ephemeral with this data.
    pub async fn told(&mut self, data: &Value) -> Result<Event> {
        loop {
            let event = self.next().await?;
            if event.data.get("data") == Some(data) {
                return Ok(event);
            }
        }
    }

    /// The end of the stream; what comes before it is passed over.
    pub async fn ended(&mut self) -> Result<()> {
        let read = async {
            // A connection that breaks has ended too.
            while let Ok(Some(_)) = self.read().await {}
        };
        tokio::time::timeout(DEADLINE, read).await.context("the stream does not end")
    }

    /// Reads until so many comments came in all.
    pub async fn comments(&mut self, count: usize) -> Result<()> {
        let read = async {
            while self.comments < count {
                self.more().await?.then_some(()).context("the stream ended")?;
                // Nothing but comments is expected.
                if let Some(event) = self.take()? {
                    bail!("{event:?} came");
                }
            }
            Ok(())
        };
        tokio::time::timeout(2 * DEADLINE, read).await.context("no comment in time")?
    }

    async fn read(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(Some(event));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> Result<bool> {
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        if let Some(data) = frame?.data_ref() {
            self.unread += std::str::from_utf8(data).context("a chunk ends within a character")?;
        }
        Ok(true)
    }

    /// The next whole event of what was received.
    fn take(&mut self) -> Result<Option<Event>> {
        while let Some((block, rest)) = self.unread.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.unread = rest;
            let (mut name, mut data) = (String::new(), Vec::new());
            for line in block.lines() {
                let (field, value) = line.split_once(':').with_context(|| format!("{line:?}"))?;
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "" => self.comments += 1,
                    "event" => name = value.to_owned(),
                    "id" => self.last_id = value.to_owned(),
                    "data" => data.push(value),
                    "retry" => self.retry_ms = Some(value.parse()?),
                    _ => bail!("{field} is no field of an event"),
                }
            }
            if !data.is_empty() {
                let data = serde_json::from_str(&data.join("\n")).context("data is JSON")?;
                return Ok(Some(Event { name, id: self.last_id.clone(), data }));
            }
        }
        Ok(None)
    }
}
