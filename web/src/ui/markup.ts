// Formatting as people type it: **bold**, *italic*, `code`, ```blocks```, ~~struck~~, ||spoilers||, > quotes, and links.
// The text stays what was sent; this only says how pieces of it look. No HTML is ever made.

export type Piece =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "code"; text: string }
  | { kind: "bold" | "italic" | "strike" | "spoiler"; children: Piece[] };

export type Block = { kind: "line"; pieces: Piece[] } | { kind: "quote"; lines: Piece[][] } | { kind: "code"; text: string };

const INLINE =
  /(`[^`\n]+`)|(\*\*(?=\S)[^\n]*?\S\*\*)|(\|\|(?=\S)[^\n]*?\S\|\|)|(~~(?=\S)[^\n]*?\S~~)|((?<![\p{L}\p{N}*])\*(?=[^\s*])[^\n*]*?[^\s*]\*(?![\p{L}\p{N}*]))|((?<![\p{L}\p{N}_])_(?=\S)[^\n_]*?\S_(?![\p{L}\p{N}_]))|(https?:\/\/[^\s<>"'`\u0000-\u001f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+)/gu;
const MAX_DEPTH = 4;

export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  const parts = text.split(/```(?:[a-z]{0,12}\n)?([\s\S]*?)```/u);
  parts.forEach((part, index) => {
    if (index % 2 === 1) {
      blocks.push({ kind: "code", text: part.replace(/\n$/u, "") });
      return;
    }
    if (part === "" || (part === "\n" && parts.length > 1)) return;
    const trimmed = index > 0 ? part.replace(/^\n/u, "") : part;
    for (const line of (index < parts.length - 1 ? trimmed.replace(/\n$/u, "") : trimmed).split("\n")) {
      const quoted = /^> ?(.*)$/u.exec(line);
      const last = blocks.at(-1);
      if (quoted === null) blocks.push({ kind: "line", pieces: parseInline(line) });
      else if (last?.kind === "quote") last.lines.push(parseInline(quoted[1] ?? ""));
      else blocks.push({ kind: "quote", lines: [parseInline(quoted[1] ?? "")] });
    }
  });
  return blocks;
}

export function parseInline(text: string, depth = 0): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const found = match[0];
    if (match.index > at) pieces.push({ kind: "text", text: text.slice(at, match.index) });
    at = match.index + found.length;
    pieces.push(...piece(match, found, depth));
  }
  if (at < text.length) pieces.push({ kind: "text", text: text.slice(at) });
  return pieces;
}

function piece(match: RegExpMatchArray, found: string, depth: number): Piece[] {
  if (match[1]) return [{ kind: "code", text: found.slice(1, -1) }];
  if (match[7]) return link(found);
  if (depth >= MAX_DEPTH) return [{ kind: "text", text: found }];
  const inner = (width: number): Piece[] => parseInline(found.slice(width, -width), depth + 1);
  if (match[2]) return [{ kind: "bold", children: inner(2) }];
  if (match[3]) return [{ kind: "spoiler", children: inner(2) }];
  if (match[4]) return [{ kind: "strike", children: inner(2) }];
  return [{ kind: "italic", children: inner(1) }];
}

function link(found: string): Piece[] {
  const tail = /[.,;:!?)\]}]+$/u.exec(found)?.[0] ?? "";
  const closes = tail.startsWith(")") && found.includes("(") ? 1 : 0;
  const address = found.slice(0, found.length - tail.length + closes);
  const rest = found.slice(address.length);
  try {
    const href = new URL(address);
    if (href.protocol !== "http:" && href.protocol !== "https:") return [{ kind: "text", text: found }];
    // A name that only looks like another one is shown as it really is (xn--…), and so is a hidden user name.
    const honest = address.includes(href.host) && href.username === "" ? address : href.href;
    return [{ kind: "link", text: honest, href: href.href }, ...(rest ? [{ kind: "text", text: rest } as const] : [])];
  } catch {
    return [{ kind: "text", text: found }];
  }
}
