// Puts the Wasm module and its glue beside the compiled JavaScript, where `new URL(…, import.meta.url)` finds it.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
const [wasm, dist] = [join(folder, "wasm"), join(folder, "dist")];
await mkdir(dist, { recursive: true });
for (const file of ["client_sdk.js", "client_sdk_bg.wasm"]) await copyFile(join(wasm, file), join(dist, file));

// `Symbol.dispose` is unknown to applications that compile for an older library than ES2026.
const declarations = await readFile(join(wasm, "client_sdk.d.ts"), "utf8");
await writeFile(join(dist, "client_sdk.d.ts"), declarations.replace("    [Symbol.dispose](): void;\n", ""));
