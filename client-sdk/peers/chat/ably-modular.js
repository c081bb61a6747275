import { BaseRealtime, FetchRequest, RealtimePresence, Rest, WebSocketTransport } from "ably/modular";

// `Rest` brings history.
const plugins = { FetchRequest, RealtimePresence, Rest, WebSocketTransport };
const client = new BaseRealtime({ authUrl: "/token", plugins });
const room = client.channels.get("chat:lobby", { params: { rewind: "50" } });
room.subscribe("message", ({ clientId, data }) => document.body.append(`${clientId}: ${data.text}\n`));
room.presence.subscribe(async () => (document.title = `${(await room.presence.get()).length} here`));
document.onclick = async () => console.log(await room.history({ limit: 50 }));
document.onkeydown = ({ key }) => room.publish("message", { text: key });
await room.presence.enter();
