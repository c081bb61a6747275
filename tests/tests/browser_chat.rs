//! The chat in Chromium, as people use it (`browser/chat.mjs`).

use anyhow::Result;
use tests::browser::play;
use tests::server::Server;

#[tokio::test]
async fn r_chat_1_two_people_edit_react_answer_in_threads_and_take_back() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "talk").await
}

#[tokio::test]
async fn r_chat_2_who_was_away_catches_up_with_changes_and_all_and_what_waited_goes_out() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "away").await
}

#[tokio::test]
async fn r_chat_12_what_one_wrote_is_not_lost_by_the_page() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "keep").await
}

#[tokio::test]
async fn r_chat_3_ten_thousand_messages_scroll_without_a_jump() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "history").await
}

#[tokio::test]
async fn r_chat_4_r_chat_5_what_is_unread_elsewhere_is_counted_told_and_shown_and_read_in_all_tabs()
-> Result<()> {
    play(Server::start().await?, "chat.mjs", "attention").await
}

#[tokio::test]
async fn r_chat_6_r_chat_7_r_chat_8_a_moderator_slows_mutes_erases_and_sends_away() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "moderate").await
}

#[tokio::test]
async fn r_chat_11_with_accounts_the_token_says_who_one_is() -> Result<()> {
    play(Server::start().await?, "chat.mjs", "account").await
}
