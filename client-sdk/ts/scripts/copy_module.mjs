// Puts the Wasm modules and their glue beside the compiled JavaScript, where `new URL(…, import.meta.url)` finds them.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
await copyModule("client_sdk", ".");
await copyModule("client_testing", "testing");

async function copyModule(name, into) {
  const [wasm, dist] = [join(folder, "wasm", into), join(folder, "dist", into)];
  await mkdir(dist, { recursive: true });
  for (const file of [`${name}.js`, `${name}_bg.wasm`]) await copyFile(join(wasm, file), join(dist, file));

  // `Symbol.dispose` is unknown to applications that compile for an older library than ES2026.
  const declarations = await readFile(join(wasm, `${name}.d.ts`), "utf8");
  await writeFile(join(dist, `${name}.d.ts`), declarations.replace("    [Symbol.dispose](): void;\n", ""));
}

const module = deflateRawSync(await readFile(join(folder, "wasm/client_sdk_bg.wasm")), { level: 9 });
const inline = `// The Wasm module: deflated, in base64.\nexport const packed = "${module.toString("base64")}";\n`;
await mkdir(join(folder, "dist/inline"), { recursive: true });
await writeFile(join(folder, "dist/inline/module.js"), inline);
