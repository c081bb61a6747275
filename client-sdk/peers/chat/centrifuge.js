import { Centrifuge } from "centrifuge";

const client = new Centrifuge("wss://rooms.example/connection/websocket", {
  getToken: async () => (await fetch("/token")).text(),
});
const room = client.newSubscription("chat:lobby", { recoverable: true, joinLeave: true });
room.on("publication", ({ info, data }) => document.body.append(`${info?.user}: ${data.text}\n`));
const count = async () => (document.title = `${(await room.presenceStats()).numClients} here`);
room.on("subscribed", count).on("join", count).on("leave", count);
document.onclick = async () => console.log(await room.history({ limit: 50 }));
document.onkeydown = ({ key }) => room.publish({ text: key });
room.subscribe();
client.connect();
