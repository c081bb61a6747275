//! One list out of the shards'.

use schemas::directory::{RoomEntry, RoomsPage};

/// The first `limit` of all, each shard having told its first `limit`, by name.
#[must_use]
pub fn merged(shards: Vec<Vec<RoomEntry>>, limit: usize) -> RoomsPage {
    let mut rooms: Vec<RoomEntry> = shards.into_iter().flatten().collect();
    rooms.sort_unstable_by(|one, other| one.room.cmp(&other.room));
    let has_more = rooms.len() > limit;
    rooms.truncate(limit);
    // A full page may be the last one: the next is empty then.
    let is_full = rooms.len() == limit;
    let next = (has_more || is_full).then(|| rooms.last().map(|last| last.room.to_string())).flatten();
    RoomsPage { rooms, next }
}

#[cfg(test)]
mod tests {
    use schemas::{RoomName, directory::shard_of, server_message::LifecycleState};

    use super::*;

    fn entry(name: &str) -> RoomEntry {
        RoomEntry {
            room: RoomName::parse(name).expect("a name"),
            kind: "chat".into(),
            lifecycle: LifecycleState::Vacant,
            since: 0,
            created_at: 0,
            members: 0,
            users: 0,
            connections: 0,
            publications: 0,
            stored_bytes: 0,
            reported_at: 0,
        }
    }

    #[test]
    fn r_dir_6_pages_bring_each_room_once_and_in_order() {
        let mut names: Vec<String> = (0..10_000).map(|number| format!("chat:{number}")).collect();
        names.sort_unstable();
        let (mut after, mut found) = (None::<String>, Vec::new());
        loop {
            let mut shards = vec![Vec::new(); 8];
            let above = |name: &&String| after.as_ref().is_none_or(|after| *name > after);
            for name in names.iter().filter(above) {
                let entry = entry(name);
                let shard = &mut shards[shard_of(&entry.room) as usize];
                if shard.len() < 500 {
                    shard.push(entry);
                }
            }
            let page = merged(shards, 500);
            found.extend(page.rooms.iter().map(|entry| entry.room.to_string()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, names);
    }
}
