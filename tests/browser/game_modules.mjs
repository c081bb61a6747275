// The game page's own modules, for tests without a browser.
import { build } from 'esbuild';

export const game = new URL('../../examples/game/', import.meta.url);

export async function page(name) {
  const entryPoints = [new URL(`src/${name}.ts`, game).pathname];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
