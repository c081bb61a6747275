// The package in Node on a real gateway, where no upgrade passes. Ends with 0 where everything went by HTTP.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Roomcast } from "../../client-sdk/ts/dist/index.js";

const url = process.argv[2];
const token = (sub) => async ({ room }) => {
  const body = JSON.stringify({ sub, rooms: { [room]: ["*"] }, ttl: 600 });
  const answer = await fetch(new URL("dev/token", url), { method: "POST", body });
  return (await answer.json()).token;
};
let tries = 0;
class Blocked {
  constructor() {
    tries += 1;
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" }));
  }
  send() {}
  close() {}
}
const until = async (holds) => {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    assert(performance.now() < deadline, `never came: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const ada = new Roomcast({ url, token: token("ada"), WebSocket: Blocked }).room("chat:blocked", { presence: "here" });
const bob = new Roomcast({ url, token: token("bob"), WebSocket }).room("chat:blocked");
const heard = [];
ada.on("message", ({ data }) => heard.push(data));
await Promise.all([ada.join(), bob.join()]);
assert.equal(tries, 2);
await until(() => ada.members.length === 2 && bob.members.length === 2);
assert.equal(bob.members.find(({ user }) => user === "ada").data, "here");

const sent = Array.from({ length: 50 }, (_, n) => n);
await Promise.all(sent.map((n) => (n % 2 ? ada : bob).publish("message", n)));
await until(() => heard.length === sent.length);
assert.deepEqual([...heard].sort((a, b) => a - b), sent);
await ada.state.set("topic", "tea");
await until(() => bob.state.get("topic") === "tea");
assert.equal((await ada.history({ limit: 1 })).messages.length, 1);
await assert.rejects(ada.edit(1_000_000, 1), { code: "not_found" });
await ada.leave();
await until(() => bob.members.length === 1);
await bob.leave();
