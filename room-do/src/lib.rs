//! The shell of a room: one Durable Object, its sockets, its SQLite, its alarm.
