// Formatting. People type **bold**, *italic*, `code`, ```blocks```, ~~struck~~, ||spoilers||, > quotes; what travels is
// plain text with spans of code points, as src/roost/messaging/formatting.py makes and tidies them; tests/vectors/markup.json
// holds the two to each other. Whatever spans come, `layout` gives pieces of the text, each letter once. No HTML is ever made.

import { cleanMarks, isHidden } from "./text";

export type Style = "bold" | "italic" | "code" | "quote" | "spoiler" | "strike" | "mention" | "meant";

export interface Span {
  start: number;
  length: number;
  style: Style;
}

// --- as people type it -------------------------------------------------------------------------------------------------

const FENCE = /```(?:[a-z]{0,12}\n)?([\s\S]*?)```/gu;
const INLINE =
  /(?<code>`[^`\n]+`)|(?<bold>\*\*(?=\S)[^\n]*?\S\*\*(?!\*))|(?<spoiler>\|\|(?=\S)[^\n]*?\S\|\|)|(?<strike>~~(?=\S)[^\n]*?\S~~)|(?<italic>(?<![\p{L}\p{N}_*])\*(?=[^\s*])[^\n*]*?[^\s*]\*(?![\p{L}\p{N}_*])|(?<![\p{L}\p{N}_])_(?=\S)[^\n_]*?[^\s_]_(?![\p{L}\p{N}_]))|(?<link>https?:\/\/[^\s<>"'`]+)/gu;
const WIDTHS = { bold: 2, spoiler: 2, strike: 2, italic: 1 } as const;
const MAX_DEPTH = 4;
const MAX_MARKED_LINE = 4000;
const MAX_SPANS = 512;

interface Parsed {
  text: string;
  length: number;
  spans: Span[];
}

function add(parsed: Parsed, text: string): void {
  parsed.text += text;
  for (const _ of text) parsed.length += 1;
}

function styled(parsed: Parsed, start: number, style: Style): void {
  if (parsed.length > start) parsed.spans.push({ start, length: parsed.length - start, style });
}

/** The text without its marks, and the spans that they meant. */
export function parseMarkup(typed: string): { text: string; spans: Span[] } {
  const parsed: Parsed = { text: "", length: 0, spans: [] };
  let at = 0;
  for (const fence of typed.matchAll(FENCE)) {
    lines(parsed, typed.slice(at, fence.index));
    const start = parsed.length;
    add(parsed, (fence[1] ?? "").replace(/\n$/u, ""));
    styled(parsed, start, "code");
    at = fence.index + fence[0].length;
  }
  lines(parsed, typed.slice(at));
  return { text: parsed.text, spans: tidy(parsed.length, parsed.spans) };
}

function lines(parsed: Parsed, text: string): void {
  let quote = -1;
  text.split("\n").forEach((line, number) => {
    if (number > 0) add(parsed, "\n");
    const quoted = line.startsWith(">") && (parsed.length === 0 || parsed.text.endsWith("\n"));
    if (quoted && quote < 0) quote = parsed.length;
    else if (!quoted && quote >= 0) {
      parsed.spans.push({ start: quote, length: parsed.length - 1 - quote, style: "quote" });
      quote = -1;
    }
    inline(parsed, quoted ? line.replace(/^> ?/u, "") : line, 0);
  });
  if (quote >= 0) styled(parsed, quote, "quote");
}

function inline(parsed: Parsed, text: string, depth: number): void {
  let at = 0;
  if (text.length > MAX_MARKED_LINE) {
    add(parsed, text);
    return;
  }
  for (const found of text.matchAll(INLINE)) {
    add(parsed, text.slice(at, found.index));
    at = found.index + found[0].length;
    const start = parsed.length;
    const style = (["code", "bold", "spoiler", "strike", "italic"] as const).find((name) => found.groups?.[name] !== undefined);
    if (style === "code") {
      add(parsed, found[0].slice(1, -1));
      styled(parsed, start, "code");
    } else if (style === undefined || depth >= MAX_DEPTH) {
      add(parsed, found[0]);
    } else {
      inline(parsed, found[0].slice(WIDTHS[style], -WIDTHS[style]), depth + 1);
      styled(parsed, start, style);
    }
  }
  add(parsed, text.slice(at));
}

