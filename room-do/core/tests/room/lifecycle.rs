//! A room's life: its states, what leads from one to another, its end, and the notice after a fault.

use crate::support::{START, Table, allowed, call_of, claims, json, published, refused, table, table_of};
use room_core::{
    Input, RequestId, Timer,
    lifecycle::{Lifecycle, Transition},
};
use schemas::{
    Capability, ErrorCode, ServerMessage,
    codes::CloseCode,
    config::{KindConfig, LogConfig},
    http::RoomCall,
    server_message::{LifecycleState, NoticeCode, RecoveryFailure, RequestResult},
};

const IDLE_AFTER: u64 = 3_600_000;
const EXPIRE_AFTER: u64 = 7_200_000;

fn mortal() -> KindConfig {
    KindConfig { idle_after_ms: IDLE_AFTER, expire_after_ms: EXPIRE_AFTER, ..KindConfig::default() }
}

fn state(table: &mut Table) -> LifecycleState {
    table.info().lifecycle
}

fn timer(table: &mut Table, name: &str) -> Option<u64> {
    table.info().timers.into_iter().find(|timer| timer.name == name).map(|timer| timer.at)
}

/// A room that was used, left and came to rest; it was last touched at [`START`].
fn idle() -> Table {
    let mut table = table_of(mortal());
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1,"key":"k""#).expect("a publish");
    table.request(ada, r#""t":"react","offset":1,"name":"+","on":true"#).expect("a reaction");
    table.request(ada, r#""t":"state","ops":[{"set":"a","value":1}]"#).expect("a write");
    table.close(ada, 1000);
    table.flush();
    table.pass(IDLE_AFTER);
    assert_eq!(state(&mut table), LifecycleState::Idle);
    table
}

#[test]
fn r_life_4_every_transition_leads_where_it_should_or_names_those_that_are_valid() {
    use LifecycleState::{Fresh, Idle, Occupied, Vacant};
    use Transition::{Delete, Expire, Found, Occupy, Rest, Touch, Vacate};
    let valid = [
        (Fresh, vec![(Found, Vacant), (Occupy, Occupied), (Delete, Fresh)]),
        (Occupied, vec![(Vacate, Vacant), (Delete, Fresh)]),
        (Vacant, vec![(Occupy, Occupied), (Rest, Idle), (Delete, Fresh)]),
        (Idle, vec![(Occupy, Occupied), (Touch, Vacant), (Expire, Fresh), (Delete, Fresh)]),
    ];
    for (from, leads) in valid {
        let before = Lifecycle { state: from, since: 5, created_at: 3, active_at: 4 };
        for wanted in Transition::ALL {
            let target = leads.iter().find(|(transition, _)| *transition == wanted).map(|(_, state)| *state);
            match (before.after(wanted, 9), target) {
                (Ok(after), Some(state)) => assert_eq!(after.state, state, "{from:?} {wanted:?}"),
                (Err(error), None) => {
                    let named: Vec<Transition> = leads.iter().map(|(transition, _)| *transition).collect();
                    assert_eq!((error.from, error.wanted, &error.valid), (from, wanted, &named));
                    assert!(error.to_string().contains(&format!("{named:?}")), "{error}");
                }
                (found, expected) => panic!("{from:?} {wanted:?}: {found:?}, not {expected:?}"),
            }
        }
    }
    let idle = Lifecycle { state: Vacant, since: 5, created_at: 3, active_at: 4 }.after(Rest, 9);
    let idle = idle.expect("a vacant room may rest");
    assert_eq!((idle.since, idle.created_at, idle.active_at), (9, 3, 4), "resting is no activity");
    let gone = idle.after(Expire, 20).expect("an idle room may expire");
    assert_eq!((gone.since, gone.created_at, gone.active_at), (0, 0, 0));
}

#[test]
fn r_life_4_a_room_is_fresh_occupied_vacant_idle_and_occupied_again() {
    let mut table = table_of(mortal());
    let info = table.info();
    assert_eq!(
        (info.lifecycle, info.created_at, info.since, info.active_at),
        (LifecycleState::Fresh, None, None, None)
    );
    assert_eq!(table.storage.row_count(), 0, "to ask is not to use");
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let info = table.info();
    assert_eq!(
        (info.lifecycle, info.created_at, info.since),
        (LifecycleState::Occupied, Some(START), Some(START))
    );
    table.now += 5_000;
    table.close(ada, 1000);
    table.flush();
    assert_eq!(state(&mut table), LifecycleState::Occupied);
    table.close(bob, 1006);
    table.flush();
    table.pass(9_999);
    assert_eq!(state(&mut table), LifecycleState::Occupied, "its grace is a membership");
    table.pass(1);
    let (info, now) = (table.info(), table.now);
    assert_eq!((info.lifecycle, info.since, info.active_at), (LifecycleState::Vacant, Some(now), Some(now)));
    assert_eq!(timer(&mut table, "idle"), Some(now + IDLE_AFTER));
    table.hibernate();
    assert_eq!(timer(&mut table, "idle"), Some(now + IDLE_AFTER));
    table.pass(IDLE_AFTER - 1);
    assert_eq!(state(&mut table), LifecycleState::Vacant);
    table.pass(1);
    let info = table.info();
    assert_eq!(
        (info.lifecycle, info.since, info.active_at),
        (LifecycleState::Idle, Some(table.now), Some(now))
    );
    assert_eq!((timer(&mut table, "idle"), timer(&mut table, "expire")), (None, Some(now + EXPIRE_AFTER)));
    table.hibernate();
    assert_eq!(timer(&mut table, "expire"), Some(now + EXPIRE_AFTER));
    table.join(3, "cy");
    let info = table.info();
    assert_eq!((info.lifecycle, info.created_at), (LifecycleState::Occupied, Some(START)));
    assert_eq!((timer(&mut table, "idle"), timer(&mut table, "expire")), (None, None));
    assert_eq!(table.storage.load().meta.map(|meta| meta.lifecycle.state), Some(LifecycleState::Occupied));
}

#[test]
fn r_life_4_a_backend_that_writes_founds_a_vacant_room_and_wakes_an_idle_one() {
    let mut table = table_of(mortal());
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    assert_eq!(state(&mut table), LifecycleState::Vacant);
    table.now += 1_000;
    table.ask(RoomCall::Publish(call_of("2", None))).expect("a publish");
    assert_eq!(timer(&mut table, "idle"), Some(table.now + IDLE_AFTER), "each write puts its rest off");
    table.pass(IDLE_AFTER);
    assert_eq!(state(&mut table), LifecycleState::Idle);
    let ephemeral = schemas::http::PublishCall { ephemeral: true, ..call_of("3", None) };
    table.ask(RoomCall::Publish(ephemeral)).expect("a publish");
    assert_eq!(state(&mut table), LifecycleState::Idle, "an ephemeral writes nothing");
    table.ask(RoomCall::Publish(call_of("4", None))).expect("a publish");
    assert_eq!(state(&mut table), LifecycleState::Vacant);
    assert_eq!(timer(&mut table, "idle"), Some(table.now + IDLE_AFTER));
    table.hibernate();
    assert_eq!((state(&mut table), timer(&mut table, "expire")), (LifecycleState::Vacant, None));
}

#[test]
fn r_life_4_a_transition_whose_commit_failed_did_not_happen_and_is_tried_again() {
    let mut table = table_of(mortal());
    let ada = table.join(1, "ada");
    table.storage.fail_commits(1);
    table.close(ada, 1000);
    table.flush();
    assert_eq!(state(&mut table), LifecycleState::Occupied);
    assert_eq!(timer(&mut table, "idle"), None);
    table.flush();
    assert_eq!(state(&mut table), LifecycleState::Vacant);
    table.storage.fail_commits(2);
    table.pass(IDLE_AFTER);
    assert_eq!(state(&mut table), LifecycleState::Vacant);
    table.pass(2_000);
    assert_eq!(state(&mut table), LifecycleState::Idle);
    table.storage.fail_commits(1);
    assert_eq!(refused(table.ask(RoomCall::Publish(call_of("1", None)))), ErrorCode::Unavailable);
    assert_eq!(state(&mut table), LifecycleState::Idle);
    table.storage.fail_commits(3);
    let due = timer(&mut table, "expire").expect("an idle room waits for its end");
    table.pass(due - table.now + 2_999);
    assert_eq!(state(&mut table), LifecycleState::Idle);
    assert!(table.storage.row_count() > 0);
    table.pass(1);
    assert_eq!((state(&mut table), table.storage.row_count()), (LifecycleState::Fresh, 0));
}

#[test]
fn r_life_5_an_idle_room_expires_and_nothing_of_it_stays() {
    let mut table = idle();
    let epoch = table.room.epoch();
    let due = START + EXPIRE_AFTER;
    assert_eq!(timer(&mut table, "expire"), Some(due));
    table.hibernate();
    table.pass(due - table.now - 1);
    assert!(table.storage.row_count() > 0);
    table.pass(1);
    assert_eq!(table.storage.row_count(), 0);
    assert_eq!(table.room.poll_timeout().durable, None, "and no alarm");
    assert_eq!(state(&mut table), LifecycleState::Fresh);
    let (ada, welcome) =
        table.join_with(9, claims("ada"), &format!(r#","recover":{{"epoch":"{epoch}","offset":1}}"#));
    assert_eq!((welcome.recovered, welcome.reason), (false, Some(RecoveryFailure::EpochChanged)));
    assert_ne!(welcome.epoch, epoch);
    assert_eq!((welcome.offset.value(), welcome.state.version, welcome.occupancy.members), (0, 0, 1));
    assert_eq!(published(table.request(ada, r#""t":"publish","data":1,"key":"k""#)), (1, false));
    table.kill();
    assert_eq!(table.room.epoch(), welcome.epoch, "the new epoch was committed");
}

#[test]
fn r_life_5_a_kind_whose_rooms_rest_and_expire_at_once() {
    let config = KindConfig { expire_after_ms: IDLE_AFTER, ..mortal() };
    let mut table = table_of(config);
    table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
    table.pass(IDLE_AFTER);
    assert_eq!((table.storage.row_count(), table.room.poll_timeout().durable), (0, None));
}

#[test]
fn r_life_5_a_kind_without_a_log_expires_too() {
    let log = LogConfig { count: 0, ..LogConfig::default() };
    let mut table = table_of(KindConfig { log, ..mortal() });
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"state","ops":[{"set":"a","value":1}]"#).expect("a write");
    table.close(ada, 1000);
    table.flush();
    table.hibernate();
    table.pass(EXPIRE_AFTER);
    assert_eq!((table.storage.row_count(), table.room.poll_timeout().durable), (0, None));
    let (_, welcome) = table.join_with(2, claims("ada"), "");
    assert!(welcome.state.entries.is_empty());
}

/// The hello was welcomed; its flush, which makes the room occupied, is due at the same moment as its end.
#[test]
fn r_life_5_a_room_does_not_expire_under_one_who_was_just_welcomed() {
    let mut table = idle();
    table.now = START + EXPIRE_AFTER;
    table.hibernate();
    let ada = table.open(9, claims("ada"));
    let welcome = table.hello(ada, 9, "");
    table.input(Input::AlarmFired { heard: vec![] });
    table.flush();
    assert_eq!((table.room.epoch(), table.room.head().value()), (welcome.epoch, 2));
    assert_eq!((state(&mut table), table.storage.load().members.len()), (LifecycleState::Occupied, 1));
}

/// A storage that writes nothing for a while: it is asked again each second, and not without pause.
#[test]
fn r_life_5_a_storage_that_fails_when_the_end_is_due_is_left_alone_for_a_second() {
    let attempts = 500;
    for due in [START + IDLE_AFTER, START + EXPIRE_AFTER] {
        let mut table = idle();
        if due == START + IDLE_AFTER {
            table = table_of(mortal());
            table.ask(RoomCall::Publish(call_of("1", None))).expect("a publish");
        }
        table.now = due;
        table.hibernate();
        let ada = table.open(9, claims("ada"));
        let welcome = table.hello(ada, 9, "");
        table.storage.fail_commits(attempts);
        table.input(Input::AlarmFired { heard: vec![] });
        assert!(table.storage.load().members.is_empty(), "{attempts} attempts in one alarm");
        let next = table.room.poll_timeout();
        let next = next.turn.into_iter().chain(next.durable).map(|deadline| deadline.at).min();
        assert!(next.is_some_and(|at| at >= due + 1_000), "{next:?}");
        table.storage.fail_commits(0);
        table.pass(5_000);
        table.flush();
        assert_eq!((state(&mut table), table.room.epoch()), (LifecycleState::Occupied, welcome.epoch));
    }
}

#[test]
fn r_life_5_what_is_staged_when_the_end_is_due_is_answered_and_counts() {
    let mut table = idle();
    table.now = START + EXPIRE_AFTER;
    let ephemeral = schemas::http::PublishCall { ephemeral: true, ..call_of("0", None) };
    table.ask(RoomCall::Publish(ephemeral)).expect("a publish");
    let request = room_core::RequestId(77);
    table.input(Input::Asked { request, call: RoomCall::Publish(call_of("1", None)) });
    assert!(table.answers.iter().all(|(id, _)| *id != request), "it waits for the turn's end");
    table.input(Input::AlarmFired { heard: vec![] });
    table.flush();
    let answers: Vec<_> = table.answers.iter().filter(|(id, _)| *id == request).collect();
    assert_eq!(answers.len(), 1, "whatever comes of it, it is answered");
    if let Ok(RequestResult::Published(published)) = &answers[0].1 {
        assert_eq!(published.epoch, table.room.epoch());
        assert_eq!(table.storage.rows().len() as u64, table.room.head().value());
    }
}

#[test]
fn r_life_6_a_deletion_answers_what_was_staged_closes_everyone_and_deletes_all() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let greeting = table.open(3, claims("cy"));
    let epoch = table.room.epoch();
    table.request(ada, r#""t":"state","ops":[{"set":"a","value":1,"owned":true}]"#).expect("a write");
    table.take(bob);
    let staged = table.stage(ada, r#""t":"publish","data":1,"key":"k""#);
    assert!(matches!(table.ask(RoomCall::Delete), Ok(RequestResult::Done {})));
    assert_eq!(published(table.answer(ada, staged)), (1, false));
    assert_eq!(table.offsets(bob), [1], "what was answered was delivered");
    for id in [ada, bob, greeting] {
        assert_eq!(table.closed.get(&id), Some(&CloseCode::RoomDeleted.code()));
    }
    assert_eq!((table.storage.row_count(), table.room.poll_timeout().durable), (0, None));
    assert_eq!(table.room.poll_timeout().turn, None);
    let info = table.info();
    assert_eq!((info.lifecycle, info.connections, info.occupancy.members), (LifecycleState::Fresh, 0, 0));
    assert_eq!(info.log.and_then(|log| log.epoch), None);
    table.pass(60_000);
    assert_eq!(table.storage.row_count(), 0, "no grace of theirs runs");
    let (_, welcome) = table.join_with_session(
        5,
        1,
        claims("ada"),
        &format!(r#","recover":{{"epoch":"{epoch}","offset":1}}"#),
    );
    assert_eq!(welcome.reason, Some(RecoveryFailure::EpochChanged));
    assert!(welcome.state.entries.is_empty() && welcome.members.is_some_and(|members| members.len() == 1));
}

#[test]
fn r_life_6_a_deletion_that_the_storage_refuses_leaves_the_room_as_it_was() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    let rows = table.storage.row_count();
    table.storage.fail_commits(1);
    assert_eq!(refused(table.ask(RoomCall::Delete)), ErrorCode::Unavailable);
    assert!(!table.closed.contains_key(&ada));
    assert_eq!((table.storage.row_count(), table.room.head().value()), (rows, 1));
    assert_eq!(published(table.request(ada, r#""t":"publish","data":2"#)), (2, false));
    table.ask(RoomCall::Delete).expect("a deletion");
    assert_eq!(table.storage.row_count(), 0);
}

#[test]
fn r_life_6_a_fresh_room_may_be_deleted_and_a_deleted_one_again() {
    let mut table = table();
    for _ in 0..2 {
        table.ask(RoomCall::Delete).expect("there is nothing to delete, and nothing against it");
        assert_eq!((table.storage.row_count(), table.room.poll_timeout().durable), (0, None));
    }
}

#[test]
fn r_life_6_get_tells_state_epoch_log_occupancy_and_timers() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let (_, _) = table.join_with(2, allowed("spy", &[Capability::Join]), "");
    table.request(ada, r#""t":"publish","data":"four","key":"k""#).expect("a publish");
    table.request(ada, r#""t":"state","ops":[{"set":"ab","value":123}]"#).expect("a write");
    let info = table.info();
    assert_eq!((info.room.as_str(), info.kind.as_str()), ("chat:lobby", "chat"));
    assert_eq!((info.occupancy.members, info.occupancy.users, info.connections), (1, 1, 2));
    assert_eq!((info.state.version, info.state.keys, info.state.bytes), (1, 1, 5));
    let log = info.log.expect("a log is kept");
    assert_eq!((log.epoch, log.floor.value(), log.head.value()), (Some(table.room.epoch()), 0, 1));
    assert!(log.bytes >= json("\"four\"").len() as u64, "one publication takes {} bytes", log.bytes);
    let names: Vec<&str> = info.timers.iter().map(|timer| timer.name.as_str()).collect();
    assert_eq!(names, ["sweep", "keys", "trim"], "by time");
    table.hibernate();
    let again = table.info();
    assert_eq!((again.occupancy, again.log, again.state), (info.occupancy, info.log, info.state));
    let commits = table.storage.commits();
    table.info();
    assert_eq!(table.storage.commits(), commits, "it reads only");
}

#[test]
fn r_life_7_a_room_rebuilt_after_a_fault_tells_its_connections_closes_them_and_they_recover() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    let greeting = table.open(3, claims("cy"));
    table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
    for id in [ada, bob] {
        table.take(id);
    }
    table.stage(ada, r#""t":"publish","data":"lost""#);
    table.trap();
    table.input(Input::TurnEnded);
    for id in [ada, bob] {
        let told = table.take(id);
        assert!(matches!(&told[..], [ServerMessage::Notice { code: NoticeCode::Restarted, .. }]), "{told:?}");
        assert_eq!(table.closed.get(&id), Some(&CloseCode::Restarted.code()));
    }
    assert!(table.take(greeting).is_empty(), "nothing but errors comes before a welcome");
    assert_eq!(table.closed.get(&greeting), Some(&CloseCode::Restarted.code()));
    table.join(5, "cy");
    let from = table.recover_from(0);
    let (ada, welcome) = table.join_with_session(4, 1, claims("ada"), &from);
    assert_eq!((welcome.recovered, welcome.publications.len(), welcome.occupancy.members), (true, 1, 3));
    assert_eq!(published(table.request(ada, r#""t":"publish","data":2"#)), (2, false));
    table.pass(10_000);
    assert_eq!(table.info().occupancy.members, 2, "bob had his grace");
}

#[test]
fn r_life_6_a_deletion_that_ended_in_a_fault_leaves_no_members() {
    for sleeps in [false, true] {
        let mut table = table();
        let ada = table.join(1, "ada");
        let deletion = Input::Asked { request: RequestId(1), call: RoomCall::Delete };
        drop(table.room.handle(table.now, deletion, &mut table.storage));
        if sleeps {
            table.hibernate();
        } else {
            table.trap();
        }
        table.input(Input::TurnEnded);
        assert_eq!(table.closed.get(&ada), Some(&CloseCode::Restarted.code()));
        table.flush();
        assert_eq!((table.storage.row_count(), table.room.poll_timeout().durable), (0, None));
    }
}

#[test]
fn r_life_7_a_room_that_slept_tells_nothing_and_closes_nobody() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.hibernate();
    table.request(bob, r#""t":"publish","data":3"#).expect("a publish");
    assert!(table.notices(ada).is_empty() && table.notices(bob).is_empty() && table.closed.is_empty());
    assert_eq!(table.offsets(ada), [1]);
}

#[test]
fn r_life_7_a_socket_that_closes_as_the_room_is_rebuilt_leaves_the_others_told() {
    let mut table = table();
    let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
    table.take(ada);
    table.trap();
    table.close(bob, 1006);
    assert_eq!(table.notices(ada), [NoticeCode::Restarted]);
    table.flush();
    assert_eq!(table.room.poll_timeout().durable.map(|due| due.at), Some(table.now + 10_000));
    table.pass(10_000);
    assert_eq!(state(&mut table), LifecycleState::Vacant);
}

#[test]
fn r_life_1_a_session_that_was_welcomed_is_a_member_whatever_happens_next() {
    let mut table = table();
    let ada = table.open(1, claims("ada"));
    table.hello(ada, 1, "");
    table.trap();
    table.input(Input::AlarmFired { heard: vec![] });
    table.flush();
    let info = table.info();
    assert_eq!((info.lifecycle, info.occupancy.members), (LifecycleState::Occupied, 1));
    let (_, welcome) = table.join_with(2, claims("bob"), "");
    assert_eq!(welcome.members.map(|members| members.len()), Some(2));
    assert!(!info.timers.iter().any(|timer| timer.name == Timer::Idle.name()));
}

#[test]
fn r_tag_4_a_new_epoch_counts_positions_anew() {
    let mut table = table();
    let ada = table.join(1, "ada");
    let fill = |table: &mut Table, ada, count: u32| {
        for request in 0..count {
            table.publish(ada, request, r#","tags":["x"],"echo":false"#);
        }
        table.flush();
    };
    fill(&mut table, ada, 4_000);
    table.take(ada);
    table.ask(RoomCall::Delete).expect("a deletion");
    let (ada, bob) = (table.join(2, "ada"), table.join(3, "bob"));
    fill(&mut table, ada, 1_300);
    let told = table.pick(bob, |message| match message {
        ServerMessage::Position { offset } => Some(offset.value()),
        _ => None,
    });
    assert!(told.first().is_some_and(|first| *first >= 1_000), "{told:?}");
}
