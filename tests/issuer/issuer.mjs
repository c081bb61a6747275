// An issuer of tokens that is not ours: the npm package `jose` makes keys and tokens, and publishes a set of keys on
// 127.0.0.1. Prints its port. Tests steer it over HTTP.
import http from 'node:http';
import * as jose from 'jose';

const PUBLIC = ['RS256', 'ES256', 'EdDSA'];
const SECRET_BYTES = { HS256: 32, HS384: 48, HS512: 64 };

/** By kid: its algorithm and what signs. */
const keys = new Map();
/** The kids that the set shows. */
let published = [];
/** How the set is served. */
let mode = 'good';
/** How often the set was asked for. */
let asked = 0;

async function make(kid, alg) {
  const bytes = SECRET_BYTES[alg];
  if (bytes !== undefined) {
    const secret = crypto.getRandomValues(new Uint8Array(bytes));
    keys.set(kid, { alg, privateKey: secret, entry: { kid, alg, secret: jose.base64url.encode(secret) } });
    return;
  }
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  const jwk = await jose.exportJWK(publicKey);
  const pem = await jose.exportSPKI(publicKey);
  keys.set(kid, { alg, privateKey, jwk, entry: { kid, alg, public_key: pem } });
}

function set() {
  const shown = published.map((kid) => ({ ...keys.get(kid).jwk, kid, use: 'sig', alg: keys.get(kid).alg }));
  // As a real issuer's, it holds more than is for us.
  const foreign = [{ kty: 'oct', kid: 'oct', k: 'AAAA' }, { kty: 'EC', crv: 'P-384', kid: 'other' }];
  return { keys: [...foreign, ...shown] };
}

const MODES = {
  good: (response) => response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(set())),
  slow: (response) => setTimeout(() => MODES.good(response), 500),
  hang: () => {},
  // The head of an answer, and half of its body.
  stall: (response) => response.write(JSON.stringify(set()).slice(0, 20)),
  garbage: (response) => response.end('<html>Sorry</html>'),
  large: (response) => response.end(JSON.stringify({ ...set(), padding: 'p'.repeat(1 << 20) })),
  endless: (response) => {
    const more = () => !response.destroyed && response.write('p'.repeat(1 << 14), more);
    more();
  },
  error: (response) => response.writeHead(500).end(JSON.stringify(set())),
  redirect: (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
};

const ROUTES = {
  /** {kid, alg} */
  '/make': async ({ kid, alg }) => {
    await make(kid, alg);
    return keys.get(kid).entry;
  },
  /** {kids} */
  '/publish': ({ kids }) => {
    published = kids;
    return {};
  },
  /** {mode} */
  '/serve': (request) => {
    mode = request.mode;
    return {};
  },
  /** {kid, claims, header?} */
  '/sign': async ({ kid, claims, header }) => {
    const { alg, privateKey } = keys.get(kid);
    const token = new jose.SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header });
    return { token: await token.sign(privateKey) };
  },
  '/asked': () => ({ asked }),
};

async function read(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}

const server = http.createServer(async (request, response) => {
  if (request.url === '/jwks') {
    asked += 1;
    MODES[mode](response);
  } else if (request.url === '/elsewhere') {
    MODES.good(response);
  } else {
    try {
      response.end(JSON.stringify(await ROUTES[request.url](await read(request))));
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  }
});

for (const alg of PUBLIC) await make(alg, alg);
published = [...PUBLIC];
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
// Whoever started it is gone.
process.stdin.on('end', () => process.exit()).resume();
