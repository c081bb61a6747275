// The game at `/game/`, played by two people. node game.mjs <scenario> <url> [<url through the proxy>]
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser, outside } from './chromium.mjs';

const [scenarioName, url, proxied] = process.argv.slice(2);

/** A page that someone plays on. */
class Player {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  static async open(context, name, { at = url, query = '' } = {}) {
    const player = new Player(await context.newPage(), name);
    const response = await player.page.goto(`${at}game/?stats&name=${name}${query}#test`);
    assert.equal(response.status(), 200, 'the game is not served: run `cargo xtask build`');
    await player.is('[data-status=connected]');
    return player;
  }

  /** Waits until the page's body says so. */
  async is(selector) {
    await this.page.locator(`body${selector}`).waitFor({ state: 'attached' });
  }

  body(name) {
    return this.page.evaluate((key) => document.body.dataset[key], name);
  }

  /** Which tiles everyone has, by seat. */
  async tiles() {
    const all = await this.page.getByTestId('player').evaluateAll((rows) =>
      rows.map((row) => [Number(row.dataset.seat), Number(row.dataset.tiles)]),
    );
    return all.sort(([one], [other]) => one - other);
  }

  async stats() {
    const told = await this.page.getByTestId('stats').evaluate((place) => ({ ...place.dataset }));
    return Object.fromEntries(Object.entries(told).map(([name, value]) => [name, Number(value)]));
  }

  async countAnew() {
    const { span } = await this.stats();
    await this.page.getByTestId('stats').click();
    await until('it counts anew', async () => (await this.stats()).span < span, () => this.stats());
  }

  /** Runs that way until `isSo`: there has to be floor enough. */
  async run(key, isSo) {
    await this.page.bringToFront();
    await this.page.keyboard.down(key);
    await until(`${this.name} runs to ${key}`, isSo, () => this.tiles());
    await this.page.keyboard.up(key);
  }

  /** Runs in ever wider rounds until `isSo`: nobody knows where they were put down, and bots paint over everything. */
  async runAbout(isSo) {
    await this.page.bringToFront();
    let turn = 0;
    const keys = ['KeyA', 'ArrowUp', 'KeyD', 'ArrowDown'];
    await until(`${this.name} runs about`, async () => {
      const key = keys[turn % keys.length];
      await this.page.keyboard.down(key);
      await this.page.waitForTimeout(250 + 75 * turn);
      await this.page.keyboard.up(key);
      turn += 1;
      return isSo();
    }, () => this.tiles());
  }

  ready() {
    return this.page.getByTestId('ready-button').click();
  }
}

