//! How a room is found.

use std::marker::PhantomData;

use js_sys::{Function, Reflect};
use room_core::behavior::Behavior;
use schemas::{RoomName, Tenant};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{Env, ObjectNamespace};

use crate::RoomStub;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    fn random_uuid() -> String;
}

/// What is no room's, or no tenant's, name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{0:?} is not kind:id, kind [a-z][a-z0-9-]{{0,31}}, id [A-Za-z0-9._~-]{{1,128}}")]
    Room(String),
    #[error("{0:?} is no tenant: [a-z0-9-]{{1,64}}")]
    Tenant(String),
    /// The platform knows no such hint, or has no object for it.
    #[error("{0}")]
    Platform(String),
}

/// The rooms of a tenant, through a binding of the class `Room`.
#[derive(Debug, Clone)]
pub struct Rooms {
    namespace: ObjectNamespace,
    tenant: Tenant,
    near: Option<String>,
}

impl Rooms {
    /// Those of the tenant `default`, through the binding of this name.
    ///
    /// # Errors
    /// When nothing is bound under it, or something else.
    pub fn of(env: &Env, binding: &str) -> worker::Result<Rooms> {
        let (namespace, tenant) = (env.durable_object(binding)?, Tenant::default_tenant());
        Ok(Rooms { namespace, tenant, near: None })
    }

    /// Those of another tenant.
    ///
    /// # Errors
    /// When that is no tenant's name.
    pub fn tenant(self, tenant: &str) -> Result<Rooms, NameError> {
        let tenant = Tenant::parse(tenant).ok_or_else(|| NameError::Tenant(tenant.into()))?;
        Ok(Rooms { tenant, ..self })
    }

    /// Where the platform should make a room that was never used: `weur`, `enam`, …. Of one that was, it says nothing.
    #[must_use]
    pub fn near(self, location_hint: &str) -> Rooms {
        Rooms { near: Some(location_hint.to_owned()), ..self }
    }

    /// Those in a jurisdiction, such as `eu`, which run and store there alone. They are others than those of the same
    /// names outside, and the gateway does not reach them: whoever makes them lets users in by a Worker of its own.
    ///
    /// # Errors
    /// Where the platform has no such jurisdiction; workerd by itself has none.
    pub fn jurisdiction(self, name: &str) -> Result<Rooms, NameError> {
        let failed = |error: JsValue| NameError::Platform(worker::Error::from(error).to_string());
        let namespace: &JsValue = self.namespace.as_ref();
        let method: Function =
            Reflect::get(namespace, &"jurisdiction".into()).map_err(failed)?.unchecked_into();
        let within = method.call1(namespace, &name.into()).map_err(failed)?;
        Ok(Rooms { namespace: within.unchecked_into(), ..self })
    }

    /// The room of this name, `kind:id`. It is made by what is asked of it first.
    ///
    /// # Errors
    /// When that is no room's name.
    pub fn by_name<B: Behavior>(&self, name: &str) -> Result<RoomStub<B>, NameError> {
        let name = RoomName::parse(name).ok_or_else(|| NameError::Room(name.into()))?;
        let object = name.object_name(&self.tenant);
        let stub = match &self.near {
            Some(hint) => self.namespace.get_by_name_with_location_hint(&object, hint),
            None => self.namespace.get_by_name(&object),
        };
        let stub = stub.map_err(|error| NameError::Platform(error.to_string()))?;
        Ok(RoomStub { name, stub, of: PhantomData })
    }

    /// The one room of a kind of which there is one: `kind:singleton`.
    ///
    /// # Errors
    /// When that is no kind's name.
    pub fn singleton<B: Behavior>(&self, kind: &str) -> Result<RoomStub<B>, NameError> {
        self.by_name(&format!("{kind}:singleton"))
    }

    /// A room that nobody has named before: its id is random, and its name what to keep and pass on.
    ///
    /// # Errors
    /// When that is no kind's name.
    pub fn unique<B: Behavior>(&self, kind: &str) -> Result<RoomStub<B>, NameError> {
        self.by_name(&format!("{kind}:{}", random_uuid()))
    }
}
