// What a room offers besides messages and members: calls, streams, pages of history, subscriptions, reloads.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Bytes } from "./msgpack.js";
import { type FakeSocket, client, endAll, epoch, join, nextSocket, publication, until, welcome } from "./fake_server.js";

type Chat = { message: { text: string } };

afterEach(endAll);

test("a call returns its result, and what a stream gives comes one by one", async () => {
  type Methods = {
    brew: { args: { tea: string }; result: { hot: boolean } };
    count: { args: null; result: string; item: number };
  };
  const room = client().room<Chat, unknown, Methods>("chat:lobby");
  const socket = await join(room);
  const asked = (): Promise<Record<string, unknown>> => until(() => socket.heard()[0]);
  const brewing = room.call("brew", { tea: "green" });
  const { id, ...call } = await asked();
  assert.deepEqual(call, { t: "call", method: "brew", args: '{"tea":"green"}' });
  socket.say({ t: "reply", id, result: '{"hot":true}' });
  assert.deepEqual(await brewing, { hot: true });

  const refused = room.call("brew", { tea: "black" });
  socket.say({ t: "error", id: (await asked())["id"], code: "unsupported", message: "no logic", retryable: false });
  await assert.rejects(refused, { name: "RoomcastError", code: "unsupported", retryable: false, data: undefined });
  for (const [told, data] of [['{"why":"cold"}', { why: "cold" }], [new Bytes(new Uint8Array([7])), new Uint8Array([7])]]) {
    const failed = room.call("brew", { tea: "iced" });
    const error = { code: "method_failed", message: "no", retryable: false, data: told };
    socket.say({ t: "error", id: (await asked())["id"], ...error });
    await assert.rejects(failed, { code: "method_failed", outcome: "rejected", data });
  }

  const stream = room.stream("count", null);
  const first = stream.next();
  const counting = (await asked())["id"];
  socket.say({ t: "reply", id: counting, result: "1", more: true }, { t: "reply", id: counting, result: "2", more: true });
  assert.deepEqual(await first, { value: 1, done: false });
  assert.deepEqual(await stream.next(), { value: 2, done: false });
  const last = stream.next();
  socket.say({ t: "reply", id: counting, result: '"end"' });
  assert.deepEqual(await last, { value: "end", done: true });
});

test("a stream that is broken off, aborted or not read is cancelled at the room", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const asked = (): Promise<Record<string, unknown>> => until(() => socket.heard()[0]);
  const more = (id: unknown): object => ({ t: "reply", id, result: "1", more: true });
  const begin = async (signal?: AbortSignal): Promise<[AsyncGenerator<unknown>, unknown]> => {
    const stream = room.stream("count", null, { ...(signal && { signal }) });
    const first = stream.next();
    const { id } = await asked();
    socket.say({ ...more(id) });
    assert.deepEqual(await first, { value: 1, done: false });
    return [stream, id];
  };
  const [broken, brokenId] = await begin();
  await broken.return(undefined);
  assert.deepEqual(socket.heard(), [{ t: "cancel", id: brokenId }]);

  const aborting = new AbortController();
  const [aborted, abortedId] = await begin(aborting.signal);
  const next = aborted.next();
  aborting.abort(new Error("enough"));
  await assert.rejects(next, { message: "enough" });
  assert.deepEqual(socket.heard(), [{ t: "cancel", id: abortedId }]);

  const [unread, unreadId] = await begin();
  for (let item = 0; item <= 1_024; item += 1) socket.say({ ...more(unreadId) });
  assert.deepEqual(socket.heard(), [{ t: "cancel", id: unreadId }]);
  const drained: unknown[] = [];
  const drain = async (): Promise<void> => {
    for await (const item of unread) drained.push(item);
  };
  await assert.rejects(drain(), { code: "overloaded" });
  assert.equal(drained.length, 1_024);
});

