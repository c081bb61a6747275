// The least that a room can be in JavaScript on this platform: the hibernation API, a cached list of sockets, no
// storage, no protocol. Each message goes to everyone at once.
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sockets = new Set(ctx.getWebSockets());
  }

  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    this.sockets.add(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(_socket, message) {
    for (const socket of this.sockets) socket.send(message);
  }

  webSocketClose(socket, code) {
    this.sockets.delete(socket);
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }
}

export default {
  fetch(request, env) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("ready");
    return env.ROOMS.get(env.ROOMS.idFromName("room")).fetch(request);
  },
};
