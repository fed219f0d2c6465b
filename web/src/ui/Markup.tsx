import { Fragment, useMemo, useState, type ReactNode } from "react";
import type { Mention } from "../api/groups";
import { useT } from "../i18n/i18n";
import { layout, type Block, type Letters, type Piece, type Span } from "./markup";

function Spoiler({ children }: { children: ReactNode }): ReactNode {
  const [open, setOpen] = useState(false);
  const t = useT();
  return open ? (
    <span className="spoiler open">{children}</span>
  ) : (
    <button type="button" className="spoiler" onClick={() => setOpen(true)} aria-label={t("message.spoiler")}>
      <span aria-hidden="true">{children}</span>
    </button>
  );
}

function Pieces({ pieces, find }: { pieces: Piece[]; find: RegExp | null }): ReactNode {
  return pieces.map((piece, index) =>
    piece.kind === "spoiler" ? (
      <Spoiler key={index}>{piece.children.map((child, at) => <Fragment key={at}>{shown(child, null, false)}</Fragment>)}</Spoiler>
    ) : (
      <Fragment key={index}>{shown(piece, find, true)}</Fragment>
    ),
  );
}

function shown({ text, styles, href }: Letters, find: RegExp | null, links: boolean): ReactNode {
  let node: ReactNode = highlighted(text, find);
  if (href !== undefined && links) node = <a href={href} target="_blank" rel="noopener noreferrer nofollow">{node}</a>;
  if (styles.has("mention") || styles.has("meant")) node = <span className={styles.has("meant") ? "mention meant" : "mention"}>{node}</span>;
  if (styles.has("code")) node = <code>{node}</code>;
  if (styles.has("strike")) node = <s>{node}</s>;
  if (styles.has("italic")) node = <em>{node}</em>;
  if (styles.has("bold")) node = <strong>{node}</strong>;
  return node;
}

function finder(find: string): RegExp | null {
  const words = find.split(/\s+/u).filter((word) => word.length > 0).slice(0, 20);
  if (words.length === 0) return null;
  return new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("|")})`, "giu");
}

function highlighted(text: string, find: RegExp | null): ReactNode {
  if (find === null) return text;
  return text.split(find).map((part, index) => (index % 2 === 1 ? <mark key={index}>{part}</mark> : part));
}

function ShownBlock({ block, find }: { block: Block; find: RegExp | null }): ReactNode {
  switch (block.kind) {
    case "code":
      return <pre dir="ltr" tabIndex={0}><code>{highlighted(block.text, find)}</code></pre>;
    case "quote":
      return (
        <blockquote>
          {block.lines.map((line, index) => (
            <div key={index} dir="auto" className="line"><Pieces pieces={line} find={find} /></div>
          ))}
        </blockquote>
      );
    case "line":
      return <div dir="auto" className="line"><Pieces pieces={block.pieces} find={find} /></div>;
  }
}

const NONE: readonly Span[] = [];
const NOBODY: readonly Mention[] = [];

function asSpan({ start, length, member }: Mention): Span {
  return { start, length, style: member === "me" ? "meant" : "mention" };
}

export function Markup({ text, spans = NONE, mentions = NOBODY, find = "" }: { text: string; spans?: readonly Span[]; mentions?: readonly Mention[]; find?: string }): ReactNode {
  const blocks = useMemo(() => layout(text, [...spans, ...mentions.map(asSpan)]), [text, spans, mentions]);
  const pattern = useMemo(() => finder(find), [find]);
  return blocks.map((block, index) => <ShownBlock key={index} block={block} find={pattern} />);
}
