import Pusher from "pusher-js";

const client = new Pusher("key", { cluster: "eu", channelAuthorization: { endpoint: "/token" } });
const room = client.subscribe("presence-lobby");
room.bind("client-message", (data, { user_id }) => document.body.append(`${user_id}: ${data.text}\n`));
for (const change of ["pusher:subscription_succeeded", "pusher:member_added", "pusher:member_removed"]) {
  room.bind(change, () => (document.title = `${room.members.count} here`));
}
document.onkeydown = ({ key }) => room.trigger("client-message", { text: key });
