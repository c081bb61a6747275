// What stands between the platform and the Wasm module: the length check, and recovery from a trap.

import { DurableObject } from "cloudflare:workers";
import * as wasm from "gateway-wasm";

const MESSAGE_BYTES_MAX = 1024 * 1024 + 64 * 1024;

const NEWLINE = 10;
const SPACE = 32;
const LOST = {
  type: "about:blank",
  title: "the server lost its memory while it was asked: the outcome is unknown",
  status: 503,
  code: "unavailable",
};

// A trap (a panic, a stack overflow, memory that ran out) ends the Wasm instance with the state of every room in
// this isolate. wasm-bindgen's glue puts a new instance in its place at the next call of a plain export, but not
// safely at a call of a method, whose object lives in the old one: so each event begins with instance().
let current = begin();

function begin(lost) {
  const number = wasm.__worker_init_state().instanceId;
  // Read by the rooms: one above 1 means that an instance was lost.
  globalThis.roomcastInstance = number;
  wasm.beginInstance(number, lost);
  return { number, waiting: new Set() };
}

function instance() {
  if (wasm.__worker_init_state().instanceId !== current.number) {
    const lost = current;
    current = begin(lost.number);
    for (const reject of lost.waiting) reject(new Error("the instance was lost to a trap"));
  }
  return current;
}

// A future of a lost instance is never polled again, so what waits for it would wait for ever. The promise is made
// anew for each event: workerd lets none be shared between requests.
function orLost(promise) {
  const { waiting } = current;
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    promise.then(resolve, reject).finally(() => waiting.delete(reject));
  });
}

// A trap in a task that no event is waiting for shows here alone.
addEventListener("error", () => void instance());
addEventListener("unhandledrejection", () => void instance());

export default {
  async fetch(request, env, ctx) {
    const { number } = instance();
    try {
      return untilLost(await orLost(wasm.fetch(request, env, ctx)), number);
    } catch (error) {
      if (instance().number === number) throw error;
      return unavailable(request);
    }
  },
};

// A stream that a lost instance feeds would say nothing more and never end: it is cut, and its reader comes back. One
// of lines of JSON ends with a line that says so, whoever was lost.
function untilLost(response, number) {
  const type = response.headers.get("content-type");
  const isLines = type === "application/x-ndjson";
  if (!isLines && type !== "text/event-stream") return response;
  const reader = response.body.getReader();
  let isMidLine = false;
  const read = async () => {
    try {
      if (instance().number !== number) throw new Error("the instance was lost to a trap");
      return await orLost(reader.read());
    } catch (error) {
      if (!isLines) throw error;
      const line = `${isMidLine ? "\n" : ""}${JSON.stringify({ error: LOST })}\n`;
      return { value: new TextEncoder().encode(line), isLast: true };
    }
  };
  const source = {
    async pull(controller) {
      const { done, value, isLast } = await read();
      if (value !== undefined) {
        isMidLine = endsMidLine(value, isMidLine);
        controller.enqueue(value);
      }
      if (done || isLast) controller.close();
    },
    async cancel(reason) {
      if (instance().number === number) await reader.cancel(reason);
    },
  };
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), response);
}

// Spaces alone say that the stream lives.
function endsMidLine(bytes, before) {
  const last = bytes.findLast((byte) => byte !== SPACE);
  return last === undefined ? before : last !== NEWLINE;
}

// What a caller hears whose request was under way when the instance was lost.
function unavailable(request) {
  const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
  const headers = { "content-type": "application/problem+json", "x-request-id": id };
  return new Response(JSON.stringify(LOST), { status: LOST.status, headers });
}

// No name that a caller from outside could call as a method.
const call = Symbol("call");

// An object whose Wasm half may be lost to a trap, and is made anew at the next event.
class Hosted extends DurableObject {
  #hosted;
  #builtIn = 0;

  // `make` is given whether there was one before.
  [call](make, method, ...parameters) {
    const { number } = instance();
    try {
      if (this.#builtIn !== number) {
        // After a trap, and at the first event: from storage and attachments alone. Who was here before the trap may
        // have lost what was asked of it.
        this.#hosted = make(this.#builtIn !== 0);
        this.#builtIn = number;
      }
      return this.#hosted[method](...parameters);
    } catch (error) {
      // If that was a trap, those who wait learn of it before the next event.
      instance();
      throw error;
    }
  }
}

export class Directory extends Hosted {
  #make = () => new wasm.Directory(this.ctx, this.env);

  fetch(request) {
    return orLost(this[call](this.#make, "fetch", request));
  }

  alarm() {
    return orLost(this[call](this.#make, "alarm"));
  }
}

export class Limiter extends Hosted {
  #make = () => new wasm.Limiter();

  fetch(request) {
    return orLost(this[call](this.#make, "fetch", request));
  }
}

export class Room extends Hosted {
  #make = (afterFault) => new wasm.Room(this.ctx, this.env, afterFault);

  #call(method, ...parameters) {
    return this[call](this.#make, method, ...parameters);
  }

  async fetch(request) {
    const answer = orLost(this.#call("fetch", request));
    return untilLost(await answer, current.number);
  }

  alarm() {
    this.#call("alarm");
  }

  webSocketMessage(ws, message) {
    // Ahead of Wasm, whose memory never shrinks: the platform passes on messages of 32 MiB.
    if (exceeds(message, MESSAGE_BYTES_MAX)) {
      ws.close(1009, "message too large");
      return;
    }
    this.#call("webSocketMessage", ws, message);
  }

  webSocketClose(ws, code, reason, wasClean) {
    this.#call("webSocketClose", ws, code, reason, wasClean);
  }

  webSocketError(ws, error) {
    this.#call("webSocketError", ws, error);
  }
}

function exceeds(message, bytesMax) {
  if (typeof message !== "string") return message.byteLength > bytesMax;
  // A UTF-16 unit is one to three bytes of UTF-8.
  if (message.length > bytesMax) return true;
  return message.length * 3 > bytesMax && new TextEncoder().encode(message).byteLength > bytesMax;
}
