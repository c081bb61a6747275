// A backend on @roomcast/client/server, as it is built, against a real gateway; its users join with Node's client.
// node backend.mjs <url> <token keys as JSON>
import assert from 'node:assert/strict';
import { Roomcast } from '@roomcast/client';
import { RoomcastHttpError, RoomcastServer, createToken } from '@roomcast/client/server';
import { WebSocket } from 'ws';

const [url, keys] = process.argv.slice(2);
const [hs, ed] = JSON.parse(keys);
const rooms = new RoomcastServer({ url, apiKey: 'rk_dev_dev' });
const lobby = rooms.room('chat:helpers');

const DEADLINE_MS = 30_000;

/** Waits until `look` finds something. */
async function eventually(what, look) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert(Date.now() < end, `never: ${what}`);
    await new Promise((later) => setTimeout(later, 50));
  }
}

/** A user in a room, with a token of that key. */
async function join(user, key, name = lobby.name) {
  const claims = { sub: user, rooms: { 'chat:*': ['*'], 'user:{sub}': ['join'] }, info: { name: `${user} ☕` }, tags: ['red'] };
  const client = new Roomcast({ url, WebSocket, token: () => createToken({ key, ...claims, ttl: 600 }) });
  const room = client.room(name, { presence: { at: 'desk' } });
  const heard = [];
  room.on('publication', (message) => heard.push(message));
  await room.join({ signal: AbortSignal.timeout(DEADLINE_MS) });
  return { room, heard };
}

const ada = await join('ada', hs);
const bob = await join('bob', ed);
assert.deepEqual(ada.room.me.tags, ['red']);

// Publishing, once under a key.
const first = await lobby.publish('message', { text: 'deployed' }, { from: { user: 'ci', info: { bot: true } }, key: 'deploy-1' });
const again = await lobby.publish('message', { text: 'deployed' }, { from: { user: 'ci', info: { bot: true } }, key: 'deploy-1' });
assert.deepEqual([first.duplicate, again], [false, { ...first, duplicate: true }]);
await assert.rejects(lobby.publish('message', { text: 'other' }, { key: 'deploy-1' }), { code: 'conflict', status: 409, outcome: 'rejected' });
assert.equal(await lobby.publish('cursor', { x: 1 }, { ephemeral: true, tags: ['red'] }), undefined);
const bytes = new Uint8Array([0, 1, 254, 255]);
await lobby.publish('sketch', bytes, { to: { users: ['bob'] } });
const sketch = await eventually('bob gets the sketch', () => bob.heard.find(({ type }) => type === 'sketch'));
assert.deepEqual(sketch.data, bytes);
assert.deepEqual(ada.heard.map(({ type, data }) => [type, data]), [['message', { text: 'deployed' }], ['cursor', { x: 1 }]]);

// The log, and what changes it.
await lobby.edit(first.offset, { text: 'deployed, and healthy' });
const { messages } = await lobby.messages();
assert.deepEqual(messages.map(({ type, data, from }) => [type, data, from?.info]), [
  ['message', { text: 'deployed, and healthy' }, { bot: true }],
  ['sketch', bytes, undefined],
]);
assert.equal((await lobby.messages({ raw: true, limit: 1 })).messages[0].type, 'edit');
await lobby.remove(first.offset);
await assert.rejects(lobby.edit(first.offset, 1), { code: 'not_found', status: 404 });

// Batches.
const outcomes = await rooms.publishBatch([
  { room: lobby.name, data: 'a' },
  { room: 'nope:a', data: 'b' },
  { room: 'chat:other', data: 'c', type: 'note' },
]);
assert.deepEqual(outcomes.map((outcome) => (outcome.ok ? 'published' : outcome.error.code)), ['published', 'unknown_kind', 'published']);

// Who is here, and what they share.
const { members } = await lobby.members({ limit: 10 });
assert.deepEqual(members.map(({ user, info, data }) => [user, info, data]), ['ada', 'bob'].map((user) => [user, { name: `${user} ☕` }, { at: 'desk' }]));
const { version } = await lobby.writeState([{ set: 'topic', value: 'tea', if: 0 }, { set: 'blob', value: bytes }]);
assert.deepEqual((await lobby.state()).entries.blob, { value: bytes, version });
await assert.rejects(lobby.writeState([{ delete: 'topic', if: 99 }]), { code: 'conflict' });
await eventually('ada sees the topic', () => ada.room.state.get('topic') === 'tea');
const info = await lobby.info();
assert.deepEqual([info.lifecycle, info.occupancy, info.state.keys], ['occupied', { members: 2, users: 2 }, 2]);
const listed = await eventually('the directory knows both rooms', async () => {
  const names = [];
  for await (const { room } of rooms.rooms({ prefix: 'chat:', limit: 1 })) names.push(room);
  return names.length === 2 && names;
});
assert.deepEqual(listed, [lobby.name, 'chat:other']);
assert.ok((await rooms.usage()).total.messages_in > 0);

// One user.
const mailbox = await join('ada', hs, 'user:ada');
await rooms.users.publish('ada', 'mail', { unread: 1 });
await eventually('ada has mail', () => mailbox.heard.some(({ type }) => type === 'mail'));
await lobby.disconnect({ user: 'bob', reason: 'be_kind', block_for: '10m' });
await eventually('bob was sent away', () => bob.room.status === 'failed');
assert.equal(bob.room.failure.closeCode, 3505);
await assert.rejects(bob.room.join(), { closeCode: 3505 });
assert.ok((await rooms.users.disconnect('ada')).closed >= 1);
await rooms.revoke({ user: 'ada', ttl: 60 });
await eventually('ada is revoked', () => ada.room.status === 'failed');

// What is wrong says so.
const error = await lobby.publish('message', 1, { tags: ['x'.repeat(65)] }).catch((error) => error);
assert.ok(error instanceof RoomcastHttpError);
assert.deepEqual([error.code, error.status, error.path], ['invalid_argument', 400, 'tags[0]']);
assert.match(error.requestId, /\S/);
await assert.rejects(new RoomcastServer({ url, apiKey: 'rk_dev_wrong' }).room('chat:a').info(), { code: 'unauthorized', status: 401 });
await lobby.delete();
assert.equal((await lobby.info()).lifecycle, 'fresh');
for (const { room } of [ada, bob, mailbox]) await room.leave();
