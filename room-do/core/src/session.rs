//! What others see of a session.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemas::{PublicSession, Session};
use sha2::{Digest as _, Sha256};

/// The first 16 characters of base64url(SHA-256(session)): 96 bits, enough to tell sessions apart, and no way back.
#[must_use]
pub fn public_session(session: &Session) -> PublicSession {
    let digest = Sha256::digest(session.as_str().as_bytes());
    let text = URL_SAFE_NO_PAD.encode(&digest[..12]);
    PublicSession::parse(&text).expect("12 bytes are 16 characters of base64url")
}
