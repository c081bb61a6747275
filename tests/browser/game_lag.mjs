// What the game page shows while the network is slow and uneven: our own player, and the others. Time is counted, not
// waited for. node game_lag.mjs
import assert from 'node:assert/strict';
import { page } from './game_modules.mjs';

const { Prediction } = await page('prediction');
const { Timeline } = await page('timeline');
const { STILL, step, wish } = await page('motion');

const SCREEN_MS = 1_000 / 60;
const TICK_MS = 50;
const RIGHT = wish(127, 0, false);
/** Units that someone who runs moves in one frame of the screen. */
const PACE = 112 / 3;

const bodyAt = (x, y) => ({ x, y, vx: 0, vy: 0, fx: 0, fy: 127, dash: 0, stun: 0, cooldown: 0, shield: 0 });

/** The same jitter each time. */
function dice(seed) {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

/** Who wants things, and is granted them, as `behavior/src/queue.rs` does it. */
class Queue {
  waiting = [];
  done = 0;
  last = STILL;
  without = 0;

  push(number, wanted) {
    this.waiting.push([number, wanted]);
    if (this.waiting.length > 6) this.waiting.shift();
  }

  grant() {
    if (this.waiting.length > 3) this.waiting.shift();
    const next = this.waiting.shift();
    if (next !== undefined) {
      [this.done, this.last] = next;
      this.without = 0;
    } else if (++this.without > 6) this.last = STILL;
    return this.last;
  }
}

/** Where we are shown, frame of the screen by frame, over a network that takes `delay` to `delay + jitter` ms each way. */
function play({ delay, jitter, from, want, seconds, upTo = Infinity }) {
  const [prediction, queue, random, there] = [new Prediction(), new Queue(), dice(7), bodyAt(from, 4_000)];
  const [up, down, shown] = [[], [], []];
  const send = (line, now, what) => {
    // TCP: what was sent first comes first.
    const at = Math.max(line.at(-1)?.at ?? 0, now + delay + random() * jitter);
    line.push({ at, ...what });
  };
  const arrived = (line, now) => line.splice(0, line.filter(({ at }) => at <= now).length);
  prediction.told({ seat: 0, ack: 0, body: { ...there } }, 'playing', 0);
  for (let tick = 0, now = 0; now < seconds * 1_000; now += SCREEN_MS) {
    if (now >= (tick + 1) * TICK_MS && now < upTo) {
      for (const { number, wanted } of arrived(up, now)) queue.push(number, wanted);
      tick += 1;
      step(there, queue.grant());
      send(down, now, { tick, standing: { seat: 0, ack: queue.done & 255, body: { ...there } } });
    }
    for (const { tick: of, standing } of arrived(down, now)) prediction.told(standing, 'playing', of);
    prediction.pass(SCREEN_MS, 'playing', () => want(now), (number, wanted) => send(up, now, { number, wanted }));
    shown.push(prediction.shown().x);
  }
  return { shown, there };
}

const paces = (shown) => shown.slice(1).map((x, index) => x - shown[index]);
const NETWORKS = [[0, 6], [25, 10], [75, 0], [75, 50], [75, 100], [75, 150], [150, 150]];

for (const [delay, jitter] of NETWORKS) {
  const network = `${delay} to ${delay + jitter} ms`;

  // Straight on: even where little jitter comes together with short ways, as between phones in one room.
  const run = paces(play({ delay, jitter, from: 300, want: () => RIGHT, seconds: 3 }).shown).slice(30);
  const allowed = jitter >= 50 ? 0.6 : 0.07;
  for (const pace of run) assert.ok(Math.abs(pace / PACE - 1) <= allowed, `${network}: ${pace} units in a frame`);

  // Someone who stops rolls on, and is not thrown back.
  const stopped = play({ delay, jitter, from: 300, want: (now) => (now < 1_000 ? RIGHT : STILL), seconds: 3 });
  const back = Math.max(0, ...paces(stopped.shown).map((pace) => -pace));
  assert.ok(back < (jitter > 100 ? PACE / 3 : 0.5), `${network}: thrown back by ${back} units after a stop`);
  assert.ok(Math.abs(stopped.shown.at(-1) - stopped.there.x) < 1, `${network}: where the room has them`);

  // A wall holds, and does not shake.
  const wall = paces(play({ delay, jitter, from: 7_200, want: () => RIGHT, seconds: 3 }).shown).slice(60);
  assert.ok(wall.every((pace) => Math.abs(pace) < 0.5), `${network}: shaken at the wall`);
}

{
  // Nothing comes any more: what is pending is bounded, and numbers that have only their lowest byte do not run into
  // each other.
  const prediction = new Prediction();
  prediction.told({ seat: 0, ack: 0, body: bodyAt(300, 4_000) }, 'playing', 0);
  let sent = 0;
  const many = () => prediction.pass(TICK_MS, 'playing', () => RIGHT, () => (sent += 1));
  for (let tick = 0; tick < 300; tick += 1) many();
  assert.equal(sent, 300);
  assert.ok([...prediction.ahead('playing', bodyAt(300, 4_000))].length <= 60);
  prediction.told({ seat: 0, ack: sent & 255, body: bodyAt(500, 4_000) }, 'playing', 301);
  assert.deepEqual([...prediction.ahead('playing', bodyAt(500, 4_000))], []);
  assert.equal(prediction.body.x, 500);

  // A tab that was hidden for a minute has nothing to catch up with.
  prediction.pass(60_000, 'playing', () => RIGHT, () => (sent += 1));
  assert.ok(sent <= 303, `${sent - 300} wishes at once`);
}

{
  // Another one runs on. Then the room stands still for a second, and its ticks are late by that from then on.
  const [timeline, random] = [new Timeline(), dice(3)];
  const frames = [];
  for (let tick = 1; tick <= 200; tick += 1) {
    const at = tick * TICK_MS + (tick > 60 ? 1_000 : 0) + 40 + random() * 30;
    frames.push({ at, frame: { full: tick === 1, tick, gone: [], players: [{ seat: 5, ack: 0, body: { ...bodyAt(30 * tick, 0), vx: 30 } }] } });
  }
  const shown = [];
  for (let now = 0; now < 10_000; now += SCREEN_MS) {
    for (const { at, frame } of frames.splice(0, frames.filter((one) => one.at <= now).length)) timeline.take(frame, at);
    const [[, other] = []] = timeline.shown(now);
    if (other !== undefined) shown.push([now, other.x]);
  }
  const after = shown.filter(([now]) => now > 6_500);
  after.slice(1).forEach(([now, x], index) => {
    const pace = (x - after[index][1]) / (30 / 3);
    assert.ok(pace > 0.5 && pace < 1.5, `at ${now} ms the other moves ${pace} times as fast as they do`);
  });
  const [now, x] = after.at(-1);
  assert.ok(Math.abs((now - 1_000 - 40) / TICK_MS - 2.2 - x / 30) < 1.5, 'and is shown two ticks late');
}
console.log('lag: fine');
