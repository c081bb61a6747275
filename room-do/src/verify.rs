//! Tokens that come over a live connection: verified as the gateway does, since no gateway sees them.

use auth::Refusal;
use deployment::{
    Settings, keyring,
    revocations::{self, Stop},
};
use room_core::TokenRefusal;
use schemas::{Claims, ErrorCode, RoomName, Tenant};
use wasm_bindgen_futures::spawn_local;
use worker::Env;

pub(crate) struct Verifier {
    env: Env,
    tenant: Tenant,
    room: RoomName,
}

const MISCONFIGURED: &str = "the configuration is wrong: see /healthz";

impl Verifier {
    pub(crate) fn new(env: Env, tenant: Tenant, room: RoomName) -> Verifier {
        Verifier { env, tenant, room }
    }

    /// What the token is worth in this room. One of another tenant is `forbidden`; one that allows nothing here is no
    /// refusal.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, TokenRefusal> {
        let settings = Settings::of(&self.env);
        let Ok(settings) = settings.as_ref() else {
            return Err(unavailable(MISCONFIGURED.to_owned()));
        };
        let token = keyring::verify(&self.env, settings, token).await.map_err(told)?;
        let hosts_tell = !settings.config.tenants.is_empty();
        let token = if hosts_tell { token.of_tenant(&self.tenant).map_err(told)? } else { token };
        if token.tenant != self.tenant {
            return Err(told(Refusal::Forbidden("the token is another tenant's")));
        }
        let later = |later: revocations::Later| spawn_local(later.ask());
        match revocations::check(&self.env, &token, "", later).await {
            Ok(()) => Ok(token.claims_in(&self.room)),
            Err(Stop::Refused(refusal)) => Err(told(refusal)),
            Err(stop @ Stop::Unknown(_)) => Err(unavailable(stop.to_string())),
        }
    }
}

fn unavailable(message: String) -> TokenRefusal {
    let code = ErrorCode::Unavailable;
    TokenRefusal { code, reason: code.as_str(), message }
}

fn told(refusal: Refusal) -> TokenRefusal {
    let code = match refusal.http_status() {
        403 => ErrorCode::Forbidden,
        503 => ErrorCode::Unavailable,
        _ => ErrorCode::Unauthorized,
    };
    TokenRefusal { code, reason: refusal.code(), message: refusal.to_string() }
}
