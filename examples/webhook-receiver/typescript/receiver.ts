// Receives Roomcast's webhooks: verifies each request, and prints a line an event. Node 20 or later.
//
//   npx esbuild receiver.ts --bundle --platform=node --outfile=receiver.cjs && node receiver.cjs
//
// ROOMCAST_URL says whose public key counts, ROOMCAST_WEBHOOK_SECRET is the endpoint's `secret`: one of them is enough.
import { verifyWebhook, type WebhookEvent } from "@roomcast/client/server";
import { createServer, type IncomingMessage } from "node:http";
import { Webhook } from "standardwebhooks";

const port = Number(process.env.PORT ?? 8790);
const gateway = process.env.ROOMCAST_URL;
const secret = process.env.ROOMCAST_WEBHOOK_SECRET;
const BODY_BYTES_MAX = 4 * 1024 * 1024;

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A real receiver keeps these in its database, in the transaction of what it does with the event. */
const known = new Set<string>();

function take(event: WebhookEvent): void {
  if (known.has(event.id)) return;
  known.add(event.id);
  console.log(`${event.type} ${event.room} ${event.id} ${JSON.stringify(event.data)}`);
}

async function main(): Promise<void> {
  if (!gateway && !secret) throw new Error("set ROOMCAST_URL, ROOMCAST_WEBHOOK_SECRET or both");
  const jwks = gateway && new URL("/.well-known/jwks.json", gateway);
  const shared = secret ? new Webhook(secret) : undefined;
  const server = createServer(async (request, response) => {
    try {
      const body = await text(request);
      // The scheme with the gateway's key, `v1a`, which the Standard Webhooks project's library does not know yet.
      if (jwks) await verifyWebhook(body, request.headers, { jwks });
      if (shared) shared.verify(body, request.headers as Record<string, string>);
      (JSON.parse(body).events as WebhookEvent[]).forEach(take);
      response.writeHead(204).end();
    } catch (error) {
      console.error(`refused: ${error}`);
      response.writeHead(400).end();
    }
  });
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    console.log(`listening on ${typeof address === "object" && address ? address.port : address}`);
  });
}

void main();
