import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Roomcast, RoomcastError } from "@roomcast/client";
import { FakeSocket, client, endAll, epoch, join, nextSocket, publication, until, welcome } from "./fake_server.js";
import { Bytes } from "./msgpack.js";

type Chat = { message: { text: string }; sketch: Uint8Array; cursor: { x: number } };

afterEach(endAll);

test("joining opens a socket at the room's address, with the token as a subprotocol, and says hello", async () => {
  const asked: object[] = [];
  const token = async (request: object): Promise<string> => {
    asked.push(request);
    return "aaa.bbb.ccc";
  };
  const room = client({ token }).room<Chat>("chat:lobby", { rewind: 50, tags: ["red"], presence: { typing: true } });
  const statuses: string[] = [];
  room.on("status", (status) => statuses.push(status));
  const joined = room.join();
  assert.equal(room.status, "connecting");
  const socket = await nextSocket();
  assert.equal(socket.url, "wss://rooms.example/v1/rooms/chat:lobby/connect");
  assert.deepEqual(socket.protocols, ["roomcast.v1.msgpack", "roomcast.token.aaa.bbb.ccc"]);
  assert.deepEqual(asked, [{ room: "chat:lobby" }]);
  socket.open();
  const [hello] = socket.heard();
  assert.match(String(hello?.["session"]), /^[\w-]{22}$/);
  const { session: _, ...rest } = hello ?? {};
  assert.deepEqual(rest, { t: "hello", rewind: 50, tags: ["red"], presence: '{"typing":true}', members: true });
  socket.say(welcome());
  await joined;
  assert.deepEqual(statuses, ["connecting", "connected"]);
  assert.deepEqual(room.me, { connection: "00000000000abc", session: "abcdefghijklmnop", user: "ada", tags: [] });
  await room.join();
  endAll();
  void room.leave();
});

test("publications come by their type and as publication, ephemerals flagged, bytes as bytes", async () => {
  const room = client().room<Chat>("chat:lobby");
  const heard: unknown[] = [];
  room.on("message", (message) => heard.push(["message", message.offset, message.data.text, message.from?.user]));
  room.on("sketch", (message) => heard.push(["sketch", message.data, message.tags]));
  room.on("publication", (message) => heard.push([message.type, message.ephemeral]));
  const socket = await join(room);
  socket.say(
    publication(11, '{"text":"é\\n\\"q\\""}', { from: { user: "b\"ob", session: "ponmlkjihgfedcba" } }),
    publication(11),
    publication(12, new Bytes(new Uint8Array([1, 2, 255])), { type: "sketch", tags: ["a"] }),
    { t: "ephemeral", time: 1, type: "cursor", data: '{"x":1}' },
  );
  assert.deepEqual(heard, [
    ["message", 11, 'é\n"q"', 'b"ob'],
    ["message", false],
    ["sketch", new Uint8Array([1, 2, 255]), ["a"]],
    ["sketch", false],
    ["cursor", true],
  ]);
});

test("what is published in one turn leaves as one frame, and each promise has its outcome", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const first = room.publish("message", { text: "a" }, { tags: ["t"], to: { users: ["bob"] }, echo: false });
  const second = room.publish("sketch", new Uint8Array([7]));
  const third = room.publish("cursor", { x: 1 }, { ephemeral: true });
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(socket.frames.length, 1);
  const said = socket.heard();
  assert.deepEqual(said, [
    {
      ...{ t: "publish", id: 1, data: '{"text":"a"}', tags: ["t"], to: { users: ["bob"] }, echo: false },
      ...{ type: "message", key: said[0]?.["key"] },
    },
    { t: "publish", id: 2, data: new Uint8Array([7]), type: "sketch", key: said[1]?.["key"] },
    { t: "publish", id: 3, data: '{"x":1}', ephemeral: true, type: "cursor" },
  ]);
  const keys = said.map(({ key }) => String(key ?? ""));
  assert.match(keys[0]!, /^[\w-]{12,}$/);
  assert.deepEqual([keys[0] !== keys[1], keys[1]!.slice(0, 11), keys[2]], [true, keys[0]!.slice(0, 11), ""]);
  const details = [{ path: "data", message: "no" }];
  socket.say(
    { t: "reply", id: 1, result: { epoch, offset: 11, duplicate: false } },
    { t: "error", id: 2, code: "rate_limited", message: "slow", retryable: true, retry_after_ms: 20, details },
    { t: "reply", id: 3, result: {} },
  );
  assert.deepEqual(await first, { epoch, offset: 11, duplicate: false });
  await assert.rejects(second, {
    name: "RoomcastError",
    code: "rate_limited",
    retryable: true,
    outcome: "rejected",
    retryAfterMs: 20,
    details,
  });
  await third;
});

