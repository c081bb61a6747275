import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { RoomcastProvider, createRoomContext, shallowEqual, type SetPresence, type SetShared } from "@roomcast/client/react";
import { act, createElement as h, Profiler, StrictMode, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { makeDocument } from "./dom.js";
import { client, endAll, FakeSocket, nextSocket, publication, until, welcome } from "./fake_server.js";

type Events = { message: { text: string }; cursor: { x: number } };
type Presence = { typing: boolean };
type State = { topic: string; likes: number };

const { RoomProvider, useMessages, useMyPresence, useOccupancy, useOthers, usePresence, useRoom, useRoomEvent, useSharedState, useStatus } =
  createRoomContext<Events, Presence, State>();

makeDocument();
const roots: Root[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await act(async () => root.unmount());
  // Rooms are left at the end of the turn.
  await new Promise((resolve) => setTimeout(resolve, 0));
  endAll();
});

/** How often each named part was rendered. */
const renders: Record<string, number> = {};

function Part({ name, use }: { name: string; use: () => unknown }): ReactNode {
  renders[name] = (renders[name] ?? 0) + 1;
  return h("p", { id: name }, JSON.stringify(use()) ?? "nothing");
}

const part = (name: string, use: () => unknown): ReactNode => h(Part, { name, use, key: name });
const shown = (name: string): any => JSON.parse(document.getElementById(name)?.textContent ?? "null");

/** Shows these in a room, and others later. */
async function render(...first: ReactNode[]): Promise<{ show(...children: ReactNode[]): Promise<void> }> {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  roots.push(root);
  const rooms = client();
  const show = async (...children: ReactNode[]): Promise<void> => {
    const provider = h(RoomProvider, { name: "chat:lobby", presence: { typing: false } }, children);
    await act(async () => root.render(h(RoomcastProvider, { client: rooms }, provider)));
  };
  await show(...first);
  return { show };
}

async function welcomed(more: Record<string, unknown> = {}): Promise<FakeSocket> {
  const socket = await nextSocket();
  await act(async () => {
    socket.open();
    socket.say(welcome(more));
  });
  socket.heard();
  return socket;
}

async function says(socket: FakeSocket, ...messages: Record<string, unknown>[]): Promise<void> {
  await act(async () => socket.say(...messages));
}

const ada = { session: "abcdefghijklmnop", user: "ada", since: 1, data: '{"typing":false}' };
const bob = { session: "bobbobbobbobbobb", user: "bob", since: 2, data: '{"typing":false}' };

test("R-VIEW-5: one message renders what shows messages, and nothing else", async () => {
  await render(
    part("list", () => useMessages().entries.map((entry) => (entry.kind === "message" && !entry.removed ? entry.data : entry.kind))),
    part("count", () => useMessages(({ entries }) => Math.min(entries.length, 1))),
    part("status", useStatus),
    part("everyone", () => usePresence().map(({ user }) => user)),
    part("others", useOthers),
    part("mine", useMyPresence),
    part("topic", () => useSharedState("topic")[0] ?? null),
    part("room", () => useRoom().name),
  );
  assert.deepEqual(shown("status"), "connecting");
  const socket = await welcomed({ members: [ada, bob] });
  assert.deepEqual([shown("status"), shown("everyone"), shown("others").length], ["connected", ["ada", "bob"], 1]);
  await says(socket, publication(11));
  const before = { ...renders };
  await says(socket, publication(12), publication(13));
  assert.equal(shown("list").length, 3);
  assert.deepEqual(renders, { ...before, list: (before["list"] ?? 0) + 1 });
});

test("R-VIEW-3: who shows messages late loads what was said before, once", async () => {
  const roots = await render(part("status", useStatus));
  const socket = await welcomed();
  const late = (name: string): ReactNode => part(name, () => useMessages().entries.length);
  await roots.show(part("status", useStatus), late("list"), late("again"));
  const asked = socket.heard();
  assert.deepEqual(asked.map(({ t, limit }) => [t, limit]), [["history", 50]]);
  const { t: _, ...message } = publication(9);
  await says(socket, { t: "reply", id: asked[0]?.["id"], result: { epoch: "00000000000000ab", messages: [message] } });
  assert.deepEqual([shown("list"), shown("again")], [1, 1]);
});

test("R-VIEW-5: a selector renders where what it makes has changed", async () => {
  await render(
    part("typing", () => useOthers((others) => others.filter(({ data }) => data?.typing).length)),
    part("names", () => useOthers((others) => others.map(({ user }) => user), shallowEqual)),
    part("users", () => useOccupancy().users),
  );
  const socket = await welcomed({ members: [ada, bob] });
  const before = { ...renders };
  await says(socket, { t: "presence", joined: [], left: [], updated: [{ ...bob, data: '{"typing":true}' }] });
  assert.deepEqual([shown("typing"), shown("names"), shown("users")], [1, ["bob"], 2]);
  assert.equal(renders["names"], before["names"]);
  assert.equal(renders["typing"], (before["typing"] ?? 0) + 1);
});

