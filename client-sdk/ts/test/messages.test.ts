import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { RoomMessages, type MessageEntry, type Room } from "@roomcast/client";
import { client, endAll, join, nextSocket, publication, until, welcome, type FakeSocket } from "./fake_server.js";

type Chat = { message: { text: string }; sketch: Uint8Array };

afterEach(endAll);

function make(): { room: Room<Chat>; messages: RoomMessages<Chat> } {
  const room = client().room<Chat>("chat:lobby");
  return { room, messages: new RoomMessages(room) };
}

async function joined(): Promise<{ room: Room<Chat>; messages: RoomMessages<Chat>; socket: FakeSocket }> {
  const made = make();
  return { ...made, socket: await join(made.room) };
}

/** Each entry in a word: `7 hi`, `pending hi`, `gap trimmed`. */
function shown(messages: RoomMessages<Chat>): string[] {
  return messages.snapshot.entries.map((entry) => {
    if (entry.kind === "gap") return `gap ${entry.reason} ${entry.state}`;
    if (entry.kind !== "message") return `${entry.kind} ${text(entry.data)}`;
    return `${entry.offset} ${entry.removed ? "removed" : text(entry.data)}`;
  });
}

function text(data: unknown): string {
  return (data as { text: string }).text;
}

function only(messages: RoomMessages<Chat>): Extract<MessageEntry<Chat>, { kind: "message" }> {
  const [entry] = messages.snapshot.entries;
  assert(entry?.kind === "message");
  return entry;
}

const said = (offset: number, words: string, more: object = {}): Record<string, unknown> =>
  publication(offset, JSON.stringify({ text: words }), { from: { user: "bob", session: "bobbobbobbobbobb" }, ...more });
const about = (offset: number, type: string, ref: number, data: unknown, user = "bob"): Record<string, unknown> =>
  publication(offset, JSON.stringify(data), { type, ref, from: { user } });

/** Answers the next request of that kind. */
async function answer(socket: FakeSocket, kind: string, result: (request: Record<string, any>) => object): Promise<Record<string, any>> {
  const heard: Record<string, any>[] = [];
  const request = await until(() => {
    heard.push(...socket.heard());
    return heard.find(({ t }) => t === kind);
  });
  socket.say({ t: "reply", id: request["id"], ...result(request) });
  return request;
}

test("R-VIEW-1: edits, removals and reactions change what is shown, and nothing beside it", async () => {
  const { messages, socket } = await joined();
  socket.say(said(11, "helo"), said(12, "bye"));
  assert.deepEqual(shown(messages), ["11 helo", "12 bye"]);
  const [, other] = messages.snapshot.entries;
  socket.say(about(13, "edit", 11, { text: "hello" }));
  socket.say(about(14, "react", 11, { name: "👍", on: true }), about(15, "react", 11, { name: "👍", on: true }, "ada"));
  assert.deepEqual(only(messages).reactions, { "👍": { count: 2, users: ["bob", "ada"] } });
  assert.deepEqual(only(messages).edited, { offset: 13, time: 5 });
  socket.say(about(16, "react", 11, { name: "👍", on: false }), about(17, "react", 11, { name: "👍", on: false }, "ada"));
  assert.deepEqual(only(messages).reactions, {});
  assert.deepEqual(shown(messages), ["11 hello", "12 bye"]);
  assert.equal(messages.snapshot.entries[1], other);
  socket.say(about(18, "remove", 11, null));
  assert.deepEqual(shown(messages), ["11 removed", "12 bye"]);
  assert.equal("data" in only(messages) || "edited" in only(messages), false);
});

test("R-VIEW-2: of many entries as many are kept as were asked for, and the rest can be loaded again", async () => {
  const room = client().room<Chat>("chat:lobby");
  const messages = new RoomMessages(room, { max: 2 });
  const socket = await join(room);
  socket.say(said(11, "a"), said(12, "b"), said(13, "c"));
  assert.deepEqual(shown(messages), ["12 b", "13 c"]);
  assert.equal(messages.snapshot.hasOlder, true);
  socket.say(about(14, "edit", 13, { text: "see" }), about(15, "edit", 11, { text: "gone" }));
  assert.deepEqual(shown(messages), ["12 b", "13 see"]);
});

