//! A small HTTP/1.1 client: one connection a request, no pool, nothing hidden.

use crate::DEADLINE;
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A request to be made.
#[derive(Clone, Debug)]
pub struct Call {
    authority: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    #[must_use]
    pub fn new(authority: &str, method: Method, path: &str) -> Call {
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Call { authority, method, path, headers: Vec::new(), body: Bytes::new() }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.headers.push((name, value.into()));
        self
    }

    /// As if it had been reached under this name.
    #[must_use]
    pub fn host(self, host: &str) -> Call {
        self.header(HOST.as_str(), host)
    }

    /// As `Authorization: Bearer`: an API key or a user's token.
    #[must_use]
    pub fn bearer(self, credential: &str) -> Call {
        self.header(AUTHORIZATION.as_str(), format!("Bearer {credential}"))
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Call {
        self.header(CONTENT_TYPE.as_str(), "application/json").body(body.to_string())
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    pub async fn send(self) -> Result<Response> {
        let what = format!("{} {}", self.method, self.path);
        tokio::time::timeout(DEADLINE, self.perform())
            .await
            .with_context(|| format!("{what}: no answer in time"))?
            .with_context(|| what)
    }

    async fn perform(self) -> Result<Response> {
        let (parts, body, connection) = self.answered().await?;
        let body = body.collect().await.context("read the body")?.to_bytes();
        connection.abort();
        Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The answer as far as its headers; its body comes on the connection.
    pub(crate) async fn answered(self) -> Result<(Parts, Incoming, JoinHandle<hyper::Result<()>>)> {
        let stream = TcpStream::connect(&self.authority).await.context("connect")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path);
        if self.headers.iter().all(|(name, _)| *name != HOST) {
            request = request.header(HOST, self.authority);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = sender.send_request(request.body(Full::new(self.body))?).await?;
        let (parts, body) = response.into_parts();
        Ok((parts, body, connection))
    }
}

impl Response {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {:?}", self.text()))
    }

    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of a success.
    pub fn ok(self) -> Result<Value> {
        ensure!(self.status == 200, "status {}: {}", self.status, self.text());
        self.json()
    }

    /// Checks that this is the RFC 9457 problem with `status` and `code`, and returns it.
    pub fn problem(&self, status: u16, code: &str) -> Result<Value> {
        if self.status != status {
            bail!("expected {status} {code}, got {} {}", self.status, self.text());
        }
        let kind = self.header("content-type").unwrap_or_default();
        ensure!(kind.starts_with("application/problem+json"), "{status} {code} is {kind:?}: {}", self.text());
        let problem = self.json()?;
        ensure!(problem["code"] == code, "expected the code {code}, got {problem}");
        ensure!(problem["title"].is_string(), "a problem has a title: {problem}");
        ensure!(problem["status"] == status, "a problem repeats its status {status}: {problem}");
        ensure!(self.header("x-request-id").is_some(), "no x-request-id beside {problem}");
        Ok(problem)
    }
}
