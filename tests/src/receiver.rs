//! A webhook receiver that does as it is told: answers, fails, hangs, redirects, goes away and comes back. What it is
//! sent is verified by the Standard Webhooks project's own library.

use crate::http::Call;
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use hyper::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The endpoint's symmetric secret, as the standard writes it.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What is done with a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Answer(u16),
    /// 503 with `Retry-After`, in seconds.
    AskLater(u16),
    /// 302 to itself.
    Redirect,
    /// The connection is dropped once the POST was read.
    Drop,
    /// Nothing, for as long as the other side waits.
    Hang,
}

/// A POST as it came.
#[derive(Clone, Debug)]
pub struct Post {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// What was done with it.
    pub manner: Manner,
}

impl Post {
    pub fn header(&self, name: &str) -> Result<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("no {name} in {:?}", self.headers))
    }

    pub fn events(&self) -> Result<Vec<Value>> {
        let body: Value = serde_json::from_str(&self.body)?;
        body["events"].as_array().cloned().with_context(|| format!("no events in {body}"))
    }

    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self.manner, Manner::Answer(200..=299))
    }

    /// By the library's symmetric scheme, and by Ed25519 with the gateway's published key.
    pub fn verify(&self, key: &VerifyingKey) -> Result<()> {
        let (id, timestamp) = (self.header("webhook-id")?, self.header("webhook-timestamp")?);
        let signatures = self.header("webhook-signature")?;
        let mut headers = http::HeaderMap::new();
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)]
        {
            headers.insert(name, value.parse()?);
        }
        Webhook::new(SECRET)?.verify(self.body.as_bytes(), &headers).context("the library's verdict")?;
        let asymmetric = signatures.split(' ').find_map(|part| part.strip_prefix("v1a,"));
        let signature = STANDARD.decode(asymmetric.context("no v1a signature")?)?;
        let signed = format!("{id}.{timestamp}.{}", self.body);
        key.verify_strict(signed.as_bytes(), &Signature::from_slice(&signature)?).context("Ed25519's verdict")
    }
}

/// The key that a gateway publishes, as it writes it.
pub async fn published_x(authority: &str) -> Result<String> {
    let answer = Call::new(authority, Method::GET, "/.well-known/jwks.json").send().await?.ok()?;
    Ok(answer["keys"][0]["x"].as_str().with_context(|| format!("no key in {answer}"))?.to_owned())
}

/// The key that a gateway publishes.
pub async fn published_key(authority: &str) -> Result<VerifyingKey> {
    let x = published_x(authority).await?;
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(x)?.try_into().ok().context("32 bytes")?;
    Ok(VerifyingKey::from_bytes(&bytes)?)
}

#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    manner: Manner,
    posts: Vec<Post>,
    serving: Vec<JoinHandle<()>>,
}

impl Receiver {
    pub async fn start(manner: Manner) -> Result<Receiver> {
        let shared = Arc::new(Mutex::new(Shared { manner, posts: Vec::new(), serving: Vec::new() }));
        let mut receiver = Receiver { port: 0, shared, accepting: None };
        receiver.come_back().await?;
        Ok(receiver)
    }

    /// Listens again, on the same port.
    pub async fn come_back(&mut self) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        self.port = listener.local_addr()?.port();
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = tokio::spawn(serve(stream, Arc::clone(&shared)));
                lock(&shared).serving.push(serving);
            }
        }));
        Ok(())
    }

    /// The process dies: nothing listens, and what was being answered never is.
    pub fn go_away(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        lock(&self.shared).serving.drain(..).for_each(|serving| serving.abort());
    }

    pub fn set(&self, manner: Manner) {
        lock(&self.shared).manner = manner;
    }

    /// Every POST so far, in the order in which they were read.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.shared).posts.clone()
    }

    /// `ROOMCAST_WEBHOOKS` with this receiver as the endpoint `test`.
    #[must_use]
    pub fn configured(&self) -> String {
        let url = format!("http://127.0.0.1:{}/hook?of=test", self.port);
        json!([{ "id": "test", "url": url, "allow_private": true, "secret": SECRET }]).to_string()
    }

    /// What was taken, each batch once, in the order of its first arrival.
    pub fn taken(&self) -> Result<Vec<Value>> {
        let mut seen = BTreeSet::new();
        let mut events = Vec::new();
        for post in self.posts().iter().filter(|post| post.is_taken()) {
            if seen.insert(post.header("webhook-id")?.to_owned()) {
                events.extend(post.events()?);
            }
        }
        Ok(events)
    }

    /// Verifies everything that ever came, and that no two events share an id.
    pub fn judge(&self, key: &VerifyingKey) -> Result<()> {
        for post in self.posts() {
            post.verify(key)?;
            ensure!(post.path == "/hook?of=test", "{}", post.path);
        }
        let taken = self.taken()?;
        let ids: BTreeSet<_> = taken.iter().map(|event| event["id"].to_string()).collect();
        ensure!(ids.len() == taken.len(), "an event is in two batches that were taken");
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut read = Vec::new();
    while let Some(mut post) = next_post(&mut stream, &mut read).await {
        let manner = {
            let mut shared = lock(&shared);
            post.manner = shared.manner;
            shared.posts.push(post);
            shared.manner
        };
        let answer = match manner {
            Manner::Answer(status) => format!("HTTP/1.1 {status} As told\r\ncontent-length: 2\r\n\r\nok"),
            Manner::AskLater(seconds) => {
                format!("HTTP/1.1 503 Later\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Redirect => {
                "HTTP/1.1 302 Found\r\nlocation: /redirected\r\ncontent-length: 0\r\n\r\n".into()
            }
            Manner::Drop => return,
            Manner::Hang => {
                // Until the other side closes.
                drop(stream.read(&mut [0; 1]).await);
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next POST of the connection; `read` holds what was read beyond the last one.
async fn next_post(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Post> {
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, read).await?;
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let end = head_end + 4 + length?.1.parse::<usize>().ok()?;
    while read.len() < end {
        more(stream, read).await?;
    }
    let body = String::from_utf8_lossy(&read[head_end + 4..end]).into_owned();
    read.drain(..end);
    Some(Post { path, headers, body, manner: Manner::Drop })
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
    read.extend_from_slice(&chunk[..count]);
    Some(())
}
