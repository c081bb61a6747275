// A Worker on @roomcast/client/server: publishes, makes tokens, takes webhooks.
import { RoomcastError, RoomcastServer, createToken, verifyWebhook } from '@roomcast/client/server';

export default {
  async fetch(request, { URL: url, KEYS }) {
    const { pathname } = new URL(request.url);
    if (pathname === '/publish') {
      const rooms = new RoomcastServer({ url, apiKey: 'rk_dev_dev' });
      return Response.json(await rooms.room('chat:worker').publish('message', { text: 'from a Worker' }));
    }
    if (pathname === '/tokens') {
      const claims = { sub: 'ada', rooms: { 'chat:worker': ['history'] } };
      return Response.json(await Promise.all(JSON.parse(KEYS).map((key) => createToken({ key, ...claims }))));
    }
    try {
      const jwks = new URL('/.well-known/jwks.json', url);
      const { events } = await verifyWebhook(await request.text(), request.headers, { jwks });
      return Response.json(events.map(({ type }) => type));
    } catch (error) {
      return new Response(error.message, { status: error instanceof RoomcastError ? 400 : 500 });
    }
  },
};
