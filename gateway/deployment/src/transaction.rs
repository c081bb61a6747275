//! Several statements, all or nothing, in one call across the boundary.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectStorage;

// A lone statement is atomic by itself; `transactionSync` would cost it a savepoint.
#[wasm_bindgen(inline_js = r"
export function runTransaction(storage, statements) {
  const run = () => {
    for (const [query, ...bindings] of statements) storage.sql.exec(query, ...bindings);
  };
  if (statements.length === 1) run();
  else storage.transactionSync(run);
}
")]
extern "C" {
    #[wasm_bindgen(catch, js_name = runTransaction)]
    fn run_transaction(storage: &DurableObjectStorage, statements: &Array) -> Result<(), JsValue>;
}

/// Statements with their bindings, to be run together.
#[derive(Debug, Default)]
pub struct Transaction {
    statements: Array,
}

impl Transaction {
    /// `query` with its `?`s in order.
    pub fn add(&self, query: &str, bindings: impl IntoIterator<Item = JsValue>) {
        let statement = Array::of1(&JsValue::from_str(query));
        for binding in bindings {
            statement.push(&binding);
        }
        self.statements.push(&statement);
    }

    /// Runs them; none at all is no transaction.
    ///
    /// # Errors
    /// What the failing statement threw; none of the others is kept.
    pub fn run(self, storage: &DurableObjectStorage) -> Result<(), JsValue> {
        if self.statements.length() == 0 {
            return Ok(());
        }
        run_transaction(storage, &self.statements)
    }
}
