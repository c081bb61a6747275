// The React example in two tabs, and how often each of its parts is rendered.
// node react.mjs <folder of pages> <url>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser } from './chromium.mjs';
import { serve } from './files.mjs';

const [pages, url] = process.argv.slice(2);
const files = await serve(pages);
const lobby = new URL('/v1/rooms/chat:lobby', url);
const authorization = 'Bearer rk_dev_dev';

async function open(context, name) {
  const page = await context.newPage();
  await page.goto(`${files.origin}/react/page/index.html?${new URLSearchParams({ url, name, room: 'lobby' })}`);
  await page.locator('#status[data-status=connected]').waitFor();
  return page;
}

/** How often each part that counts was rendered, by its id. */
function renders(page) {
  return page.evaluate(() => {
    const parts = [...document.querySelectorAll('[id][data-renders]'), document.querySelector('main')];
    return Object.fromEntries(parts.map((part) => [part.id || 'app', Number(part.dataset.renders)]));
  });
}

const rowRenders = (page) => page.locator('#list > .message').evaluateAll((rows) => rows.map((row) => Number(row.dataset.renders)));

async function publish(text) {
  const body = JSON.stringify({ data: { text } });
  const answer = await fetch(`${lobby}/publish`, { method: 'POST', headers: { authorization }, body });
  assert.equal(answer.status, 200, await answer.text());
}

await inBrowser(async (context) => {
  const ada = await open(context, 'ada');
  const bob = await open(context, 'bob');
  await ada.locator('#people .count').getByText('2 here').waitFor();

  await publish('first');
  await ada.getByText('first', { exact: true }).waitFor();
  const before = await renders(ada);
  assert.deepEqual(Object.keys(before).sort(), ['app', 'composer', 'list', 'people', 'status', 'typing']);
  await publish('second');
  await ada.getByText('second', { exact: true }).waitFor();
  assert.deepEqual(await renders(ada), { ...before, list: before.list + 1 }, 'one message renders one list');
  assert.deepEqual(await rowRenders(ada), [1, 1], 'and of its rows the new one');

  // Typing renders its own line.
  const text = bob.getByLabel('Message', { exact: true });
  await text.pressSequentially('hello');
  await ada.locator('#typing').getByText('bob is typing').waitFor();
  assert.deepEqual(await renders(ada), { ...before, list: before.list + 1, typing: before.typing + 1 });
  await text.press('Enter');
  await ada.locator('#list .message').getByText('hello', { exact: true }).waitFor();
  await ada.waitForFunction(() => document.querySelector('#typing').textContent.trim() === '', null, { timeout: DEADLINE_MS });

  // Reactions render the row that they are about.
  await ada.locator('#list .message', { hasText: 'hello' }).hover();
  await ada.locator('#list .message', { hasText: 'hello' }).getByLabel('React with 🎉').click();
  await bob.locator('.reactions').getByText('🎉 1').waitFor();
  await ada.locator('.reactions button[aria-pressed=true]').getByText('🎉 1').waitFor();
  assert.deepEqual((await rowRenders(ada)).slice(0, 2), [1, 1]);

  const said = bob.locator('#list .message', { hasText: 'hello' });
  await said.hover();
  await said.getByLabel('Take back').click();
  await ada.getByText('This message was taken back').waitFor();

  if (process.env.ROOMCAST_PICTURES) await picture(context, ada, bob, process.env.ROOMCAST_PICTURES);

  await bob.close();
  await ada.locator('#people').getByText('1 here').waitFor({ timeout: DEADLINE_MS });
});
files.close();
goodbye();

/** For people to look at. */
async function picture(context, ada, bob, into) {
  const say = async (page, text) => {
    await page.getByLabel('Message', { exact: true }).fill(text);
    await page.getByLabel('Message', { exact: true }).press('Enter');
    await ada.locator('#list .message').getByText(text, { exact: true }).waitFor();
  };
  await say(bob, 'Did the deploy go through?');
  await say(ada, 'Yes, ten minutes ago. Everything is green.');
  await say(ada, 'I have written up what changed, with the numbers from before and after: have a look when you are back at your desk.');
  await say(bob, 'Wonderful');
  await ada.locator('#list .message', { hasText: 'green' }).hover();
  await bob.locator('#list .message', { hasText: 'green' }).hover();
  await bob.locator('#list .message', { hasText: 'green' }).getByLabel('React with ❤️').click();
  await bob.getByLabel('Message', { exact: true }).pressSequentially('one more thing');
  await ada.locator('#typing').getByText('bob is typing').waitFor();
  for (const [name, size, colorScheme] of [
    ['light', { width: 1000, height: 720 }, 'light'],
    ['dark', { width: 1000, height: 720 }, 'dark'],
    ['phone', { width: 380, height: 680 }, 'light'],
  ]) {
    await ada.setViewportSize(size);
    await ada.emulateMedia({ colorScheme });
    await bob.getByLabel('Message', { exact: true }).pressSequentially('.');
    await ada.locator('#typing').getByText('bob is typing').waitFor();
    await ada.screenshot({ path: `${into}/react-${name}.png` });
  }
  await ada.setViewportSize({ width: 1000, height: 720 });
}
