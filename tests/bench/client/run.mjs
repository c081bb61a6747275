// Runs measure.js in Node and in Chromium, and prints medians.
// node run.mjs <folder of measure.js, bundled, and the module> [--rounds <count>] [--warm-up <count>] [--node] [--json]
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '30' },
    'warm-up': { type: 'string', default: '3' },
    node: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
const rounds = count('rounds', 1);
const warmUp = count('warm-up', 0);

const hosts = [{ host: `Node ${process.versions.node}`, rows: await inNode() }];
if (!values.node) hosts.push(await inChromium());
if (values.json) console.log(JSON.stringify(hosts.map(({ host, rows }) => ({ host, rows: rows.map(summed) }))));
else for (const { host, rows } of hosts) print(host, rows.map(summed));

function count(option, least) {
  const given = Number(values[option]);
  if (Number.isInteger(given) && given >= least) return given;
  throw new Error(`--${option} ${values[option]}: a whole number, ${least} or more`);
}

async function inNode() {
  const { measure } = await import(pathToFileURL(join(resolve(folder), 'measure.js')).href);
  return measure(rounds, warmUp);
}

async function inChromium() {
  const { goodbye, inBrowser } = await import('../../browser/chromium.mjs');
  const { serve } = await import('../../browser/files.mjs');
  // A page of an isolated origin has a finer clock.
  const headers = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  };
  const files = await serve(folder, { headers });
  let found;
  try {
    await inBrowser(async (context) => {
      const page = await context.newPage();
      await page.goto(`${files.origin}/index.html`);
      found = await page.evaluate(async ([rounds, warmUp]) => {
        if (!crossOriginIsolated) throw new Error('the page is not isolated');
        const { measure } = await import('/measure.js');
        const [, version] = /Chrome\/([\d.]+)/.exec(navigator.userAgent) ?? [];
        return { host: `Chromium ${version}`, rows: await measure(rounds, warmUp) };
      }, [rounds, warmUp]);
    });
  } finally {
    files.close();
    goodbye();
  }
  return found;
}

/** Medians: what each took a message, in ns, and how many times as long ours took in the same round. */
function summed({ scenario, direction, bytes, took }) {
  const contenders = Object.entries(took).map(([name, each]) => {
    const ratio = median(each.map((one, round) => took.roomcast[round] / one));
    return { name, nanoseconds: median(each), ratio };
  });
  return { scenario, direction, bytes, contenders };
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function print(host, rows) {
  console.log(`\n${host}, ${rounds} rounds: µs a message, and how many times as long ours takes\n`);
  for (const direction of ['in', 'out']) {
    const wanted = rows.filter((row) => row.direction === direction);
    const names = wanted[0].contenders.map(({ name }) => name);
    console.log([direction.padEnd(26), ...names.map((name) => name.padStart(22))].join(''));
    for (const { scenario, bytes, contenders } of wanted) {
      const cells = contenders.map(({ name, nanoseconds, ratio }) => {
        const time = (nanoseconds / 1e3).toFixed(2);
        return name === 'roomcast' ? time : `${time} (${ratio.toFixed(2)})`;
      });
      console.log([`${scenario}, ${bytes} B`.padEnd(26), ...cells.map((cell) => cell.padStart(22))].join(''));
    }
  }
}
