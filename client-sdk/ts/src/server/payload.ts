/** What an application sends, as JSON over HTTP has it: bytes are an object whose only key is `$bin`. */
export function written(data: unknown): unknown {
  return data instanceof Uint8Array ? { $bin: toBase64(data) } : data;
}

/** The reverse of {@link written}. */
export function read(data: unknown): unknown {
  if (typeof data !== "object" || data === null || Object.keys(data).length !== 1) return data;
  const { $bin } = data as { $bin?: unknown };
  return typeof $bin === "string" ? fromBase64($bin) : data;
}

/** A holder whose fields of these names are read. */
export function readIn<Holder extends object>(holder: Holder, ...names: string[]): Holder {
  const fields = { ...holder } as Record<string, unknown>;
  for (const name of names) if (name in fields) fields[name] = read(fields[name]);
  return fields as Holder;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Without padding, as tokens have it. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/**
 * Either alphabet, padded or not.
 *
 * @throws {Error} where it is no base64.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
