// The game page's own movement and its reader of frames, held to what the room's Rust comes to.
// node game_golden.mjs
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { game, page } from './game_modules.mjs';

async function golden(name) {
  const lines = JSON.parse(await readFile(new URL(`behavior/golden/${name}.json`, game), 'utf8'));
  assert.ok(lines.length > 3, `${name}.json has something to say`);
  return lines;
}

const NAMES = ['x', 'y', 'vx', 'vy', 'fx', 'fy', 'dash', 'stun', 'cooldown', 'shield'];
const bodyOf = (numbers) => Object.fromEntries(NAMES.map((name, index) => [name, numbers[index]]));

const { step, wish } = await page('motion');
for (const [walk, { from, steps }] of (await golden('motion')).entries()) {
  const body = bodyOf(from);
  for (const [index, { wish: wanted, body: after }] of steps.entries()) {
    step(body, wish(...wanted));
    assert.deepEqual(body, bodyOf(after), `walk ${walk}, step ${index}`);
  }
}

const { readFrame } = await page('frame');
for (const [index, { bytes, frame }] of (await golden('frames')).entries()) {
  const told = { ...frame, players: frame.players.map(([seat, ack, body]) => ({ seat, ack, body: bodyOf(body) })) };
  const raw = Uint8Array.from(Buffer.from(bytes, 'hex'));
  assert.deepEqual(readFrame(raw), told, `frame ${index}`);
  assert.throws(() => readFrame(raw.subarray(0, -1)), RangeError);
  assert.throws(() => readFrame(Uint8Array.from([...raw, 0])), RangeError);
}
console.log('golden: fine');
