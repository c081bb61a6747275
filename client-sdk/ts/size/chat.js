// A chat and nothing else: what its page loads is what `cargo xtask size` measures, and holds to its bound.
import { Roomcast } from "@roomcast/client";

const client = new Roomcast({
  url: "https://rooms.example",
  token: async ({ room }) => (await fetch(`/token?room=${room}`)).text(),
});
const room = client.room("chat:lobby", { rewind: 50 });
room.on("message", ({ from, data }) => document.body.append(`${from?.user}: ${data.text}\n`));
room.on("members", (members) => (document.title = `${members.length} here`));
document.onclick = async () => console.log(await room.history({ limit: 50 }));
document.onkeydown = ({ key }) => room.publish("message", { text: key });
await room.join();
