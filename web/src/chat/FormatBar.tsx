import type { KeyboardEvent, ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { IconButton } from "../ui/controls";

export type Mark = "bold" | "italic" | "strike" | "code" | "spoiler" | "blockquote";

const AROUND: Record<Exclude<Mark, "blockquote">, string> = { bold: "**", italic: "*", strike: "~~", code: "`", spoiler: "||" };
const MARKS: readonly Mark[] = ["bold", "italic", "strike", "code", "spoiler", "blockquote"];
const ICONS = { bold: "bold", italic: "italic", strike: "strike", code: "code", spoiler: "hidden", blockquote: "blockquote" } as const;

/** The mark that Ctrl or ⌘ with a key stands for; italic only with something selected, the key has another use without. */
export function markOf(event: KeyboardEvent, area: HTMLTextAreaElement | null): Mark | null {
  const selected = area !== null && area.selectionStart !== area.selectionEnd;
  const key = event.key.toLowerCase();
  if (event.shiftKey) return key === "x" ? "strike" : key === "h" ? "spoiler" : key === "m" ? "code" : null;
  if (key === "b") return "bold";
  return key === "i" && selected ? "italic" : null;
}

/** The text with a mark around what is selected, or without it where it was there, and what is selected then. */
export function withMark(text: string, start: number, end: number, mark: Mark): { text: string; start: number; end: number } {
  const chosen = text.slice(start, end);
  if (mark === "blockquote") {
    const from = text.lastIndexOf("\n", start - 1) + 1;
    const lines = text.slice(from, end).split("\n");
    const quoted = lines.every((line) => line.startsWith("> "));
    const changed = lines.map((line) => (quoted ? line.slice(2) : `> ${line}`)).join("\n");
    return { text: text.slice(0, from) + changed + text.slice(end), start: from, end: from + changed.length };
  }
  const around = mark === "code" && chosen.includes("\n") ? "```" : AROUND[mark];
  const width = around.length;
  if (text.slice(start - width, start) === around && text.slice(end, end + width) === around && (mark !== "italic" || stars(text.slice(0, start)) % 2 === 1)) {
    return { text: text.slice(0, start - width) + chosen + text.slice(end + width), start: start - width, end: end - width };
  }
  return { text: text.slice(0, start) + around + chosen + around + text.slice(end), start: start + width, end: end + width };
}

/** How many stand at the end: one is italic, two are bold, three both. */
function stars(before: string): number {
  return /\**$/u.exec(before)?.[0].length ?? 0;
}

/** Shown while something is selected in the field. */
export function FormatBar({ onMark }: { onMark: (mark: Mark) => void }): ReactNode {
  const t = useT();
  return (
    <div className="format-bar" role="toolbar" aria-label={t("format.bar")} onPointerDown={(event) => event.preventDefault()}>
      {MARKS.map((mark) => (
        <IconButton key={mark} icon={ICONS[mark]} label={t(`format.${mark}`)} onPress={() => onMark(mark)} />
      ))}
    </div>
  );
}
