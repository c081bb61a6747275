/** What people write as elements: addresses, mentions, code, bold and italic. Everything else stays text. */
import { el } from "./dom.js";

/** Who is mentioned: the name as it stands in the text, and whether that is the reader. */
export interface Mentioned {
  name: string;
  isMe: boolean;
}

type Part = Node | string;

const ADDRESS = /https?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}*_]/;

export function written(text: string, mentioned: readonly Mentioned[]): Part[] {
  const parts: Part[] = [];
  let rest = text;
  for (let fence = /```(?:[\w+-]*\n)?([\s\S]+?)```\n?/.exec(rest); fence !== null; ) {
    parts.push(...lines(rest.slice(0, fence.index).replace(/\n$/, ""), mentioned));
    parts.push(el("pre", {}, el("code", {}, (fence[1] ?? "").replace(/\n$/, ""))));
    rest = rest.slice(fence.index + fence[0].length);
    fence = /```(?:[\w+-]*\n)?([\s\S]+?)```\n?/.exec(rest);
  }
  parts.push(...lines(rest, mentioned));
  return parts;
}

/** Lines that begin with `>` are what somebody else said. */
function lines(text: string, mentioned: readonly Mentioned[]): Part[] {
  const parts: Part[] = [];
  const plain: string[] = [];
  const quoted: string[] = [];
  const end = (some: string[], make: (text: string) => Part[]): void => {
    if (some.length > 0) parts.push(...make(some.splice(0).join("\n")));
  };
  for (const line of text.split("\n")) {
    const isQuote = /^>\s?/.test(line);
    if (isQuote) end(plain, (some) => inline(some, mentioned));
    else end(quoted, (some) => [el("blockquote", {}, ...inline(some, mentioned))]);
    (isQuote ? quoted : plain).push(isQuote ? line.replace(/^>\s?/, "") : line);
  }
  end(quoted, (some) => [el("blockquote", {}, ...inline(some, mentioned))]);
  end(plain, (some) => inline(some, mentioned));
  return parts;
}

function inline(text: string, mentioned: readonly Mentioned[]): Part[] {
  const names = mentioned
    .map(({ name }) => name)
    .filter((name) => name !== "")
    .sort((a, b) => b.length - a.length)
    .map((name) => `@${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`);
  const mention = names.length > 0 ? `(?<mention>${names.join("|")})(?!\\w)` : "(?<mention>(?!))";
  const pattern = new RegExp(
    [
      "`(?<code>[^`\\n]+)`",
      `(?<address>${ADDRESS.source})`,
      mention,
      "(?<![\\w*])\\*\\*?(?<bold>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*\\*?(?![\\w*])",
      "(?<!\\w)_(?<italic>[^\\s_](?:[^_\\n]*[^\\s_])?)_(?!\\w)",
      "(?<!\\w)~(?<struck>[^\\s~](?:[^~\\n]*[^\\s~])?)~(?!\\w)",
    ].join("|"),
    "g",
  );
  const parts: Part[] = [];
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > done) parts.push(text.slice(done, match.index));
    parts.push(element(match[0], match.groups ?? {}, mentioned));
    done = match.index + match[0].length;
  }
  if (done < text.length) parts.push(text.slice(done));
  return parts;
}

function element(whole: string, groups: Record<string, string | undefined>, mentioned: readonly Mentioned[]): Part {
  const { code, address, mention, bold, italic, struck } = groups;
  if (code !== undefined) return el("code", {}, code);
  if (address !== undefined) return link(address);
  if (mention !== undefined) {
    const isMe = mentioned.some(({ name, isMe }) => isMe && `@${name}` === mention);
    return el("span", { class: isMe ? "mention to-me" : "mention" }, mention);
  }
  if (bold !== undefined) return el("strong", {}, ...inline(bold, mentioned));
  if (italic !== undefined) return el("em", {}, ...inline(italic, mentioned));
  if (struck !== undefined) return el("s", {}, ...inline(struck, mentioned));
  return whole;
}

export function link(address: string, ...children: Part[]): HTMLAnchorElement {
  const attributes = { href: address, target: "_blank", rel: "noopener noreferrer nofollow", title: children.length === 0 && isLong(address) && address };
  return el("a", attributes, ...(children.length > 0 ? children : [shortened(address)]));
}

const ADDRESS_SHOWN_MAX = 120;

function isLong(address: string): boolean {
  return address.length > ADDRESS_SHOWN_MAX;
}

/** Where it leads is at its beginning. */
function shortened(address: string): string {
  return isLong(address) ? `${address.slice(0, ADDRESS_SHOWN_MAX - 20)}…${address.slice(-16)}` : address;
}

export function isFewEmoji(text: string): boolean {
  return /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*\s*){1,3}$/u.test(text.trim());
}
