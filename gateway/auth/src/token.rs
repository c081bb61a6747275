//! A token, taken apart and believed only once its signature is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemas::{
    Bearer, Capabilities, Claims, Payload, RoomName, Tenant, TokenId, UserId, ids, limits,
    position::INTEGER_MAX,
};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::{
    header::Header,
    json::Fields,
    keys::{Key, Keys},
    pattern::Pattern,
    refusal::{Flaw, Refusal},
};

/// How far the clocks of an issuer and of the gateway may lie apart.
pub const LEEWAY_MS: u64 = 30_000;

/// A verified token: who, for which tenant, until when. What it allows depends on the room.
#[derive(Debug, Clone)]
pub struct Token {
    pub user: UserId,
    /// What its key or its claim says; `default` where neither does.
    pub tenant: Tenant,
    names_tenant: bool,
    /// Public profile shown to others, ≤ 1 KiB.
    pub info: Option<Payload>,
    /// Tags that every connection under this token carries, ≤ 8.
    pub tags: Vec<String>,
    /// The claim `exp` in milliseconds since 1970, without leeway.
    pub expires_at: u64,
    /// The claim `iat`, likewise; for revocation of what was issued before a time.
    pub issued_at: Option<u64>,
    /// What stands for the claim `jti`.
    pub jti: Option<TokenId>,
    rooms: Vec<(Pattern, Capabilities)>,
}

/// Verifies a token at a time in milliseconds since 1970.
///
/// # Errors
/// `unauthorized` with the flaw, `token_expired`, or `forbidden` where the claim `tenant` is not the key's.
/// [`Refusal::Unready`] where the issuer's keys must be fetched first ([`Keys::fetch`]), and `unavailable` where they
/// could not be.
pub fn verify(token: &str, keys: &Keys, now_ms: u64) -> Result<Token, Refusal> {
    if token.is_empty() {
        return Err(Flaw::Missing.into());
    }
    if token.len() > limits::TOKEN_BYTES_MAX {
        return Err(Flaw::TooLong.into());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Flaw::Malformed)?;
    let header = Header::parse(&decode(header)?)?;
    let claims = decode(claims)?;
    let signature = decode(signature)?;
    let claims = serde_json::from_slice::<Fields>(&claims);
    let iss = claims.as_ref().ok().and_then(|claims| claims.read::<String>("iss").ok().flatten());
    let key = keys.select(&header, iss.as_deref(), now_ms)?;
    if !key.material.verifies(signed.as_bytes(), &signature) {
        return Err(Flaw::Signature.into());
    }
    read_claims(&claims.map_err(|_| Flaw::Claims)?, key, now_ms)
}

/// Base64url without padding, in its one canonical form: neither other alphabets nor loose trailing bits, so that
/// one token has one text. A fourth part's dot is no letter of it.
fn decode(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed)
}

fn read_claims(claims: &Fields, key: &Key, now_ms: u64) -> Result<Token, Refusal> {
    let expires_at = time(claims, "exp")?.ok_or(Flaw::Claim("exp"))?;
    let not_before = time(claims, "nbf")?;
    let issued_at = time(claims, "iat")?;
    let user = read::<UserId>(claims, "sub")?.ok_or(Flaw::Claim("sub"))?;
    let claimed_tenant = read::<Tenant>(claims, "tenant")?;
    let jti = read::<String>(claims, "jti")?;
    if jti.as_ref().is_some_and(|jti| jti.len() > limits::JTI_BYTES_MAX) {
        return Err(Flaw::Claim("jti").into());
    }
    let jti = jti.as_deref().map(token_id);
    let info = info(claims)?;
    let tags = tags(claims)?;
    let rooms = rooms(claims, &user)?;
    // The key was chosen by it.
    read::<String>(claims, "iss")?;
    check_audience(claims, key)?;
    check_times(now_ms, expires_at, not_before, issued_at)?;
    let tenant = tenant(key, claimed_tenant)?;
    let names_tenant = tenant.is_some();
    let tenant = tenant.unwrap_or_else(Tenant::default_tenant);
    Ok(Token { user, tenant, names_tenant, info, tags, expires_at, issued_at, jti, rooms })
}

fn read<T: DeserializeOwned>(claims: &Fields, name: &'static str) -> Result<Option<T>, Flaw> {
    claims.read(name).map_err(|_| Flaw::Claim(name))
}

/// What stands for a `jti`, so that it takes the same little space wherever it is kept.
pub(crate) fn token_id(jti: &str) -> TokenId {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(jti));
    TokenId::parse(&digest[..16]).expect("base64url")
}