test("R-VIEW-1: what is shown is one value until it changes, and a turn is told of once", async () => {
  const { messages, socket } = await joined();
  let told = 0;
  const stop = messages.subscribe(() => (told += 1));
  const before = messages.snapshot;
  assert.equal(messages.snapshot, before);
  socket.say(said(11, "a"), said(12, "b"));
  socket.say(said(13, "c"));
  await until(() => told > 0);
  assert.equal(told, 1);
  assert.equal(before.entries.length, 0);
  assert.equal(messages.snapshot.entries.length, 3);
  stop();
  socket.say(said(14, "d"), publication(99, "1", { t: "ephemeral", offset: undefined, type: "cursor" }));
  await Promise.resolve();
  assert.equal(told, 1);
});

test("R-VIEW-2: one's own are pending at once, and take their place under the same key", async () => {
  const { messages, room, socket } = await joined();
  const key = messages.publish("message", { text: "mine" });
  assert.deepEqual(shown(messages), ["pending mine"]);
  const me = { user: "ada", session: room.me?.session };
  // The answer first, then the publication.
  const request = await answer(socket, "publish", () => ({ result: { epoch: "00000000000000ab", offset: 12, duplicate: false } }));
  assert.equal(request["key"], key);
  await until(() => shown(messages)[0] === "12 mine");
  assert.equal(only(messages).own, true);
  socket.say(said(11, "before"), said(12, "mine", { from: me }));
  assert.deepEqual(shown(messages), ["11 before", "12 mine"]);
  assert.equal(messages.snapshot.entries[1]?.key, key);
  // The publication first, then the answer.
  const second = messages.publish("message", { text: "more" });
  socket.say(said(13, "more", { from: me }));
  assert.deepEqual(shown(messages), ["11 before", "12 mine", "13 more"]);
  await answer(socket, "publish", () => ({ result: { epoch: "00000000000000ab", offset: 13, duplicate: false } }));
  await until(() => messages.snapshot.entries.length === 3);
  assert.deepEqual(messages.snapshot.entries.map((entry) => entry.key).slice(1), [key, second]);
});

test("R-VIEW-2: what failed stays until it is retried, under its key, or discarded", async () => {
  const { messages, socket } = await joined();
  const key = messages.publish("message", { text: "mine" });
  const refuse = (): object => ({ t: "error", code: "forbidden", message: "no", retryable: false });
  await answer(socket, "publish", refuse);
  await until(() => shown(messages)[0] === "failed mine");
  const [entry] = messages.snapshot.entries;
  assert(entry?.kind === "failed" && entry.error?.code === "forbidden" && entry.error.outcome === "rejected");
  messages.retry(key);
  assert.deepEqual(shown(messages), ["pending mine"]);
  const again = await answer(socket, "publish", refuse);
  assert.equal(again["key"], key);
  await until(() => shown(messages)[0] === "failed mine");
  messages.discard(key);
  assert.deepEqual(shown(messages), []);
  messages.publish("message", { text: "lost" });
  socket.end(3510, "room_deleted");
  await until(() => shown(messages)[0] === "failed lost");
});

test("R-VIEW-2: what is not confirmed has a bound", async () => {
  const { messages } = make();
  for (let count = 0; count < 256; count += 1) messages.publish("message", { text: "x" });
  assert.throws(() => messages.publish("message", { text: "x" }), { code: "overloaded" });
});

test("R-VIEW-2: 5,000 entries are kept, and what goes can be loaded again", async () => {
  const { messages, socket } = await joined();
  for (let offset = 1; offset <= 5_001; offset += 100) {
    socket.say(...Array.from({ length: 100 }, (_, more) => said(10 + offset + more, "x")));
  }
  const { entries, hasOlder } = messages.snapshot;
  assert.deepEqual([entries.length, hasOlder], [5_000, true]);
  assert.equal(shown(messages).at(-1), "5110 x");
});

