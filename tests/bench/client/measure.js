// How fast messages come in and go out: through the whole client, from a WebSocket's message to the listener and from
// `publish` to what the socket is given, beside codecs that do nothing else. Runs in Node and in a page.
import { Decoder, Encoder } from "@msgpack/msgpack";
import { Roomcast } from "@roomcast/client";

const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder();
const epoch = "00000000000000ab";
/** Below the client's bound of what may be unanswered, in number and, at 4 KiB each, in bytes. */
const UNANSWERED = 512;

const chat = { text: "Shall we meet at the station at six, or is that too early?" };
const drawing = Array.from({ length: 56 }, (_, index) => {
  return { id: `shape-${index}`, x: index * 7.25, y: 480 - index * 3.5, color: "#4477aa", closed: index % 2 === 0 };
});

/** `messages` of a round; `batch` is messages a frame, and publishes a turn. */
const scenarios = [
  { name: "chat, 1 a frame", data: chat, batch: 1, messages: 2_048 },
  { name: "chat, 64 a frame", data: chat, batch: 64, messages: 4_096 },
  { name: "4 KiB, 1 a frame", data: drawing, batch: 1, messages: 512 },
];

/**
 * Round by round, in each the contenders in turn, each round another first. Gives for each scenario and direction
 * what each contender took a message, in ns, round by round; those that warm up are not counted.
 */
export async function measure(rounds, warmUp) {
  const rows = [];
  for (const scenario of scenarios) {
    const room = await Room.join();
    for (const [direction, contenders] of [
      ["in", incoming(room)],
      ["out", outgoing(room)],
    ]) {
      const took = await interleaved(rounds, warmUp, contenders, scenario);
      rows.push({ scenario: scenario.name, direction, bytes: bytes(scenario.data), took });
    }
    await room.leave();
  }
  return rows;
}

async function interleaved(rounds, warmUp, contenders, scenario) {
  const took = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = -warmUp; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const { name, run } = contenders[(turn + round + warmUp) % contenders.length];
      const nanoseconds = (await run(scenario)) / scenario.messages;
      if (round >= 0) took[name].push(nanoseconds);
    }
  }
  return took;
}

/** What a publication of it has on the wire. */
function bytes(data) {
  return encoder.encode(publication(1e6, JSON.stringify(data))).length;
}

function publication(offset, data) {
  const from = { user: "ada", session: "abcdefghijklmnop" };
  return { t: "publication", offset, time: 1_795_000_000_000 + offset, from, type: "message", data };
}

/** A room's client whose server is here. */
class Room {
  /** Where the room got to. */
  offset = 0;
  heard = 0;
  frames = [];

  static async join() {
    const room = new Room();
    class Socket {
      constructor() {
        room.socket = this;
        queueMicrotask(() => {
          this.onopen({});
          room.welcome();
        });
      }
      send(frame) {
        room.frames.push(frame);
      }
      close() {}
    }
    room.room = new Roomcast({ url: "https://rooms.example", WebSocket: Socket }).room("chat:lobby");
    room.room.on("message", (message) => room.listen(message));
    await room.room.join();
    room.frames.length = 0;
    return room;
  }

  /** Every contender's listener. */
  listen(message) {
    if (message.data !== undefined) this.heard += 1;
  }

  say(message) {
    this.socket.onmessage({ data: encoder.encode(message).buffer });
  }

  welcome() {
    const limits = { payload_bytes: 65_536, presence_bytes: 2_048, tags: 32, frame_bytes: 1_114_112, key_window_ms: 300_000 };
    this.say({
      ...{ t: "welcome", connection: "00000000000abc", session: "abcdefghijklmnop", user: "ada", room: "chat:lobby" },
      ...{ kind: "chat", epoch, offset: 0, recovered: false, publications: [], occupancy: { members: 1, users: 1 } },
      ...{ tags: [], state: { version: 0, entries: {} }, limits, server_time: 1 },
    });
  }

  /** Acknowledges what was sent, and returns how many publishes that were. */
  acknowledge() {
    let count = 0;
    for (const frame of this.frames.splice(0)) {
      for (const { t, id } of typeof frame === "string" ? [] : decoder.decodeMulti(frame)) {
        if (t !== "publish") continue;
        count += 1;
        this.say({ t: "reply", id, result: { epoch, offset: count, duplicate: false } });
      }
    }
    return count;
  }

