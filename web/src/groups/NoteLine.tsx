import type { ReactNode } from "react";
import type { Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { noteText } from "./words";

/** What changed in a group, quietly, between its messages. */
export function NoteLine({ message, flash }: { message: Message; flash: boolean }): ReactNode {
  const t = useT();
  return (
    <div className={flash ? "note-line flash" : "note-line"} data-id={message.id}>
      <span dir="auto">{noteText(message, t)}</span>
    </div>
  );
}
