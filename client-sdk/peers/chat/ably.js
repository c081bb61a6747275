import { Realtime } from "ably";

const client = new Realtime({ authUrl: "/token" });
const room = client.channels.get("chat:lobby", { params: { rewind: "50" } });
room.subscribe("message", ({ clientId, data }) => document.body.append(`${clientId}: ${data.text}\n`));
room.presence.subscribe(async () => (document.title = `${(await room.presence.get()).length} here`));
document.onclick = async () => console.log(await room.history({ limit: 50 }));
document.onkeydown = ({ key }) => room.publish("message", { text: key });
await room.presence.enter();
