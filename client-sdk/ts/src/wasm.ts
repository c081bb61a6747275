import init, { ClientCore } from "./client_sdk.js";
import { Core } from "./core.js";

/** Where the Wasm module comes from: an address, its bytes, a compiled module, or a response with it. */
export type WasmSource = string | URL | BufferSource | WebAssembly.Module | Response | Promise<Response>;

let loading: Promise<void> | undefined;

/**
 * A core of its own for a room. Loads the module at the first call, once for all rooms. Without a source it lies
 * beside this file, which is also what bundlers understand by `new URL(…, import.meta.url)`.
 */
export async function newCore(source?: WasmSource): Promise<Core> {
  loading ??= instantiate(source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  await loading;
  return new Core(new ClientCore());
}

async function instantiate(source?: WasmSource): Promise<void> {
  const chosen = await (source ?? new URL("./client_sdk_bg.wasm", import.meta.url));
  await init({ module_or_path: chosen instanceof URL ? await moduleAt(chosen) : chosen });
}

/** What the glue loads a module from: its address, or its bytes where that is a file. */
export async function moduleAt(address: URL): Promise<URL | BufferSource> {
  return address.protocol === "file:" ? readFile(address) : address;
}

/** Node's fetch knows no files. The name is put together so that bundlers for browsers do not look for it. */
async function readFile(file: URL): Promise<BufferSource> {
  const name = ["node:fs", "promises"].join("/");
  const files = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
    readFile(file: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return files.readFile(file);
}