const STYLES: readonly Style[] = ["bold", "italic", "code", "quote", "spoiler", "strike", "mention", "meant"];

/** The spans that mean something: inside the text, in order, none of a style touching another. */
function tidy(length: number, spans: readonly Span[]): Span[] {
  const found: Span[] = [];
  for (const style of STYLES) {
    const ranges = spans
      .filter((span) => span.style === style)
      .map((span) => ({ start: Math.max(0, span.start), end: Math.min(span.start + span.length, length) }))
      .filter((range) => range.start < range.end)
      .sort((one, other) => one.start - other.start);
    let last: { start: number; end: number } | undefined;
    for (const range of ranges) {
      if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
      else found.push(asSpan((last = range), style));
      const held = found.at(-1);
      if (held !== undefined && last !== undefined) held.length = last.end - last.start;
    }
  }
  const rank = (span: Span): number => STYLES.indexOf(span.style);
  return found.sort((one, other) => one.start - other.start || other.length - one.length || rank(one) - rank(other)).slice(0, MAX_SPANS);
}

function asSpan(range: { start: number; end: number }, style: Style): Span {
  return { start: range.start, length: range.end - range.start, style };
}

// --- to be changed again ------------------------------------------------------------------------------------------------

const MARKS: Record<Style, string> = { bold: "**", italic: "*", code: "`", spoiler: "||", strike: "~~", quote: "", mention: "", meant: "" };
const NESTING: readonly Style[] = ["spoiler", "bold", "italic", "strike", "code"]; // outermost first

/** The text with marks for its spans, as it may have been typed. */
export function marked(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  return layout(text, spans)
    .map((block) => {
      if (block.kind === "code") return `\`\`\`\n${block.text}\n\`\`\``;
      const shown = block.kind === "quote" ? block.lines.map((line) => `> ${markedLine(line)}`) : [markedLine(block.pieces)];
      return shown.join("\n");
    })
    .join("\n");
}

function markedLine(pieces: Piece[]): string {
  const flat = pieces.flatMap((piece) => (piece.kind === "spoiler" ? piece.children.map((child) => ({ child, spoiler: true })) : [{ child: piece, spoiler: false }]));
  let open: Style[] = [];
  let shown = "";
  for (const { child, spoiler } of [...flat, { child: null, spoiler: false }]) {
    const wanted = child === null ? [] : NESTING.filter((style) => (style === "spoiler" ? spoiler : child.styles.has(style)));
    const same = open.findIndex((style, index) => style !== wanted[index]);
    const kept = same < 0 ? Math.min(open.length, wanted.length) : same;
    shown += open.slice(kept).reverse().map((style) => MARKS[style]).join("");
    shown += wanted.slice(kept).map((style) => MARKS[style]).join("");
    if (child !== null) shown += child.text;
    open = wanted;
  }
  return shown;
}

/** The text for one line somewhere else: what is hidden in it stays hidden. */
export function covered(text: string, spans: readonly Span[]): string {
  const hidden = spans.filter((span) => span.style === "spoiler");
  if (hidden.length === 0) return text;
  return [...text].map((letter, at) => (hidden.some((span) => span.start <= at && at < span.start + span.length) && letter.trim() !== "" ? "▒" : letter)).join("");
}

// --- to be shown --------------------------------------------------------------------------------------------------------

export interface Letters {
  kind: "text";
  text: string;
  styles: ReadonlySet<Style>;
  /** Where it leads; only http and https. */
  href?: string;
}

export type Piece = Letters | { kind: "spoiler"; children: Letters[] };

export type Block = { kind: "line"; pieces: Piece[] } | { kind: "quote"; lines: Piece[][] } | { kind: "code"; text: string };

/** What a message looks like, block by block, made harmless: see text.ts. */
export function layout(raw: string, told: readonly Span[]): Block[] {
  const { letters, spans } = clean(raw, told);
  const blocks: Block[] = [];
  let at = 0;
  for (const span of spans) {
    const end = span.start + span.length;
    const code = span.style === "code" && span.start >= at ? letters.slice(span.start, end) : [];
    if (!code.includes("\n")) continue;
    if (span.start > at) addLines(blocks, letters, at, letters[span.start - 1] === "\n" ? span.start - 1 : span.start, spans);
    blocks.push({ kind: "code", text: code.join("") });
    at = letters[end] === "\n" ? end + 1 : end;
  }
  if (at < letters.length || blocks.length === 0) addLines(blocks, letters, at, letters.length, spans);
  return blocks;
}

