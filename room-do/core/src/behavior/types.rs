//! The TypeScript of a behavior: what its methods take and return, and what it tells.
//!
//! Only native builds ask for it (`cargo xtask codegen`); in a Worker nothing of it is linked.

use std::collections::BTreeMap;

use ts_rs::{Config, TS, TypeVisitor};

/// A type with a TypeScript form.
pub trait Typed: TS + 'static {}

impl<T: TS + 'static> Typed for T {}

/// Declarations by name, each with its comment.
#[derive(Debug, Default)]
pub struct Types {
    declared: BTreeMap<String, String>,
}

fn config() -> Config {
    Config::default().with_large_int("number")
}

impl Types {
    /// Adds what is needed to name the type, and returns its name.
    ///
    /// # Panics
    /// Where another type has the name of this one, or of one that it holds.
    pub fn add<T: Typed + ?Sized>(&mut self) -> String {
        self.visit::<T>();
        T::name(&config())
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    /// The declarations, one after another.
    #[must_use]
    pub fn declarations(&self) -> String {
        self.declared.values().map(|declared| format!("\n{declared}\n")).collect()
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // What has no file of its own is written where it is used.
        if T::output_path().is_some() {
            let name = T::ident(&config());
            let declared = format!("{}export {}", T::docs().unwrap_or_default(), T::decl(&config()));
            if let Some(before) = self.declared.get(&name) {
                assert!(*before == declared, "two types are called {name}: #[ts(rename = \"…\")] one");
                return;
            }
            self.declared.insert(name, declared);
            T::visit_dependencies(self);
        }
        T::visit_generics(self);
    }
}