test("short and long texts and bytes in turn go out as they are", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const texts = ["a", "é€😀".repeat(20_000), "b", "€".repeat(400), ""];
  for (const text of texts) {
    const published = [room.publish("message", { text }), room.publish("sketch", new Uint8Array(text.length))];
    await Promise.resolve();
    const said = socket.heard();
    assert.deepEqual(said.map(({ data }) => data), [JSON.stringify({ text }), new Uint8Array(text.length)]);
    for (const { id } of said) socket.say({ t: "reply", id, result: { epoch, offset: id, duplicate: false } });
    await Promise.all(published);
  }
});

test("a lost connection is taken up again at the position, and unanswered publishes are unknown", async () => {
  const room = client().room<Chat>("chat:lobby", { rewind: 5 });
  const offsets: unknown[] = [];
  room.on("message", (message) => offsets.push(message.offset));
  room.on("gap", ({ reason }) => offsets.push(reason));
  const socket = await join(room);
  socket.say(publication(11));
  const lost = room.publish("message", { text: "a" }, { key: false });
  await Promise.resolve();
  await Promise.resolve();
  socket.end(1006);
  await assert.rejects(lost, { code: "unavailable", retryable: true, outcome: "unknown" });
  assert.equal(room.status, "reconnecting");
  const waiting = room.publish("message", { text: "b" });
  const again = await nextSocket();
  again.open();
  const [hello] = again.heard();
  assert.deepEqual(hello?.["recover"], { epoch, offset: 11 });
  const publications = [publication(12), publication(13)];
  again.say(welcome({ offset: 13, recovered: true, publications }), publication(14));
  const [publish] = again.heard();
  assert.equal(publish?.["data"], '{"text":"b"}');
  again.say({ t: "reply", id: publish?.["id"], result: { epoch, offset: 15, duplicate: false } });
  assert.equal((await waiting).offset, 15);
  again.end(3001);
  const third = await nextSocket();
  third.open();
  third.say(welcome({ offset: 90, reason: "trimmed", publications: [publication(90)] }));
  assert.deepEqual(offsets, [11, 12, 13, 14, "trimmed", 90]);
});

test("a publish has a key, is sent again under it after a lost connection, and settles with its answer", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const publishing = room.publish("message", { text: "a" });
  await Promise.resolve();
  await Promise.resolve();
  const [first] = socket.heard();
  socket.end(1006);
  const again = await nextSocket();
  again.open();
  again.heard();
  again.say(welcome({ recovered: true }));
  const [second] = again.heard();
  assert.deepEqual([second?.["key"], second?.["data"]], [first?.["key"], '{"text":"a"}']);
  again.say({ t: "reply", id: second?.["id"], result: { epoch, offset: 9, duplicate: true } });
  assert.deepEqual(await publishing, { epoch, offset: 9, duplicate: true });
});

