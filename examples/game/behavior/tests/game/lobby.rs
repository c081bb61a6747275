//! Seats, and the rounds that those who sit there play.

use game_behavior::lobby::{Full, Lobby};
use game_behavior::round::{Event, Phase, Quorum, TRANSITIONS, due};
use game_behavior::world::SEATS;

fn nobody(_: &str) -> bool {
    false
}

fn seated(names: &[&str]) -> Lobby {
    let mut lobby = Lobby::default();
    for name in names {
        lobby.sit(name, nobody, name, false).expect("there is room");
    }
    lobby
}

#[test]
fn r_game_1_a_user_has_one_seat_and_the_session_that_sat_down_last_plays() {
    let mut lobby = seated(&["ada", "bob"]);
    assert_eq!(lobby.sit("ada", nobody, "ada", false), Ok(0), "once more is the same seat");
    assert_eq!(lobby.sit("adas-phone", |session| session == "ada", "ada", false), Ok(0));
    assert_eq!(lobby.seats.len(), 2);
    assert_eq!((lobby.seat_of("adas-phone"), lobby.seat_of("ada")), (Some(0), None));
    assert_eq!((lobby.stand("ada"), lobby.ready("ada", true)), (None, false));
}

#[test]
fn a_seat_that_was_left_is_the_next_ones_and_beyond_the_last_there_is_none() {
    let names: Vec<String> = (0..SEATS).map(|number| format!("user-{number}")).collect();
    let mut lobby = seated(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lobby.sit("late", nobody, "late", false), Err(Full));
    assert_eq!((lobby.stand("user-7"), lobby.stand("user-7")), (Some(7), None));
    assert_eq!(lobby.sit("late", nobody, "late", false), Ok(7));
    let order: Vec<u8> = lobby.seats.iter().map(|seated| seated.seat).collect();
    assert_eq!(order, (0..SEATS as u8).collect::<Vec<_>>());
}

#[test]
fn names_are_made_fit_to_be_shown() {
    let mut lobby = Lobby::default();
    for (user, name) in [
        ("a", "  Ada \n Lovelace, Countess of Somewhere "),
        ("b", " \t"),
        ("c", "x\u{7}y"),
        ("d", "\u{202e}\u{2066}nib\u{200b}"),
    ] {
        lobby.sit(user, nobody, name, false).expect("there is room");
    }
    let names: Vec<&str> = lobby.seats.iter().map(|seated| seated.name.as_str()).collect();
    assert_eq!(names, ["Ada Lovelace, Counte", "Player 2", "x y", "nib"]);
}

#[test]
fn the_longest_names_on_all_seats_fit_into_a_value_of_shared_state() {
    let mut lobby = Lobby::default();
    for number in 0..SEATS {
        let session = format!("{number:032}");
        lobby.sit(&session, nobody, &"\u{1f3a8}".repeat(40), true).expect("there is room");
    }
    lobby.begin(Phase::Finished, |_| u16::MAX);
    let told = serde_json::to_string(&lobby).expect("it is JSON");
    assert!(told.len() < schemas::limits::STATE_VALUE_BYTES_MAX, "{}", told.len());
}

#[test]
fn r_game_5_two_of_two_or_most_of_many_have_to_be_ready() {
    let mut lobby = seated(&["ada"]);
    assert_eq!(Lobby::default().quorum(), Quorum::Nobody);
    assert!(lobby.ready("ada", true) && !lobby.ready("eve", true));
    assert_eq!(lobby.quorum(), Quorum::Few, "alone is no game");
    lobby.sit("bob", nobody, "bob", false).expect("there is room");
    assert_eq!(lobby.quorum(), Quorum::Few);
    lobby.ready("bob", true);
    assert_eq!(lobby.quorum(), Quorum::All);
    lobby.sit("eve", nobody, "eve", false).expect("there is room");
    assert_eq!(lobby.quorum(), Quorum::Most);
    lobby.ready("bob", false);
    assert_eq!(lobby.quorum(), Quorum::Few);
}

#[test]
fn the_most_tiles_win_and_equals_do_not() {
    let mut lobby = seated(&["ada", "bob", "eve"]);
    lobby.begin(Phase::Playing, |_| 0);
    lobby.begin(Phase::Finished, |seat| [10, 30, 20][usize::from(seat)]);
    assert_eq!((lobby.winner, lobby.round, lobby.seats[1].wins), (Some(1), 1, 1));
    let scores: Vec<(u8, u16)> = lobby.scores.iter().map(|score| (score.seat, score.tiles)).collect();
    assert_eq!(scores, [(1, 30), (2, 20), (0, 10)]);
    lobby.begin(Phase::Finished, |seat| [30, 30, 20][usize::from(seat)]);
    assert_eq!((lobby.winner, lobby.seats[1].wins), (None, 1));
    Lobby::default().begin(Phase::Finished, |_| 0);
}

#[test]
fn whoever_was_ready_for_one_round_says_so_again_for_the_next() {
    let mut lobby = seated(&["ada", "bob"]);
    lobby.ready("ada", true);
    lobby.ready("bob", true);
    lobby.begin(Phase::Countdown, |_| 0);
    assert_eq!(lobby.quorum(), Quorum::All, "who is no longer ready can still say so");
    lobby.begin(Phase::Playing, |_| 0);
    assert_eq!(lobby.quorum(), Quorum::Few);
}

#[test]
fn whatever_is_due_is_allowed_and_every_transition_is_due_some_time() {
    let mut seen = Vec::new();
    for phase in [Phase::Lobby, Phase::Countdown, Phase::Playing, Phase::Finished] {
        for quorum in [Quorum::Nobody, Quorum::Few, Quorum::Most, Quorum::All] {
            for left in [0, 5] {
                let Some(event) = due(phase, quorum, left) else { continue };
                let allowed =
                    TRANSITIONS.iter().find(|(from, by, _)| (*from, *by) == (phase, event)).copied();
                seen.push(allowed.unwrap_or_else(|| panic!("{event:?} is due in {phase:?}")));
            }
        }
    }
    assert!(TRANSITIONS.iter().all(|transition| seen.contains(transition)));
    assert_eq!(due(Phase::Playing, Quorum::Few, 5), None, "who is alone plays on");
    assert_eq!(due(Phase::Countdown, Quorum::All, 0), Some(Event::Go));
}
