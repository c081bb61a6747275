// The chat as people use it: a long history, changes that both see, one who was away. node chat.mjs <scenario> <url> <urls through proxies>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inContexts, outside } from './chromium.mjs';

const [scenarioName, url, ...proxied] = process.argv.slice(2);
const KIND = 'chat';
const backend = { authorization: 'Bearer rk_dev_dev', 'content-type': 'application/json' };
const WORDS = 'the quick brown fox jumps over the lazy dog and comes back to say what it saw on the other side'.split(' ');

/** What the message at that offset says: of one line, of several, of many words. */
const textOf = (offset) => `${offset}: ${Array.from({ length: 1 + ((offset * 7919) % 40) }, (_, n) => WORDS[(offset + n) % WORDS.length]).join(' ')}`;

/** As if it had been said by others long ago. */
async function seed(room, count) {
  for (let from = 1; from <= count; from += 100) {
    const messages = Array.from({ length: Math.min(100, count - from + 1) }, (_, index) => {
      const name = ['Hedy', 'Linus', 'Radia'][Math.floor((from + index) / 4) % 3];
      return { room, data: { text: textOf(from + index) }, from: { user: `u-${name}`, info: { name } } };
    });
    const answer = await fetch(new URL('/v1/publish', url), { method: 'POST', headers: backend, body: JSON.stringify({ messages }) });
    const { results } = await answer.json();
    assert.ok(results.every(({ offset }) => offset > 0), JSON.stringify(results.find(({ offset }) => !offset)));
  }
}

async function until(what, isSo) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const said = await isSo();
    if (said) return said;
    if (Date.now() > deadline) throw new Error(`${what}: not in time`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** Somebody in front of the chat. */
class Person {
  constructor(page, name) {
    Object.assign(this, { page, name });
  }

  static async open(newContext, name, room, { at = url, more = '', ...options } = {}) {
    const context = await newContext();
    const page = await context.newPage();
    await page.setViewportSize(options.viewport ?? { width: 1200, height: 800 });
    await page.goto(`${at}?name=${name}${more}#${room}`);
    const person = new Person(page, name);
    person.context = context;
    await person.isConnected();
    return person;
  }

  part(testId) {
    return this.page.getByTestId(testId);
  }

  message(offset) {
    return this.page.locator(`[data-testid=message][data-offset="${offset}"]`);
  }

  isConnected() {
    return this.page.locator('[data-testid=status][data-status=connected]').waitFor();
  }

  isNotConnected() {
    return this.page.locator('[data-testid=status]:not([data-status=connected])').waitFor();
  }

  async say(text) {
    await this.part('composer').fill(text);
    await this.part('send-button').click();
  }

  /** What is in the document of the log, and what of it is seen: offsets, where the first one is, how many nodes. */
  look() {
    return this.page.evaluate(() => {
      const log = document.getElementById('log');
      const edge = log.getBoundingClientRect().top;
      const all = [...log.querySelectorAll('[data-testid=message]')];
      const seen = all.filter((one) => one.getBoundingClientRect().bottom > edge && one.getBoundingClientRect().top < edge + log.clientHeight);
      return {
        drawn: all.map((one) => Number(one.dataset.offset)),
        seen: seen.map((one) => [Number(one.dataset.offset), one.getBoundingClientRect().top - edge]),
        nodes: document.querySelectorAll('*').length,
        top: log.scrollTop,
        above: log.querySelector('.above')?.dataset.state,
        filled: seen.length > 0 && (log.scrollTop < 200 || seen[0].getBoundingClientRect().top <= edge + 60),
      };
    });
  }
}

/** Frames while `work` runs: how long each took, as the page's own clock has it. Told, and never judged. */
async function frames(page, work) {
  await page.evaluate(() => {
    window.frameTimes = [];
    let last = performance.now();
    const next = (now) => {
      window.frameTimes?.push(now - last);
      last = now;
      if (window.frameTimes) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  await work();
  const times = await page.evaluate(() => {
    const all = window.frameTimes;
    window.frameTimes = undefined;
    return all.sort((a, b) => a - b);
  });
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))]?.toFixed(1);
  console.log(`    frames: ${times.length}, median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`);
}

const COUNT = 10_000;
/** With a window of rows, whatever the history: far below what all would take. */
const NODES_MAX = 6_000;

const scenarios = {
  /** From the end of ten thousand messages to the first, without one of them jumping. */
  async history(newContext) {
    await seed(`${KIND}:long`, COUNT);
    const ann = await Person.open(newContext, 'Ann', 'long');
    await until('the newest are shown', async () => (await ann.look()).drawn.at(-1) === COUNT);
    const { x, y, width, height } = await ann.page.locator('#log').boundingBox();
    await ann.page.mouse.move(x + width / 2, y + height / 2);
    let [nodes, loads, steps] = [0, 0, 0];
    await frames(ann.page, async () => {
      for (let before = await ann.look(); ; steps += 1) {
        const asked = before.seen[0]?.[0] ?? 0;
        // What is in view moves by what was scrolled, and by nothing else, also while older ones come in.
        const moved = await ann.page.evaluate(async () => {
          const log = document.getElementById('log');
          const frame = () => new Promise(requestAnimationFrame);
          const edge = log.getBoundingClientRect().top;
          const first = [...log.querySelectorAll('[data-testid=message]')].find((one) => one.getBoundingClientRect().bottom > edge);
          const count = () => log.querySelector('.spacer').offsetHeight + log.scrollHeight;
          const by = Math.min(900, log.scrollTop);
          const [place, size] = [first.getBoundingClientRect().top, count()];
          log.scrollTop -= by;
          let worst = 0;
          for (let n = 0; n < 5; n += 1) {
            await frame();
            if (first.isConnected) worst = Math.max(worst, Math.abs(first.getBoundingClientRect().top - place - by));
          }
          return { worst, grew: count() !== size, isConnected: first.isConnected };
        });
        assert.ok(moved.isConnected, `${asked} left the document while it was beside what is seen`);
        assert.ok(moved.worst <= 1.5, `${asked} jumped by ${moved.worst} px`);
        if (moved.grew) loads += 1;
        const now = await ann.look();
        assert.ok(now.filled, `nothing is seen at ${now.top} px: ${JSON.stringify(now.seen)}`);
        nodes = Math.max(nodes, now.nodes);
        if (now.drawn[0] === 1 && now.above === 'beginning' && now.top < 50) break;
        assert.ok(steps < 5_000, `the beginning does not come: ${JSON.stringify(now)}`);
        before = now;
      }
    });
    console.log(`    ${steps} steps, ${loads} times the log grew, at most ${nodes} nodes in the document`);
    assert.ok(nodes < NODES_MAX, `${nodes} nodes`);
    assert.ok((await ann.message(1).textContent()).includes(textOf(1)));
    // Somebody speaks: who reads at the top stays there, and goes to the end when they like.
    const before = await ann.look();
    const bob = await Person.open(newContext, 'Bob', 'long');
    await bob.say('anybody there?');
    await ann.page.locator('#to-end-label', { hasText: '1 new' }).waitFor();
    assert.deepEqual((await ann.look()).seen, before.seen);
    await ann.page.locator('#to-end').click();
    await until('the end is shown', async () => (await ann.look()).drawn.at(-1) === COUNT + 1);
    assert.ok((await ann.look()).nodes < NODES_MAX);
  },
};

const scenario = scenarios[scenarioName];
assert.ok(scenario, `no scenario ${scenarioName}`);
try {
  await inContexts(scenario);
  console.log(`${scenarioName}: fine`);
} finally {
  goodbye();
}
