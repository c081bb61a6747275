//! Wishes come late, early, twice, and not at all.

use game_behavior::motion::Wish;
use game_behavior::queue::Queue;

fn to_the_right(x: i32) -> Wish {
    Wish::new(x, 0, false)
}

#[test]
fn r_game_3_wishes_are_granted_in_order_one_a_tick() {
    let mut queue = Queue::default();
    (1..=3).for_each(|number| queue.push(number, to_the_right(number as i32)));
    for number in 1..=3 {
        assert_eq!((queue.grant().x, queue.done()), (number, number as u8));
    }
}

#[test]
fn r_game_2_what_is_old_or_doubled_is_dropped() {
    let mut queue = Queue::default();
    queue.push(5, to_the_right(5));
    queue.push(5, to_the_right(50));
    queue.push(4, to_the_right(40));
    assert_eq!((queue.grant().x, queue.grant().x, queue.done()), (5, 5, 5), "the last one goes on");
}

#[test]
fn r_game_3_who_says_nothing_goes_on_for_a_while_and_then_stands() {
    let mut queue = Queue::default();
    queue.push(1, Wish::new(100, 0, true));
    assert!(queue.grant().dash);
    let granted: Vec<Wish> = (0..10).map(|_| queue.grant()).collect();
    assert!(granted.iter().all(|wish| !wish.dash), "a dash is wanted once");
    assert_eq!(granted.iter().filter(|wish| wish.x == 100).count(), 6);
    assert_eq!(granted[9], Wish::default());
}

#[test]
fn r_game_3_whoever_runs_ahead_waits_at_most_four_ticks_and_loses_no_dash() {
    let mut queue = Queue::default();
    (1..=100).for_each(|number| queue.push(number, Wish::new(1, 0, number == 95)));
    let granted: Vec<Wish> = (0..4).map(|_| queue.grant()).collect();
    assert_eq!(queue.done(), 100);
    assert_eq!(granted.iter().filter(|wish| wish.dash).count(), 1);
}

#[test]
fn r_game_2_a_stick_reaches_only_so_far() {
    assert_eq!(Wish::new(127, 127, false), Wish { x: 90, y: 90, dash: false });
    assert_eq!(Wish::new(i32::MIN, i32::MAX, true), Wish::new(-127, 127, true));
    assert_eq!(Wish::new(-40, 3, false), Wish { x: -40, y: 3, dash: false });
}