function addLines(blocks: Block[], letters: string[], from: number, to: number, spans: Span[]): void {
  const quotes = spans.filter((span) => span.style === "quote");
  for (let start = from; start <= to; ) {
    const found = letters.indexOf("\n", start);
    const end = found < 0 || found > to ? to : found;
    const pieces = lineOf(letters, start, end, spans);
    const last = blocks.at(-1);
    if (!quotes.some((span) => span.start <= start && span.start + span.length >= end)) blocks.push({ kind: "line", pieces });
    else if (last?.kind === "quote") last.lines.push(pieces);
    else blocks.push({ kind: "quote", lines: [pieces] });
    start = end + 1;
  }
}

function lineOf(letters: string[], start: number, end: number, spans: Span[]): Piece[] {
  const here = spans.filter((span) => span.style !== "quote" && span.start < end && span.start + span.length > start);
  const edges = here.flatMap((span) => [span.start, span.start + span.length]).filter((edge) => edge > start && edge < end);
  const cuts = [...new Set([start, ...edges, end])].sort((one, other) => one - other);
  const pieces: Piece[] = [];
  for (const [index, from] of cuts.entries()) {
    const to = cuts[index + 1];
    if (to === undefined) break;
    const styles = new Set(here.filter((span) => span.start <= from && span.start + span.length >= to).map((span) => span.style));
    const spoiler = styles.delete("spoiler");
    const shown = withLinks(letters.slice(from, to).join(""), styles);
    const last = pieces.at(-1);
    if (!spoiler) pieces.push(...shown);
    else if (last?.kind === "spoiler") last.children.push(...shown);
    else pieces.push({ kind: "spoiler", children: shown });
  }
  return pieces;
}

/** The text by code points without what plays tricks, and the spans where they are now. */
function clean(raw: string, told: readonly Span[]): { letters: string[]; spans: Span[] } {
  const all = [...raw];
  const letters: string[] = [];
  const moved: number[] = [];
  let marks = 0;
  for (const [index, letter] of all.entries()) {
    moved.push(letters.length);
    marks = cleanMarks.test(letter) ? marks + 1 : 0;
    if (isHidden(letter) || marks > 4 || (letter === "\r" && all[index + 1] === "\n")) continue;
    letters.push(letter === "\r" ? "\n" : letter);
  }
  moved.push(letters.length);
  const place = (at: number): number => moved[Math.max(0, Math.min(at, all.length))] ?? letters.length;
  const spans = told.slice(0, MAX_SPANS).map((span) => ({ ...span, start: place(span.start), length: place(span.start + span.length) - place(span.start) }));
  return { letters, spans: tidy(letters.length, spans) };
}

const LINK = /https?:\/\/[^\s<>"'`\u0000-\u001f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;

function withLinks(text: string, styles: ReadonlySet<Style>): Letters[] {
  const pieces: Letters[] = [];
  let at = 0;
  if (!styles.has("code")) {
    for (const found of text.matchAll(LINK)) {
      const link = linkOf(found[0]);
      if (link === null) continue;
      if (found.index > at) pieces.push({ kind: "text", text: text.slice(at, found.index), styles });
      pieces.push({ kind: "text", text: link.shown, href: link.href, styles });
      at = found.index + link.length;
    }
  }
  if (at < text.length) pieces.push({ kind: "text", text: text.slice(at), styles });
  return pieces;
}

function linkOf(found: string): { shown: string; href: string; length: number } | null {
  const tail = /[.,;:!?)\]}]+$/u.exec(found)?.[0] ?? "";
  const closes = tail.startsWith(")") && found.includes("(") ? 1 : 0;
  const address = found.slice(0, found.length - tail.length + closes);
  try {
    const href = new URL(address);
    if (href.protocol !== "http:" && href.protocol !== "https:") return null;
    // A name that only looks like another one is shown as it really is (xn--…), and so is a hidden user name.
    const honest = address.includes(href.host) && href.username === "" ? address : href.href;
    return { shown: honest, href: href.href, length: address.length };
  } catch {
    return null;
  }
}
