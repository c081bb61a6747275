// A page that listens with nothing but EventSource. node events.mjs <scenario> <url>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser, outside } from './chromium.mjs';

const [scenarioName, url] = process.argv.slice(2);
const room = new URL('/v1/rooms/chat:listened', url);
const backend = { authorization: 'Bearer rk_dev_dev' };

async function publish(data) {
  const answer = await fetch(`${room}/publish`, { method: 'POST', headers: backend, body: JSON.stringify({ data }) });
  assert.equal(answer.status, 200, await answer.text());
}

/** Waits until the page has heard exactly `wanted`. */
async function hears(page, wanted) {
  await page.waitForFunction((count) => globalThis.heard.length >= count, wanted.length, { timeout: DEADLINE_MS });
  assert.deepEqual(await page.evaluate(() => globalThis.heard), wanted);
}

const scenarios = {
  /** What a browser does by itself is enough: it comes back, says how far it got, and stops when it is told to. */
  async listen(context) {
    const page = await context.newPage();
    await page.goto(new URL('/docs', url).href);
    await page.evaluate(async (room) => {
      const body = JSON.stringify({ sub: 'ann', rooms: { '*': ['join', 'history'] }, ttl: 600 });
      const { token } = await (await fetch('/dev/token', { method: 'POST', body })).json();
      globalThis.heard = [];
      const events = new EventSource(`${room}/events?token=${token}`);
      globalThis.events = events;
      const tell = (event) => globalThis.heard.push(`${event.type} ${JSON.parse(event.data).data}`);
      events.addEventListener('publication', tell);
      events.addEventListener('ephemeral', tell);
      events.addEventListener('gap', tell);
      events.addEventListener('close', (event) => globalThis.heard.push(`close ${JSON.parse(event.data).code}`));
      await new Promise((open) => events.addEventListener('position', open, { once: true }));
    }, room.href);
    await publish('one');
    await hears(page, ['publication one']);
    await outside('kill');
    await outside('start');
    await publish('two');
    await hears(page, ['publication one', 'publication two']);
    const deleted = await fetch(room, { method: 'DELETE', headers: backend });
    assert.equal(deleted.status, 200);
    await page.waitForFunction(() => globalThis.events.readyState === EventSource.CLOSED, null, { timeout: DEADLINE_MS });
    await hears(page, ['publication one', 'publication two', 'close 3510']);
  },

  /** The reference at /docs, in both colour schemes and on a telephone. */
  async docs(context) {
    const page = await context.newPage();
    await page.goto(new URL('/docs', url).href);
    const document = await (await fetch(new URL('/openapi.json', url))).json();
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    await page.locator('details').first().waitFor();
    assert.equal(await page.locator('details').count(), operations.length);
    await page.locator('#publish summary').click();
    await page.locator('#publish[open]').getByText('Idempotency-Key:').waitFor();
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        const pictures = process.env.ROOMCAST_PICTURES;
        if (pictures) await page.screenshot({ path: `${pictures}/docs-${colorScheme}-${width}.png` });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels are cut off at ${width}`);
      }
    }
  },
};

const scenario = scenarios[scenarioName];
assert.ok(scenario, `no scenario ${scenarioName}`);
try {
  await inBrowser(scenario);
  console.log(`${scenarioName}: fine`);
} finally {
  goodbye();
}
