//! A reader of answers that come as lines of JSON.

use crate::DEADLINE;
use crate::http::{Call, Response};
use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinHandle;

/// An answer that has begun. Dropping it breaks the connection.
#[derive(Debug)]
pub struct Lines {
    pub head: Response,
    body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
    unread: String,
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Lines {
    /// Calls, and expects lines.
    pub async fn open(call: Call) -> Result<Lines> {
        let answered = tokio::time::timeout(DEADLINE, call.answered()).await;
        let (parts, mut body, connection) = answered.context("no answer in time")??;
        let mut head =
            Response { status: parts.status.as_u16(), headers: parts.headers, body: bytes::Bytes::new() };
        if head.status != 200 {
            head.body = (&mut body).collect().await?.to_bytes();
            bail!("status {}: {}", head.status, head.text());
        }
        ensure!(head.header("content-type") == Some("application/x-ndjson"), "{head:?}");
        Ok(Lines { head, body, connection, unread: String::new() })
    }

    /// The next line, within the deadline; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        tokio::time::timeout(DEADLINE, self.read()).await.context("no line in time")?
    }

    /// The next chunk, of which there is one.
    pub async fn chunk(&mut self) -> Result<Value> {
        let line = self.next().await?.context("the answer ended")?;
        ensure!(line["more"] == true, "no chunk, but {line}");
        Ok(line["result"].clone())
    }

    /// All chunks that are left, and the last line.
    pub async fn rest(&mut self) -> Result<(Vec<Value>, Value)> {
        let mut chunks = Vec::new();
        loop {
            let line = self.next().await?.context("the answer ended without its last line")?;
            if line["more"] != true {
                ensure!(self.next().await?.is_none(), "something came behind {line}");
                return Ok((chunks, line));
            }
            chunks.push(line["result"].clone());
        }
    }

    async fn read(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some((line, rest)) = self.unread.split_once('\n') {
                let value = serde_json::from_str(line).with_context(|| format!("no JSON: {line:?}"))?;
                self.unread = rest.to_owned();
                return Ok(Some(value));
            }
            let Some(frame) = self.body.frame().await else {
                ensure!(self.unread.is_empty(), "half a line: {:?}", self.unread);
                return Ok(None);
            };
            if let Some(data) = frame?.data_ref() {
                self.unread += std::str::from_utf8(data).context("a chunk ends within a character")?;
            }
        }
    }
}
