//! A room, to which its connections may say anything.

use crate::{
    number, steps,
    table::{Slot, Table},
};

/// A script of what happens in a room where a witness has joined: its first byte chooses the kind's configuration,
/// each step is an operation's letter and its body. A step of no operation is a JSON connection's frame.
///
/// Whatever it says, nothing panics, and the witness keeps its connection, reads all that it is sent, sees offsets
/// rise and is answered at the end.
pub fn room(script: &[u8]) {
    let Some((configuration, script)) = script.split_first() else { return };
    let mut table = Table::new(*configuration);
    for (operation, body) in steps(script) {
        step(&mut table, operation, body);
    }
    table.check_witness();
}

fn step(table: &mut Table, operation: u8, body: &[u8]) {
    match operation {
        b'j' => table.say(Slot::Json, body),
        b'm' => table.say(Slot::Msgpack, body),
        b'g' => table.greet(body),
        b'n' => table.say(Slot::Guest, body),
        b'x' => table.say_in_the_other_codec(body),
        b'c' => table.close(Slot::Json, number(body)),
        b'd' => table.close(Slot::Msgpack, number(body)),
        b't' => table.end_turn(),
        b'a' => table.fire_alarm(),
        b'p' => table.pass(number(body)),
        b'r' => table.restore(),
        b'k' => table.kill(),
        b'f' => table.fail_commits(number(body)),
        b'h' => table.ask(body),
        _ => table.say(Slot::Json, &[&[operation], body].concat()),
    }
}
