import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, test } from "node:test";
import { Roomcast, type Room } from "@roomcast/client";
import { publication, until, welcome } from "./fake_server.js";
import { decodeAll, encode } from "./msgpack.js";

type Message = Record<string, unknown>;

/** A gateway whose network lets no upgrade pass. */
class Gateway {
  readonly heard: Message[] = [];
  readonly shown: (string | undefined)[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #stream: ServerResponse | undefined;
  refusal: { status: number; code: string } | undefined;
  opened = 0;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address() as { port: number };
    return `http://127.0.0.1:${address.port}`;
  }

  say(...messages: Message[]): void {
    const binary = messages.map((message) => String.fromCharCode(...encode(message))).join("");
    this.tell("frame", btoa(binary));
  }

  tell(event: string, data: unknown): void {
    this.#stream?.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  cut(): void {
    this.#stream?.destroy();
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.shown.push(request.headers["authorization"]);
    const decoder = new TextDecoder();
    let body = "";
    for await (const piece of request) body += decoder.decode(piece, { stream: true });
    assert.equal(request.url, "/v1/rooms/chat:lobby/stream");
    if (this.refusal !== undefined) {
      const { status, code } = this.refusal;
      response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify({ code }));
      return;
    }
    const { frame, connection, session } = JSON.parse(body) as { frame: string; connection?: string; session?: string };
    const messages = decodeAll(Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0)));
    this.heard.push(...messages);
    if (connection !== undefined) {
      assert.equal(connection, "00000000000abc");
      assert.equal(session, this.heard[0]?.["session"]);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      return;
    }
    this.opened += 1;
    this.#stream = response;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1000\n\n");
    this.tell("open", { connection: "00000000000abc" });
    this.say(welcome());
  }
}

/** Fails as where a proxy knows no upgrades. */
class Blocked {
  static tries = 0;
  binaryType = "";
  onopen = null;
  onmessage = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror = null;
  constructor() {
    Blocked.tries += 1;
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 0);
  }
  send(): void {}
  close(): void {}
}

let gateway: Gateway;
let room: Room;
afterEach(async () => {
  void room.leave();
  gateway.stop();
});

async function enter(token?: () => string): Promise<void> {
  gateway = new Gateway();
  Blocked.tries = 0;
  const client = new Roomcast({ url: await gateway.start(), WebSocket: Blocked, ...(token && { token }) });
  room = client.room("chat:lobby");
}

test("R-CLI-33: where upgrades do not pass, everything goes by HTTP", async () => {
  await enter();
  const texts: unknown[] = [];
  room.on("message", ({ data }) => texts.push(data));
  await room.join();
  assert.deepEqual([Blocked.tries, gateway.opened], [2, 1]);
  gateway.say(publication(11), publication(12));
  await until(() => texts.length === 2);

  const publishing = room.publish("message", { text: "mine" });
  const publish = await until(() => gateway.heard.find((message) => message["t"] === "publish"));
  gateway.say({ t: "reply", id: publish["id"], result: { epoch: "00000000000000ab", offset: 13, duplicate: false } });
  assert.equal((await publishing).offset, 13);
});

test("R-CLI-33: a stream that is cut is a lost connection, and comes back by HTTP", async () => {
  await enter();
  await room.join();
  gateway.cut();
  await until(() => room.status === "reconnecting");
  await until(() => room.status === "connected");
  assert.deepEqual([Blocked.tries, gateway.opened], [2, 2]);
  const hellos = gateway.heard.filter((message) => message["t"] === "hello");
  assert.deepEqual(hellos[1]?.["recover"], { epoch: "00000000000000ab", offset: 10 });
});

test("R-CLI-33: a close for good that comes by HTTP is one, and so is a refusal", async () => {
  await enter();
  await room.join();
  gateway.tell("close", { code: 3510, reason: "room_deleted" });
  await until(() => room.status === "failed");
  assert.equal(room.failure?.code, "room_deleted");
  gateway.stop();

  await enter();
  gateway.refusal = { status: 403, code: "forbidden" };
  await assert.rejects(room.join(), { code: "forbidden", closeCode: 3503 });
});

test("R-CLI-33: by HTTP too a newer token takes the place of the old one, on the same stream", async () => {
  let tokens = 0;
  await enter(() => `token-${++tokens}`);
  await room.join();
  const joinedWith = `Bearer token-${tokens}`;
  gateway.say({ t: "expiring", expires_at: 2 });
  await until(() => gateway.heard.find((message) => message["t"] === "auth"));
  assert.equal(gateway.shown.at(-2), joinedWith);
  assert.equal(gateway.shown.at(-1), `Bearer token-${tokens}`);
  assert.ok(gateway.shown.at(-1) !== joinedWith);
  assert.equal(gateway.opened, 1);
});
