//! When the platform last answered a socket's ping.

use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::socket::Socket;

#[wasm_bindgen]
extern "C" {
    type WithTimestamp;

    #[wasm_bindgen(method, catch, js_name = getWebSocketAutoResponseTimestamp)]
    fn timestamp(this: &WithTimestamp, socket: &Socket) -> Result<Option<js_sys::Date>, JsValue>;
}

/// Milliseconds since 1970, or `None` where there was no ping.
pub(crate) fn answered_at(state: &DurableObjectState, socket: &Socket) -> Option<u64> {
    let state: &WithTimestamp = state.unchecked_ref();
    state.timestamp(socket).ok().flatten().map(|date| date.get_time() as u64)
}
