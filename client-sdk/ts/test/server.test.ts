import assert from "node:assert/strict";
import { test } from "node:test";
import {
  RoomcastError,
  RoomcastHttpError,
  RoomcastServer,
  type RoomcastServerOptions,
  roomStub,
} from "@roomcast/client/server";

interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: any;
}

type Answer = Response | Error | ((asked: Asked) => Response);

const published = { epoch: "00000000000000ab", offset: 7, duplicate: false };

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "x-request-id": "req-1", ...headers } });
}

function problem(status: number, code: string, more: object = {}): Response {
  return json({ type: "about:blank", title: `it is ${code}`, status, code, ...more }, status);
}

/** A gateway that gives these answers, one a request. */
function gateway(answers: Answer[], more: Partial<RoomcastServerOptions> = {}): { rooms: RoomcastServer; asked: Asked[] } {
  const asked: Asked[] = [];
  const ask = async (address: URL, init: RequestInit): Promise<Response> => {
    init.signal?.throwIfAborted();
    const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const request = { method: init.method ?? "", path: address.pathname + address.search, body, headers: init.headers as Record<string, string> };
    asked.push(request);
    const answer = answers.shift();
    assert(answer !== undefined, `another request: ${address}`);
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(request) : answer;
  };
  const options = { url: "https://rooms.example", apiKey: "rk_ci_secret", fetch: ask as typeof fetch, ...more };
  return { rooms: new RoomcastServer(options), asked };
}

const lost = (): Error => new TypeError("fetch failed");

test("R-SRV-1: a publish has a key, under which it is asked again when an answer is lost", async () => {
  const { rooms, asked } = gateway([lost(), problem(503, "unavailable", { retry_after_ms: 1 }), json(published)]);
  const room = rooms.room<{ message: { text: string } }>("chat:lobby");
  assert.deepEqual(await room.publish("message", { text: "hi" }, { from: { user: "ci" } }), published);
  const [first, ...again] = asked;
  assert.equal(`${first?.method} ${first?.path}`, "POST /v1/rooms/chat%3Alobby/publish");
  assert.equal(first?.headers["authorization"], "Bearer rk_ci_secret");
  const { key, ...body } = first?.body as { key: string };
  assert.match(key, /^[0-9a-f-]{36}$/);
  assert.deepEqual(body, { type: "message", data: { text: "hi" }, from: { user: "ci" } });
  assert.deepEqual(again.map(({ body }) => body), [first?.body, first?.body]);
});

test("R-SRV-1: a key of one's own stays, and tries have an end", async () => {
  const { rooms, asked } = gateway([lost(), lost()], { retries: 1 });
  const publishing = rooms.room("chat:lobby").publish("message", 1, { key: "order-7" });
  await assert.rejects(publishing, { code: "unavailable", retryable: true, outcome: "unknown", status: undefined });
  assert.deepEqual(asked.map(({ body }) => body.key), ["order-7", "order-7"]);
});

test("R-SRV-1: what would say something else the second time is not asked again", async () => {
  const { rooms, asked } = gateway([lost(), lost(), problem(503, "unavailable"), lost()]);
  const room = rooms.room("chat:lobby");
  await assert.rejects(room.publish("cursor", { x: 1 }, { ephemeral: true }), { outcome: "unknown" });
  assert.equal("key" in asked[0]?.body, false);
  await assert.rejects(room.edit(3, { text: "x" }), { outcome: "unknown" });
  await assert.rejects(room.remove(3), { outcome: "unknown", status: 503 });
  await assert.rejects(room.writeState([{ set: "a", value: 1 }]), { outcome: "unknown" });
  assert.equal(asked.length, 4);
});

test("R-SRV-2: a refusal says its code, path, status and request, and is not asked again", async () => {
  const details = [{ path: "tags[0]", message: "is 1 to 64 bytes" }];
  const { rooms } = gateway([problem(400, "invalid_argument", { details }), problem(429, "rate_limited", { retry_after_ms: 1500 })]);
  const room = rooms.room("chat:lobby");
  const error = await room.publish("message", 1, { tags: [""] }).catch((error: unknown) => error);
  assert(error instanceof RoomcastHttpError && error instanceof RoomcastError);
  const { code, path, status, requestId, retryable, outcome, message } = error;
  assert.deepEqual(
    { code, path, status, requestId, retryable, outcome, message },
    { code: "invalid_argument", path: "tags[0]", status: 400, requestId: "req-1", retryable: false, outcome: "rejected", message: "it is invalid_argument" },
  );
  await assert.rejects(room.info(), { code: "rate_limited", status: 429, retryAfterMs: 1500 });
});

test("R-SRV-2: a wait of more than ten seconds is the caller's to decide on", async () => {
  const { rooms, asked } = gateway([new Response("busy", { status: 503, headers: { "retry-after": "30" } })]);
  await assert.rejects(rooms.usage(), { code: "unavailable", status: 503, retryAfterMs: 30_000 });
  assert.equal(asked.length, 1);
});

