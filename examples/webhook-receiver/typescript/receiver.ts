// Receives Roomcast's webhooks: verifies each request, and prints a line an event. Node 20 or later.
//
//   npx esbuild receiver.ts --bundle --platform=node --outfile=receiver.cjs && node receiver.cjs
//
// ROOMCAST_URL says whose public key counts, ROOMCAST_WEBHOOK_SECRET is the endpoint's `secret`: one of them is enough.
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Webhook } from "standardwebhooks";

const port = Number(process.env.PORT ?? 8790);
const gateway = process.env.ROOMCAST_URL;
const secret = process.env.ROOMCAST_WEBHOOK_SECRET;
const TOLERANCE_S = 5 * 60;
const BODY_BYTES_MAX = 4 * 1024 * 1024;

interface Event {
  id: string;
  type: string;
  room: string;
  data: unknown;
}

/** The gateway's keys; a real receiver fetches them again when a signature does not match, once a minute at most. */
async function publishedKeys(): Promise<KeyObject[]> {
  const answer = await fetch(new URL("/.well-known/jwks.json", gateway));
  const { keys } = await answer.json();
  return keys.map((key: object) => createPublicKey({ key: key as never, format: "jwk" }));
}

/** The scheme with a public key, `v1a`, which the Standard Webhooks project's library does not know yet. */
function verifyWithKey(body: string, headers: IncomingHttpHeaders, keys: KeyObject[]): void {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!(age <= TOLERANCE_S)) throw new Error("the request is too old, or from the future");
  const signed = Buffer.from(`${id}.${timestamp}.${body}`);
  const ours = String(signatures).split(" ").filter((signature) => signature.startsWith("v1a,"));
  const matches = (signature: string) =>
    keys.some((key) => verify(null, signed, key, Buffer.from(signature.slice("v1a,".length), "base64")));
  if (!ours.some(matches)) throw new Error("no signature is the gateway's");
}

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

function take(event: Event): void {
  if (known.has(event.id)) return;
  known.add(event.id);
  console.log(`${event.type} ${event.room} ${event.id} ${JSON.stringify(event.data)}`);
}

async function main(): Promise<void> {
  if (!gateway && !secret) throw new Error("set ROOMCAST_URL, ROOMCAST_WEBHOOK_SECRET or both");
  const keys = gateway ? await publishedKeys() : undefined;
  const shared = secret ? new Webhook(secret) : undefined;
  const server = createServer(async (request, response) => {
    try {
      const body = await text(request);
      if (keys) verifyWithKey(body, request.headers, keys);
      if (shared) shared.verify(body, request.headers as Record<string, string>);
      (JSON.parse(body).events as Event[]).forEach(take);
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
