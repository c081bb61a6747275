// What worker-build writes for a Worker: for the repository's tests, which do without it.

import * as wasm from "gateway-wasm";

export default {
  fetch: (request, env, context) => wasm.fetch(request, env, context),
};
