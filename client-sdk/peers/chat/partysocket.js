import { PartySocket } from "partysocket";

const room = new PartySocket({
  host: "rooms.example",
  room: "lobby",
  query: async () => ({ token: await (await fetch("/token?room=lobby")).text() }),
});
// Presence is the application's own protocol here, as is everything above a socket.
room.onmessage = (event) => {
  const { type, user, text, members } = JSON.parse(event.data);
  if (type === "message") document.body.append(`${user}: ${text}\n`);
  if (type === "members") document.title = `${members} here`;
};
document.onkeydown = ({ key }) => room.send(JSON.stringify({ type: "message", text: key }));
