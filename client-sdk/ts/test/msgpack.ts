/** MessagePack for the fake server: what the wire uses, both ways. */

export class Bytes {
  constructor(readonly bytes: Uint8Array) {}
}

export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  write(out, value);
  return new Uint8Array(out);
}

function write(out: number[], value: unknown): void {
  if (value === null || value === undefined) out.push(0xc0);
  else if (typeof value === "boolean") out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(out, value);
  else if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    out.push(0xdb, ...big(bytes.length, 4), ...bytes);
  } else if (value instanceof Bytes) out.push(0xc6, ...big(value.bytes.length, 4), ...value.bytes);
  else if (Array.isArray(value)) {
    out.push(0xdd, ...big(value.length, 4));
    for (const item of value) write(out, item);
  } else {
    const entries = Object.entries(value).filter(([, field]) => field !== undefined);
    out.push(0xdf, ...big(entries.length, 4));
    for (const [key, field] of entries) {
      write(out, key);
      write(out, field);
    }
  }
}

function writeNumber(out: number[], value: number): void {
  if (value < 0x80) out.push(value);
  else out.push(0xcf, ...big(Math.floor(value / 2 ** 32), 4), ...big(value % 2 ** 32, 4));
}

function big(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 2 ** (8 * (bytes - 1 - index))) % 256);
}

/** The values of a frame, one after another. */
export function decodeAll(bytes: Uint8Array): Record<string, unknown>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number): Uint8Array => bytes.subarray(at, (at += length));
  const number = (length: number): number => take(length).reduce((sum, byte) => sum * 256 + byte, 0);
  const text = (length: number): string => new TextDecoder().decode(take(length));
  const list = (length: number): unknown[] => Array.from({ length }, () => value());
  const map = (length: number): object => Object.fromEntries(Array.from({ length }, () => [value(), value()]));
  const value = (): any => {
    const marker = view.getUint8(at++);
    if (marker < 0x80) return marker;
    if (marker < 0x90) return map(marker & 15);
    if (marker < 0xa0) return list(marker & 15);
    if (marker < 0xc0) return text(marker & 31);
    switch (marker) {
      case 0xc2:
      case 0xc3:
        return marker === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return take(number(1 << (marker - 0xc4))).slice();
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return number(1 << (marker - 0xcc));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return text(number(1 << (marker - 0xd9)));
      case 0xdc:
        return list(number(2));
      default:
        throw new Error(`a client wrote ${marker.toString(16)}`);
    }
  };
  const values: Record<string, unknown>[] = [];
  while (at < bytes.length) values.push(value());
  return values;
}