test("an aborted signal ends the wait with its own reason", async () => {
  const given = new AbortController();
  const { rooms } = gateway([() => (given.abort(new Error("enough")), problem(503, "unavailable", { retry_after_ms: 9_000 }))]);
  await assert.rejects(rooms.room("chat:lobby").info({ signal: given.signal }), { message: "enough" });
});

test("a batch has an outcome for each message, in their order", async () => {
  const error = { type: "about:blank", title: "no", status: 403, code: "forbidden" };
  const { rooms, asked } = gateway([json({ results: [published, { error }, {}] })]);
  const outcomes = await rooms.publishBatch([
    { room: "chat:a", data: 1 },
    { room: "chat:b", data: new Uint8Array([1, 2]), key: "k" },
    { room: "chat:c", data: 3, ephemeral: true, type: "cursor" },
  ]);
  assert.deepEqual(asked[0]?.body.messages.slice(1), [
    { room: "chat:b", data: { $bin: "AQI=" }, key: "k" },
    { room: "chat:c", data: 3, ephemeral: true, type: "cursor" },
  ]);
  assert.deepEqual(outcomes.map((outcome) => (outcome.ok ? outcome.published?.offset : outcome.error.code)), [7, "forbidden", undefined]);
});

test("rooms are listed page by page, and no further than asked", async () => {
  const page = (names: string[], next?: string): Response => json({ rooms: names.map((room) => ({ room })), ...(next && { next }) });
  const { rooms, asked } = gateway([page(["chat:a", "chat:b"], "chat:b"), page(["chat:c"])]);
  const names: string[] = [];
  for await (const { room } of rooms.rooms({ prefix: "chat:" })) names.push(room);
  assert.deepEqual(names, ["chat:a", "chat:b", "chat:c"]);
  assert.deepEqual(asked.map(({ path }) => path), ["/v1/rooms?prefix=chat%3A", "/v1/rooms?prefix=chat%3A&cursor=chat%3Ab"]);
  for await (const _ of gateway([page(["chat:a"], "chat:a")]).rooms.rooms()) break;
});

test("history, members and state have bytes as bytes", async () => {
  const $bin = "AQI=";
  const bytes = new Uint8Array([1, 2]);
  const message = { offset: 1, time: 5, type: "sketch", data: { $bin }, from: { user: "ada", info: { $bin } } };
  const { rooms, asked } = gateway([
    json({ epoch: "00000000000000ab", messages: [message], next: 1 }),
    json({ members: [{ session: "s", user: "ada", data: { $bin }, since: 1 }], users: 1, connections: 1 }),
    json({ version: 2, entries: { a: { value: { $bin }, version: 2 }, b: { value: { $bin, and: 1 }, version: 1 } } }),
  ]);
  const room = rooms.room<{ sketch: Uint8Array }>("chat:lobby");
  const page = await room.messages({ limit: 5, tags: ["red", "blue"], raw: true });
  assert.equal(asked[0]?.path, "/v1/rooms/chat%3Alobby/messages?limit=5&raw=true&tags=red%2Cblue");
  assert.deepEqual(page.messages, [{ ...message, data: bytes, from: { user: "ada", info: bytes }, tags: [], ephemeral: false }]);
  assert.deepEqual((await room.members()).members[0]?.data, bytes);
  const { entries } = await room.state();
  assert.deepEqual([entries["a"]?.value, entries["b"]?.value], [bytes, { $bin, and: 1 }]);
});

test("users are published to, sent away and revoked by their name, whatever is in it", async () => {
  const { rooms, asked } = gateway([json(published), json({ closed: 2, complete: true }), json({ until: 1, closed: 0, complete: true }), json({})]);
  await rooms.users.publish("ada/1", "mail", { unread: 1 });
  await rooms.users.disconnect("ada/1", { reason: "bye" });
  await rooms.revoke({ user: "ada/1", ttl: 60 });
  await rooms.room("chat:lobby").delete();
  assert.deepEqual(asked.map(({ method, path }) => `${method} ${path}`), [
    "POST /v1/users/ada%2F1/publish",
    "POST /v1/users/ada%2F1/disconnect",
    "POST /v1/revocations",
    "DELETE /v1/rooms/chat%3Alobby",
  ]);
});

test("R-SRV-2: what cannot be right is refused before anything is sent", async () => {
  const { rooms } = gateway([]);
  assert.throws(() => rooms.room("lobby"), { code: "invalid_argument" });
  await assert.rejects(rooms.room("chat:a").publish("message", undefined), { code: "invalid_argument", path: "data" });
  assert.throws(() => gateway([], { url: "rooms.example" }), { code: "invalid_argument", path: "url" });
  assert.throws(() => gateway([], { apiKey: "secret" }), { code: "invalid_argument", path: "apiKey" });
});

interface Poll {
  methods: { vote: { args: { option: number }; result: number; error: { why: string } } };
  services: { close: { args: null; result: { votes: number }; error: never } };
  streams: { votes: { args: null; item: { user: string } | Uint8Array; error: never } };
  events: { closed: string };
  state: { tally: number };
  presence: null;
}

