// Pages that bundlers made of the package, each on an origin of its own beside the gateway's.
// node bundles.mjs <folder of pages> <url> <token>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser } from './chromium.mjs';
import { serve } from './files.mjs';

const [pages, url, token] = process.argv.slice(2);
const files = await serve(pages);

await inBrowser(async (context) => {
  for (const bundler of ['vite', 'webpack', 'esbuild', 'script']) {
    const page = await context.newPage();
    const address = new URL(`${files.origin}/${bundler}/page/index.html`);
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
