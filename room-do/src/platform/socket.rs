//! A hibernatable WebSocket, with the calls that a room makes on it.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = WebSocket)]
    #[derive(Clone, Debug)]
    pub(crate) type Socket;

    /// Queues without bound and never blocks; throws after one's own `close`.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn send(this: &Socket, message: &JsValue) -> Result<(), JsValue>;

    /// Throws for codes that may not be sent (1005, 1006, 1015 and unassigned ones), and on a closed socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn close(this: &Socket, code: u16, reason: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = serializeAttachment)]
    pub(crate) fn serialize_attachment(this: &Socket, value: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = deserializeAttachment)]
    pub(crate) fn deserialize_attachment(this: &Socket) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, getter, js_name = readyState)]
    fn ready_state(this: &Socket) -> u16;

    #[wasm_bindgen(method, getter, js_name = bufferedAmount)]
    fn buffered_amount(this: &Socket) -> Option<f64>;

    /// Ours, not the platform's: lives as long as the JS object, which is until hibernation.
    #[wasm_bindgen(method, getter, js_name = roomcastConnection)]
    pub(crate) fn connection(this: &Socket) -> Option<f64>;

    #[wasm_bindgen(method, setter, js_name = roomcastConnection)]
    pub(crate) fn set_connection(this: &Socket, value: f64);
}

#[wasm_bindgen(inline_js = r#"
export function measuresUnsent() {
  return "bufferedAmount" in WebSocket.prototype;
}
"#)]
extern "C" {
    /// Whether sockets tell what was sent and has not left. They do in workerd 1.20261117.1; older ones do not.
    #[wasm_bindgen(js_name = measuresUnsent)]
    pub(crate) fn measures_unsent() -> bool;
}

const READY_STATE_OPEN: u16 = 1;

impl Socket {
    /// A socket whose close was never answered stays listed as CLOSING for ever.
    pub(crate) fn is_open(&self) -> bool {
        self.ready_state() == READY_STATE_OPEN
    }

    /// What was sent and has not left, in bytes.
    pub(crate) fn unsent(&self) -> Option<u64> {
        self.buffered_amount().map(|bytes| bytes as u64)
    }

    /// The attachment's bytes, where there is one.
    pub(crate) fn attachment(&self) -> Option<Vec<u8>> {
        let value = self.deserialize_attachment().ok()?;
        value.dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec())
    }
}
