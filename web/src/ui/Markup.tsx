import { Fragment, useMemo, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { parseBlocks, type Block, type Piece } from "./markup";
import { cleanText } from "./text";

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

function Pieces({ pieces, find }: { pieces: Piece[]; find: string }): ReactNode {
  return pieces.map((piece, index) => <Fragment key={index}>{show(piece, find)}</Fragment>);
}

function show(piece: Piece, find: string): ReactNode {
  switch (piece.kind) {
    case "text":
      return highlighted(piece.text, find);
    case "link":
      return (
        <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
          {piece.text}
        </a>
      );
    case "code":
      return <code>{piece.text}</code>;
    case "bold":
      return <strong><Pieces pieces={piece.children} find={find} /></strong>;
    case "italic":
      return <em><Pieces pieces={piece.children} find={find} /></em>;
    case "strike":
      return <s><Pieces pieces={piece.children} find={find} /></s>;
    case "spoiler":
      return <Spoiler><Pieces pieces={piece.children} find={find} /></Spoiler>;
  }
}

function highlighted(text: string, find: string): ReactNode {
  const words = find.split(/\s+/u).filter((word) => word.length > 0);
  if (words.length === 0) return text;
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")).join("|")})`, "giu");
  return text.split(pattern).map((part, index) => (index % 2 === 1 ? <mark key={index}>{part}</mark> : part));
}

function ShownBlock({ block, find }: { block: Block; find: string }): ReactNode {
  switch (block.kind) {
    case "code":
      return <pre dir="ltr" tabIndex={0}><code>{block.text}</code></pre>;
    case "quote":
      return (
        <blockquote>
          {block.lines.map((line, index) => (
            <div key={index} dir="auto"><Pieces pieces={line} find={find} /></div>
          ))}
        </blockquote>
      );
    case "line":
      return <div dir="auto" className="line"><Pieces pieces={block.pieces} find={find} /></div>;
  }
}

export function Markup({ text, find = "" }: { text: string; find?: string }): ReactNode {
  const blocks = useMemo(() => parseBlocks(cleanText(text)), [text]);
  return blocks.map((block, index) => <ShownBlock key={index} block={block} find={find} />);
}
