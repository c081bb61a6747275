import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const source = fileURLToPath(new URL("../..", import.meta.url));

/** Joins through a socket that never opens: by the time it is made, the Wasm module works. */
const application = `
import { Roomcast, RoomcastError } from "@roomcast/client";
class Socket {
  constructor(url, protocols) { console.log(url, protocols.join()); setTimeout(() => room.leave(), 0); }
  close() {}
}
const room = new Roomcast({ url: "https://rooms.example", WebSocket: Socket }).room("chat:lobby");
room.join().catch((error) => console.log(error instanceof RoomcastError, error.code));
`;
const expected = "wss://rooms.example/v1/rooms/chat:lobby/connect roomcast.v1.msgpack\ntrue cancelled\n";

/** An application's folder with the packed package installed. */
function installed(run: (folder: string, files: string[]) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "roomcast-pack-"));
  const options = { cwd: folder, encoding: "utf8" };
  try {
    const packed = execFileSync("npm", ["pack", source, "--json", "--ignore-scripts"], options);
    const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
    const place = join(folder, "node_modules/@roomcast/client");
    mkdirSync(place, { recursive: true });
    execFileSync("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", place]);
    run(folder, files.map(({ path }) => path));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(folder: string, file: string): string {
  return execFileSync(process.execPath, [join(folder, file)], { encoding: "utf8" });
}

test("the packed package works in Node as it is", () => {
  installed((folder, files) => {
    writeFileSync(join(folder, "app.mjs"), application);
    assert.equal(run(folder, "app.mjs"), expected);
    assert.ok(files.includes("README.md") && files.includes("dist/index.d.ts"));
    assert.ok(files.every((path) => /^(dist\/|README\.md$|package\.json$)/.test(path)), files.join());
  });
});

test("every import is relative but for React's, so that a page can load the package without a bundler", () => {
  installed((folder, files) => {
    for (const file of files.filter((path) => path.endsWith(".js"))) {
      const text = new TextDecoder().decode(readFileSync(join(folder, "node_modules/@roomcast/client", file)));
      for (const [, specifier = ""] of text.matchAll(/^(?:import|export) .*from "(.*)";$/gm)) {
        // React's hooks are for who has React.
        const isReact = file.startsWith("dist/react/") && specifier === "react";
        assert.ok(isReact || /^\.\.?\/.*\.js$/.test(specifier), `${file} imports ${specifier}`);
      }
    }
  });
});

test("a bundler needs no configuration, and the module beside the bundle is found", () => {
  installed((folder) => {
    writeFileSync(join(folder, "app.mjs"), application);
    const bundle = ["app.mjs", "--bundle", "--format=esm", "--minify", "--log-level=warning", "--outfile=out/app.mjs"];
    const warnings = execFileSync("esbuild", [...bundle, "--platform=browser"], { cwd: folder, encoding: "utf8" });
    assert.equal(warnings, "");
    const module = join(folder, "node_modules/@roomcast/client/dist/client_sdk_bg.wasm");
    copyFileSync(module, join(folder, "out/client_sdk_bg.wasm"));
    assert.equal(run(folder, "out/app.mjs"), expected);
    const [script, wasm] = [readFileSync(join(folder, "out/app.mjs")), readFileSync(module)].map((bytes) => gzipSync(bytes).length);
    console.log(`gzip: ${script} bytes of JavaScript, ${wasm} bytes of Wasm`);
  });
});

test("what is not used of the package is shaken off", () => {
  installed((folder) => {
    writeFileSync(join(folder, "app.mjs"), `import { RoomcastError } from "@roomcast/client"; console.log(RoomcastError.name);`);
    const bundled = execFileSync("esbuild", ["app.mjs", "--bundle", "--format=esm", "--minify"], { cwd: folder, encoding: "utf8" });
    assert.ok(bundled.length < 1_000, `${bundled.length} bytes`);
  });
});
