// The little of Node that the tests use, so that the package needs no development dependency of its own.

declare module "node:test" {
  export function test(name: string, run: () => void | Promise<void>): void;
  export function afterEach(run: () => void | Promise<void>): void;
}
declare module "node:assert/strict" {
  interface Assert {
    (value: unknown, message?: string): asserts value;
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(actual: string, expected: RegExp): void;
    rejects(promise: Promise<unknown>, expected: object): Promise<void>;
    throws(run: () => unknown, expected: object): void;
    ok(value: unknown, message?: string): asserts value;
  }
  const assert: Assert;
  export default assert;
}
declare module "node:child_process" {
  export function execFileSync(file: string, args: string[], options?: object): string;
}
declare module "node:fs" {
  export function mkdtempSync(prefix: string): string;
  export function mkdirSync(path: string, options?: object): void;
  export function rmSync(path: string, options?: object): void;
  export function writeFileSync(path: string, text: string): void;
  export function readFileSync(path: string): Uint8Array;
  export function copyFileSync(from: string, to: string): void;
}
declare module "node:http" {
  export interface IncomingMessage extends AsyncIterable<Uint8Array> {
    readonly url?: string;
    readonly headers: Readonly<Record<string, string | undefined>>;
  }
  export interface ServerResponse {
    writeHead(status: number, headers: Record<string, string>): ServerResponse;
    write(text: string): void;
    end(text?: string): void;
    destroy(): void;
  }
  export interface Server {
    listen(port: number, host: string, listening: () => void): void;
    address(): unknown;
    closeAllConnections(): void;
    close(): void;
  }
  export function createServer(listener: (request: IncomingMessage, response: ServerResponse) => void): Server;
}
declare module "node:os" {
  export function tmpdir(): string;
}
declare module "node:path" {
  export function join(...parts: string[]): string;
}
declare module "node:url" {
  export function fileURLToPath(url: URL | string): string;
}
declare module "node:zlib" {
  export function gzipSync(bytes: Uint8Array): Uint8Array;
}
declare const process: {
  execPath: string;
  on(event: "uncaughtException", listener: (error: unknown) => void): void;
  off(event: "uncaughtException", listener: (error: unknown) => void): void;
};
/** In a signature of `standardwebhooks`. */
declare class Buffer extends Uint8Array {}
