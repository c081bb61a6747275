// What became of a run: the pages' accounts beside the log as the API tells it.
import assert from 'node:assert/strict';

const backend = { authorization: 'Bearer rk_dev_dev' };
export const DEADLINE_MS = 60_000;

/** Asks again and again until it is so. */
export async function until(what, isSo) {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what}: not in time`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** A backend that publishes a number twenty times a second, each until it is taken, whatever the server goes through. */
export class Backend {
  #timer;
  #said = 0;
  #underWay = new Set();

  constructor(url, room) {
    this.room = new URL(`/v1/rooms/${room}`, url).href;
  }

  talk() {
    this.#timer = setInterval(() => {
      const taken = this.#publish((this.#said += 1));
      this.#underWay.add(taken);
      taken.then(() => this.#underWay.delete(taken));
    }, 50);
  }

  async #publish(n) {
    const headers = { ...backend, 'idempotency-key': `backend-${n}` };
    const body = JSON.stringify({ type: 'number', data: { by: 'backend', n } });
    await until(`the backend's ${n} is taken`, async () => {
      try {
        const options = { method: 'POST', headers, body, signal: AbortSignal.timeout(5_000) };
        return (await fetch(`${this.room}/publish`, options)).status === 200;
      } catch {
        return false;
      }
    });
  }

  /** Resolves to how many numbers there are, when all are taken. */
  async hush() {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    return this.#said;
  }

  /** The whole log: offset, who, number. */
  async log() {
    const all = [];
    for (let after = 0; after !== null; ) {
      const answer = await fetch(`${this.room}/messages?raw=true&limit=200&after=${after}`, { headers: backend });
      assert.equal(answer.status, 200);
      const { messages, next } = await answer.json();
      all.push(...messages.map(({ offset, data }) => [offset, data.by, data.n]));
      after = next ?? null;
    }
    return all;
  }
}

/** Each offset and each number stands once in the log, and of a backend's numbers none is missing. */
export function judgeLog(log, said) {
  assert.deepEqual(log.map(([offset]) => offset), log.map((_, index) => index + 1), 'offsets are dense');
  const numbers = log.map(([, by, n]) => `${by} ${n}`);
  assert.equal(new Set(numbers).size, numbers.length, 'a number stands in the log twice');
  assert.equal(log.filter(([, by]) => by === 'backend').length, said, 'all that the backend said is there');
}

/** A page heard `log` from `first` on, each once and in order, without a gap; each publish of its own has one outcome. */
export function judgePage(name, account, log, first = 1) {
  assert.deepEqual(account.gaps, [], `${name} was told of gaps`);
  const due = log.slice(first - 1);
  const odd = account.heard.findIndex((heard, index) => String(heard) !== String(due[index]));
  assert.equal(odd, -1, `${name} heard ${account.heard[odd]} where the log has ${due[odd]}`);
  assert.equal(account.heard.length, due.length, `${name} heard as much as there is`);
  const places = new Map(log.filter(([, by]) => by === name).map(([offset, , n]) => [n, offset]));
  for (let n = 1; n <= account.asked; n += 1) {
    const outcomes = account.outcomes[n] ?? [];
    assert.equal(outcomes.length, 1, `${name}'s ${n} ended as ${JSON.stringify(outcomes)}`);
    const [{ outcome, offset }] = outcomes;
    if (outcome === 'acknowledged') assert.equal(places.get(n), offset, `${name}'s ${n} is where it was acknowledged`);
    if (outcome === 'rejected') assert.equal(places.get(n), undefined, `${name}'s ${n} was rejected`);
    assert.ok(['acknowledged', 'rejected', 'unknown'].includes(outcome), `${name}'s ${n}: ${outcome}`);
  }
}
