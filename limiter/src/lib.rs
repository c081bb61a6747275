//! The shell of a limiter: the class `Limiter` that the platform constructs. It stores nothing: see
//! [`limiter_core::Limiter`].

use std::{cell::RefCell, fmt, rc::Rc};

use deployment::clock;
use js_sys::Promise;
use limiter_core::{Ask, Limiter};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use worker::{Request, Response, Result, worker_sys::web_sys};

#[wasm_bindgen(js_name = Limiter)]
pub struct LimiterObject {
    limiter: Rc<RefCell<Limiter>>,
}

impl fmt::Debug for LimiterObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterObject").finish_non_exhaustive()
    }
}

impl Default for LimiterObject {
    fn default() -> Self {
        LimiterObject::new()
    }
}

#[wasm_bindgen(js_class = Limiter)]
impl LimiterObject {
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> LimiterObject {
        LimiterObject { limiter: Rc::default() }
    }

    /// An [`Ask`] in MessagePack, answered by a [`Grant`](limiter_core::Grant).
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let limiter = Rc::clone(&self.limiter);
        future_to_promise(async move {
            let response = answer(&limiter, request.into()).await.map_err(JsValue::from)?;
            Ok(web_sys::Response::from(response).into())
        })
    }
}

async fn answer(limiter: &RefCell<Limiter>, mut request: Request) -> Result<Response> {
    let Ok(ask) = rmp_serde::from_slice::<Ask>(&request.bytes().await?) else {
        return Response::error("the question cannot be read", 400);
    };
    let grant = limiter.borrow_mut().ask(&ask, clock::now());
    let body =
        rmp_serde::to_vec_named(&grant).map_err(|error| worker::Error::RustError(error.to_string()))?;
    Response::from_bytes(body)
}
