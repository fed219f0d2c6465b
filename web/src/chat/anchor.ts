// Where a history stands: at its end, or at a row that was gone to, until the person scrolls. What comes in above it or
// below it, or turns out higher than it was guessed, does not move it from there.

import type { Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useRef } from "react";
import type { Row } from "./rows";

export const AT_END = 80; // pixels: as good as there
const SCROLLING_MS = 1000; // after a wheel, a finger or a key, scrolling is the person's own

type Anchor = { kind: "end" } | { kind: "row"; is: (row: Row) => boolean; align: "start" | "center" };

export interface Target {
  id: string;
  serial: number;
}

interface Held {
  toEnd: () => void;
  /** To be told of every scrolling, with how far the end is, in pixels. */
  scrolled: (fromEnd: number) => void;
}

/** `opening` counts how often the conversation was opened: then its first unread row is gone to, else its end. */
export function useAnchor(list: Virtualizer<HTMLDivElement, Element>, rows: Row[], opening: number, target: Target | null): Held {
  const anchor = useRef<Anchor | null>(null);
  const moved = useRef(-SCROLLING_MS);
  const at = useRef(-1);
  const latest = useRef(rows);
  latest.current = rows;

  const stay = useCallback((): void => {
    const held = anchor.current;
    if (held?.kind === "end") list.scrollToEnd();
    if (held?.kind !== "row") return;
    const index = latest.current.findIndex(held.is);
    if (index >= 0 && index !== at.current) list.scrollToIndex(index, { align: held.align });
    at.current = index;
  }, [list]);

  const hold = useCallback(
    (next: Anchor): void => {
      anchor.current = next;
      at.current = -1;
      moved.current = -SCROLLING_MS;
      stay();
    },
    [stay],
  );

  const some = rows.length > 0;
  useLayoutEffect(() => {
    if (opening === 0 || !some) return;
    const unread = latest.current.some((row) => row.kind === "unread");
    hold(unread ? { kind: "row", is: (row) => row.kind === "unread", align: "start" } : { kind: "end" });
  }, [opening, some, hold]);
  useLayoutEffect(() => {
    if (target !== null) hold({ kind: "row", is: (row) => row.kind === "message" && row.message.id === target.id, align: "center" });
  }, [target, hold]);
  useLayoutEffect(stay, [rows, stay]);

  useEffect(() => {
    const element = list.scrollElement;
    if (element === null) return;
    const smaller = new ResizeObserver(() => anchor.current?.kind === "end" && stay()); // a keyboard, the panel, the growing field
    smaller.observe(element);
    const byHand = (): void => { moved.current = performance.now(); };
    const signs = ["wheel", "touchmove", "keydown", "pointerdown"] as const;
    for (const sign of signs) element.addEventListener(sign, byHand, { passive: true });
    return () => {
      smaller.disconnect();
      for (const sign of signs) element.removeEventListener(sign, byHand);
    };
  }, [list, stay]);

  const scrolled = (fromEnd: number): void => {
    if (performance.now() - moved.current > SCROLLING_MS) return;
    moved.current = performance.now(); // it may go on by itself after a finger
    anchor.current = fromEnd <= AT_END ? { kind: "end" } : null;
  };
  return { toEnd: () => hold({ kind: "end" }), scrolled };
}
