//! The gateway's end of a connection to a room: what it hears, bounded, one after another.

use std::{cell::Cell, rc::Rc};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt as _;
use js_sys::Uint8Array;
use schemas::{CloseCode, Frame};
use wasm_bindgen::{JsCast as _, closure::Closure};
use worker::{
    WebSocket,
    worker_sys::web_sys::{self, BinaryType, CloseEvent, Event, MessageEvent},
};

/// What may wait for a reader that does not read, beside one frame.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// A connection that ended without a word.
const ABNORMAL: u16 = 1006;

pub(super) enum Heard {
    Frame(Frame),
    Closed { code: u16, reason: String },
}

pub(super) struct Line {
    socket: web_sys::WebSocket,
    heard: UnboundedReceiver<Heard>,
    waiting_bytes: Rc<Cell<usize>>,
    /// What is said where the reader goes.
    parting: CloseCode,
    on_message: Closure<dyn FnMut(MessageEvent)>,
    on_close: Closure<dyn FnMut(CloseEvent)>,
    on_error: Closure<dyn FnMut(Event)>,
}

impl Line {
    pub(super) fn open(socket: &WebSocket, parting: CloseCode) -> worker::Result<Line> {
        let (sender, heard) = unbounded();
        let waiting_bytes = Rc::new(Cell::new(0));
        let raw: web_sys::WebSocket = socket.as_ref().clone();
        raw.set_binary_type(BinaryType::Arraybuffer);
        let on_message = on_message(raw.clone(), sender.clone(), Rc::clone(&waiting_bytes));
        let on_close = {
            let sender = sender.clone();
            Closure::new(move |event: CloseEvent| tell_closed(&sender, event.code(), event.reason()))
        };
        let on_error = Closure::new(move |_: Event| tell_closed(&sender, ABNORMAL, String::new()));
        raw.add_event_listener_with_callback("message", on_message.as_ref().unchecked_ref())?;
        raw.add_event_listener_with_callback("close", on_close.as_ref().unchecked_ref())?;
        raw.add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref())?;
        socket.accept()?;
        Ok(Line { socket: raw, heard, waiting_bytes, parting, on_message, on_close, on_error })
    }

    /// On a connection that is closing it is of no use, and no matter: its close is heard next.
    pub(super) fn send(&self, frame: &Frame) {
        drop(match frame {
            Frame::Text(text) => self.socket.send_with_str(text),
            Frame::Binary(bytes) => self.socket.send_with_u8_array(bytes),
        });
    }

    pub(super) async fn next(&mut self) -> Heard {
        let heard = self.heard.next().await;
        let heard = heard.unwrap_or(Heard::Closed { code: ABNORMAL, reason: String::new() });
        if let Heard::Frame(frame) = &heard {
            self.waiting_bytes.set(self.waiting_bytes.get().saturating_sub(frame.len()));
        }
        heard
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let listening: [(&str, &js_sys::Function); 3] = [
            ("message", self.on_message.as_ref().unchecked_ref()),
            ("close", self.on_close.as_ref().unchecked_ref()),
            ("error", self.on_error.as_ref().unchecked_ref()),
        ];
        for (name, listener) in listening {
            drop(self.socket.remove_event_listener_with_callback(name, listener));
        }
        drop(self.socket.close_with_code(self.parting.code()));
    }
}

/// At the bound the connection is given up: its reader comes back and recovers, or is gone.
fn on_message(
    socket: web_sys::WebSocket,
    sender: UnboundedSender<Heard>,
    waiting_bytes: Rc<Cell<usize>>,
) -> Closure<dyn FnMut(MessageEvent)> {
    Closure::new(move |event: MessageEvent| {
        let frame = match event.data().as_string() {
            Some(text) => Frame::Text(text),
            None => Frame::Binary(Uint8Array::new(&event.data()).to_vec()),
        };
        let before = waiting_bytes.get();
        if before > 0 && before + frame.len() > WAITING_BYTES_MAX {
            let slow = CloseCode::SlowConsumer;
            drop(socket.close_with_code_and_reason(slow.code(), slow.reason()));
            return tell_closed(&sender, slow.code(), slow.reason().into());
        }
        waiting_bytes.set(before + frame.len());
        // The reader may be gone.
        drop(sender.unbounded_send(Heard::Frame(frame)));
    })
}

fn tell_closed(sender: &UnboundedSender<Heard>, code: u16, reason: String) {
    drop(sender.unbounded_send(Heard::Closed { code, reason }));
    sender.close_channel();
}
