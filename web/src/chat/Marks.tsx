import type { ReactNode } from "react";
import type { MessageState } from "../api/types";
import { useT } from "../i18n/i18n";

const SHAPES: Record<MessageState, string> = {
  queued: "M10 5v5l3 2M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z",
  sent: "M4 10.500 8 14.500 16 5.500",
  delivered: "M1.500 10.500 5.500 14.500 13 5.500M9.500 14l.5.500 8.500-9",
  read: "M1.500 10.500 5.500 14.500 13 5.500M9.500 14l.5.500 8.500-9",
  received: "",
  failed: "M10 4.500v6.500M10 14.500v.500M10 17.500a7.500 7.500 0 1 0 0-15 7.500 7.500 0 0 0 0 15Z",
};

/** How far one's own message is: a clock, one tick, two ticks, two ticks in colour; an exclamation mark: never sent. */
export function Marks({ state }: { state: MessageState }): ReactNode {
  const t = useT();
  if (state === "received") return null;
  return (
    <svg className={`marks ${state}`} viewBox="0 0 20 20" width="16" height="16" role="img" aria-label={t(`state.${state}`)}>
      <path d={SHAPES[state]} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
