//! One WebSocket: a task that opens it, and carries frames both ways.

use client_core::Attempt;
use futures_util::{SinkExt as _, StreamExt as _};
use schemas::{Codec, Frame};
use tokio::{sync::mpsc, task::AbortHandle};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

/// 1 MiB + 64 KiB, as the server has it.
const FRAME_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// So many frames wait for the driver; then the peer waits.
const ARRIVALS_MAX: usize = 64;
/// Where no close was seen.
const ABNORMAL: u16 = 1006;

/// What happened to a socket.
#[derive(Debug)]
pub(crate) enum Arrival {
    Opened,
    Frame(Frame),
    Closed { code: u16, reason: String },
}

/// A socket that is opening or open. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) attempt: Attempt,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    leaving: mpsc::UnboundedSender<Message>,
    reading: AbortHandle,
}

impl Socket {
    pub(crate) fn open(attempt: Attempt, address: String, token: Option<String>) -> Socket {
        let (arrived, arrivals) = mpsc::channel(ARRIVALS_MAX);
        // What waits here is bounded by the core: unanswered requests, acks and pings.
        let (leaving, left) = mpsc::unbounded_channel();
        let reading = tokio::spawn(async move {
            let (code, reason) = carry(address, token, left, &arrived).await;
            // Where nobody listens any more, nobody needs to know.
            drop(arrived.send(Arrival::Closed { code, reason }).await);
        });
        Socket { attempt, arrivals, leaving, reading: reading.abort_handle() }
    }

    pub(crate) fn send(&self, frame: Frame) {
        let message = match frame {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        };
        // A socket on its way out tells so itself.
        drop(self.leaving.send(message));
    }

    /// Says the code; the peer's answer is not waited for.
    pub(crate) fn close(self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        drop(self.leaving.send(Message::Close(Some(frame))));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Until the end, which it returns.
async fn carry(
    address: String,
    token: Option<String>,
    mut left: mpsc::UnboundedReceiver<Message>,
    arrived: &mpsc::Sender<Arrival>,
) -> (u16, String) {
    let abnormal = (ABNORMAL, String::new());
    let Ok(mut request) = address.into_client_request() else { return abnormal };
    let token = token.map(|token| format!(", roomcast.token.{token}")).unwrap_or_default();
    let Ok(protocols) = HeaderValue::from_str(&format!("{}{token}", Codec::Msgpack.subprotocol())) else {
        return abnormal;
    };
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let Ok((socket, _)) = connect_async_with_config(request, Some(config), true).await else {
        return abnormal;
    };
    let (mut sink, mut stream) = socket.split();
    let writing = tokio::spawn(async move {
        while let Some(message) = left.recv().await {
            let is_last = message.is_close();
            if sink.send(message).await.is_err() || is_last {
                break;
            }
        }
    });
    let mut end = abnormal;
    if arrived.send(Arrival::Opened).await.is_ok() {
        while let Some(Ok(message)) = stream.next().await {
            let frame = match message {
                Message::Text(text) => Frame::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => Frame::Binary(bytes.into()),
                Message::Close(frame) => {
                    end = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                    break;
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if arrived.send(Arrival::Frame(frame)).await.is_err() {
                break;
            }
        }
    }
    writing.abort();
    end
}
