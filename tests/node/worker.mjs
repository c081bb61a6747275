// The Worker beside this file, bundled as its users would, in a workerd of its own.
// node worker.mjs <url> <token keys as JSON> <workerd>
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [url, keys, workerd] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'roomcast-worker-'));
const outfile = join(folder, 'worker.js');
await build({ entryPoints: [join(here, 'worker_backend.mjs')], bundle: true, format: 'esm', outfile, logLevel: 'warning' });
const text = (value) => JSON.stringify(value);
await writeFile(
  join(folder, 'worker.capnp'),
  `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-01-01",
      bindings = [(name = "URL", text = ${text(url)}), (name = "KEYS", text = ${text(keys)})])),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);`,
);
const running = spawn(workerd, ['serve', '--control-fd=3', 'worker.capnp'], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
try {
  const { value: listening } = await createInterface({ input: running.stdio[3] })[Symbol.asyncIterator]().next();
  const worker = `http://127.0.0.1:${JSON.parse(listening).port}`;

  const published = await (await fetch(`${worker}/publish`)).json();
  assert.deepEqual([published.offset, published.duplicate], [1, false]);
  for (const token of await (await fetch(`${worker}/tokens`)).json()) {
    const answer = await fetch(new URL('/v1/rooms/chat:worker/messages', url), { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual((await answer.json()).messages.map(({ data }) => data), [{ text: 'from a Worker' }]);
  }
  const headers = { 'webhook-id': 'm1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1a,AAAA' };
  const refused = await fetch(`${worker}/webhook`, { method: 'POST', headers, body: '{"events":[]}' });
  assert.deepEqual([refused.status, await refused.text()], [400, "no signature in webhook-signature is the gateway's"]);
} finally {
  running.kill();
  await rm(folder, { recursive: true, force: true });
}
