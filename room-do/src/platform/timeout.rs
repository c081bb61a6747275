//! `setTimeout`, as a deadline that can be moved.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use deployment::clock;
use wasm_bindgen::{JsCast as _, prelude::*};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, delay_ms: f64) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(handle: &JsValue);
}

/// One deadline, and what is done when it comes.
pub(crate) struct Timeout {
    /// Milliseconds since 1970, while it is set.
    at: Rc<Cell<Option<u64>>>,
    handle: RefCell<JsValue>,
    callback: Closure<dyn FnMut()>,
}

impl Timeout {
    pub(crate) fn new(mut act: impl FnMut() + 'static) -> Timeout {
        let at = Rc::new(Cell::new(None));
        let set = Rc::clone(&at);
        let callback = Closure::new(move || {
            set.set(None);
            act();
        });
        Timeout { at, handle: RefCell::new(JsValue::UNDEFINED), callback }
    }

    /// Sets it, moves it, or clears it.
    pub(crate) fn arm(&self, at: Option<u64>) {
        if self.at.get() == at {
            return;
        }
        if self.at.replace(at).is_some() {
            clear_timeout(&self.handle.borrow());
        }
        if let Some(at) = at {
            let delay_ms = at.saturating_sub(clock::now()) as f64;
            self.handle.replace(set_timeout(self.callback.as_ref().unchecked_ref(), delay_ms));
        }
    }
}