test("R-VIEW-3: older pages come before what is shown, until there are none", async () => {
  const { messages, socket } = await joined();
  socket.say(said(11, "live"));
  assert.equal(messages.snapshot.hasOlder, true);
  const loading = messages.loadOlder(2);
  assert.equal(messages.snapshot.isLoading, true);
  assert.equal(messages.loadOlder(), loading);
  const folded = said(9, "nine", { reactions: { a: { count: 1, users: ["bob"] } } });
  const page = { epoch: "00000000000000ab", messages: [said(8, "eight"), folded].map(({ t: _, ...message }) => message) };
  // Seen while the page is under way: the page may know it already, or not.
  socket.say(about(12, "edit", 8, { text: "EIGHT" }), about(13, "react", 9, { name: "a", on: true }));
  const request = await answer(socket, "history", () => ({ result: { ...page, next: 8 } }));
  assert.deepEqual([request["before"], request["limit"]], [11, 2]);
  await loading;
  assert.deepEqual(shown(messages), ["8 EIGHT", "9 nine", "11 live"]);
  const nine = messages.snapshot.entries[1];
  assert(nine?.kind === "message");
  assert.deepEqual(nine.reactions, { a: { count: 1, users: ["bob"] } });
  const last = messages.loadOlder();
  await answer(socket, "history", () => ({ result: { epoch: "00000000000000ab", messages: [] } }));
  await last;
  assert.deepEqual([messages.snapshot.hasOlder, messages.snapshot.isLoading], [false, false]);
});

test("R-VIEW-3: a page that cannot be loaded says why, and can be asked for again", async () => {
  const { messages, socket } = await joined();
  const loading = messages.loadOlder();
  await answer(socket, "history", () => ({ t: "error", code: "forbidden", message: "no", retryable: false }));
  await loading;
  const { error, hasOlder, isLoading } = messages.snapshot;
  assert.deepEqual([error?.code, hasOlder, isLoading], ["forbidden", true, false]);
});

/** Comes back with a recovery that failed. */
async function fallenBehind(socket: FakeSocket, reason: string, publications: object[], more: object = {}): Promise<FakeSocket> {
  socket.end(3001);
  const again = await nextSocket();
  again.open();
  again.say(welcome({ offset: 20, reason, publications, ...more }));
  again.heard();
  return again;
}

test("R-VIEW-4: a gap is marked where it is, and closed by what is loaded into it", async () => {
  const { messages, socket } = await joined();
  socket.say(said(11, "eleven"));
  const again = await fallenBehind(socket, "too_far_behind", [said(20, "twenty")]);
  assert.deepEqual(shown(messages), ["11 eleven", "gap too_far_behind open", "20 twenty"]);
  const [, gap] = messages.snapshot.entries;
  const page = (from: number, next?: number) => (): object => {
    const missed = [said(from, `${from}`), said(from + 1, `${from + 1}`)].map(({ t: _, ...message }) => message);
    return { result: { epoch: "00000000000000ab", messages: missed, ...(next && { next }) } };
  };
  const loading = messages.loadGap(gap?.key ?? "", 2);
  assert.equal((await answer(again, "history", page(18, 18)))["before"], 20);
  await loading;
  assert.deepEqual(shown(messages), ["11 eleven", "gap too_far_behind open", "18 18", "19 19", "20 twenty"]);
  const rest = messages.loadGap(gap?.key ?? "", 2);
  await answer(again, "history", page(10, 10));
  await rest;
  assert.deepEqual(shown(messages), ["11 eleven", "18 18", "19 19", "20 twenty"]);
});

test("R-VIEW-4: what was trimmed is lost, and a log that began anew leaves nothing of the old one", async () => {
  const { messages, socket } = await joined();
  socket.say(said(11, "eleven"));
  const again = await fallenBehind(socket, "trimmed", [said(20, "twenty")]);
  const loading = messages.loadGap(messages.snapshot.entries[1]?.key ?? "");
  await answer(again, "history", () => ({ result: { epoch: "00000000000000ab", messages: [] } }));
  await loading;
  assert.deepEqual(shown(messages), ["11 eleven", "gap trimmed lost", "20 twenty"]);
  await fallenBehind(again, "epoch_changed", [said(1, "first")], { epoch: "00000000000000cd", offset: 1 });
  assert.deepEqual(shown(messages), ["gap epoch_changed lost", "1 first"]);
  assert.equal(messages.snapshot.hasOlder, false);
});

test("R-VIEW-4: who leaves and joins again begins anew", async () => {
  const { messages, room, socket } = await joined();
  socket.say(said(11, "before"));
  const left = room.leave();
  await answer(socket, "leave", () => ({ result: {} }));
  await left;
  assert.deepEqual(shown(messages), ["11 before"]);
  await join(room);
  assert.deepEqual(shown(messages), []);
});
