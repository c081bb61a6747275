// Pages that bundlers made of the package, each on an origin of its own beside the gateway's.
// node bundles.mjs <folder of pages> <url> <token>
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { DEADLINE_MS, goodbye, inBrowser } from './chromium.mjs';

const [pages, url, token] = process.argv.slice(2);
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.css': 'text/css' };

/** A folder as any file server gives it. */
const files = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://127.0.0.1').pathname);
  try {
    const content = await readFile(join(pages, path));
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => files.listen(0, '127.0.0.1', listening));

await inBrowser(async (context) => {
  for (const bundler of ['vite', 'webpack', 'esbuild', 'script']) {
    const page = await context.newPage();
    const address = new URL(`http://127.0.0.1:${files.address().port}/${bundler}/page/index.html`);
    for (const [name, value] of Object.entries({ url, token, text: bundler })) address.searchParams.set(name, value);
    await page.goto(address.href);
    await page.waitForFunction(() => document.title !== 'waits', null, { timeout: DEADLINE_MS });
    assert.equal(await page.title(), `heard ${bundler}`);
    console.log(`${bundler} hears`);
    await page.close();
  }
});
files.close();
goodbye();