test("what was published is edited, removed and reacted to, and so by others", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const asked = [
    room.edit(7, { text: "b" }),
    room.edit(8, new Uint8Array([7])),
    room.remove(9),
    room.react(9, "👍"),
    room.react(9, "👍", false),
    room.publish("cursor", { x: 1 }, { ephemeral: true, conflate: "cursor" }),
  ];
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(socket.heard(), [
    { t: "edit", id: 1, offset: 7, data: '{"text":"b"}' },
    { t: "edit", id: 2, offset: 8, data: new Uint8Array([7]) },
    { t: "remove", id: 3, offset: 9 },
    { t: "react", id: 4, offset: 9, name: "👍", on: true },
    { t: "react", id: 5, offset: 9, name: "👍", on: false },
    { t: "publish", id: 6, data: '{"x":1}', ephemeral: true, type: "cursor", conflate: "cursor" },
  ]);
  socket.say(
    ...[11, 12, 13, 14, 15].map((offset, index) => ({ t: "reply", id: index + 1, result: { offset } })),
    { t: "reply", id: 6, result: {} },
  );
  assert.deepEqual((await Promise.all(asked)).slice(0, 2), [{ offset: 11 }, { offset: 12 }]);
  for (const offset of [1.5, -1, NaN, 2 ** 53]) {
    await assert.rejects(room.remove(offset), { code: "invalid_argument" });
  }

  const heard: unknown[] = [];
  room.on("message", () => heard.push("not one that was removed"));
  room.on("edit", ({ ref, data }) => heard.push(["edit", ref, data]));
  room.on("remove", ({ ref, data }) => heard.push(["remove", ref, data]));
  room.on("react", ({ ref, data }) => heard.push(["react", ref, data.name, data.on]));
  room.on("publication", (message) => heard.push([message.offset, !message.ephemeral && message.removed]));
  socket.say(
    publication(21, '{"text":"b"}', { type: "edit", ref: 7 }),
    publication(22, "null", { type: "remove", ref: 8 }),
    publication(23, '{"name":"👍","on":true}', { type: "react", ref: 7 }),
    publication(24, undefined, { data: undefined, removed: true }),
  );
  assert.deepEqual(heard, [
    ["edit", 7, { text: "b" }],
    [21, undefined],
    ["remove", 8, null],
    [22, undefined],
    ["react", 7, "👍", true],
    [23, undefined],
    [24, true],
  ]);

  const history = room.history();
  await Promise.resolve();
  await Promise.resolve();
  const { t: _, ...plain } = publication(7);
  const folded = { edited: { offset: 21, time: 6 }, reactions: { "👍": { count: 21, users: ["ada"] }, 'a"b': { count: 0, users: [] } } };
  socket.say({ t: "reply", id: socket.heard()[0]?.["id"], result: { epoch, messages: [{ ...plain, ...folded }] } });
  const { messages } = await history;
  assert.deepEqual([messages[0]?.edited, messages[0]?.reactions], [folded.edited, folded.reactions]);
});

