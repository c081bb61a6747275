//! What is kept with a socket: enough to rebuild its connection after hibernation.
//!
//! The first byte is the layout's version; what follows is MessagePack with names. Newer code reads every
//! older version.

use schemas::{Claims, Codec, ConnectionId, PublicSession};
use serde::{Deserialize, Serialize};

/// The platform keeps 16 KiB; a connection at every bound of its own takes less than this.
pub const ATTACHMENT_BYTES_MAX: usize = 4 * 1024;

const VERSION: u8 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub connection: ConnectionId,
    pub codec: Codec,
    pub claims: Claims,
    /// When these bytes were written, in milliseconds since 1970: the connection lived then.
    pub written_at: u64,
    /// `None` before hello.
    pub joined: Option<AttachedJoin>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachedJoin {
    pub session: PublicSession,
    pub subscribed: Vec<String>,
    pub sees_members: bool,
}

impl Attachment {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(rmp_serde::to_vec_named(self).expect("an attachment is plain data"));
        bytes
    }

    /// `None` for bytes of an unknown version, and for no attachment at all.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Attachment> {
        match bytes.split_first()? {
            (&VERSION, rest) => rmp_serde::from_slice(rest).ok(),
            _ => None,
        }
    }
}
