// Two people in an arena of bots, measured. node game_bench.mjs <url> <room> <seconds>
// Prints a line of JSON for each: how its frames came, and what its WebSocket carried.
import { inContexts } from './chromium.mjs';

const [url, room, seconds] = process.argv.slice(2);
const KEYS = ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown'];

async function enter(context, name) {
  const page = await context.newPage();
  const socket = { received: 0, sent: 0 };
  page.on('websocket', (ws) => {
    const length = ({ payload }) => Buffer.byteLength(payload);
    ws.on('framereceived', (frame) => (socket.received += length(frame)));
    ws.on('framesent', (frame) => (socket.sent += length(frame)));
  });
  await page.goto(`${url}/game/?stats&name=${name}#${room}`);
  await page.locator('body:not([data-seat=""])').waitFor({ state: 'attached' });
  return { page, name, socket };
}

/** Walks about, and is ready for each round. */
async function play({ page }, until) {
  for (let turn = 0; Date.now() < until; turn += 1) {
    const key = KEYS[turn % KEYS.length];
    await page.keyboard.down(key);
    if (turn % 3 === 0) await page.keyboard.press('Space');
    await page.waitForTimeout(400 + ((turn * 37) % 300));
    await page.keyboard.up(key);
    const ready = page.getByTestId('ready-button').filter({ hasText: /ready|Rematch/ });
    if (await ready.isVisible()) await ready.click({ timeout: 1_000 }).catch(() => undefined);
  }
}

async function told({ page, name, socket }) {
  const stats = await page.getByTestId('stats').evaluate((place) => ({ ...place.dataset }));
  const numbers = Object.fromEntries(Object.entries(stats).map(([key, value]) => [key, Number(value)]));
  return { name, ...numbers, received: socket.received, sent: socket.sent };
}

await inContexts(async (newContext) => {
  const players = [await enter(await newContext(), 'Ann'), await enter(await newContext(), 'Bob')];
  await Promise.all(players.map((player) => play(player, Date.now() + 15_000)));
  for (const player of players) {
    await player.page.getByTestId('stats').click();
    Object.assign(player.socket, { received: 0, sent: 0 });
  }
  await Promise.all(players.map((player) => play(player, Date.now() + Number(seconds) * 1_000)));
  for (const player of players) console.log(`@${JSON.stringify(await told(player))}`);
});