test("shared state is a snapshot and the changes since, written with conditions", async () => {
  const room = client().room<Chat>("chat:lobby");
  const told: unknown[] = [];
  room.on("state", ({ version, ops }) => told.push([version, ops]));
  const owner = "abcdefghijklmnop";
  const entries = { topic: { value: '"tea"', version: 3 }, mine: { value: new Bytes(new Uint8Array([1])), version: 4, owner } };
  const socket = await join(room, { state: { version: 4, entries } });
  assert.deepEqual([...room.state.entries()], [["mine", new Uint8Array([1])], ["topic", "tea"]]);
  assert.deepEqual(room.state.entry("mine"), { value: new Uint8Array([1]), version: 4, owner });
  assert.deepEqual([room.state.size, room.state.version, room.state.get("nothing")], [2, 4, undefined]);
  socket.say({ t: "state", version: 6, ops: [{ set: "topic", value: "null", version: 5 }, { delete: "mine" }] });
  assert.deepEqual([room.state.size, room.state.version, room.state.get("topic")], [1, 6, null]);
  assert.deepEqual(told, [
    [4, [{ set: "mine", value: new Uint8Array([1]), version: 4, owner }, { set: "topic", value: "tea", version: 3 }]],
    [6, [{ set: "topic", value: null, version: 5 }, { delete: "mine" }]],
  ]);

  const ops = [{ set: "a", value: 1 }];
  const asked = [
    room.state.set("topic", { a: 1 }, { if: 5, owned: true }),
    room.state.delete("topic"),
    room.state.batch(ops),
    room.state.batch([{ set: "b", value: new Uint8Array([2]), if: 0 }, { delete: "c", if: 7 }]),
  ];
  ops[0] = { set: "changed", value: 2 };
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(socket.heard(), [
    { t: "state", id: 1, ops: [{ set: "topic", value: '{"a":1}', owned: true, if: 5 }] },
    { t: "state", id: 2, ops: [{ delete: "topic" }] },
    { t: "state", id: 3, ops: [{ set: "a", value: "1" }] },
    { t: "state", id: 4, ops: [{ set: "b", value: new Uint8Array([2]), if: 0 }, { delete: "c", if: 7 }] },
  ]);
  socket.say(
    ...[7, 8, 9].map((version, index) => ({ t: "reply", id: index + 1, result: { version } })),
    { t: "error", id: 4, code: "conflict", message: "b has another version", retryable: false },
  );
  assert.deepEqual(await Promise.all(asked.slice(0, 3)), [{ version: 7 }, { version: 8 }, { version: 9 }]);
  await assert.rejects(asked[3] as Promise<unknown>, { code: "conflict", outcome: "rejected" });
  await assert.rejects(room.state.set("a", undefined), { code: "invalid_argument" });
  const deep = JSON.parse("[".repeat(65) + "]".repeat(65)) as unknown;
  await assert.rejects(room.state.batch([{ delete: "x" }, { set: "a", value: deep }]), { code: "invalid_argument" });
  await Promise.resolve();
  void room.state.delete("y").catch(() => {});
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(socket.heard(), [{ t: "state", id: 5, ops: [{ delete: "y" }] }], "what was refused left nothing behind");
  void room.leave();
  socket.end(1000);
  assert.deepEqual([room.state.size, room.state.version], [0, 0]);
});

test("frames are acked where the server asks for it", async () => {
  const room = client().room<Chat>("chat:lobby");
  const limits = { ...(welcome()["limits"] as object), ack: true };
  const socket = await join(room, { limits });
  for (let offset = 11; offset < 11 + 63; offset += 1) socket.say(publication(offset));
  await Promise.resolve();
  assert.deepEqual(socket.heard(), [{ t: "ack", frames: 64 }]);
});

test("a final close fails the room and whatever waits for it", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const publishing = room.publish("message", { text: "a" });
  socket.end(3505, "blocked_or_kicked");
  await assert.rejects(publishing, { code: "unavailable" });
  assert.equal(room.status, "failed");
  assert.equal(room.failure?.code, "blocked_or_kicked");
  assert.equal(room.failure?.closeCode, 3505);
  const joining = room.join();
  const next = await nextSocket();
  next.end(3501, "unauthorized");
  await assert.rejects(joining, { code: "unauthorized", retryable: false, closeCode: 3501 });
});

test("a token function that throws is asked again, one that refuses fails the room", async () => {
  let calls = 0;
  const token = (): string => {
    calls += 1;
    if (calls === 1) throw new Error("backend is down");
    throw new RoomcastError("logged_out", "nobody is logged in");
  };
  const room = client({ token }).room<Chat>("chat:lobby");
  const notices: string[] = [];
  room.on("notice", ({ code, message }) => notices.push(`${code}: ${message}`));
  await assert.rejects(room.join(), { code: "logged_out" });
  assert.equal(calls, 2);
  assert.deepEqual(notices, ["token_failed: backend is down", "token_failed: nobody is logged in"]);
});