test("R-VIEW-6: what React mounts twice joins once, and leaves when it is gone", async () => {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  const rooms = client();
  const statuses: string[] = [];
  const Spy = (): ReactNode => (statuses.push(useStatus()), null);
  const tree = h(StrictMode, null, h(RoomcastProvider, { client: rooms }, h(RoomProvider, { name: "chat:lobby" }, h(Spy))));
  await act(async () => root.render(tree));
  const socket = await welcomed();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(FakeSocket.opened.length, 0);
  assert.equal(socket.closed, undefined);
  assert.equal(statuses.at(-1), "connected");
  assert.equal(statuses.includes("left"), false);
  await act(async () => root.unmount());
  await until(() => socket.heard().some(({ t }) => t === "leave"));
});

test("R-VIEW-6: another name is another room", async () => {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  roots.push(root);
  const rooms = client();
  const at = (name: string): ReactNode => h(RoomcastProvider, { client: rooms }, h(RoomProvider, { name }, part("name", () => [useRoom().name, useStatus()])));
  await act(async () => root.render(at("chat:a")));
  const first = await welcomed();
  assert.deepEqual(shown("name"), ["chat:a", "connected"]);
  await act(async () => root.render(at("chat:b")));
  assert.deepEqual(shown("name"), ["chat:b", "connecting"]);
  await until(() => first.heard().some(({ t }) => t === "leave"));
  assert.match((await welcomed()).url, /chat:b/);
});

test("R-VIEW-7: on a server a room is rendered as not joined, and nothing is opened", () => {
  const rooms = client();
  const all = part("all", () => [useStatus(), usePresence(), useOthers(), useOccupancy(), useMessages().entries, useSharedState("topic")[0] ?? null, useMyPresence()[0]]);
  const html = renderToString(h(RoomcastProvider, { client: rooms }, h(RoomProvider, { name: "chat:lobby", presence: { typing: false }, children: all })));
  const text = html.replace(/<[^>]+>/g, "").replace(/&quot;/g, '"');
  assert.deepEqual(JSON.parse(text), ["idle", [], [], { members: 0, users: 0 }, [], null, { typing: false }]);
  assert.equal(FakeSocket.opened.length, 0);
});

test("one's own presence is shown at once, and made of what it was", async () => {
  let set: SetPresence<Presence>;
  await render(part("mine", () => (([mine, change]) => ((set = change), mine))(useMyPresence())));
  const socket = await welcomed();
  await act(async () => void set((before) => ({ typing: !before?.typing })));
  assert.deepEqual(shown("mine"), { typing: true });
  assert.deepEqual(socket.heard().map(({ t, data }) => [t, data]), [["presence", '{"typing":true}']]);
});

test("shared state is shown by key, and a change is made anew where somebody else was faster", async () => {
  let like: SetShared<number>;
  await render(
    part("likes", () => (([likes, change]) => ((like = change), likes ?? 0))(useSharedState("likes"))),
    part("keys", () => useSharedState((state) => Object.keys(state).length)),
  );
  const state = { version: 3, entries: { likes: { value: "1", version: 3 } } };
  const socket = await welcomed({ state });
  assert.deepEqual([shown("likes"), shown("keys")], [1, 1]);
  let done: Promise<void> | undefined;
  await act(async () => void (done = like((before = 0) => before + 1)));
  const [first] = socket.heard();
  assert.deepEqual(first?.["ops"], [{ set: "likes", value: "2", if: 3 }]);
  await says(
    socket,
    { t: "error", id: first?.["id"], code: "conflict", message: "no", retryable: false },
    { t: "state", version: 4, ops: [{ set: "likes", value: "7", version: 4 }] },
  );
  const second = await until(() => socket.heard()[0]);
  assert.deepEqual(second["ops"], [{ set: "likes", value: "8", if: 4 }]);
  await says(socket, { t: "reply", id: second["id"], result: { version: 5 } }, { t: "state", version: 5, ops: [{ set: "likes", value: "8", version: 5 }] });
  await done;
  assert.deepEqual(shown("likes"), 8);
});

test("events reach the listener of the last render, and render nothing", async () => {
  const seen: string[] = [];
  let renderings = 0;
  const Listening = ({ label }: { label: string }): ReactNode => {
    useRoomEvent("cursor", ({ data }) => seen.push(`${label} ${data.x}`));
    return null;
  };
  const profiled = (label: string): ReactNode => h(Profiler, { id: "p", key: "p", onRender: () => (renderings += 1) }, h(Listening, { label }));
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  roots.push(root);
  const rooms = client();
  const tree = (label: string): ReactNode => h(RoomcastProvider, { client: rooms }, h(RoomProvider, { name: "chat:lobby" }, profiled(label)));
  await act(async () => root.render(tree("a")));
  const socket = await welcomed();
  const cursor = { t: "ephemeral", time: 1, type: "cursor", data: '{"x":1}' };
  await says(socket, cursor);
  await act(async () => root.render(tree("b")));
  await says(socket, cursor);
  assert.deepEqual(seen, ["a 1", "b 1"]);
  assert.equal(renderings, 2);
});

test("a hook outside of its provider says what is missing", () => {
  assert.throws(() => renderToString(part("outside", useStatus)), { message: "there is no <RoomProvider> above" });
  assert.throws(() => renderToString(h(RoomProvider, { name: "chat:lobby" })), { message: "there is no <RoomcastProvider> above" });
});
