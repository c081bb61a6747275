// Builds the application with each bundler, as it is without any configuration. node build.mjs <directory> <name> …
//
// Each gets a folder of its own with an index.html.
import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [into, ...names] = process.argv.slice(2);
const page = (script) => `<!doctype html><title>waits</title><script type="module" src="${script}"></script>`;

/** A folder with the application's sources, from which the package is found as an installed one is. */
async function sources(name, entry = "app.js") {
  const folder = join(into, name, "source");
  await mkdir(join(folder, "node_modules/@roomcast"), { recursive: true });
  const client = await realpath(join(here, "../../client-sdk/ts"));
  for (const part of ["package.json", "dist"]) {
    await cp(join(client, part), join(folder, "node_modules/@roomcast/client", part), { recursive: true });
  }
  await cp(join(here, entry), join(folder, "app.js"));
  await writeFile(join(folder, "index.html"), page("./app.js"));
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  return folder;
}

/** Runs a program of an npm package, quietly where it does well. */
function run(packageName, bin, args, cwd) {
  const manifest = require.resolve(`${packageName}/package.json`);
  const program = join(dirname(manifest), require(manifest).bin[bin]);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd, encoding: "utf8" });
  if (status !== 0 || /warn/i.test(stderr)) throw new Error(`${packageName} ended with ${status}:\n${stdout}\n${stderr}`);
}

const require = createRequire(import.meta.url);

const builds = {
  async vite() {
    const cwd = await sources("vite");
    run("vite", "vite", ["build", "--logLevel", "warn", "--base", "./", "--outDir", "../page"], cwd);
  },

  async webpack() {
    const context = await sources("webpack");
    const { default: webpack } = await import("webpack");
    const output = { path: join(into, "webpack/page"), filename: "app.js" };
    const compiler = webpack({ mode: "production", context, entry: "./app.js", output });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, stats) => compiler.close(() => (error ? reject(error) : resolve(stats))));
    });
    // What webpack says of sizes is no matter here.
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    const told = [...errors, ...warnings].filter(({ message }) => !/size limit|performance/i.test(message));
    if (told.length > 0) throw new Error(told.map(({ message }) => message).join("\n"));
    await writeFile(join(into, "webpack/page/index.html"), page("./app.js"));
  },

  async esbuild() {
    const cwd = await sources("esbuild", "app-inline.js");
    const flags = ["--bundle", "--minify", "--format=esm", "--outfile=../page/app.js", "--log-level=warning"];
    spawned(join(here, "../../node_modules/.bin/esbuild"), ["app.js", ...flags], cwd);
    await writeFile(join(into, "esbuild/page/index.html"), page("./app.js"));
  },

  /** The example, found where it is. Vite says of `"use client"`, which is for Next.js, that it means nothing here. */
  async react() {
    const flags = ["--logLevel", "error", "--base", "./", "--outDir", join(into, "react/page")];
    run("vite", "vite", ["build", join(here, "../../examples/react"), ...flags], here);
  },

  /** No bundler at all: the package's files as they are, found by an import map. */
  async script() {
    const folder = await sources("script");
    const map = { imports: { "@roomcast/client": "./node_modules/@roomcast/client/dist/index.js" } };
    const html = await readFile(join(folder, "index.html"), "utf8");
    await writeFile(join(folder, "index.html"), html.replace("<script", `<script type="importmap">${JSON.stringify(map)}</script><script`));
    // The same in a Web Worker, which knows no import maps and no document.
    const inWorker = (await readFile(join(folder, "app.js"), "utf8"))
      .replace('"@roomcast/client"', JSON.stringify(map.imports["@roomcast/client"]))
      .replace(/document\.title = (`[^`]*`)/, "postMessage($1)");
    await writeFile(join(folder, "worker.js"), inWorker);
    await writeFile(join(folder, "start.js"), `
const worker = new Worker('./worker.js' + location.search, { type: "module" });
worker.onmessage = ({ data }) => (document.title = data);
`);
    await writeFile(join(folder, "worker.html"), page("./start.js"));
    await cp(folder, join(into, "script/page"), { recursive: true });
  },
};

/** As {@link run}, for what is no script. */
function spawned(program, args, cwd) {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status !== 0 || stderr !== "") throw new Error(`${program} ended with ${status}:\n${stderr}`);
}

for (const name of names) {
  await builds[name]();
  console.log(name);
}