test("history is iterated over back from the newest, and forth from an offset", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const entry = (offset: number): object => ({ offset, time: 1, type: "message", data: '{"text":"x"}' });
  const answer = async (offsets: number[], next?: number): Promise<Record<string, unknown>> => {
    const asked = await until(() => socket.heard()[0]);
    socket.say({ t: "reply", id: asked["id"], result: { epoch, messages: offsets.map(entry), ...(next && { next }) } });
    return asked;
  };
  const read = async (history: AsyncIterable<{ offset: number }>): Promise<number[]> => {
    const offsets: number[] = [];
    for await (const { offset } of history) offsets.push(offset);
    return offsets;
  };
  const back = read(room.history({ limit: 2 }));
  assert.equal((await answer([9, 10], 9))["before"], undefined);
  assert.equal((await answer([7, 8]))["before"], 9);
  assert.deepEqual(await back, [10, 9, 8, 7]);
  const forth = read(room.history({ after: 6 }));
  await answer([7, 8], 8);
  assert.equal((await answer([9]))["after"], 8);
  assert.deepEqual(await forth, [7, 8, 9]);
  const failing = read(room.history());
  const { id } = await until(() => socket.heard()[0]);
  socket.say({ t: "error", id, code: "forbidden", message: "no", retryable: false });
  await assert.rejects(failing, { code: "forbidden" });
});

test("tags are subscribed to and off, and one key of state is listened to", async () => {
  const room = client().room<Chat>("chat:lobby");
  const socket = await join(room);
  const subscribing = room.subscribe(["north"]);
  const { id, ...asked } = await until(() => socket.heard()[0]);
  assert.deepEqual(asked, { t: "subscribe", tags: ["north"] });
  socket.say({ t: "reply", id, result: { tags: ["$me", "north"], offset: 10 } });
  assert.deepEqual([await subscribing, room.me?.tags], [["$me", "north"], ["$me", "north"]]);
  const leaving = room.unsubscribe(["north"]);
  socket.say({ t: "reply", id: (await until(() => socket.heard()[0]))["id"], result: { tags: ["$me"], offset: 10 } });
  assert.deepEqual(await leaving, ["$me"]);

  const heard: unknown[] = [];
  const off = room.state.subscribe<string>("topic", (topic) => heard.push(topic));
  room.state.subscribe(() => heard.push(room.state.version));
  socket.say({ t: "state", version: 1, ops: [{ set: "topic", value: '"tea"', version: 1 }] });
  socket.say({ t: "state", version: 2, ops: [{ set: "other", value: "1", version: 2 }] });
  socket.say({ t: "state", version: 3, ops: [{ delete: "topic" }] });
  off();
  socket.say({ t: "state", version: 4, ops: [{ set: "topic", value: '"tea"', version: 4 }] });
  assert.deepEqual(heard, ["tea", 1, 2, undefined, 3, 4]);
});

test("a reload goes on as the same session, and a duplicated tab as one of its own", async () => {
  const page = new EventTarget();
  const items = new Map<string, string>();
  const globals = globalThis as Record<string, unknown>;
  globals["addEventListener"] = page.addEventListener.bind(page);
  globals["sessionStorage"] = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
    removeItem: (key: string) => items.delete(key),
  };
  const load = async (resume: boolean): Promise<[FakeSocket, Record<string, unknown>]> => {
    const room = client().room<Chat>("chat:lobby", { resume });
    const joining = room.join();
    const socket = await nextSocket();
    socket.open();
    const [hello] = socket.heard();
    socket.say(welcome({ recovered: hello?.["recover"] !== undefined }));
    await joining;
    ended.push(room);
    return [socket, hello ?? {}];
  };
  const ended: { leave(): Promise<void> }[] = [];
  const go = (type: string, persisted: boolean): void => {
    page.dispatchEvent(Object.assign(new Event(type), { persisted }));
  };
  try {
    const [socket, hello] = await load(true);
    assert.deepEqual([hello["recover"], items.size], [undefined, 0]);
    socket.say(publication(11));
    go("pagehide", true);
    assert.equal(items.size, 1);
    go("pageshow", true);
    assert.equal(items.size, 0, "what is copied now finds nothing");
    go("pagehide", false);
    assert.deepEqual(socket.heard(), [], "it does not leave");

    const [, reloaded] = await load(true);
    assert.deepEqual([reloaded["session"], reloaded["recover"]], [hello["session"], { epoch, offset: 11 }]);
    const [, duplicated] = await load(true);
    assert.deepEqual([duplicated["session"] === hello["session"], duplicated["recover"]], [false, undefined]);

    items.clear();
    const [plain] = await load(false);
    go("pagehide", false);
    assert.equal(plain.heard()[0]?.["t"], "leave");

    items.set("roomcast:wss://rooms.example/v1/rooms/chat:lobby/connect", '{"session":"<"}');
    const [, wary] = await load(true);
    assert.match(String(wary["session"]), /^[\w-]{22}$/);
  } finally {
    for (const room of ended) void room.leave();
    delete globals["addEventListener"];
    delete globals["sessionStorage"];
  }
});
