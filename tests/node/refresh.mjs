// The package in Node on a real gateway, with tokens that live 6 s. Ends with 0 where nobody noticed.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Roomcast } from "../../client-sdk/ts/dist/index.js";

const url = process.argv[2];
let [tokens, sockets] = [0, 0];
const token = async ({ room }) => {
  tokens += 1;
  const body = JSON.stringify({ sub: tokens === 5 ? "bob" : "ada", rooms: { [room]: ["*"] }, ttl: 6 });
  const answer = await fetch(new URL("dev/token", url), { method: "POST", body });
  return (await answer.json()).token;
};
class Counted extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets += 1;
  }
}
const room = new Roomcast({ url, token, WebSocket: Counted }).room("chat:refreshed");
const [heard, statuses, notices] = [[], [], []];
room.on("message", ({ data }) => heard.push(data));
room.on("status", (status) => statuses.push(status));
room.on("notice", ({ code }) => notices.push(code));
await room.join();
const published = [];
// The fifth is another user's, and refused.
while (!notices.includes("forbidden")) {
  published.push(published.length);
  await room.publish("message", published.length - 1);
  assert(published.length < 10_000, "no token was refused");
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await room.publish("message", published.push(published.length) - 1);
assert.deepEqual(heard, published);
assert.deepEqual(statuses, ["connecting", "connected"]);
assert.deepEqual([tokens, sockets], [5, 1]);
assert.deepEqual(notices.filter((code) => code !== "expiring"), ["forbidden"]);
await room.leave();
