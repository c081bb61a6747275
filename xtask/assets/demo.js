// Serves the built demo from a disk service, which knows no content types and lists directories.

const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};

export default {
  async fetch(request, env) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const { pathname } = new URL(request.url);
    const path = pathname.endsWith("/") ? pathname + "index.html" : pathname;
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)];
    if (type === undefined) return folder(env, request.url);
    const file = await env.FILES.fetch("http://files" + path);
    if (file.status !== 200) return missing();
    const body = await file.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body)).toHex();
    const etag = `"${digest.slice(0, 32)}"`;
    const headers = { "content-type": type, "cache-control": "no-cache", etag, "x-content-type-options": "nosniff" };
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
    return new Response(request.method === "HEAD" ? null : body, { headers });
  },
};

// A folder's page stands behind a slash, beside its script and style.
async function folder(env, url) {
  const page = new URL(url);
  page.pathname += "/";
  const file = await env.FILES.fetch("http://files" + page.pathname + "index.html");
  return file.status === 200 ? Response.redirect(page, 308) : missing();
}

function missing() {
  return new Response("not found\n", { status: 404, headers: { "content-type": "text/plain; charset=utf-8" } });
}
