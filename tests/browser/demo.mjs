// The demo at `/`, used by two people. node demo.mjs <scenario> <url> [<url through the proxy>]
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inBrowser, outside } from './chromium.mjs';

const [scenarioName, url, proxied] = process.argv.slice(2);

/** A tab of the demo that someone uses. */
class Tab {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  static async open(context, name, at = url) {
    const tab = new Tab(await context.newPage(), name);
    const response = await tab.page.goto(at);
    assert.equal(response.status(), 200, 'the demo is not served: run `cargo xtask build`');
    await tab.join();
    return tab;
  }

  part(testId) {
    return this.page.getByTestId(testId);
  }

  async join() {
    await this.part('name-input').fill(this.name);
    await this.part('join-button').click();
    await this.isConnected();
  }

  async isConnected() {
    await this.page.locator('[data-testid=status][data-status=connected]').waitFor();
  }

  async isNotConnected() {
    await this.page.locator('[data-testid=status]:not([data-status=connected])').waitFor();
  }

  async say(text) {
    await this.part('composer').fill(text);
    await this.part('send-button').click();
  }

  /** The messages as shown: offset (none before the publish is answered) and text, from top to bottom. */
  async messages() {
    return this.part('message').evaluateAll((all) =>
      all.map((one) => ({ offset: Number(one.dataset.offset), text: one.textContent })),
    );
  }

  /** Waits until exactly `texts` are shown, in this order, none missing and none doubled. */
  async shows(texts) {
    await until(`${this.name} sees ${texts.length} messages, the last ${texts.at(-1)}`, async () => {
      const shown = await this.messages();
      const answered = shown.every((message) => Number.isInteger(message.offset));
      return answered && shown.length >= texts.length && shown.at(-1)?.text.includes(texts.at(-1));
    }, async () => JSON.stringify(await this.messages()));
    const shown = await this.messages();
    assert.equal(shown.length, texts.length, `${this.name}: ${JSON.stringify(shown)}`);
    for (const [index, text] of texts.entries()) {
      assert.ok(shown[index].text.includes(text), `${this.name}: ${text} at ${index} of ${JSON.stringify(shown)}`);
    }
    const offsets = shown.map((message) => message.offset);
    assert.deepEqual(offsets, offsets.map((_, index) => offsets[0] + index), `${this.name}: a hole in the offsets`);
  }

  async seesMembers(names) {
    await until(`${this.name} sees ${names}`, async () => {
      const members = await this.part('member').allTextContents();
      return members.length === names.length && names.every((name) => members.some((text) => text.includes(name)));
    }, async () => JSON.stringify(await this.part('member').allTextContents()));
  }
}

async function until(what, isSo, describe) {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time; there is ${await describe()}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const scenarios = {
  /** Two tabs of one browser, which share its storage. */
  async talk(context) {
    const ann = await Tab.open(context, 'Ann');
    const bob = await Tab.open(context, 'Bob');
    await ann.seesMembers(['Ann', 'Bob']);
    await bob.seesMembers(['Ann', 'Bob']);
    await ann.say('hello Bob');
    await bob.shows(['hello Bob']);
    await bob.say('hello Ann');
    await ann.shows(['hello Bob', 'hello Ann']);
    await bob.shows(['hello Bob', 'hello Ann']);
    await bob.page.close();
    await ann.seesMembers(['Ann']);
  },

  async reload(context) {
    const ann = await Tab.open(context, 'Ann');
    const bob = await Tab.open(context, 'Bob');
    await ann.say('one');
    await ann.say('two');
    await bob.shows(['one', 'two']);
    await bob.page.reload();
    if (await bob.part('join-button').isVisible()) await bob.join();
    await bob.isConnected();
    await bob.shows(['one', 'two']);
    await ann.say('three');
    await bob.shows(['one', 'two', 'three']);
    await ann.seesMembers(['Ann', 'Bob']);
  },

  /** Bob's way to the server leads through the proxy, whose cable is pulled. */
  async offline(context) {
    const ann = await Tab.open(context, 'Ann');
    await inBrowser(async (elsewhere) => {
      const bob = await Tab.open(elsewhere, 'Bob', proxied);
      await ann.say('before');
      await bob.shows(['before']);
      await elsewhere.setOffline(true);
      await outside('cut');
      await bob.isNotConnected();
      for (const text of ['missed 1', 'missed 2', 'missed 3']) await ann.say(text);
      await ann.shows(['before', 'missed 1', 'missed 2', 'missed 3']);
      assert.equal((await bob.messages()).length, 1, 'Bob was really away');
      await outside('heal');
      await elsewhere.setOffline(false);
      await bob.isConnected();
      await bob.shows(['before', 'missed 1', 'missed 2', 'missed 3']);
      await bob.say('back');
      const all = ['before', 'missed 1', 'missed 2', 'missed 3', 'back'];
      await ann.shows(all);
      await bob.shows(all);
      await ann.seesMembers(['Ann', 'Bob']);
    });
  },

  async kill(context) {
    const ann = await Tab.open(context, 'Ann');
    const bob = await Tab.open(context, 'Bob');
    const said = [];
    const say = async (tab, text) => {
      await tab.say(text);
      said.push(text);
      await ann.shows(said);
      await bob.shows(said);
    };
    await say(ann, 'before 1');
    await say(bob, 'before 2');
    await outside('kill');
    await ann.isNotConnected();
    await bob.isNotConnected();
    await outside('start');
    await ann.isConnected();
    await bob.isConnected();
    await ann.shows(said);
    await bob.shows(said);
    await say(bob, 'after 1');
    await say(ann, 'after 2');
    await ann.seesMembers(['Ann', 'Bob']);
    await bob.seesMembers(['Ann', 'Bob']);
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
