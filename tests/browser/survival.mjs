// Pages that live through what networks, servers and browsers do to them, under load.
// node survival.mjs <scenario> <url> <urls through the proxies>
import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goodbye, inContexts, outside } from './chromium.mjs';
import { serve } from './files.mjs';
import { Backend, DEADLINE_MS, judgeLog, judgePage, until } from './judge.mjs';

// The first proxy is the backend's own, and always fair: it leads to the server wherever that is.
const [scenarioName, , direct, ...ways] = process.argv.slice(2);
const ROOM = 'chat:survival';
const here = import.meta.dirname;

async function token(asked) {
  const rooms = { [asked.get('room')]: ['join', 'publish', 'presence', 'history'] };
  const body = JSON.stringify({ sub: asked.get('user'), rooms, ttl: Number(asked.get('ttl')) });
  const answer = await fetch(new URL('/dev/token', direct), { method: 'POST', body });
  return (await answer.json()).token;
}

const backend = new Backend(direct, ROOM);
const seconds = (count) => new Promise((wake) => setTimeout(wake, 1000 * count));

/** A page of `survivor.html` whose way to the server is the proxy of that number (1 and up). */
class Survivor {
  constructor(page, name, way) {
    Object.assign(this, { page, name, way, past: [] });
  }

  static address(origin, name, way, more) {
    const asked = { url: ways[way - 1], name, room: ROOM, ttl: 600, pause: 500, ...more };
    return `${origin}/survivor.html?${new URLSearchParams(asked)}`;
  }

  static async open(context, origin, name, way, more = {}) {
    const survivor = new Survivor(await context.newPage(), name, way);
    survivor.context = context;
    await survivor.page.goto(Survivor.address(origin, name, way, more));
    await survivor.isJoined();
    return survivor;
  }

  async isJoined() {
    await this.page.waitForFunction(() => document.title === 'joined', null, { timeout: DEADLINE_MS });
  }

  async becomes(...statuses) {
    let alarm;
    const late = new Promise((_, reject) => {
      alarm = setTimeout(() => reject(new Error(`${this.name} does not become ${statuses}`)), DEADLINE_MS);
    });
    try {
      await Promise.race([this.page.evaluate((wanted) => survivor.becomes(...wanted), statuses), late]);
    } finally {
      clearTimeout(alarm);
    }
  }

  talk() {
    return this.page.evaluate(() => survivor.talk());
  }

  account() {
    return this.page.evaluate(() => survivor.account);
  }

  /** Takes the account so far out of the page. */
  async forget() {
    this.past.push(await this.page.evaluate(() => survivor.forget()));
  }

  /** What was taken out earlier, and what is there. */
  async wholeAccount() {
    const all = [...this.past, await this.account()];
    const { asked } = all.at(-1);
    const outcomes = Object.assign({}, ...all.map((one) => one.outcomes));
    const flat = (name) => all.flatMap((one) => one[name]);
    return { heard: flat('heard'), statuses: flat('statuses'), gaps: flat('gaps'), asked, outcomes };
  }

  /** Each way from connected to connected leads through these alone; returns the statuses. */
  async cameBack(times) {
    const { statuses } = await this.wholeAccount();
    const ways = statuses.join(' ').split(/\bconnected\b/).slice(1, -1);
    assert.equal(statuses.at(-1), 'connected', `${this.name}: ${statuses}`);
    for (const way of ways) assert.match(way, /^ ((reconnecting|offline) )+$/, `${this.name}: ${statuses}`);
    if (times !== undefined) assert.equal(ways.length, times, `${this.name}: ${statuses}`);
    return statuses;
  }

  async debug() {
    return (this.session ??= await this.context.newCDPSession(this.page));
  }

