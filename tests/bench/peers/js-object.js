// The least that a room can be in JavaScript on this platform: the hibernation API, a cached list of sockets, no
// protocol. Each message goes to everyone at once. `Room` stores nothing; `StoringRoom` inserts each message first.
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

export class StoringRoom extends Room {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (offset_ INTEGER PRIMARY KEY, time INTEGER, body TEXT)");
  }

  webSocketMessage(socket, message) {
    this.ctx.storage.sql.exec("INSERT INTO log (time, body) VALUES (?, ?)", Date.now(), message);
    super.webSocketMessage(socket, message);
  }
}

export default {
  fetch(request, env) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("ready");
    const rooms = new URL(request.url).pathname === "/stored" ? env.STORING_ROOMS : env.ROOMS;
    return rooms.get(rooms.idFromName("room")).fetch(request);
  },
};
