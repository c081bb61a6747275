import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Roomcast, RoomcastError, type Room } from "@roomcast/client";
import { MemoryServer } from "@roomcast/client/testing";
import { until } from "./fake_server.js";

type Chat = { message: { text: string } };

let server: MemoryServer;
afterEach(() => server.stop());

async function enter(user: string, name = "chat:lobby", options = {}): Promise<Room<Chat>> {
  const room = server.client(user).room<Chat>(name, options);
  await room.join();
  return room;
}

function heard(room: Room<Chat>): string[] {
  const texts: string[] = [];
  room.on("message", ({ data }) => texts.push(data.text));
  return texts;
}

test("two clients meet in a room in memory", async () => {
  server = await MemoryServer.start();
  const [ada, bob] = [await enter("ada"), await enter("bob")];
  const texts = heard(bob);
  assert.equal((await ada.publish("message", { text: "one" })).offset, 1);
  assert.equal((await ada.publish("message", { text: "two" })).offset, 2);
  await until(() => texts.length === 2);
  assert.deepEqual(texts, ["one", "two"]);
  await until(() => ada.members.length === 2 && bob.members.length === 2);
  await ada.state.set("topic", "tea");
  await until(() => bob.state.get("topic") === "tea");
  await ada.leave();
  await until(() => bob.members.length === 1);
});

test("what was missed while offline comes in order, once", async () => {
  server = await MemoryServer.start();
  const room = await enter("ada");
  const texts = heard(room);
  await server.publish("chat:lobby", "message", { text: "0" });
  await until(() => texts.length === 1);
  server.goOffline();
  await until(() => room.status === "reconnecting");
  for (let n = 1; n <= 5; n++) await server.publish("chat:lobby", "message", { text: `${n}` });
  server.goOnline();
  await until(() => texts.length === 6);
  assert.deepEqual(texts, ["0", "1", "2", "3", "4", "5"]);
});

test("a publish under way when the connection is cut is published once", async () => {
  server = await MemoryServer.start();
  const room = await enter("ada");
  const publishing = room.publish("message", { text: "once" }, { key: "k" });
  server.cut("chat:lobby");
  await publishing;
  const { messages } = await server.history<Chat>("chat:lobby");
  assert.deepEqual(messages.map(({ data }) => data), [{ text: "once" }]);
});

test("rooms are rebuilt from what they stored", async () => {
  server = await MemoryServer.start();
  const room = await enter("ada");
  const texts = heard(room);
  await room.publish("message", { text: "before" });
  server.restart();
  await room.publish("message", { text: "asleep" });
  server.restart({ afterFault: true });
  await until(() => room.status !== "connected");
  await until(() => room.status === "connected");
  await room.publish("message", { text: "after" });
  await until(() => texts.length === 3);
  assert.deepEqual(texts, ["before", "asleep", "after"]);
});

test("tokens allow what they say, and no more", async () => {
  server = await MemoryServer.start({ kinds: { chat: {}, open: { access: "public" }, inner: { access: "service" } } });
  const reader = server.client("ada", { capabilities: ["join"] }).room<Chat>("chat:lobby");
  await reader.join();
  await assert.rejects(reader.publish("message", { text: "no" }), { code: "forbidden" });

  const refused = async (room: Room, code: string): Promise<void> => {
    await assert.rejects(room.join(), (error: unknown) => error instanceof RoomcastError && error.code === code);
  };
  await refused(server.client("ada").room("other:room"), "unknown_kind");
  await refused(server.client("ada", { capabilities: ["history"] }).room("chat:lobby"), "forbidden");
  const { url, WebSocket } = server;
  const nobody = new Roomcast({ url, WebSocket });
  await refused(nobody.room("chat:lobby"), "unauthorized");
  await refused(new Roomcast({ url, WebSocket, token: () => "bm9uZQ" }).room("chat:lobby"), "unauthorized");
  await refused(server.client("ada").room("inner:room"), "forbidden");
  const guest = nobody.room("open:house");
  await guest.join();
  assert.match(guest.me?.user ?? "", /^anon-/);
});

test("a backend disconnects, blocks and deletes", async () => {
  server = await MemoryServer.start();
  const [ada, bob] = [await enter("ada"), await enter("bob")];
  await until(() => ada.members.length === 2);
  assert.deepEqual((await server.members("chat:lobby")).map(({ user }) => user).sort(), ["ada", "bob"]);
  await server.disconnect("chat:lobby", { user: "bob" }, { blockForMs: 60_000 });
  await until(() => bob.status === "failed");
  await assert.rejects(enter("bob"), { closeCode: 3505 });
  await ada.state.set("topic", "tea");
  assert.equal((await server.state("chat:lobby")).entries["topic"]?.value, "tea");
  await server.delete("chat:lobby");
  await until(() => ada.status === "failed");
  assert.deepEqual((await server.history("chat:lobby")).messages, []);
});

test("a mistake in the kinds says where it is", async () => {
  server = await MemoryServer.start();
  const started = MemoryServer.start({ kinds: { chat: { presence: { grace: "soon" } } } });
  await assert.rejects(started, (error: RoomcastError) => {
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /kinds\.chat\.presence\.grace/);
    return true;
  });
  const unknown = server.publish("other:room", "message", { text: "x" });
  await assert.rejects(unknown, { code: "unknown_kind" });
});

test("whoever is in a room when the server stops learns that it is for good", async () => {
  server = await MemoryServer.start();
  const room = await enter("ada");
  server.stop();
  await until(() => room.status === "failed");
  assert.equal(room.failure?.closeCode, 4500);
});