  async leave() {
    const left = this.room.leave();
    this.socket.onclose({ code: 1000, reason: "" });
    await left;
  }
}

/** Each is given the frames of a round, made beforehand, as its WebSocket would give them. */
function incoming(room) {
  const contender = (name, frame, read) => ({ name, run: (scenario) => timedReads(room, scenario, frame, read) });
  const asText = ({ data, batch }, offset) => many(batch, (more) => publication(offset + more, JSON.stringify(data)));
  const asValue = ({ data, batch }, offset) => many(batch, (more) => publication(offset + more, data));
  return [
    contender(
      "roomcast",
      (scenario) => {
        const frame = joined(asText(scenario, room.offset + 1));
        room.offset += scenario.batch;
        return frame;
      },
      (data) => room.socket.onmessage({ data }),
    ),
    contender(
      "JSON.parse",
      (scenario, offset) => asValue(scenario, offset).map((one) => JSON.stringify(one)).join("\n"),
      (lines) => {
        for (const line of lines.split("\n")) room.listen(JSON.parse(line));
      },
    ),
    contender(
      "msgpack",
      (scenario, offset) => joined(asValue(scenario, offset)),
      (frame) => {
        for (const message of decoder.decodeMulti(frame)) room.listen(message);
      },
    ),
    contender(
      "msgpack, same frames",
      (scenario, offset) => joined(asText(scenario, offset)),
      (frame) => {
        for (const message of decoder.decodeMulti(frame)) {
          message.data = JSON.parse(message.data);
          room.listen(message);
        }
      },
    ),
  ];
}

function timedReads(room, scenario, frame, read) {
  const frames = [];
  for (let made = 0; made < scenario.messages; made += scenario.batch) {
    frames.push(frame(scenario, made + 1));
  }
  const before = room.heard;
  const began = performance.now();
  for (const one of frames) read(one);
  const took = performance.now() - began;
  if (room.heard - before !== scenario.messages) throw new Error(`${room.heard - before} messages were heard`);
  return took * 1e6;
}

function many(count, make) {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** In an `ArrayBuffer`, as a WebSocket gives it. */
function joined(messages) {
  const parts = messages.map((message) => encoder.encode(message));
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame.buffer;
}

/** Each ends with something that a socket sends: the client sends a turn in one frame, the codecs a message each. */
function outgoing(room) {
  let last = 0;
  const request = (data) => {
    last += 1;
    return { t: "publish", id: last, type: "message", data, key: `abcdefgh${last.toString(36)}` };
  };
  const codec = (name, write) => ({ name, run: (scenario) => timedWrites(room, scenario, write) });
  return [
    { name: "roomcast", run: (scenario) => timedPublishes(room, scenario) },
    codec("JSON.stringify", (data) => JSON.stringify(request(data))),
    codec("msgpack", (data) => encoder.encode(request(data))),
    codec("msgpack, same frames", (data) => encoder.encode(request(JSON.stringify(data)))),
  ];
}

/** Answers come between the windows, outside what is timed. */
async function timedPublishes(room, { data, batch, messages }) {
  let took = 0;
  for (let left = messages; left > 0; left -= UNANSWERED) {
    const published = [];
    const began = performance.now();
    for (let count = 0; count < UNANSWERED; count += batch) {
      for (let one = 0; one < batch; one += 1) published.push(room.room.publish("message", data));
      // The turn ends, and its frame is sent.
      await undefined;
    }
    took += performance.now() - began;
    if (room.frames.length !== UNANSWERED / batch) throw new Error(`${room.frames.length} frames were sent`);
    if (room.acknowledge() !== UNANSWERED) throw new Error("not every publish was sent");
    await Promise.all(published);
  }
  return took * 1e6;
}

function timedWrites(room, { data, messages }, write) {
  const began = performance.now();
  for (let written = 0; written < messages; written += 1) room.socket.send(write(data));
  const took = performance.now() - began;
  if (room.frames.splice(0).length !== messages) throw new Error("not every message was written");
  return took * 1e6;
}