test("a token about to expire is replaced on the live connection", async () => {
  const tokens = ["aaa.bbb.1", "aaa.bbb.2"];
  const room = client({ token: () => tokens.shift() ?? "" }).room<Chat>("chat:lobby");
  const statuses: string[] = [];
  room.on("status", (status) => statuses.push(status));
  const socket = await join(room, { server_time: 1_000_000 });
  socket.say({ t: "expiring", expires_at: 1_000_000 });
  const [auth] = await until(() => {
    const heard = socket.heard();
    return heard.length > 0 && heard;
  });
  assert.deepEqual([auth?.["t"], auth?.["token"]], ["auth", "aaa.bbb.2"]);
  socket.say({ t: "reply", id: auth?.["id"], result: { expires_at: 9_000_000 } });
  assert.deepEqual([statuses, FakeSocket.opened.length], [["connecting", "connected"], 0]);
});

test("members are a snapshot that changes only when somebody does", async () => {
  const room = client().room<Chat, { typing: boolean }>("chat:lobby");
  const member = (session: string, data?: string): object => ({ session, user: session[0], since: 1, data });
  const [ada, bob] = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"];
  const told: unknown[] = [];
  room.on("members", (members) => told.push(members.map(({ user, data }) => [user, data?.typing])));
  room.on("presence", ({ joined, left, updated }) => told.push([joined.length, left.length, updated.length]));
  const socket = await join(room, { members: [member(ada)] });
  const before = room.members;
  assert.equal(room.members, before);
  assert.deepEqual(room.occupancy, { members: 1, users: 1 });
  socket.say(
    { t: "presence", joined: [member(bob)], left: [], updated: [] },
    { t: "presence", joined: [], left: [{ session: ada, user: "a", reason: "left" }], updated: [member(bob, '{"typing":true}')] },
  );
  assert.deepEqual(room.occupancy, { members: 1, users: 1 });
  socket.say({ t: "occupancy", members: 5_000, users: 4_000 });
  assert.deepEqual(room.occupancy, { members: 5_000, users: 4_000 });
  assert.deepEqual(told, [
    [1, 0, 0],
    [["a", undefined]],
    [1, 0, 0],
    [["a", undefined], ["b", undefined]],
    [0, 1, 1],
    [["b", true]],
  ]);
  const setting = room.presence.set({ typing: false });
  assert.deepEqual(room.presence.data, { typing: false });
  await Promise.resolve();
  await Promise.resolve();
  const [said] = socket.heard();
  assert.deepEqual(said, { t: "presence", id: 1, data: '{"typing":false}' });
  socket.say({ t: "reply", id: 1, result: {} });
  await setting;
});

test("history is a typed page", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const asked = room.history({ before: 9, limit: 2, tags: ["a"] });
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(socket.heard(), [{ t: "history", id: 1, before: 9, limit: 2, tags: ["a"] }]);
  const { t: _, ...message } = publication(7);
  socket.say({ t: "reply", id: 1, result: { epoch, messages: [message], next: 7 } });
  const data = { text: "x" };
  assert.deepEqual(await asked, {
    epoch,
    messages: [{ offset: 7, time: 5, type: "message", data, tags: [], ephemeral: false }],
    next: 7,
  });
});

test("leaving says so, closes 1000, and a later join begins anew", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room, { members: [{ session: "aaaaaaaaaaaaaaaa", user: "a", since: 1 }] });
  const leaving = room.leave();
  const [leave] = socket.heard();
  assert.equal(leave?.["t"], "leave");
  socket.say({ t: "reply", id: leave?.["id"], result: {} });
  await leaving;
  assert.deepEqual(socket.closed, { code: 1000, reason: "normal" });
  assert.deepEqual([room.status, room.members.length], ["left", 0]);
  await assert.rejects(room.publish("message", { text: "a" }), { code: "unavailable" });
  const again = await join(room);
  assert.equal(again.url, socket.url);
});

test("leaving while joining cancels it, at any point of the way", async () => {
  const room = client().room<Chat>("chat:lobby");
  const joining = room.join();
  await room.leave();
  await assert.rejects(joining, { code: "cancelled" });
  const second = room.join();
  const socket = await nextSocket();
  await room.leave();
  await assert.rejects(second, { code: "cancelled" });
  assert.equal(socket.closed?.code, 1000);
});