/** An answer of lines that comes in these pieces, and how often it was asked to end early. */
function lines(...pieces: string[]): { answer: Response; cancelled: () => number } {
  let cancelled = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(piece));
      },
      cancel() {
        cancelled += 1;
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { "content-type": "application/x-ndjson", "x-request-id": "req-9" };
  return { answer: new Response(body, { headers }), cancelled: () => cancelled };
}

test("R-SRV-5: a method is called once, and its own error comes with its data", async () => {
  const data = { why: "closed" };
  const { rooms, asked } = gateway([json(3), json({ votes: 3 }), problem(422, "method_failed", { data }), lost()]);
  const poll = rooms.room<Poll>("poll:lunch");
  assert.equal(await poll.call("vote", { option: 1 }), 3);
  assert.deepEqual(await poll.call("close"), { votes: 3 });
  await assert.rejects(poll.call("vote", { option: 1 }), { code: "method_failed", status: 422, outcome: "rejected", data });
  await assert.rejects(poll.call("vote", { option: 1 }), { code: "unavailable", outcome: "unknown" });
  assert.deepEqual(
    asked.map(({ method, path, body }) => [method, path, body]),
    [
      ["POST", "/v1/rooms/poll%3Alunch/call/vote", { option: 1 }],
      ["POST", "/v1/rooms/poll%3Alunch/call/close", null],
      ["POST", "/v1/rooms/poll%3Alunch/call/vote", { option: 1 }],
      ["POST", "/v1/rooms/poll%3Alunch/call/vote", { option: 1 }],
    ],
  );
});

test("R-SRV-5: what a method streams comes as it is read, however it is cut", async () => {
  const told = lines('{"result":{"user":"a', 'nn"},"more":true}\n  {"result":', ' {"$bin":"AP8="},"more":true}\n  ', ' {"result":null,"more":false}\n');
  const { rooms } = gateway([told.answer]);
  const stream = rooms.room<Poll>("poll:lunch").stream("votes");
  assert.deepEqual(await stream.next(), { value: { user: "ann" }, done: false });
  assert.deepEqual(await stream.next(), { value: new Uint8Array([0, 255]), done: false });
  assert.deepEqual(await stream.next(), { value: null, done: true });
});

test("R-SRV-5: a stream that fails, is cut off or left says so", async () => {
  const error = { type: "about:blank", title: "no more", status: 422, code: "method_failed", data: 7 };
  const chunk = '{"result":{"user":"ann"},"more":true}\n';
  const [failed, cut, left] = [lines(chunk, `${JSON.stringify({ error })}\n`), lines(chunk), lines(chunk, chunk)];
  const { rooms } = gateway([failed.answer, cut.answer, left.answer, problem(404, "not_found"), lines(chunk, '{"result":null,"more":false}\n').answer]);
  const poll = rooms.room<Poll>("poll:lunch");
  const read = async (): Promise<void> => {
    for await (const _ of poll.stream("votes"));
  };
  await assert.rejects(read(), { code: "method_failed", message: "no more", data: 7, requestId: "req-9" });
  await assert.rejects(read(), { code: "unavailable", outcome: "unknown" });
  for await (const _ of poll.stream("votes")) break;
  assert.equal(left.cancelled(), 1);
  await assert.rejects(read(), { code: "not_found", status: 404 });
  assert.equal(await rooms.room("poll:lunch").call("votes"), null);
});

test("R-CALL-15: a bound Worker calls a room by its tenant and name, and tells errors apart", async () => {
  const named: unknown[] = [];
  const busy = Object.assign(new Error("too much to do"), { overloaded: true });
  const answers: (Response | Error)[] = [json(3), problem(404, "not_found"), problem(503, "unavailable"), busy, lost()];
  const asked: unknown[] = [];
  const object = {
    fetch: (async (address: URL, init: RequestInit) => {
      asked.push([String(address), init.body, (init.headers as Record<string, string>)["authorization"]]);
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    }) as typeof fetch,
  };
  const namespace = { getByName: (...name: unknown[]) => (named.push(name), object) };
  const poll = roomStub<Poll>(namespace, "poll:lunch", { tenant: "acme", locationHint: "weur" });
  assert.equal(await poll.call("vote", { option: 1 }), 3);
  assert.deepEqual(named, [["acme/poll:lunch", { locationHint: "weur" }]]);
  assert.deepEqual(asked, [["https://room/call/vote", '{"option":1}', undefined]]);
  await assert.rejects(poll.call("close"), { code: "not_found", retryable: false, outcome: "rejected" });
  await assert.rejects(poll.call("close"), { code: "unavailable", retryable: true, outcome: "unknown" });
  await assert.rejects(poll.call("close"), { code: "overloaded", retryable: true, outcome: "rejected" });
  await assert.rejects(poll.call("close"), { code: "unavailable", retryable: true, outcome: "unknown" });
  assert.throws(() => roomStub<Poll>(namespace, "lunch"), { code: "invalid_argument", path: "name" });
  assert.throws(() => roomStub<Poll>(namespace, "poll:x", { tenant: "A" }), { code: "invalid_argument", path: "tenant" });
  assert.throws(() => roomStub<Poll>(namespace, "poll:x", { jurisdiction: "eu" }), { path: "jurisdiction" });
});
