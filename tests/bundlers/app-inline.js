// The smallest application: joins, says something, hears it. Its page's address says where and with which token.
import { Roomcast } from "@roomcast/client/inline";

const asked = new URLSearchParams(location.search);
const client = new Roomcast({ url: asked.get("url"), token: () => asked.get("token") });
const room = client.room("chat:bundled");
room.on("message", ({ data }) => (document.title = `heard ${data.text}`));
await room.join();
await room.publish("message", { text: asked.get("text") });