/// A NumericDate (RFC 7519 §2: seconds, fractions allowed) in milliseconds.
fn time(claims: &Fields, name: &'static str) -> Result<Option<u64>, Flaw> {
    let Some(seconds) = read::<f64>(claims, name)? else { return Ok(None) };
    let milliseconds = seconds * 1000.0;
    if !(0.0..=INTEGER_MAX as f64).contains(&milliseconds) {
        return Err(Flaw::Claim(name));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 0 to 2^53, checked above"
    )]
    Ok(Some(milliseconds as u64))
}

fn info(claims: &Fields) -> Result<Option<Payload>, Flaw> {
    let Some(text) = claims.raw("info").filter(|text| *text != "null") else { return Ok(None) };
    let info = Payload::from_json(text.into()).map_err(|_| Flaw::Claim("info"))?;
    if info.len() > limits::INFO_BYTES_MAX { Err(Flaw::Claim("info")) } else { Ok(Some(info)) }
}

fn tags(claims: &Fields) -> Result<Vec<String>, Flaw> {
    let tags = read::<Vec<String>>(claims, "tags")?.unwrap_or_default();
    let valid = tags.len() <= limits::TAGS_TOKEN_MAX && tags.iter().all(|tag| ids::is_tag(tag));
    if valid { Ok(tags) } else { Err(Flaw::Claim("tags")) }
}

fn rooms(claims: &Fields, user: &UserId) -> Result<Vec<(Pattern, Capabilities)>, Flaw> {
    let Some(rooms) = read::<Fields>(claims, "rooms")? else { return Ok(Vec::new()) };
    rooms
        .into_iter()
        .map(|(pattern, capabilities)| {
            let capabilities = serde_json::from_str(capabilities.get()).map_err(|_| Flaw::Claim("rooms"))?;
            Ok((Pattern::new(&pattern, user), capabilities))
        })
        .collect()
}

/// The claim is one audience or a list (RFC 7519 §4.1.3).
fn check_audience(claims: &Fields, key: &Key) -> Result<(), Flaw> {
    let claimed = match claims.read::<String>("aud") {
        Ok(one) => one.into_iter().collect(),
        Err(_) => read::<Vec<String>>(claims, "aud")?.unwrap_or_default(),
    };
    match &key.aud {
        Some(aud) if !claimed.contains(aud) => Err(Flaw::Audience),
        _ => Ok(()),
    }
}

fn check_times(
    now_ms: u64,
    expires_at: u64,
    not_before: Option<u64>,
    issued_at: Option<u64>,
) -> Result<(), Refusal> {
    if now_ms >= expires_at.saturating_add(LEEWAY_MS) {
        return Err(Refusal::TokenExpired);
    }
    let latest = now_ms.saturating_add(LEEWAY_MS);
    if not_before.into_iter().chain(issued_at).any(|time| time > latest) {
        return Err(Flaw::NotYetValid.into());
    }
    Ok(())
}

fn tenant(key: &Key, claimed: Option<Tenant>) -> Result<Option<Tenant>, Refusal> {
    match (&key.tenant, claimed) {
        (Some(of_key), Some(claimed)) if *of_key != claimed => {
            Err(Refusal::Forbidden("the token's tenant is not its key's"))
        }
        (Some(of_key), _) => Ok(Some(of_key.clone())),
        (None, claimed) => Ok(claimed),
    }
}

impl Token {
    /// The token where something else than itself says whose the request is: one that names no tenant is that one's.
    ///
    /// # Errors
    /// `forbidden` where it names another.
    pub fn of_tenant(self, tenant: &Tenant) -> Result<Token, Refusal> {
        if self.names_tenant && self.tenant != *tenant {
            return Err(Refusal::Forbidden("the token is another tenant's"));
        }
        Ok(Token { tenant: tenant.clone(), ..self })
    }

    /// What a revocation asks.
    #[must_use]
    pub fn bearer(&self) -> Bearer<'_> {
        Bearer { user: &self.user, jti: self.jti.as_ref(), issued_at: self.issued_at }
    }

    /// The token read for one room: the union of what all matching patterns allow.
    ///
    /// # Errors
    /// `forbidden` where that is nothing.
    pub fn claims_for(&self, room: &RoomName) -> Result<Claims, Refusal> {
        let claims = self.claims_in(room);
        if claims.capabilities.is_empty() {
            return Err(Refusal::Forbidden("the token allows nothing in this room"));
        }
        Ok(claims)
    }

    /// As [`Token::claims_for`], where to allow nothing is an answer too.
    #[must_use]
    pub fn claims_in(&self, room: &RoomName) -> Claims {
        let capabilities = self
            .rooms
            .iter()
            .filter(|(pattern, _)| pattern.matches(room))
            .fold(Capabilities::NONE, |union, (_, capabilities)| union.union(*capabilities));
        Claims {
            user: Some(self.user.clone()),
            capabilities,
            info: self.info.clone(),
            tags: self.tags.clone(),
            expires_at: Some(self.expires_at),
            issued_at: self.issued_at,
            jti: self.jti.clone(),
        }
    }
}