async function until(what, isSo, describe) {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time; there is ${JSON.stringify(await describe())}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const tilesOf = async (player, seat) => (await player.tiles()).find(([of]) => of === seat)?.[1] ?? 0;

/** Wholly so, and nothing lies over its middle. */
async function onScreen(place, what) {
  await place.waitFor();
  const lies = () => place.evaluate((element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const isInside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    return { left, top, right, bottom, isSeen: isInside && element.contains(above) };
  });
  await until(`${what} is on the screen`, async () => (await lies()).isSeen, lies);
}

/** Both see the same floor, once nobody moves any more. */
async function agree(...players) {
  const all = async () => Promise.all(players.map(async (player) => JSON.stringify(await player.tiles())));
  await until('all see the same', async () => new Set(await all()).size === 1, all);
}

const scenarios = {
  /** A round among bots: every tick is told, each tells something, and what one does the other sees. */
  async round(context) {
    const ann = await Player.open(context, 'Ann');
    await inBrowser(async (elsewhere) => {
      const bob = await Player.open(elsewhere, 'Bob');
      await ann.is(':not([data-seat=""])');
      await bob.is(':not([data-seat=""])');
      // Bots are always ready, and more than half.
      for (const player of [ann, bob]) await player.is('[data-phase=playing]');
      const seat = Number(await ann.body('seat'));
      await ann.runAbout(async () => (await tilesOf(bob, seat)) > 8);
      for (const player of [ann, bob]) await player.countAnew();
      for (const player of [ann, bob]) {
        await until('200 frames', async () => (await player.stats()).frames >= 200, () => player.stats());
        const { frames, changed, skipped, missing } = await player.stats();
        assert.deepEqual([skipped, missing], [0, 0], `${player.name} heard of every tick`);
        // Where the machine stalls, bots stand still for a moment.
        assert.ok(changed > frames / 2, `${player.name}: ${changed} of ${frames} frames say something`);
      }
    });
  },

  /** Bob's way leads through the proxy. Eve watches, and comes when much was painted. */
  async away(context) {
    const ann = await Player.open(context, 'Ann');
    await ann.is('[data-seat="0"]');
    await inBrowser(async (elsewhere) => {
      const bob = await Player.open(elsewhere, 'Bob', { at: proxied });
      await bob.is('[data-seat="1"]');
      await ann.runAbout(async () => (await tilesOf(bob, 0)) > 10);
      await bob.runAbout(async () => (await tilesOf(ann, 1)) > 10);
      await elsewhere.setOffline(true);
      await outside('cut');
      await bob.is(':not([data-status=connected])');
      await ann.runAbout(async () => (await tilesOf(ann, 0)) > 30);
      assert.equal((await ann.tiles()).length, 2, 'the seat is kept meanwhile');
      await outside('heal');
      await elsewhere.setOffline(false);
      await bob.is('[data-status=connected]');
      await bob.is('[data-seat="1"]');
      await agree(ann, bob);
      const before = await tilesOf(ann, 1);
      await bob.runAbout(async () => (await tilesOf(ann, 1)) > before);

      await bob.page.reload();
      await bob.is('[data-seat="1"]');
      const eve = await Player.open(elsewhere, 'Eve', { query: '&watch' });
      await agree(ann, bob, eve);
      assert.ok((await eve.tiles()).some(([, tiles]) => tiles > 30), 'a late comer sees what was painted');
      assert.equal(await eve.body('seat'), '', 'she only watches');
      await eve.page.getByRole('button', { name: 'Play' }).click();
      await eve.is('[data-seat="2"]');
      await until('Ann sees her', async () => (await ann.tiles()).length === 3, () => ann.tiles());
      await eve.page.close();
      await until('her seat is free after the grace', async () => (await ann.tiles()).length === 2, () => ann.tiles());
    });
  },

  /** Nobody else is here: the room's own bots are company, until someone comes. A second tab takes the seat over. */
  async alone(context) {
    const ann = await Player.open(context, 'Ann');
    await ann.page.getByRole('button', { name: 'Play against bots' }).click();
    await ann.is('[data-phase=playing]');
    await ann.runAbout(async () => (await ann.tiles()).length === 4 && (await ann.tiles()).every(([, tiles]) => tiles > 4));
    await ann.page.reload();
    await ann.is('[data-seat="0"][data-phase=playing]');
    assert.equal((await ann.tiles()).length, 4, 'a reload costs neither seat nor company');
    const tab = await Player.open(context, 'Ann');
    await tab.is('[data-seat="0"]');
    await ann.is('[data-seat=""]');
    await ann.page.getByText('You play in another tab').waitFor();
    await ann.page.getByRole('button', { name: 'Play' }).click();
    await tab.page.getByText('You play in another tab').waitFor();
    await ann.page.close();
    await tab.page.getByRole('button', { name: 'Play' }).click();
    await tab.is('[data-seat="0"]');
    assert.equal((await tab.tiles()).length, 4, 'the bots play on');
  },

  /** A network that takes everything and passes nothing on: who plays is told long before the connection ends. */
  async silence(context) {
    const ann = await Player.open(context, 'Ann', { at: proxied });
    await ann.is('[data-seat="0"][data-phase=lobby]:not([data-silent])');
    await outside('silence');
    await ann.page.getByText('The arena has gone silent').waitFor();
    await ann.is('[data-silent][data-status=connected]');
  },

  /** A tab that nobody looks at for five minutes leaves the room, which may rest then, and sits down again when it is seen. */
  async unseen(context) {
    const ann = await Player.open(context, 'Ann');
    const bob = await Player.open(context, 'Bob');
    for (const player of [ann, bob]) await player.is(':not([data-seat=""])');
    const look = (isHidden) => bob.page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
    await bob.page.clock.install();
    await look(true);
    await bob.page.clock.fastForward('04:50');
    await look(false);
    await look(true);
    await bob.page.clock.fastForward('04:50');
    assert.equal(await bob.body('status'), 'connected', 'it was looked at in between');
    await bob.page.clock.fastForward('00:20');
    await bob.is('[data-status=left]');
    await until('the seat is free', async () => (await ann.tiles()).length === 1, () => ann.tiles());
    await look(false);
    await bob.is('[data-status=connected]:not([data-seat=""])');
  },

  /** Everything that has to be pressed is on the screen, of a phone however it is held, and of a small one. */
  async phones(context) {
    const sizes = [[390, 844], [844, 390], [320, 568], [568, 320]];
    const pressed = ['join-button', 'name-input'];
    for (const [width, height] of sizes) {
      const door = await context.newPage();
      await door.setViewportSize({ width, height });
      await door.goto(`${url}game/#test`);
      for (const id of pressed) await onScreen(door.getByTestId(id), `${id} at ${width} × ${height}`);
      await door.close();
    }
    const ann = await Player.open(context, 'Ann');
    const bob = await Player.open(context, 'Bob');
    await bob.is('[data-seat="1"]');
    await ann.page.bringToFront();
    await ann.is('[data-seat="0"]');
    for (const [width, height] of sizes) {
      await ann.page.setViewportSize({ width, height });
      for (const id of ['arena', 'ready-button', 'status']) await onScreen(ann.page.getByTestId(id), `${id} at ${width} × ${height}`);
    }
  },

  /** The server dies in the middle of a round, which goes on. */
  async restart(context) {
    const ann = await Player.open(context, 'Ann');
    const bob = await Player.open(context, 'Bob');
    await bob.is('[data-seat="1"]');
    for (const player of [ann, bob]) {
      await player.page.bringToFront();
      await player.ready();
    }
    await ann.page.bringToFront();
    await ann.is('[data-phase=playing]');
    await ann.run('ArrowLeft', async () => (await tilesOf(ann, 0)) > 25);
    // Five seconds on, what was painted is stored.
    const tick = Number(await ann.body('tick'));
    await until('five seconds pass', async () => Number(await ann.body('tick')) > tick + 101, () => ann.body('tick'));
    await outside('kill');
    await ann.is(':not([data-status=connected])');
    await outside('start');
    await ann.is('[data-status=connected][data-phase=playing][data-seat="0"]');
    await until('the paint is still there', async () => (await tilesOf(ann, 0)) > 20, () => ann.tiles());
    assert.ok(Number(await ann.body('tick')) > tick, 'the round went on');
    await bob.page.bringToFront();
    await bob.is('[data-status=connected][data-phase=playing][data-seat="1"]');
    const before = await tilesOf(bob, 0);
    await ann.run('ArrowDown', async () => (await tilesOf(ann, 0)) > before);
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
