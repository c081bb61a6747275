// Pages that bundlers made of the package, each on an origin of its own beside the gateway's.
// node bundles.mjs <folder of pages> <url> <token>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser } from './chromium.mjs';
import { serve } from './files.mjs';

const [pages, url, token] = process.argv.slice(2);
const files = await serve(pages);

/** Opens a page, and waits until it has heard what it said. */
async function hears(context, path, text, { init } = {}) {
  const page = await context.newPage();
  if (init !== undefined) await page.addInitScript(init);
  const address = new URL(`${files.origin}/${path}`);
  for (const [name, value] of Object.entries({ url, token, text })) address.searchParams.set(name, value);
  await page.goto(address.href);
  await page.waitForFunction(() => document.title !== 'waits', null, { timeout: DEADLINE_MS });
  assert.equal(await page.title(), `heard ${text}`);
  console.log(`${text} hears`);
  await page.close();
}

/** As where a proxy knows no upgrades. */
function blockWebSockets() {
  window.WebSocket = class {
    constructor() {
      setTimeout(() => this.onclose?.({ code: 1006, reason: '' }));
    }
    send() {}
    close() {}
  };
}

await inBrowser(async (context) => {
  for (const bundler of ['vite', 'webpack', 'esbuild', 'script']) {
    await hears(context, `${bundler}/page/index.html`, bundler);
  }
  await hears(context, 'script/page/worker.html', 'worker');
  await hears(context, 'script/page/index.html', 'http', { init: blockWebSockets });
  await hears(context, 'vite/page/index.html', 'http in a bundle', { init: blockWebSockets });
});
files.close();
goodbye();
