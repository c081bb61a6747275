//! Maps of the wire by names.

#[cfg(feature = "json")]
use alloc::{collections::BTreeMap, string::String};
#[cfg(not(feature = "json"))]
use alloc::{string::String, vec::Vec};

/// Values by their names. Without the codecs, which write it as a map, it is a list: a tree is a twentieth of the
/// browser's module.
#[cfg(feature = "json")]
pub type Named<T> = BTreeMap<String, T>;
#[cfg(not(feature = "json"))]
pub type Named<T> = Vec<(String, T)>;
