//! A token's header: what it may say, which is little.

use crate::{algorithm::Algorithm, json::Fields, refusal::Flaw};

/// Parameters that would let a token bring its own key or its own rules.
const REFUSED: [&str; 5] = ["crit", "jku", "jwk", "x5u", "x5c"];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// `None` for an algorithm that no key can have, `none` included.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kid: Option<String>,
}

impl Header {
    pub(crate) fn parse(json: &[u8]) -> Result<Header, Flaw> {
        let fields: Fields = serde_json::from_slice(json).map_err(|_| Flaw::Header)?;
        if REFUSED.iter().any(|name| fields.has(name)) {
            return Err(Flaw::HeaderParameter);
        }
        let text = |name| fields.read::<String>(name).map_err(|_| Flaw::Header);
        let algorithm = text("alg")?.ok_or(Flaw::Header)?;
        let kid = text("kid")?;
        text("typ")?;
        Ok(Header { algorithm: Algorithm::parse(&algorithm), kid })
    }
}