test("signals end a join, a publish and a listener", async () => {
  const room = client().room<Chat>("chat:lobby");
  const giveUp = new AbortController();
  const joining = room.join({ signal: giveUp.signal });
  await nextSocket();
  giveUp.abort(new Error("too long"));
  await assert.rejects(joining, { message: "too long" });
  assert.equal(room.status, "left");

  const socket = await join(room);
  const aborting = new AbortController();
  let heard = 0;
  room.on("message", () => (heard += 1), { signal: aborting.signal });
  const publishing = room.publish("message", { text: "a" }, { signal: aborting.signal });
  aborting.abort(new Error("changed my mind"));
  await assert.rejects(publishing, { message: "changed my mind" });
  socket.say(publication(11));
  await Promise.resolve();
  assert.deepEqual([socket.heard(), heard], [[], 0]);
});

test("a listener that throws, leaves or publishes disturbs no other", async () => {
  const room = client().room<Chat>("chat:lobby");
  const reported: unknown[] = [];
  const reportError = globalThis.reportError;
  globalThis.reportError = (error) => reported.push(error);
  const heard: number[] = [];
  room.on("message", () => {
    throw new Error("mine");
  });
  const off = room.on("message", () => off());
  room.on("message", (message) => {
    heard.push(message.offset ?? 0);
    room.publish("message", { text: "echo" }).catch(() => {});
  });
  const socket = await join(room);
  socket.say(publication(11), publication(12));
  await Promise.resolve();
  await Promise.resolve();
  globalThis.reportError = reportError;
  assert.deepEqual(heard, [11, 12]);
  assert.equal(reported.length, 2);
  assert.equal(socket.heard().length, 2);
});

test("what cannot be sent is refused with a sentence", async () => {
  assert.throws(() => client({ url: "ftp://rooms.example" }), { code: "invalid_argument" });
  assert.throws(() => client().room("Chat:lobby"), { code: "invalid_argument" });
  const room = client().room("chat:lobby");
  await assert.rejects(room.publish("message", {}), { code: "unavailable" });
  if (typeof globalThis.WebSocket !== "function") {
    const socketless = new Roomcast({ url: "https://rooms.example" }).room("chat:lobby");
    await assert.rejects(socketless.join(), { code: "unsupported" });
  }
  await join(room);
  await assert.rejects(room.publish("message", undefined), { code: "invalid_argument" });
  await assert.rejects(room.publish("message", 1, { to: { sessions: ["short"] } }), { code: "invalid_argument" });
});

test("requests made while the module loads wait for it, so many and no more", async () => {
  const room = client().room<Chat>("chat:lobby");
  const joining = room.join();
  const publishing = Array.from({ length: 257 }, (_, index) => room.publish("message", { text: String(index) }));
  const settling = Promise.allSettled(publishing);
  await assert.rejects(publishing[256] as Promise<unknown>, { code: "overloaded" });
  const socket = await nextSocket();
  await until(() => room.status === "connecting");
  socket.open();
  socket.heard();
  socket.say(welcome());
  await joining;
  assert.equal(socket.heard()[0]?.["data"], '{"text":"0"}');
  await room.leave();
  for (const result of await settling) assert.equal(result.status, "rejected");
});

test("a frame that cannot be read fails the room and not the page", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  socket.onmessage?.({ data: new Uint8Array([0xc1]).buffer });
  assert.equal(room.failure?.closeCode, 3508);
  assert.equal(socket.closed?.code, 3508);
});

test("an origin keeps its path, its port and its scheme", async () => {
  for (const [url, address] of [
    ["http://127.0.0.1:8787", "ws://127.0.0.1:8787/v1/rooms/chat:a/connect"],
    ["wss://rooms.example/eu/", "wss://rooms.example/eu/v1/rooms/chat:a/connect"],
    [new URL("https://rooms.example?x#y"), "wss://rooms.example/v1/rooms/chat:a/connect"],
  ] as const) {
    const room = client({ url }).room("chat:a");
    room.join().catch(() => {});
    const socket = await nextSocket();
    assert.equal(socket.url, address);
    await room.leave();
  }
});
