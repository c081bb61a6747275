/**
 * Pictures and cards for addresses, made of the address alone: no server looks at what is behind it. A picture is
 * fetched by the reader's browser, without saying which page it stands on; its place is set before it comes.
 */
import type { Attachment } from "./generated/chat.js";
import { el, icon } from "./dom.js";
import { looksLikePicture, safeAddress } from "./said.js";
import { link } from "./text.js";

/** Of addresses in the text itself only pictures are shown. */
const IN_TEXT = /https:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}*_]/g;
const IN_TEXT_MAX = 2;

export function attachmentViews(text: string, attachments: readonly Attachment[]): Node[] {
  const listed = new Set(attachments.map(({ url }) => url));
  const inText = [...text.matchAll(IN_TEXT)]
    .map(([address]) => safeAddress(address))
    .filter((url) => url !== undefined && looksLikePicture(url) && !listed.has(url.href))
    .slice(0, IN_TEXT_MAX);
  const views = [
    ...attachments.map(({ url, name }) => attachmentView(new URL(url), name)),
    ...inText.map((url) => attachmentView(url as URL, undefined)),
  ];
  return views.length === 0 ? [] : [el("div", { class: "attachments" }, ...views)];
}

function attachmentView(url: URL, name: string | undefined): Node {
  return looksLikePicture(url) ? picture(url, name) : card(url, name);
}

function picture(url: URL, name: string | undefined): Node {
  const image = el("img", {
    src: url.href,
    alt: name ?? fileName(url),
    loading: "lazy",
    decoding: "async",
    referrerpolicy: "no-referrer",
  });
  const place = el("div", { class: "picture" }, link(url.href, image));
  image.addEventListener("load", () => place.classList.add("loaded"));
  image.addEventListener("error", () => place.replaceWith(card(url, name)));
  return place;
}

function card(url: URL, name: string | undefined): HTMLElement {
  const parts = [
    el("span", { class: "card-icon", "aria-hidden": "true" }, icon(isFile(url) ? "file" : "link")),
    el("span", { class: "card-words" }, el("strong", {}, name ?? fileName(url)), el("span", {}, url.host)),
  ];
  const view = link(url.href, ...parts);
  view.className = "card";
  return view;
}

function isFile(url: URL): boolean {
  return /\.(?:pdf|zip|csv|xlsx?|docx?|pptx?|txt|md|json|mp[34]|mov)$/i.test(url.pathname);
}

function fileName(url: URL): string {
  const last = url.pathname.split("/").findLast((part) => part !== "");
  if (last === undefined) return url.host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
