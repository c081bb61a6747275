// The chat as people use it: a long history, changes that both see, one who was away. node chat.mjs <scenario> <url> <urls through proxies>
import assert from 'node:assert/strict';
import { DEADLINE_MS, goodbye, inContexts, outside } from './chromium.mjs';

const [scenarioName, url, ...proxied] = process.argv.slice(2);
const KIND = 'team';
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
    await publish(messages);
  }
}

async function publish(messages) {
  const options = { method: 'POST', headers: backend, body: JSON.stringify({ messages }) };
  const { results } = await (await fetch(new URL('/v1/publish', url), options)).json();
  assert.ok(results.every(({ offset }) => offset > 0), JSON.stringify(results.find(({ offset }) => !offset)));
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
    const context = await newContext({ hasTouch: options.hasTouch ?? false });
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

  /** The offset of the first message in view; how far it ever was from there is the page's `worst`, in pixels. */
  async keepPlace() {
    const [[offset]] = (await this.look()).seen;
    await this.page.evaluate((offset) => {
      const place = () => document.querySelector(`[data-testid=message][data-offset="${offset}"]`)?.getBoundingClientRect().top;
      const at = place();
      window.worst = 0;
      const look = () => {
        window.worst = Math.max(window.worst, Math.abs((place() ?? Infinity) - at));
        requestAnimationFrame(look);
      };
      look();
    }, offset);
    return offset;
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

/** The same for both: each message behind that offset once, in one order. */
async function see(ann, bob, after, count) {
  const shown = (one) =>
    one.part('message').evaluateAll((all, old) => {
      const since = all.filter((li) => Number(li.dataset.offset) > old);
      return since.map((li) => `${li.dataset.offset} ${li.querySelector('.words').textContent}`);
    }, after);
  const [hers, his] = [await shown(ann), await shown(bob)];
  assert.deepEqual(his, hers);
  assert.deepEqual([his.length, new Set(his).size], [count, count]);
}

/** Asks the room by HTTP, with a token such as the page has. */
async function ask(person, room, path, body) {
  const user = await person.page.evaluate((name) => localStorage.getItem(`roomcast-chat.user.${name}`), person.name);
  const rooms = { [`${KIND}:${room}`]: ['join', 'publish', 'history', 'call'] };
  const minted = await fetch(new URL('/dev/token', url), { method: 'POST', body: JSON.stringify({ sub: user, rooms, ttl: 60 }) });
  const { token } = await minted.json();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(new URL(`/v1/rooms/${KIND}:${room}/${path}`, url), { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}
const callAs = (person, room, method) => ask(person, room, `call/${method}`, null);
const publishAs = (person, room, data) => ask(person, room, 'publish', { data });
const unreadOf = async (person, room) => (await callAs(person, room, 'unread')).body;

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

const PHONE = { width: 390, height: 780 };
const COUNT = 10_000;
/** With a window of rows, whatever the history: far below what all would take. */
const NODES_MAX = 6_000;

const scenarios = {
  /** What two people do with messages: change, answer, react, take back; each sees it of the other. */
  async talk(newContext) {
    const ann = await Person.open(newContext, 'Ann', 'desk');
    const bob = await Person.open(newContext, 'Bob', 'desk', { viewport: PHONE, hasTouch: true });
    await ann.part('composer').pressSequentially('helo');
    await bob.page.locator('#typing', { hasText: 'Ann is typing' }).waitFor();
    await ann.part('send-button').click();
    await bob.message(1).getByText('helo').waitFor();
    await bob.page.locator('#typing:empty').waitFor({ state: 'attached' });
    // By the keyboard alone: the last of one's own, changed.
    await ann.part('composer').press('ArrowUp');
    await ann.part('composer').fill('hello *Bob*');
    await ann.part('composer').press('Enter');
    for (const one of [ann, bob]) {
      await one.message(1).locator('strong', { hasText: 'Bob' }).waitFor();
      await one.message(1).getByText('(edited)').waitFor();
    }
    await bob.message(1).tap();
    await bob.message(1).getByLabel('React with 👍').tap();
    for (const one of [ann, bob]) await one.message(1).getByTestId('reaction').getByText('1').waitFor();
    await ann.message(1).getByTestId('reaction').click();
    for (const one of [ann, bob]) await one.message(1).getByTestId('reaction').getByText('2').waitFor();
    await bob.message(1).getByTestId('reaction').click();
    for (const one of [ann, bob]) await one.message(1).getByTestId('reaction').getByText('1').waitFor();
    // A thread: beside the room, and counted under what began it.
    await ann.page.locator('#log').focus();
    await ann.page.keyboard.press('ArrowUp');
    await ann.page.keyboard.press('t');
    await ann.page.keyboard.type('are you therr');
    await ann.page.keyboard.press('Backspace');
    await ann.page.keyboard.type('e?');
    await ann.page.keyboard.press('Enter');
    await bob.message(1).getByTestId('thread-line').getByText('1 reply').waitFor();
    await bob.message(1).getByTestId('thread-line').click();
    await bob.part('reply').getByText('are you there?').waitFor();
    await bob.part('reply-composer').fill('yes');
    await bob.part('reply-send').click();
    await ann.part('reply').getByText('yes', { exact: true }).waitFor();
    await ann.message(1).getByTestId('thread-line').getByText('2 replies').waitFor();
    await bob.page.locator('#thread-close').click();
    assert.equal(await bob.part('message').count(), 1, 'answers stand in their thread alone');
    // Taken back: it is gone for both.
    await bob.say('oops');
    await ann.part('message').getByText('oops').waitFor();
    await bob.part('message').getByText('oops').click();
    await bob.part('message').last().getByLabel('Remove (Del)').click();
    await bob.page.getByRole('dialog').getByText('Remove', { exact: true }).click();
    await until('it is gone', async () => (await ann.part('message').count()) === 1 && (await bob.part('message').count()) === 1);
    // Nobody's text becomes anything but text, and only addresses of the encrypted web become pictures.
    const hostile = '<img src=x onerror="document.title=1"> javascript:alert(1) http://plain.example/a.png';
    await bob.say(hostile);
    const shown = ann.part('message').last();
    await shown.getByText('<img src=x').waitFor();
    assert.equal(await shown.locator('img').count(), 0);
    assert.deepEqual(await shown.locator('a').evaluateAll((all) => all.map(({ href }) => href)), ['http://plain.example/a.png']);
  },

  /** One is away for a minute, says something meanwhile, and comes back to everything, at the place where they were. */
  async away(newContext) {
    const OLD = 120;
    await seed(`${KIND}:away`, OLD);
    const ann = await Person.open(newContext, 'Ann', 'away');
    const bob = await Person.open(newContext, 'Bob', 'away', { at: proxied[0] });
    for (let n = 1; n <= 5; n += 1) await ann.say(`before ${n}`);
    await bob.message(OLD + 5).waitFor();
    await bob.message(OLD + 2).evaluate((element) => element.setAttribute('data-marked', ''));
    await bob.context.setOffline(true);
    await outside('cut 0');
    const left = Date.now();
    await bob.isNotConnected();
    await bob.say('said while away');
    await bob.page.locator('[data-testid=message][data-state=pending]').waitFor();
    // Bob reads on, further up; where the first message in view is, frame by frame, from now on.
    await bob.page.locator('#log').evaluate((log) => (log.scrollTop -= 1_500));
    await bob.page.locator('#to-end').waitFor();
    const place = await bob.keepPlace();
    await ann.message(OLD + 1).hover();
    await ann.message(OLD + 1).getByLabel('React with ❤️').click();
    await ann.part('composer').press('ArrowUp');
    await ann.part('composer').fill('before five');
    await ann.part('composer').press('Enter');
    await ann.message(OLD + 5).getByText('before five').waitFor();
    for (let n = 1; n <= 60; n += 1) {
      await ann.say(`missed ${n}`);
      await until('the minute passes', () => Date.now() >= left + n * 1_000);
    }
    await ann.page.locator('[data-state=pending]').first().waitFor({ state: 'detached' });
    await ann.part('member').filter({ hasText: 'Bob' }).waitFor({ state: 'detached' });
    await outside('heal 0');
    await bob.context.setOffline(false);
    await bob.isConnected();
    await ann.part('message').getByText('said while away').waitFor();
    await ann.part('member').filter({ hasText: 'Bob' }).waitFor();
    // What came is told, and did not move what is read.
    await bob.page.locator('#to-end-label', { hasText: '60 new' }).waitFor();
    await until('the title tells', async () => (await bob.page.title()).startsWith('(60) '));
    assert.equal((await bob.look()).seen[0][0], place);
    const worst = await bob.page.evaluate(() => window.worst);
    assert.ok(worst <= 1.5, `what was read jumped by ${worst} px`);
    await bob.page.locator('#to-end').click();
    await bob.part('message').getByText('missed 60').waitFor();
    await bob.page.locator('[data-testid=message][data-state=sent]', { hasText: 'said while away' }).waitFor();
    await until('the title tells', async () => (await bob.page.title()).startsWith('#away'));
    await bob.message(OLD + 5).getByText('before five').waitFor();
    await bob.message(OLD + 1).getByTestId('reaction').waitFor();
    await see(ann, bob, OLD, 66);
    assert.equal(await bob.message(OLD + 2).getAttribute('data-marked'), '', 'what was there was not drawn anew');
  },

  /** What somebody wrote is not lost by the page: too long, refused, removed meanwhile, without a connection. */
  async keep(newContext) {
    const ann = await Person.open(newContext, 'Ann', 'desk', { more: '&role=moderator' });
    const bob = await Person.open(newContext, 'Bob', 'desk', { at: proxied[0] });
    const [text, send] = [bob.part('composer'), bob.part('send-button')];
    // Nothing is cut; it says by how much it is too long.
    await text.fill('x'.repeat(4_010));
    assert.equal(await send.isDisabled(), true);
    await bob.page.locator('#compose .why', { hasText: 'Too long by 10 characters' }).waitFor();
    await text.fill('x'.repeat(4_000));
    await send.click();
    await ann.message(1).waitFor();
    // A change of what a moderator removes meanwhile is a draft.
    await bob.say('the plan');
    await ann.message(2).waitFor();
    await text.press('ArrowUp');
    await text.fill('the plan, in every detail');
    await ann.message(2).hover();
    await ann.message(2).getByLabel('Remove (Del)').click();
    await ann.page.getByRole('dialog').getByText('Remove', { exact: true }).click();
    await until('it is a draft', async () => (await bob.page.locator('.compose.editing').count()) === 0);
    assert.equal(await text.inputValue(), 'the plan, in every detail');
    await send.click();
    await ann.part('message').getByText('in every detail').waitFor();
    // A change without a connection waits for the next one, and says so.
    await bob.context.setOffline(true);
    await outside('cut 0');
    await bob.isNotConnected();
    await text.press('ArrowUp');
    await text.fill('the plan, at last');
    await text.press('Enter');
    await bob.page.locator('.toast', { hasText: 'There is no connection' }).waitFor();
    // Nor is the page closed on what waits.
    await bob.say('this waits');
    let asked = '';
    bob.page.once('dialog', (dialog) => {
      asked = dialog.type();
      return dialog.dismiss();
    });
    await bob.page.close({ runBeforeUnload: true });
    await until('it is asked about', () => asked === 'beforeunload');
    await outside('heal 0');
    await bob.context.setOffline(false);
    await bob.isConnected();
    for (const one of [ann, bob]) {
      await one.part('message').getByText('the plan, at last').waitFor();
      await one.part('message').getByText('this waits').waitFor();
    }
    // By the keyboard alone: who reacts by a button keeps their place.
    await ann.page.locator('#log').focus();
    await ann.page.keyboard.press('ArrowUp');
    await ann.page.keyboard.press('Tab');
    await ann.page.keyboard.press('Enter');
    await ann.part('message').last().getByTestId('reaction').waitFor();
    await until('the message has the focus', () =>
      ann.page.evaluate(() => document.activeElement?.closest('[data-testid=message]')?.textContent.includes('waits') ?? false));
  },

  /** What is unread is counted while one is in another room, told to one's other tabs, and shown where it begins. */
  async attention(newContext) {
    const ann = await Person.open(newContext, 'Ann', 'desk');
    const bob = await Person.open(newContext, 'Bob', 'desk');
    await ann.say('before');
    await bob.message(1).waitFor();
    await until('it is read', async () => (await unreadOf(bob, 'desk')).read === 1);
    const room = (one, name) => one.page.locator('#rooms a', { hasText: name });
    await room(bob, 'kitchen').click();
    await bob.page.locator('#room-name', { hasText: 'kitchen' }).waitFor();
    const tab = new Person(await bob.context.newPage(), 'Bob');
    await tab.page.goto(`${url}?name=Bob#rooftop`);
    await tab.isConnected();
    await ann.say('one');
    await ann.part('composer').fill('and @bo');
    await ann.part('composer').press('Enter');
    await ann.part('composer').pressSequentially('please');
    await ann.part('composer').press('Enter');
    for (const one of [bob, tab]) {
      await room(one, 'desk').locator('.badge.mention', { hasText: '@ 2' }).waitFor();
      await until('the title tells', async () => (await one.page.title()).startsWith('(@2) '));
      await one.page.locator('.toast', { hasText: 'You are mentioned in #desk' }).waitFor();
    }
    // Nobody else is told.
    assert.equal(await ann.page.locator('.toast').count(), 0);
    await room(bob, 'desk').click();
    await bob.page.locator('.new + li', { hasText: 'one' }).waitFor();
    await bob.page.locator('.mentions-me .to-me', { hasText: '@Bob' }).waitFor();
    // Read in one tab is read in all, and after a restart.
    for (const one of [bob, tab]) await room(one, 'desk').locator('.badge').waitFor({ state: 'detached' });
    await until('the title tells', async () => (await tab.page.title()).startsWith('#rooftop'));
    await outside('kill');
    await outside('start');
    for (const one of [ann, bob, tab]) await one.isConnected();
    assert.deepEqual(await unreadOf(bob, 'desk'), { read: 4, unread: 0, mentions: 0 });
    await ann.say('three');
    await room(tab, 'desk').locator('.badge', { hasText: '1' }).waitFor({ state: 'attached' });
    await room(tab, 'desk').locator('.badge').waitFor({ state: 'detached' });
    // Whose name begins with another's is meant alone.
    const hope = await Person.open(newContext, 'Bob Hope', 'desk');
    await ann.part('member').filter({ hasText: 'Bob Hope' }).waitFor();
    await ann.say('@Bob Hope, or @Bobby, or x@Bob');
    await hope.page.locator('.mentions-me .to-me', { hasText: '@Bob Hope' }).waitFor();
    await bob.part('message').getByText('or @Bobby').waitFor();
    assert.equal(await bob.page.locator('.mentions-me').count(), 1);
  },

  /** A moderator slows the room, takes a voice and gives it back, erases, and sends away; a restart changes nothing. */
  async moderate(newContext) {
    const ann = await Person.open(newContext, 'Ann', 'court', { more: '&role=moderator' });
    const bob = await Person.open(newContext, 'Bob', 'court');
    const menu = async (choice) => {
      await ann.part('member').filter({ hasText: 'Bob' }).hover();
      await ann.page.getByLabel('More about Bob').click();
      await ann.page.getByRole('menuitem', { name: choice }).click();
    };
    assert.equal(await bob.page.locator('#pace').isVisible(), false, 'only moderators are offered what only they may');
    await bob.say('first');
    await ann.page.locator('#pace').click();
    await ann.page.getByRole('menuitem', { name: 'A message every 5 min' }).click();
    await bob.page.locator('#slow-note', { hasText: 'every 300 s' }).waitFor();
    await bob.say('second');
    await ann.part('message').getByText('second').waitFor();
    const soon = await publishAs(bob, 'court', { text: 'by another way' });
    assert.deepEqual([soon.status, soon.body.code, soon.body.data.reason], [429, 'rate_limited', 'slow_mode']);
    await bob.part('composer').fill('third');
    assert.equal(await bob.part('send-button').isDisabled(), true);
    await menu('Mute for a day');
    await bob.page.locator('textarea#text:disabled').waitFor();
    await outside('kill');
    await outside('start');
    for (const one of [ann, bob]) await one.isConnected();
    // Whatever the page does: the room refuses.
    await until('the page knows again', async () => (await callAs(bob, 'court', 'enter')).status === 200);
    const refused = await publishAs(bob, 'court', { text: 'and yet' });
    assert.deepEqual([refused.status, refused.body.code, refused.body.data.reason], [403, 'forbidden', 'muted']);
    await menu('Let speak again');
    await bob.page.locator('textarea#text:enabled').waitFor();
    await ann.page.locator('#pace').click();
    await ann.page.getByRole('menuitem', { name: 'Slow mode off' }).click();
    await bob.page.locator('#slow-note').waitFor({ state: 'hidden' });
    await bob.part('send-button').click();
    await ann.part('message').getByText('third').waitFor();
    await ann.part('message').getByText('first').hover();
    await ann.message(1).getByLabel('Remove (Del)').click();
    await ann.page.getByRole('dialog').getByText('Remove', { exact: true }).click();
    await bob.message(1).waitFor({ state: 'detached' });
    await menu('Remove for an hour');
    await ann.page.getByRole('dialog').getByText('Remove', { exact: true }).click();
    await bob.page.locator('[data-testid=status][data-status=failed]').waitFor();
    await bob.page.locator('#banner', { hasText: 'You were asked to leave' }).waitFor();
    await ann.part('member').filter({ hasText: 'Bob' }).waitFor({ state: 'detached' });
    await bob.page.getByText('Go in again').click();
    await bob.page.locator('#banner', { hasText: 'You were asked to leave' }).waitFor();
    await ann.page.locator('.member.gone').filter({ hasText: 'Bob' }).hover();
    await ann.page.getByLabel('More about Bob').click();
    await ann.page.getByRole('menuitem', { name: 'Let in again' }).click();
    await ann.page.locator('.toast', { hasText: 'Bob may come in' }).waitFor();
    await bob.page.getByText('Go in again').click();
    await bob.isConnected();
  },

  /** With accounts nobody is asked for a name: whoever gives the token knows who it is. */
  async account(newContext) {
    const context = await newContext();
    // As the page would be deployed: said in the page itself, before its script runs.
    await context.addInitScript(() => {
      const tell = () => document.querySelector('meta[name=roomcast-tokens]')?.setAttribute('content', '/session/token');
      document.addEventListener('readystatechange', tell, { once: true });
    });
    let isLoggedIn = false;
    await context.route('**/session/token', async (route) => {
      if (!isLoggedIn) return route.fulfill({ status: 401 });
      const { kind, watching } = route.request().postDataJSON();
      const more = watching ? [] : ['publish', 'presence'];
      const rooms = { [`${kind}:*`]: ['join', 'history', 'call', ...more] };
      const asked = { sub: 'account-7', rooms, ttl: 60, info: { name: 'Ada Lovelace' } };
      const minted = await fetch(new URL('/dev/token', url), { method: 'POST', body: JSON.stringify(asked) });
      await route.fulfill({ json: await minted.json() });
    });
    const ada = new Person(await context.newPage(), 'Ada Lovelace');
    await ada.page.goto(url);
    await ada.page.getByText('Nobody is logged in here.').waitFor();
    assert.equal(await ada.part('name-input').isVisible(), false);
    isLoggedIn = true;
    await ada.page.reload();
    await ada.isConnected();
    await ada.say('by my own name');
    await ada.part('message').locator('.author', { hasText: 'Ada Lovelace' }).waitFor();
    await ada.part('member').getByText('Ada Lovelace').waitFor();
  },

  /** From the end of ten thousand messages to the first, without one of them jumping. */
  async history(newContext) {
    await seed(`${KIND}:long`, COUNT);
    const ann = await Person.open(newContext, 'Ann', 'long');
    await until('the newest are shown', async () => (await ann.look()).drawn.at(-1) === COUNT);
    // An answer to what was said long ago: its thread is there without the way back to it.
    const hedy = { user: 'u-Hedy', info: { name: 'Hedy' } };
    await publish([{ room: `${KIND}:long`, data: { text: 'I come back to this', thread: 3 }, from: hedy }]);
    const stray = ann.message(COUNT + 1);
    await stray.getByText('replied in').waitFor();
    await stray.getByRole('button', { name: 'a thread' }).click();
    await ann.part('reply').getByText(textOf(3)).waitFor();
    await ann.part('reply').getByText('I come back to this').waitFor();
    // What is done there is seen there, however far back it is.
    await ann.part('reply').first().hover();
    await ann.part('reply').first().getByLabel('React with 👍').click();
    await ann.part('reply').first().getByTestId('reaction').getByText('1').waitFor();
    await ann.part('reply').first().getByTestId('reaction').click();
    await ann.part('reply').first().getByTestId('reaction').waitFor({ state: 'detached' });
    await ann.page.locator('#thread-close').click();
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
    await ann.message(3).getByTestId('thread-line').getByText('1 reply').waitFor();
    // Somebody speaks: who reads at the top stays there, and goes to the end when they like.
    const before = await ann.look();
    const bob = await Person.open(newContext, 'Bob', 'long');
    await bob.say('anybody there?');
    await ann.page.locator('#to-end-label', { hasText: '1 new' }).waitFor();
    assert.deepEqual((await ann.look()).seen, before.seen);
    await ann.page.locator('#to-end').click();
    // Behind the answer, and the reaction that came and went.
    await until('the end is shown', async () => (await ann.look()).drawn.at(-1) === COUNT + 4);
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
