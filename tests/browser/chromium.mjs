// Chromium by playwright-core, with a fresh profile, and a line-based conversation with the Rust test that
// started this process: it can ask for what only the outside can do (kill the server, pull the cable).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

// How long anything that should happen may take; not a statement about speed.
export const DEADLINE_MS = 30_000;

const LAUNCH = {
  executablePath: process.env.ROOMCAST_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ARGUMENTS,
};

/** Passes on what a context's pages say; uncaught errors become complaints. */
function follow(context, complaints) {
  context.setDefaultTimeout(DEADLINE_MS);
  context.on('weberror', (error) => complaints.push(`uncaught in the page: ${error.error()}`));
  context.on('console', (message) => console.log(`    [${message.type()}] ${message.text()}`));
  return context;
}

/** Runs `scenario(context)` in a browser of its own; page errors and console errors fail it. */
export async function inBrowser(scenario) {
  const profile = await mkdtemp(join(tmpdir(), 'roomcast-chromium-'));
  const complaints = [];
  try {
    const context = follow(await chromium.launchPersistentContext(profile, LAUNCH), complaints);
    try {
      await scenario(context);
    } finally {
      await context.close();
    }
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

/**
 * Runs `scenario(newContext)` in a browser of its own, `newContext` with playwright's options. Each context has storage, a network switch and renderer
 * processes of its own.
 */
export async function inContexts(scenario) {
  const complaints = [];
  const browser = await chromium.launch(LAUNCH);
  try {
    await scenario(async (options) => follow(await browser.newContext(options), complaints));
  } finally {
    await browser.close();
  }
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the Rust side for `what` and waits until it is done. */
export async function outside(what) {
  console.log(`@${what}`);
  const { value, done } = await lines.next();
  if (done || value !== 'done') throw new Error(`asked the outside for ${what}, got ${value}`);
}

/** The conversation is over; an open stdin would keep this process. */
export function goodbye() {
  process.stdin.destroy();
}