  async freeze() {
    await (await this.debug()).send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw() {
    await (await this.debug()).send('Page.setWebLifecycleState', { state: 'active' });
  }
}

/** Ends the load, and compares what each page has heard with the log. */
async function judge(survivors) {
  await Promise.all(survivors.map(({ page }) => page.evaluate(() => survivor.hush())));
  const said = await backend.hush();
  const log = await backend.log();
  judgeLog(log, said);
  for (const survivor of survivors) {
    const { page, name, first } = survivor;
    const head = log.length;
    await until(`${name} hears the last`, () => page.evaluate((last) => survivor.account.heard.at(-1)?.[0] === last, head));
    const account = await survivor.wholeAccount();
    judgePage(name, account, log, first);
    const unknown = Object.values(account.outcomes).filter(([{ outcome }]) => outcome !== 'acknowledged');
    console.log(`${name}: ${account.heard.length} heard, ${account.asked} said, ${JSON.stringify(unknown)}, ${account.statuses}`);
  }
  return log;
}

const scenarios = {
  /** Half a minute offline; sockets that died and never said so, with a word of the browser's and without. */
  async away(newContext, origin) {
    // So slow that what a page misses stays below a recovery's bound.
    const more = { pause: 1000 };
    const all = await Promise.all(
      ['offline', 'silent', 'told', 'quiet'].map(async (name, index) =>
        Survivor.open(await newContext(), origin, name, index + 1, more),
      ),
    );
    const [offline, silent, told, quiet] = all;
    backend.talk();
    await Promise.all([offline, silent, told].map((one) => one.talk()));
    await seconds(1);
    await Promise.all([
      (async () => {
        await offline.context.setOffline(true);
        await outside('cut 1');
        await offline.becomes('offline');
        await seconds(30);
        assert.ok(!(await offline.account()).statuses.slice(2).includes('connected'), 'it was away all the time');
        await outside('heal 1');
        await offline.context.setOffline(false);
        await offline.becomes('connected');
      })(),
      // Nothing but a ping of its own can tell, whether a page keeps publishing into the silence or says nothing.
      ...[silent, quiet].map(async (one) => {
        await outside(`silence ${one.way}`);
        await one.becomes('reconnecting');
        await outside(`heal ${one.way}`);
        await one.becomes('connected');
      }),
      (async () => {
        await outside('silence 3');
        await seconds(2);
        await outside('heal 3');
        // As when a telephone goes from one network to another.
        await told.context.setOffline(true);
        await told.context.setOffline(false);
        await told.becomes('reconnecting');
        await told.becomes('connected');
      })(),
    ]);
    await seconds(2);
    await judge(all);
    assert.ok((await offline.cameBack(1)).includes('offline'));
    for (const one of [silent, told, quiet]) await one.cameBack();
  },

  /** A page that stands still while the room goes on; one whose connection goes meanwhile; one whose timers are late. */
  async asleep(newContext, origin) {
    const late = await newContext();
    await late.addInitScript(lateTimers);
    const [still, lost, slow] = await Promise.all([
      Survivor.open(await newContext(), origin, 'still', 1),
      Survivor.open(await newContext(), origin, 'lost', 2),
      Survivor.open(late, origin, 'slow', 3),
    ]);
    backend.talk();
    await Promise.all([still.talk(), lost.talk(), slow.talk()]);
    await seconds(1);
    await Promise.all([
      (async () => {
        await still.freeze();
        await seconds(15);
        await still.thaw();
      })(),
      (async () => {
        await lost.freeze();
        await outside('cut 2');
        await seconds(15);
        await outside('heal 2');
        await lost.thaw();
        await lost.becomes('reconnecting');
        await lost.becomes('connected');
      })(),
      (async () => {
        await outside('cut 3');
        await slow.becomes('reconnecting');
        await outside('heal 3');
        await slow.becomes('connected');
      })(),
    ]);
    await seconds(2);
    await judge([still, lost, slow]);
    await still.cameBack(0);
    await lost.cameBack();
    await slow.cameBack();
  },

  /** Tokens good for 2 s and the leeway of 30 s: one page lives on beyond that, one is away meanwhile. */
  async expired(newContext, origin) {
    const [live, away] = await Promise.all([
      Survivor.open(await newContext(), origin, 'live', 1, { ttl: 2 }),
      Survivor.open(await newContext(), origin, 'away', 2, { ttl: 2 }),
    ]);
    const connection = await live.page.evaluate(() => survivor.room.me.connection);
    backend.talk();
    await Promise.all([live.talk(), away.talk()]);
    await away.context.setOffline(true);
    await outside('cut 2');
    await away.becomes('offline', 'reconnecting');
    await seconds(36);
    // Whatever the page kept is too old by now; it is refused, and another one asked for.
    await away.page.evaluate(() => (survivor.showsOldToken = true));
    await outside('heal 2');
    await away.context.setOffline(false);
    await away.becomes('connected');
    await seconds(2);
    await judge([live, away]);
    await away.cameBack(1);
    assert.equal(await away.page.evaluate(() => survivor.showsOldToken), false, 'the old token was shown');
    await live.cameBack(0);
    assert.equal(await live.page.evaluate(() => survivor.room.me.connection), connection);
    const { outcomes } = await live.account();
    assert.ok(Object.values(outcomes).every(([{ outcome }]) => outcome === 'acknowledged'));
  },

  async restarted(newContext, origin) {
    const all = await Promise.all(
      ['ann', 'bob'].map(async (name, index) => Survivor.open(await newContext(), origin, name, index + 1)),
    );
    backend.talk();
    await Promise.all(all.map((one) => one.talk()));
    for (const end of ['kill', 'stop', 'kill']) {
      await seconds(3);
      await outside(end);
      await Promise.all(all.map((one) => one.becomes('reconnecting')));
      await outside('move');
      await Promise.all(all.map((one) => one.becomes('connected')));
    }
    await seconds(2);
    await judge(all);
    for (const one of all) await one.cameBack();
  },

  /**
   * The page's clock and timers run tenfold, so that a hundred waits fit into a test. The gateway's do not: by HTTP its
   * comments would come too seldom for such a page.
   */
  async hundred(newContext, origin) {
    const context = await newContext();
    await context.addInitScript(fastClock, 10);
    const page = await Survivor.open(context, origin, 'again', 1, { pause: 1000, fallback: 'none' });
    const debug = await page.debug();
    const open = new Set();
    debug.on('Network.webSocketCreated', ({ requestId }) => open.add(requestId));
    debug.on('Network.webSocketClosed', ({ requestId }) => open.delete(requestId));
    await debug.send('Network.enable');
    await debug.send('Performance.enable');
    backend.talk();
    await page.talk();
    await reconnect(page, 20);
    const before = await measure(page, debug);
    await reconnect(page, 100);
    const after = await measure(page, debug);
    console.log(JSON.stringify({ before, after }));
    assert.equal(open.size, 1, 'one live socket');
    assert.equal(after.listeners, before.listeners);
    assert.equal(after.nodes, before.nodes);
    assert.equal(after.wasm, before.wasm);
    assert.ok(after.heap < before.heap + 200_000, `${before.heap} bytes became ${after.heap}`);
    await judge([page]);
    await page.cameBack();
  },

  /** Under load a page is reloaded, duplicated, and duplicated while it stands still. */
  async reloaded(newContext, origin) {
    const context = await newContext();
    const watcher = await Survivor.open(await newContext(), origin, 'watcher', 2);
    const bob = await Survivor.open(context, origin, 'bob', 1, { resume: '' });
    const { session } = await bob.page.evaluate(() => survivor.room.me);
    backend.talk();
    await bob.talk();
    for (let time = 0; time < 5; time += 1) {
      await seconds(1);
      await bob.page.reload();
      await bob.isJoined();
      assert.equal(await bob.page.evaluate(() => survivor.room.me.session), session, 'the same member');
    }
    // What a duplicated tab has of its original: its address, and a copy of its storage.
    const twin = await twinOf(bob, 'twin', origin);
    // And of an original whose storage holds what it would go on with.
    await bob.page.evaluate(() => document.dispatchEvent(new Event('freeze')));
    const kept = await bob.page.evaluate(() => JSON.stringify(sessionStorage));
    assert.match(kept, /session/, 'something is kept');
    const thief = await twinOf(bob, 'thief', origin);
    await bob.page.evaluate(() => document.dispatchEvent(new Event('resume')));
    await seconds(3);
    const members = await watcher.page.evaluate(() => survivor.room.members.map((member) => member.session));
    const mine = await Promise.all([bob, twin, thief].map(({ page }) => page.evaluate(() => survivor.room.me.session)));
    assert.equal(new Set(mine).size, 3, 'a session each');
    assert.equal(members.length, 4);
    await judge([watcher, bob, twin, thief]);
    const seen = await watcher.account();
    assert.deepEqual(seen.left, [], 'nobody was seen to leave');
    assert.equal(seen.joined.filter((one) => one === session).length, 1, 'and bob to come once');
    await watcher.cameBack(0);
    for (const tab of [twin, thief]) await tab.cameBack(0);
  },
};

/** Another tab that `original` opened: it begins with a copy of its `sessionStorage`. */
async function twinOf(original, name, origin) {
  const address = Survivor.address(origin, name, original.way, { resume: '', user: original.name });
  const opened = original.context.waitForEvent('page');
  await original.page.evaluate((at) => void open(at), address);
  const twin = new Survivor(await opened, name, original.way);
  twin.context = original.context;
  await twin.isJoined();
  await until(`${name} hears something`, () => twin.page.evaluate(() => survivor.account.heard.length > 0));
  twin.first = (await twin.account()).heard[0][0];
  return twin;
}

/** The network comes and goes; the browser says so when it is back. */
async function reconnect(survivor, times) {
  for (let time = 0; time < times; time += 1) {
    await outside('cut 1');
    await survivor.becomes('reconnecting');
    await outside('heal 1');
    await survivor.page.evaluate(() => dispatchEvent(new Event('online')));
    await survivor.becomes('connected');
  }
}

/** What a page holds on to, but for its account. */
async function measure(survivor, debug) {
  await survivor.page.evaluate(() => survivor.hush());
  await survivor.forget();
  for (let round = 0; round < 3; round += 1) await debug.send('HeapProfiler.collectGarbage');
  const { metrics } = await debug.send('Performance.getMetrics');
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  const wasm = await survivor.page.evaluate(() => survivor.memory());
  await survivor.talk();
  return { heap: of('JSHeapUsedSize'), listeners: of('JSEventListeners'), nodes: of('Nodes'), wasm };
}

/** In the page: timers fire at whole 5 s only, as those of a tab that was hidden for long do at whole minutes. */
function lateTimers() {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (callback, wait = 0, ...more) => {
    const now = performance.now();
    return setTimeout(callback, Math.ceil((now + wait) / 5000) * 5000 - now, ...more);
  };
}

/** In the page: all that waits waits a fraction. */
function fastClock(times) {
  const { setTimeout, performance } = globalThis;
  const now = performance.now.bind(performance);
  performance.now = () => now() * times;
  globalThis.setTimeout = (callback, wait = 0, ...more) => setTimeout(callback, wait / times, ...more);
}

const scenario = scenarios[scenarioName];
assert.ok(scenario, `no scenario ${scenarioName}`);
const folder = await mkdtemp(join(tmpdir(), 'roomcast-survival-'));
await symlink(join(here, 'survivor.html'), join(folder, 'survivor.html'));
await symlink(join(here, '../../client-sdk/ts/dist'), join(folder, 'dist'));
const files = await serve(folder, { answers: { '/token': token } });
try {
  await inContexts((newContext) => scenario(newContext, files.origin));
  console.log(`${scenarioName}: fine`);
} finally {
  files.close();
  await rm(folder, { recursive: true, force: true });
  goodbye();
}
