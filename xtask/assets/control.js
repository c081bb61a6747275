// Tests put an object to sleep here instead of waiting for 10 s of silence.

import unsafe from "workerd:unsafe";

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, action, className] = url.pathname.split("/");
    const name = url.searchParams.get("name");
    const objects = env[className];
    if (request.method !== "POST" || action !== "evict" || !objects || !name) {
      return new Response("POST /evict/<class>?name=<object name>\n", { status: 404 });
    }
    try {
      await unsafe.evict(objects.getByName(name));
      return new Response("evicted\n");
    } catch (error) {
      return new Response(`${error}\n`, { status: 500 });
    }
  },
};
