//! A TCP proxy whose cable a test can pull.

use anyhow::{Context as _, Result};
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the network between a client and the server is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    /// Connections end, new ones are dropped.
    Cut,
    /// Nothing arrives any more, and nobody is told: as when a network is exchanged for another. Connections that
    /// saw this never work again.
    Silent,
}

/// Forwards connections on a port of its own to the server.
#[derive(Debug)]
pub struct Proxy {
    authority: String,
    upstream: Arc<Mutex<String>>,
    weather: watch::Sender<Weather>,
    acceptor: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Proxy {
    /// In front of `upstream`, a `host:port`.
    pub async fn start(upstream: &str) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let authority = listener.local_addr()?.to_string();
        let upstream = Arc::new(Mutex::new(upstream.to_owned()));
        let (weather, watch) = watch::channel(Weather::Fair);
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&upstream), watch));
        Ok(Proxy { authority, upstream, weather, acceptor })
    }

    /// Where clients connect to instead, `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The server came back elsewhere.
    pub fn redirect(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.lock().expect("no holder of this lock panics"));
    }

    /// Ends all connections; new ones find nobody.
    pub fn cut(&self) {
        self.weather.send_replace(Weather::Cut);
    }

    /// From now on nothing goes through, old connection or new, and none ends.
    pub fn silence(&self) {
        self.weather.send_replace(Weather::Silent);
    }

    /// New connections go through again.
    pub fn heal(&self) {
        self.weather.send_replace(Weather::Fair);
    }
}

async fn accept(listener: TcpListener, upstream: Arc<Mutex<String>>, weather: watch::Receiver<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *weather.borrow() == Weather::Cut {
            continue;
        }
        let upstream = upstream.lock().expect("no holder of this lock panics").clone();
        connections.spawn(forward(client, upstream, weather.clone()));
    }
}

async fn forward(mut client: TcpStream, upstream: String, mut weather: watch::Receiver<Weather>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    let fate = tokio::select! {
        // Either end may go whenever it likes: that is what a connection's end looks like from here.
        _ = copy_bidirectional(&mut client, &mut server) => return,
        fate = weather.wait_for(|weather| *weather != Weather::Fair) => fate.map(|fate| *fate),
    };
    if fate.is_ok_and(|fate| fate == Weather::Silent) {
        // Both ends stay open, and unread, until the proxy goes.
        std::future::pending::<()>().await;
    }
}
