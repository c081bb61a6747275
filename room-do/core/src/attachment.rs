//! What is kept with a socket: enough to rebuild its connection after hibernation.
//!
//! The first byte is the layout's version; what follows is MessagePack with names. Newer code reads every
//! older version.

use schemas::{Claims, Codec, ConnectionId, Offset, PublicSession};
use serde::{Deserialize, Serialize};

use schemas::rates::Bucket;

/// The platform keeps 16 KiB; a connection at every bound of its own and of its room's behavior takes less than this.
pub const ATTACHMENT_BYTES_MAX: usize = 8 * 1024;

const VERSION: u8 = 2;
/// What the first layout lacks has defaults.
const VERSION_FIRST: u8 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub connection: ConnectionId,
    pub codec: Codec,
    pub claims: Claims,
    /// Rises with each connection that the room opens.
    #[serde(default)]
    pub opened: u64,
    /// When these bytes were written, in milliseconds since 1970.
    #[serde(rename = "written", alias = "written_at")]
    pub written_at: u64,
    /// When it last said anything but `ping`, or was believed to live.
    #[serde(default, rename = "s")]
    pub spoke_at: u64,
    /// `None` before hello.
    pub joined: Option<AttachedJoin>,
    #[serde(default)]
    pub rates: Buckets,
    /// Calls whose results are streamed: they do not outlive the room's memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<u32>,
}

/// What the connection may still ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Buckets {
    #[serde(rename = "p")]
    pub publish: Bucket,
    #[serde(rename = "r")]
    pub request: Bucket,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachedJoin {
    pub session: PublicSession,
    pub subscribed: Vec<String>,
    #[serde(rename = "members", alias = "sees_members")]
    pub sees_members: bool,
    /// Whether its hello asked to see them; what was written before this was kept does not say.
    #[serde(default = "yes", rename = "w", skip_serializing_if = "is_yes")]
    pub wants_members: bool,
    /// An offset that it knew of then.
    #[serde(default)]
    pub position: Offset,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
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
            (&(VERSION | VERSION_FIRST), rest) => rmp_serde::from_slice(rest).ok(),
            _ => None,
        }
    }
}
